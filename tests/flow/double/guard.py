"""What a caller is refused, and in which words. Rows in projects that a caller does not see are simply not there."""

import json
import zlib

from .permissions import ABSENT, Decider, has_project, is_no
from .store import Refusal, missing


def refused(text):
    return Refusal(400, 104, text)


class Guard:
    """Over one store and one roles file; without a file everything is allowed that the schema allows."""

    def __init__(self, store, roles):
        self.store = store
        self.decider = Decider(store, roles) if roles else None

    def bound(self, caller):
        """The caller's role, or None where nothing is enforced."""
        if self.decider is None or caller.subject is None:
            return None
        return self.decider.role_of(caller.subject) or {"advanced": [], "types": {}}

    # === reading ===

    def may_read(self, caller, kind):
        role = self.bound(caller)
        if role is not None and is_no(self.decider.of_type(role, kind, "see")):
            raise refused(f"Entity of type {kind.name} can not be accessed by this user. {self.rule_text(caller)}")

    def sight(self, caller, kind):
        """A test of rows, or None where all are seen."""
        role = self.bound(caller)
        if role is None:
            return None
        rule = self.decider.of_type(role, kind, "see")
        if "see_all_projects" in role["advanced"] and rule is True and kind.name != "Reply":
            return None
        subject, decider = caller.subject, self.decider
        return lambda row: decider.reaches(role, subject, row) and decider.sees(role, subject, row).allow

    def hidden(self, caller):
        """A test of fields: those that the role never sees."""
        role = self.bound(caller)
        if role is None:
            return lambda kind, name: False
        return lambda kind, name: is_no(self.decider.of_field(role, kind, name, "see"))

    def field_sight(self, caller, kind):
        """A test of a row's field, or None where all fields that are not hidden are seen."""
        role = self.bound(caller)
        if role is None or kind.name not in role["types"] or not (role["types"][kind.name] or {}).get("fields"):
            return None
        subject, decider = caller.subject, self.decider
        return lambda row, name: decider.rule(decider.of_field(role, kind, name, "see"), row, subject).allow

    def editable(self, caller, field, kind):
        """The schema's `editable`: false is certain, true is perhaps."""
        role = self.bound(caller)
        if not field.editable or role is None:
            return field.editable
        decider = self.decider
        if is_no(decider.of_type(role, kind, "edit")):
            return False
        values = ((role["types"].get(kind.name) or {}).get("fields") or {}).get(field.name, {}).get("values") or {}
        rules = [decider.of_field(role, kind, field.name, "edit"), *values.values()]
        return field.name not in (decider.roles.read_only.get(kind.name) or ()) and not all(map(is_no, rules))

    # === writing ===

    def create(self, caller, kind, data):
        role = self.bound(caller)
        if role is None:
            return
        project = data.get("project")
        if kind.name == "Reply":
            above = self.store.live(data.get("entity"))
            found = self.decider.projects_of(above) if above else []
            project = found[0] if found else None
        if kind.is_join:
            allowed = not is_no(self.decider.of_type(role, kind, "create"))
        elif has_project(kind) and project is None:
            allowed = not is_no(self.decider.of_type(role, kind, "create")) and "see_all_projects" in role["advanced"]
        else:
            allowed = self.decider.create(caller.subject, kind, project[1] if project else "").allow
        if not allowed:
            raise refused(f"Entity of type {kind.name} cannot be created by this user.")

    def update(self, caller, row, field, value):
        """`value` is the new one as it is told: a text, or anything else."""
        role = self.bound(caller)
        if role is None:
            if not field.editable:
                raise refused(self.not_editable(field))
            return
        told = value if isinstance(value, str) else None
        decision = self.decider.on_row(caller.subject, "update", row.kind, row, field.name, told)
        if decision.reason in ("NOT_MEMBER", "RESOURCE_UNKNOWN"):
            raise missing(row.kind, row.id)
        if decision.allow and field.editable:
            return
        text = self.not_editable(field)
        rule = decision.rule
        if isinstance(rule, str) and rule not in ("yes", "no"):
            rule = self.decider.roles.conditions[rule]
        number = zlib.crc32(f"{field.type}.{field.name}".encode()) % 9000 + 100
        named = f" {self.rule_text(caller)} -- PermissionRule {number}:"
        about = f"FOR entity_type => {field.type}, field_name => {field.name}"
        if isinstance(rule, dict):
            text += f"{named} update_field_condition {about} RULE: {json.dumps(rule)}"
        elif decision.reason == "RESTRICTED" and told is not None and field.editable:
            text += f"{named} DENY update_field {about}, field_value => {told}"
        raise refused(text)

    def retire(self, caller, row):
        self.gone(caller, row, "delete", "deleted")

    def revive(self, caller, row):
        self.gone(caller, row, "revive", "revived")

    def gone(self, caller, row, action, word):
        if self.bound(caller) is None:
            return
        decision = self.decider.on_row(caller.subject, action, row.kind, row)
        if decision.reason in ("NOT_MEMBER", "RESOURCE_UNKNOWN"):
            raise missing(row.kind, row.id)
        if not decision.allow:
            raise refused(f"Entity of type {row.kind.name} can not be {word} by this user.")

    @staticmethod
    def not_editable(field):
        return f"The field is not editable for this user: [{field.type}.{field.name}]."

    def rule_text(self, caller):
        rule_set = self.store.live(caller.subject.raw("permission_rule_set"))
        return f"Rule: {rule_set.title() if rule_set else 'none'}"

    def may_sudo(self, caller):
        role = self.bound(caller)
        return role is None or self.decider.site(role, "act_as_another_user", ABSENT).allow
