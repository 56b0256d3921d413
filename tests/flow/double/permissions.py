"""Who may do what, straight from the text of the decision: a plain implementation to compare others with.

Roles come from a file. Conditions look at the rows as they are stored now; nothing is cached.
"""

from typing import NamedTuple

import yaml

from .schema import CALCULATED, TABLE, snake_case

KNOWN = """Project Sequence Shot Asset Task Version PublishedFile Note Reply TimeLog Playlist Ticket HumanUser ApiUser
    Group Department PermissionRuleSet Status Step""".split()
ADVANCED = set("""access_admin_functionality show_webhooks hide_fields_in_projects show_all_action_menu_item_activity
    generate_toolkit_logs edit_global_formatting edit_work_schedules show_other_menu show_saved_filters
    edit_project_navigation create_project_pages edit_form_layouts edit_home_page edit_my_tasks_defaults
    set_project_page_defaults set_global_page_defaults see_all_projects act_as_another_user
    show_overlay_player""".split())
ACTIONS = {"read", "create", "update", "delete", "revive"}
NEVER = {"id", "created_at", "created_by", "updated_at", "updated_by", "cached_display_name"}
NEVER_OF = {
    "Project": "is_template is_template_project is_demo start_date end_date duration layout_project",
    "Task": "time_logs_sum time_vs_est time_percent_of_est dependency_violation sibling_tasks sg_versions "
            "workload_assignee_count",
    "Version": "viewed_by_current_user_at otio_playable",
    "Note": "client_note suppress_email_notif",
    "Playlist": "locked_at locked_by",
    "Ticket": "time_logs_sum",
    "HumanUser": "permission_rule_set can_impersonate_this_user autodesk_account_status oxygen_user_id password_proxy "
                 "merge_in_progress",
    "ApiUser": "permission_rule_set",
    "Step": "entity_type",
    "Status": "code",
}
ABSENT = object()


class Decision(NamedTuple):
    allow: bool
    reason: str
    rule: object = None


class InvalidPolicy(Exception):
    """A rule names a field that the site does not have."""


GRANTED = Decision(True, "GRANTED")


def deny(reason, rule=None):
    return Decision(False, reason, rule)


class Roles:
    """The roles file."""

    def __init__(self, text):
        file = yaml.safe_load(text) or {}
        self.conditions = file.get("conditions") or {}
        self.extra = file.get("extra_types") or []
        self.read_only = file.get("read_only") or {}
        self.roles = {}
        given = file.get("roles") or {}
        for name in given:
            self.roles[name] = self.role(given, name, ())

    def role(self, given, name, above):
        if name not in given or name in above:
            return {"advanced": [], "types": {}}
        role = given[name] or {}
        base = self.role(given, role["clone"], (*above, name)) if role.get("clone") else {"advanced": [], "types": {}}
        return {"advanced": role.get("advanced", base["advanced"]) or [],
                "types": {**base["types"], **(role.get("types") or {})}}


class Decider:
    """Decides over one store."""

    def __init__(self, store, roles):
        self.store, self.roles = store, roles
        self.types = {snake_case(name): TABLE[name] for name in [*KNOWN, *roles.extra] if name in TABLE}

    def decide(self, subject, action, kind, key="", project="", field="", value=ABSENT, subject_type="person"):
        """The decision on a question asked in words."""
        row = self.subject(subject_type, subject)
        if row is None:
            return deny("SUBJECT_UNKNOWN")
        if not self.active(row):
            return deny("SUBJECT_INACTIVE")
        if kind == "site":
            if action not in ADVANCED or field:
                return deny("ACTION_UNKNOWN")
            role = self.role_of(row)
            return self.site(role, action, value) if role else deny("NO_GRANT")
        found = self.types.get(kind)
        if found is None and kind == "event_log_entry" and action == "create":
            found = TABLE["EventLogEntry"]
        if found is None or action not in ACTIONS:
            return deny("ACTION_UNKNOWN")
        if field and (field not in found.fields or action not in ("read", "update")):
            return deny("ACTION_UNKNOWN")
        if self.role_of(row) is None:
            return deny("NO_GRANT")
        if action == "create":
            return self.create(row, found, project)
        target = self.store.find((found.name, number(key)))
        return self.on_row(row, action, found, target, field, value)

    # === 1. subject, 3. role ===

    def subject(self, how, name):
        if how in ("person", ""):
            return self.store.live(("HumanUser", number(name)))
        if how == "bot":
            return self.store.live(("ApiUser", number(name)))
        if how not in ("login", "email"):
            return None
        people = self.store.tables["HumanUser"].rows.values()
        found = [row for row in people if not row.retired and name and row.values.get(how) == name]
        return found[0] if len(found) == 1 else None

    def active(self, subject):
        return subject.kind.name != "HumanUser" or subject.raw("sg_status_list") == "act"

    def role_of(self, subject):
        rule_set = self.store.live(subject.raw("permission_rule_set"))
        return self.roles.roles.get(rule_set.values.get("code")) if rule_set else None

    # === 4. site ===

    def site(self, role, action, value):
        if action not in role["advanced"]:
            return deny("NO_GRANT")
        if action == "act_as_another_user" and value is not ABSENT and value is not None:
            person = self.store.live(("HumanUser", number(value)))
            if person is None:
                return deny("RESOURCE_UNKNOWN")
            if not self.active(person) or not person.raw("can_impersonate_this_user"):
                return deny("RESTRICTED")
        return GRANTED

    # === create ===

    def create(self, subject, kind, project):
        role = self.role_of(subject)
        if has_project(kind):
            if not project:
                return deny("INDETERMINATE")
            found = self.store.live(("Project", number(project)))
            if found is None:
                return deny("RESOURCE_UNKNOWN")
            if "see_all_projects" not in role["advanced"] and found.ref not in self.projects(subject):
                return deny("NOT_MEMBER")
        if kind.name == "PermissionRuleSet":
            return deny("RESTRICTED")
        if kind.name == "EventLogEntry" and "generate_toolkit_logs" not in role["advanced"]:
            return deny("NO_GRANT")
        return self.rule(self.of_type(role, kind, "create"), None, subject)

    # === 5. to 8.: an action on a row ===

    def on_row(self, subject, action, kind, row, field="", value=ABSENT):
        role = self.role_of(subject)
        if role is None:
            return deny("NO_GRANT")
        if row is None or row.retired != (action == "revive"):
            return deny("RESOURCE_UNKNOWN")
        if not self.reaches(role, subject, row):
            return deny("NOT_MEMBER")
        seen = self.sees(role, subject, row, field)
        if not seen.allow:
            return seen
        if action == "read":
            return GRANTED
        if action in ("delete", "revive"):
            if kind.name == "PermissionRuleSet":
                return deny("RESTRICTED")
            if action == "delete" and kind.name == "Project" and row.raw("is_template_project"):
                return deny("RESTRICTED")
            if action == "revive" and "access_admin_functionality" not in role["advanced"]:
                return deny("NO_GRANT")
            return self.rule(self.of_type(role, kind, "retire"), row, subject)
        edit = self.of_type(role, kind, "edit")
        if not field:
            return self.rule(edit, row, subject)
        if is_no(edit):
            return deny("NO_GRANT", edit)
        if self.never_editable(kind, field):
            return deny("RESTRICTED")
        return self.field_edit(role, subject, kind, row, field, value)

    def reaches(self, role, subject, row):
        """Step 6."""
        if "see_all_projects" in role["advanced"] or not (has_project(row.kind) or row.kind.name == "Project"):
            return True
        return bool(set(self.projects_of(row)) & self.projects(subject))

    def sees(self, role, subject, row, field=""):
        """Step 7."""
        rules = [(self.of_type(role, row.kind, "see"), row)]
        if row.kind.name == "Reply":
            above = self.store.live(row.raw("entity"))
            rules.append((self.of_type(role, above.kind, "see") if above else False, above))
        if field:
            rules.append((self.of_field(role, row.kind, field, "see"), row))
        for rule, on in rules:
            decision = self.rule(rule, on, subject)
            if not decision.allow:
                return decision
        return GRANTED

    def field_edit(self, role, subject, kind, row, field, value):
        edit = self.of_field(role, kind, field, "edit")
        fields = (role["types"].get(kind.name) or {}).get("fields") or {}
        values = (fields.get(field) or {}).get("values") or {}
        if not values:
            return self.rule(edit, row, subject)
        if value is ABSENT:
            answers = [self.rule(rule, row, subject) for rule in (edit, *values.values())]
            invalid = [answer for answer in answers if answer.reason == "INVALID_POLICY"]
            if invalid:
                return invalid[0]
            if all(answer.allow for answer in answers):
                return GRANTED
            return deny("INDETERMINATE" if any(answer.allow for answer in answers) else "NO_GRANT", edit)
        if isinstance(value, str) and value in values:
            decision = self.rule(values[value], row, subject)
            return deny("RESTRICTED", decision.rule) if decision.reason == "NO_GRANT" else decision
        return self.rule(edit, row, subject)

    # === projects ===

    def projects(self, subject):
        """The projects that a subject without `see_all_projects` sees."""
        mine = set(self.store.value(subject, "projects"))
        return mine | {row.ref for row in self.store.tables["Project"].rows.values()
                       if not row.retired and row.raw("is_template")}

    def projects_of(self, row):
        if row.kind.name == "Project":
            return [row.ref]
        if row.kind.name == "Reply":
            above = self.store.live(row.raw("entity"))
            return self.projects_of(above) if above else []
        found = []
        if "project" in row.kind.fields:
            found.append(self.store.value(row, "project"))
        if row.kind.name == "Asset":
            found += self.store.value(row, "linked_projects")
        return [project for project in found if project]

    # === rules ===

    @staticmethod
    def of_type(role, kind, operation):
        for name in (kind.name, "*"):
            rules = role["types"].get(name) or {}
            if operation in rules:
                return rules[operation]
        return False

    def of_field(self, role, kind, field, operation):
        fields = (role["types"].get(kind.name) or {}).get("fields") or {}
        for name in (field, "*"):
            rules = fields.get(name) or {}
            if operation in rules:
                return rules[operation]
        return self.of_type(role, kind, operation)

    def never_editable(self, kind, field):
        return (field in NEVER or kind.fields[field].data_type in CALCULATED
                or field in (self.roles.read_only.get(kind.name) or ())
                or kind.name == "PermissionRuleSet" or field in NEVER_OF.get(kind.name, "").split()
                or kind.name == "Shot" and field.startswith("smart_"))

    def rule(self, rule, row, subject):
        """Whether a rule (yes, no, a condition or its name) holds on a row."""
        if rule is True or rule == "yes":
            return GRANTED
        if is_no(rule):
            return deny("NO_GRANT", rule)
        if isinstance(rule, str):
            rule = self.roles.conditions[rule]
        try:
            return GRANTED if self.holds(rule, row, subject) else deny("NO_GRANT", rule)
        except InvalidPolicy:
            return deny("INVALID_POLICY", rule)

    def holds(self, condition, row, subject):
        if "logical_operator" in condition:
            # All of them are looked at: a wrong path must not hide behind another leaf.
            answers = [self.holds(one, row, subject) for one in condition["conditions"]]
            return all(answers) if condition["logical_operator"] == "and" else any(answers)
        found = self.values_at(row, condition["path"])
        wanted = [self.plain(value, subject) for value in condition["values"]]
        relation = condition["relation"]
        if relation in ("is_not", "not_in", "not_contains", "type_is_not"):
            return not positive(relation.replace("_not", "").replace("not_", ""), found, wanted)
        return positive(relation, found, wanted)

    @staticmethod
    def plain(value, subject):
        """A value of the file as it is compared: "me" is the subject, links are pairs, texts have no case."""
        if isinstance(value, dict):
            if value.get("valid") == "logged_in_user_token":
                return subject.ref
            return value["type"], value["id"]
        return fold(value)

    def values_at(self, row, path):
        """The set of values that a path leads to."""
        first, *rest = path.split(".")
        rows, kinds = [row], [row.kind]
        name = first
        while True:
            for kind in kinds:
                if name not in kind.fields:
                    raise InvalidPolicy(f"{kind.name}.{name}")
            values = [value for one in rows for value in self.stored(one, name)]
            if not rest:
                return values
            if not all(kind.fields[name].valid_types for kind in kinds) or len(rest) < 2 or rest[0] not in TABLE:
                raise InvalidPolicy(path)
            wanted, name, *rest = rest
            rows = [self.store.live(ref) for ref in values if isinstance(ref, tuple) and ref[0] == wanted]
            rows = [one for one in rows if one is not None]
            kinds = [TABLE[wanted]]

    def stored(self, row, name):
        value = self.store.value(row, name)
        if row.kind.fields[name].many:
            return list(value)
        return [] if value is None else [value if isinstance(value, tuple) else fold(value)]


def positive(relation, found, wanted):
    """Whether a relation holds between the values found and the values given."""
    if relation in ("is", "in"):
        if wanted == [None]:
            return not found
        return any(one == other for one in found for other in wanted if same_kind(one, other))
    if relation == "type_is":
        return any(isinstance(one, tuple) and one[0].lower() == wanted[0] for one in found)
    if relation in ("contains", "starts_with", "ends_with"):
        test = {"contains": str.__contains__, "starts_with": str.startswith, "ends_with": str.endswith}[relation]
        return any(isinstance(one, str) and test(one, wanted[0]) for one in found)
    numbers = [one for one in found if same_kind(one, wanted[0])]
    if relation == "greater_than":
        return any(one > wanted[0] for one in numbers)
    if relation == "less_than":
        return any(one < wanted[0] for one in numbers)
    if relation == "between":
        return any(wanted[0] <= one <= wanted[1] for one in numbers)
    raise InvalidPolicy(relation)


def same_kind(one, other):
    def kind(value):
        return bool if isinstance(value, bool) else float if isinstance(value, (int, float)) else type(value)
    return kind(one) is kind(other)


def fold(value):
    return value.lower() if isinstance(value, str) else value


def is_no(rule):
    return rule is False or rule is None or rule == "no"


def has_project(kind):
    return "project" in kind.fields or kind.name == "Reply"


def number(text):
    """An id, or one that no row has."""
    text = str(text)
    return int(text) if text.isascii() and text.isdigit() and str(int(text)) == text else -1
