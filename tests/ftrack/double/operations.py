"""The operations of `POST /api`: a batch goes through as a whole or not at all."""

import datetime
import json

from . import events
from .answer import Serialiser, aggregate, reference
from .query import Query, descendants
from .schema import OWNED
from .security import Security
from .store import Refusal, invalid

WRITES = ("create", "update", "delete")
VERSION = "25.6.1.0"


class Caller:
    """Whose credentials came with a request, and what they may see."""

    def __init__(self, user, key=None, token=None, push=None, application="ftrack.api"):
        self.user, self.key, self.token, self.push, self.application = user, key, token, push, application
        # What the server keeps for the caller's cookie: whom it assumes.
        self.session = {}

    @property
    def user_id(self):
        return self.user.id if self.user is not None else None


def now():
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")


class Operations(Security):
    """What the server does with a batch. `commit` of the studio is told what changed."""

    def __init__(self, store, settings):
        self.store, self.schema, self.settings = store, store.schema, settings
        self.pages = {}
        self.event_id = 0

    # === who ===

    def caller(self, headers):
        """The caller of a request, from its two headers."""
        username, secret = headers.get("ftrack-user"), headers.get("ftrack-api-key")
        if not username or not secret:
            raise Refusal("InvalidCredentialsError", "The headers ftrack-user and ftrack-api-key are both needed.")
        users = self.store.tables["Resource"].having("username", username)
        keys = self.store.tables["ApiKey"].having("secret", secret)
        if not users or not users[0].is_active:
            raise Refusal("InvalidCredentialsError", f"No active user {username}.")
        if not keys or not keys[0].enabled:
            raise Refusal("InvalidCredentialsError", "The supplied API key is not valid.")
        if keys[0].resource_id not in (None, users[0].id):
            raise Refusal("InvalidCredentialsError", "The supplied API key belongs to another user.")
        token, push = headers.get("ftrack-clienttoken"), headers.get("ftrack-pushtoken")
        return Caller(users[0], keys[0], token, push)

    def visible(self, caller):
        """None if the caller sees everything; else the private projects it does not see."""
        if caller.key is None or caller.key.resource_id is not None:
            return None
        awarded = set(caller.key.project_ids or ())
        projects = self.store.tables["Context"].by_class.get("Project", {})
        hidden = frozenset(row.id for row in projects.values() if row.is_private and row.id not in awarded)
        return hidden or None

    def sees(self, hidden):
        if hidden is None:
            return None
        return lambda row: project_of(self.store, row) not in hidden

    # === batches ===

    def run(self, caller, batch, options, count=lambda name: None):
        """Answers (results, undo log, change list). On a refusal nothing of the batch stays."""
        if not isinstance(batch, list):
            raise Refusal("MalformedDataError", "An array of operations is needed.")
        log, changes, results = [], [], []
        try:
            for operation in batch:
                if not isinstance(operation, dict):
                    raise Refusal("MalformedDataError", "An operation is an object.")
                action = operation.get("action")
                do = getattr(self, f"do_{action}", None) if isinstance(action, str) else None
                if do is None:
                    raise invalid(f"Invalid action u'{action}'")
                if caller.session.get("read_only") and action in WRITES:
                    raise Refusal("PermissionError", "The assumed user is read only.")
                results.append(do(Call(self, caller, operation, options, log, changes, count)))
        except Refusal:
            self.store.undo(log)
            raise
        except (KeyError, TypeError, AttributeError) as error:
            self.store.undo(log)
            raise invalid(f"Malformed operation: {error!r}") from error
        return results, log, changes

    def do_query_server_information(self, call):
        call.count("")
        values = call.operation.get("values")
        out = {
            "version": VERSION, "schema_hash": self.schema.hash(), "is_timezone_support_enabled": True,
            "is_nested_subqueries_enabled": True, "storage_scenario": None, "product": {"name": "ftrack"},
        }
        if values is None or "user_information" in values:
            caller = call.caller
            user = caller.user
            personal = caller.key is None or caller.key.resource_id is not None
            out["user_information"] = {
                "id": user.id, "username": user.username, "first_name": user.first_name, "last_name": user.last_name,
                "access_key_id": caller.key.id if caller.key else None, "is_global_access_key": not personal,
                "restricted_user": False, "permissions": sorted(self.permissions(caller)),
            }
        if values is not None:
            out = {name: value for name, value in out.items() if name in values or name in ("version", "schema_hash")}
        return out

    def permissions(self, caller):
        """The permission strings of the caller's roles: what this server keeps to itself otherwise."""
        if caller.key is not None and caller.key.resource_id is None:
            roles = caller.key.role_ids or ()
        else:
            held = self.store.tables["UserSecurityRole"].having("user_id", caller.user_id)
            roles = [row.security_role_id for row in held]
        found = (self.store.find("SecurityRole", role) for role in roles)
        return {name for role in found if role is not None for name in role.permissions or ()}

    def do_query_schemas(self, call):
        call.count("")
        return self.schema.told()

    def do_query(self, call):
        text = call.operation.get("expression")
        if not isinstance(text, str):
            raise invalid("A query needs an expression.")
        query = Query(self.store, text)
        call.count(query.kind.name)
        hidden = self.visible(call.caller)
        cap = self.settings.cap
        size = cap if query.limit is None else min(cap, query.limit)
        rows = self.ordered(query, hidden, query.offset + size)
        if query.group or any(isinstance(p, tuple) for p in query.projections):
            return {"action": "query", "data": aggregate(query, rows), "metadata": {"next": {"offset": None}}}
        page = rows[query.offset:query.offset + size]
        making = self.serialiser(call, hidden)
        tree = making.tree(query.projections)
        following = query.offset + size if len(page) == size and size else None
        return {"action": "query", "data": [making.entity(row, tree) for row in page],
                "metadata": {"next": {"offset": following}}}

    def ordered(self, query, hidden, most):
        """The whole answer of an expression, kept until a table behind it changes: paging costs one sort."""
        place = (query.core, hidden)
        hidden_depends = {"Context"} if hidden else set()
        versions = tuple(sorted((name, self.store.tables[name].version) for name in query.depends | hidden_depends))
        kept = self.pages.get(place)
        if kept is not None and kept[0] == versions:
            return kept[1]
        rows = query.rows(self.sees(hidden), None if query.group else most)
        if len(rows) > self.settings.cap and not query.by_id():
            while len(self.pages) >= 8:
                del self.pages[next(iter(self.pages))]
            self.pages[place] = (versions, rows)
        return rows

    def serialiser(self, call, hidden=None):
        return Serialiser(self.store, call.options.get("strict", False), call.options.get("denormalize", False),
                          self.sees(hidden), call.options.get("seen"))

    # === writes ===

    def do_create(self, call):
        kind = self.written_type(call)
        if kind.name == "TypedContext":
            name = self.schema.by_object_type.get(call.data.get("object_type_id"))
            kind = self.schema.get(name) if name else kind
        if kind.name not in kind.concrete:
            raise invalid(f"{kind.name} cannot be created")
        values = self.values(kind, call.data, True, call.inside)
        if not call.data.get("id") and call.operation.get("entity_key") and kind.keys == ["id"]:
            values["id"] = call.operation["entity_key"][0]
        self.fill(kind, values, call)
        row = self.store.make(kind, values)
        for attribute in kind.columns:
            if "must" in attribute.flags and getattr(row, attribute.name) is None and not call.inside:
                raise invalid(f"{kind.name}.{attribute.name} is required")
        if kind.name == "User" and self.store.tables["Resource"].having("username", row.username):
            raise invalid(f"DuplicateEntryError: User {row.username} exists")
        self.store.insert(row, call.log)
        call.changed("add", row, {})
        return {"action": "create", "data": self.serialiser(call).whole(row)}

    def fill(self, kind, values, call):
        """What a server sets by itself on a new row."""
        if kind.name == "Event":
            raise invalid("Event cannot be created")
        self.store.complete(kind, values)
        for column in kind.columns:
            if column.name in ("created_at", "date", "thread_activity") and values.get(column.name) is None:
                values[column.name] = now()
            if column.name == "created_by_id" and values.get(column.name) is None:
                values[column.name] = call.caller.user_id
            if column.name == "user_id" and kind.name in ("Note", "Timelog", "List", "AssetVersion"):
                values.setdefault("user_id", call.caller.user_id)
        wanted = ["status_id", "type_id", "priority_id"] if "TypedContext" in self.bases(kind) else []
        wanted = ["status_id"] if kind.name == "AssetVersion" else wanted
        for column in wanted:
            if values.get(column) is None and column not in call.data:
                target = self.schema.get(kind.attributes[column].target)
                values[column] = next((row.id for row in self.store.rows(target)), None)
        if kind.name == "AssetVersion":
            asset = self.store.find("Asset", values.get("asset_id"))
            if asset is not None:
                values.setdefault("project_id", asset.project_id)
                versions = self.store.tables["AssetVersion"].having("asset_id", asset.id)
                values.setdefault("version", 1 + max([v.version or 0 for v in versions], default=0))
        if kind.name == "Asset":
            context = self.store.find("Context", values.get("context_id"))
            values.setdefault("project_id", context.project_id if context else None)
        if kind.name == "Note" and values.get("project_id") is None:
            parent = self.store.find("Context", values.get("parent_id")) or self.store.find(
                "AssetVersion", values.get("parent_id"))
            values["project_id"] = parent.project_id if parent else None

    @staticmethod
    def bases(kind):
        out = []
        while kind is not None:
            out.append(kind.name)
            kind = kind.base
        return out

    def values(self, kind, data, creating, inside=False):
        """The columns that entity data sets."""
        out = {}
        for name, value in data.items():
            if name == "__entity_type__":
                continue
            attribute = kind.attributes.get(name)
            if attribute is None or "hidden" in attribute.flags and not inside:
                raise invalid(f"{kind.name} has no attribute {name}")
            if attribute.kind == "same":
                attribute = kind.attributes[attribute.target]
            if not creating and not inside and ("fixed" in attribute.flags or attribute.kind == "key"):
                raise invalid(f"{kind.name}.{name} cannot be changed")
            if attribute.kind == "one":
                key = value.get("id") if isinstance(value, dict) else None
                if value is not None and self.store.find(attribute.target, key) is None:
                    raise invalid(f"{kind.name}.{name}: no such {attribute.target}")
                attribute, value = kind.attributes[attribute.column], key
            elif attribute.kind == "fk":
                if value is not None and self.store.find(attribute.target, value) is None:
                    raise invalid(f"{kind.name}.{name}: no {attribute.target} with id {value}")
            elif attribute.kind in ("many", "listed", "calc"):
                if value:
                    raise invalid(f"{kind.name}.{name}: write the rows of the collection instead")
                continue
            elif attribute.kind == "date":
                value = value.get("value") if isinstance(value, dict) else value
                value = value[:19].replace(" ", "T", 1) if value else None
            elif attribute.kind == "bool" and value is not None and not isinstance(value, bool):
                raise invalid(f"{kind.name}.{name} is a boolean")
            if value is None and "must" in attribute.flags and not inside:
                raise invalid(f"{kind.name}.{attribute.name} cannot be null")
            out[attribute.name] = value
        return out

    def do_update(self, call):
        kind = self.written_type(call)
        row = self.target(kind, call)
        values = self.values(row.kind, call.data, False, call.inside)
        parent = values.get("parent_id") if row.kind.root == "Context" else None
        if parent is not None and parent in {row.id, *(r.id for r in descendants(self.store, row))}:
            raise invalid(f"{row.kind.name}.parent_id: cannot be moved below itself")
        changed = self.store.update(row, values, call.log)
        if parent is not None:
            self.moved(row, call)
        if changed:
            call.changed("update", row, changed)
        names = {name for name in call.data if name != "__entity_type__"}
        answer = self.serialiser(call).entity(row, {name: {} for name in names})
        return {"action": "update", "data": answer}

    def moved(self, row, call):
        """What was moved into another project takes along what is below it."""
        project = self.store.find("Context", row.parent_id).project_id
        if row.project_id == project:
            return
        for below in [row] + descendants(self.store, row):
            changed = self.store.update(below, {"project_id": project}, call.log)
            if below is not row:
                call.changed("update", below, changed)

    def do_delete(self, call):
        kind = self.written_type(call)
        self.remove(self.target(kind, call), call)
        return {"action": "delete", "data": True}

    def remove(self, row, call):
        for name, attribute in row.kind.attributes.items():
            if attribute.kind == "many" and name in OWNED:
                target = self.schema.get(attribute.target)
                if target is None:
                    continue
                for below in list(self.store.table(target).having(attribute.column, row.id)):
                    if below.kind.name in target.concrete and self.alive(below):
                        self.remove(below, call)
        if row.kind.name == "Project":
            for below in descendants(self.store, row):
                if self.alive(below):
                    self.remove(below, call)
        call.changed("remove", row, {})
        self.store.remove(row, call.log)

    def alive(self, row):
        return self.store.find(row.kind.name, self.store.key(row.kind, row)) is row

    def written_type(self, call):
        name = call.operation.get("entity_type")
        kind = self.schema.told_type(name) if isinstance(name, str) else None
        if kind is None:
            raise invalid(f"Entity type {name} does not exist")
        call.count(kind.name)
        return kind

    def target(self, kind, call):
        key = call.operation.get("entity_key")
        if isinstance(key, str):
            key = [key]
        if not isinstance(key, list) or len(key) != len(kind.keys):
            raise invalid(f"{kind.name}: an entity_key of {len(kind.keys)} values is needed")
        row = self.store.find(kind.name, key[0] if kind.keys == ["id"] else tuple(key))
        hidden = self.visible(call.caller)
        if row is None or hidden and project_of(self.store, row) in hidden:
            raise invalid(f"{kind.name} {key[0]} was not found")
        return row


class Call:
    """One operation of a batch, with what it adds to."""

    def __init__(self, operations, caller, operation, options, log, changes, count):
        self.operations, self.caller, self.operation, self.options = operations, caller, operation, options
        self.log, self.changes, self._count = log, changes, count
        self.data = operation.get("entity_data") or {}
        # Tests may write what no client may.
        self.inside = options.get("inside", False)

    def count(self, type_name):
        self._count(f"{self.operation['action']} {type_name}".strip())

    def changed(self, action, row, changed):
        """Keeps a change for the event, and writes the history rows that go with it."""
        store = self.operations.store
        if action != "update" or changed:
            self.changes.append(events.entity(store, self.operations.settings, action, row, changed))
        if "status_id" in changed and self.options.get("history", True):
            version = row.kind.name == "AssetVersion"
            kind = store.schema.get("AssetVersionStatusChange" if version else "TypedContextStatusChange")
            old, new = changed["status_id"]
            user = self.options.get("history_user", self.caller.user_id)
            data = {"parent_id": row.id, "parent_type": "asset_version" if version else "task", "date": now(),
                    "from_status_id": old, "status_id": new, "user_id": user}
            store.insert(store.make(kind, data), self.log)
        self.activity(action, row)

    def activity(self, action, row):
        """The activity log, of the rows that have a project."""
        operations = self.operations
        store = operations.store
        project = project_of(store, row)
        if project is None or not operations.settings.activity:
            return
        operations.event_id += 1
        word = {"add": "insert", "remove": "delete"}.get(action, "update")
        data = {"id": operations.event_id, "parent_type": row.kind.legacy.lower(), "parent_id": row.id, "insert": word,
                "project_id": project, "user_id": self.caller.user_id, "created_at": now(),
                "action": f"{action}.{row.kind.name.lower()}", "data": json.dumps(reference(row))}
        store.insert(store.make(store.schema.get("Event"), data), self.log)


def project_of(store, row):
    """The project that a row lies in, or None."""
    kind = row.kind
    if kind.name == "UserSecurityRoleProject":
        return None
    if "project_id" in kind.attributes:
        return row.project_id
    for column, type_name in (("context_id", "Context"), ("list_id", "List"), ("review_session_id", "ReviewSession"),
                              ("from_id", "TypedContext"), ("note_id", "Note")):
        if column in kind.attributes:
            up = store.find(type_name, getattr(row, column))
            return up.project_id if up is not None else None
    if kind.root == "StatusChange":
        up = store.find("TypedContext", row.parent_id) or store.find("AssetVersion", row.parent_id)
        return up.project_id if up is not None else None
    return None
