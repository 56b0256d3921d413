"""Writes: create, update, delete, revive. A transaction does all of its operations or none."""

import json

from .events import Drafts, stamp
from .links import Links
from .schema import TABLE
from .store import Refusal, Row, bad, missing

MODES = ("set", "add", "remove")
ON_CREATE = {"created_at", "created_by"}
# Their `user` is who made them, unless it is given.
BY_CALLER = {"Note", "Reply", "TimeLog", "Version"}


def illegal(field, text):
    called = f"{field.type}.{field.name}"
    return Refusal(400, 104, f"Invalid field value, update failed [5 - Update failed for [{called}]: {text}]")


class Transaction:
    """The operations of one request, in one caller's name. `inside`: the tests' own writes, which no rule binds."""

    def __init__(self, studio, caller, inside=False, silent=None):
        self.studio, self.caller, self.inside = studio, caller, inside
        self.store, self.guard = studio.store, studio.guard
        self.silent = not caller.logs if silent is None else silent
        self.log = []
        studio.turn += 1
        self.drafts = Drafts(self.store, caller, studio.settings, studio.turn)

    def run(self, operations, hold=False):
        """Runs [(action, type, id, data), ...]; answers the rows, and the ids of the events."""
        rows = []
        try:
            for action, name, key, data in operations:
                rows.append(getattr(self, f"do_{action}")(self.type(name), key, data))
        except Exception:
            self.store.undo(self.log)
            if self.studio.settings.burn_on_rollback:
                self.studio.events.burn(len(self.drafts.list))
            raise
        ids = [] if self.silent else self.studio.events.commit(self.drafts.list, hold)
        return rows, ids

    @staticmethod
    def type(name):
        if name not in TABLE:
            raise bad(f"Invalid entity type: entity type [{name}] does not exist.")
        return TABLE[name]

    def row(self, kind, key, retired=False):
        row = self.store.find((kind.name, key))
        if row is None or row.retired != retired:
            raise missing(kind, key)
        if not self.inside:
            self.guard.may_read(self.caller, kind)
            sight = self.guard.sight(self.caller, kind)
            if sight is not None and not retired and not sight(row):
                raise missing(kind, key)
        return row

    def fields(self, kind, data, what):
        """The fields that are written, with what was given for them."""
        hidden = self.guard.hidden(self.caller)
        for name in data:
            if name not in kind.fields or not self.inside and hidden(kind, name):
                raise bad(f"API {what}() {kind.name}.{name} doesn't exist.")
        return [(kind.fields[name], value) for name, value in data.items()]

    # === the four operations ===

    def do_create(self, kind, key, data):
        fields = self.fields(kind, data, "create")
        if not self.inside:
            plain = {name: self.loose_ref(data.get(name)) for name in ("project", "entity") if name in data}
            self.guard.create(self.caller, kind, plain)
            for field, _ in fields:
                if not field.editable and not (self.by_script and field.name in ON_CREATE):
                    raise Refusal(400, 104, self.guard.not_editable(field))
            if "project" in kind.fields and not kind.is_join and data.get("project") is None:
                raise bad(f"API create() missing 'project' attribute: {json.dumps(data)}")
        values = {field: self.value(kind, field, value, (), "create") for field, value in fields}
        table = self.store.tables[kind.name]
        row = Row(kind, key or table.last + 1, {})
        if self.store.find(row.ref):
            raise bad(f"{kind.name} {row.id} exists")
        self.store.insert(row, self.log)
        status = next((f for f in kind.fields.values() if f.data_type == "status_list"), None)
        if status is not None:
            values.setdefault(status, status.default)
        subject = self.caller.subject
        if kind.name in BY_CALLER and subject is not None and subject.kind.name in kind.fields["user"].valid_types:
            values.setdefault(kind.fields["user"], subject.ref)
        if kind.named == "code" and "code" in kind.fields:
            values.setdefault(kind.fields["code"], f"New {kind.name} {row.id}")
        changes = []
        for field, value in values.items():
            if value not in (None, ()) and field.name not in ON_CREATE:
                changes.append((field, value, self.put(row, field, value)))
        now = stamp()
        if "created_at" in kind.fields:
            self.store.put(row, "created_at", values.get(kind.fields["created_at"]) or now)
        if kind.audited:
            who = self.caller.subject.ref if self.caller.subject is not None else None
            self.store.put(row, "created_by", values.get(kind.fields["created_by"]) or who)
            self.touch(row)
        if kind.name == "EventLogEntry":
            self.store.put(row, "description", row.values.get("description") or "New Event")
        self.drafts.new(row, changes)
        return row

    @property
    def by_script(self):
        subject = self.caller.subject
        return self.caller.actual is None and subject is not None and subject.kind.name == "ApiUser"

    def do_update(self, kind, key, data):
        row = self.row(kind, key)
        fields = self.fields(kind, data, "update")
        if not self.inside:
            for field, value in fields:
                self.guard.update(self.caller, row, field, value)
        values = [(field, self.value(kind, field, value, row.raw(field.name), "update")) for field, value in fields]
        moved = False
        for field, new in values:
            old = self.store.value(row, field.name)
            if field.many:
                new = tuple(ref for ref in new if self.store.live(ref))
            # What reads the same stays as it is, also what a revival would bring back.
            if set(new) == set(old) if field.many else new == old:
                continue
            others = self.put(row, field, new)
            moved = True
            draft = self.drafts.change(row, field, old, new)
            for other, name, added, removed in others:
                self.drafts.back_reference(draft, row, field, other, name, added, removed)
        if moved:
            self.touch(row)
        return row

    def do_delete(self, kind, key, data):
        row = self.row(kind, key)
        if not self.inside:
            self.guard.retire(self.caller, row)
        self.drafts.retired(row)
        self.store.trash(row, True, self.log)
        if self.studio.settings.retire_touches:
            self.touch(row)
        if kind.is_join:
            self.parted(row)
        if kind.name == "Shot":
            took = [one for one in self.store.tables["Version"].rows.values()
                    if one.raw("entity") == row.ref and not one.retired]
            self.store.put(row, "_took", tuple(one.ref for one in took) or None, self.log)
            for one in took:
                if self.studio.settings.cascade == "events":
                    self.drafts.retired(one)
                self.store.trash(one, True, self.log)
        return row

    def do_revive(self, kind, key, data):
        live = self.store.live((kind.name, key))
        if live is not None and not self.inside:
            return None
        row = self.row(kind, key, retired=True)
        if not self.inside:
            self.guard.revive(self.caller, row)
        self.store.trash(row, False, self.log)
        if self.studio.settings.retire_touches:
            self.touch(row)
        self.drafts.revived(row)
        for ref in row.values.get("_took") or ():
            one = self.store.find(ref)
            self.store.trash(one, False, self.log)
            if self.studio.settings.cascade == "events":
                self.drafts.revived(one)
        return row

    def put(self, row, field, value):
        """Sets a field; answers what changed at the other ends."""
        if not field.valid_types:
            self.store.put(row, field.name, value, self.log)
            return []
        links = Links(self.store, self.log)
        if field.many:
            # A link to a row in the trash stays: a revival brings it back.
            value += tuple(ref for ref in row.raw(field.name) if ref not in value and self.store.live(ref) is None)
        links.set(row, field, value)
        if row.kind.is_join:
            self.joined(row)
        return links.changes

    def joined(self, row):
        """A join row that was written itself: the two lists follow, and nobody is told."""
        field, one, other = self.ends(row)
        if one is not None and other is not None and other.ref not in one.raw(field.name):
            Links(self.store, self.log).set(one, field, one.raw(field.name) + (other.ref,))

    def parted(self, row):
        field, one, other = self.ends(row)
        if one is not None and other is not None:
            left = tuple(ref for ref in one.raw(field.name) if ref != other.ref)
            Links(self.store, self.log).set(one, field, left)

    def ends(self, row):
        field = next(field for kind in TABLE.values() for field in kind.fields.values()
                     if field.join and field.join[0] == row.kind.name)
        return field, *(self.store.find(row.raw(name)) for name in field.join[1:])

    def touch(self, row):
        if row.kind.audited:
            self.store.put(row, "updated_at", stamp(), self.log)
            who = self.caller.subject.ref if self.caller.subject is not None else None
            self.store.put(row, "updated_by", who, self.log)

    # === values ===

    @staticmethod
    def loose_ref(value):
        if isinstance(value, dict) and isinstance(value.get("id"), int):
            return value.get("type"), value["id"]
        return None

    def value(self, kind, field, value, had, what):
        """A value as it is stored, or the site's refusal of it."""
        called = f"API {what}() {kind.name}.{field.name}"
        got = f"data type(s) but got {type(value).__name__}: {json.dumps(value)}"
        if field.many:
            return self.links(kind, field, value, had, what)
        if value is None:
            return None
        if field.data_type == "entity":
            if isinstance(value, str) and self.inside:
                return self.store.seed_ref(value)
            if not isinstance(value, dict):
                raise bad(f"{called} expected [Hash, NilClass] {got}")
            return self.link(field, value, what)
        if field.data_type == "checkbox" and not isinstance(value, bool):
            raise bad(f"{called} expected [TrueClass, FalseClass] {got}")
        if field.data_type in ("number", "duration", "percent") and type(value) is not int:
            raise bad(f"{called} expected [Integer, NilClass] {got}")
        if field.data_type in ("text", "list", "status_list", "date", "date_time") and not isinstance(value, str):
            raise bad(f"{called} expected [String, NilClass] {got}")
        if field.data_type == "status_list" and value not in field.valid_values:
            valid = ", ".join(f"'{one}'" for one in field.valid_values)
            raise illegal(field, f"'{value}' is not a valid status. Valid statuses: {valid}.")
        if field.data_type == "list" and field.valid_values and value not in field.valid_values:
            raise illegal(field, f"'{value}' is not a valid value. Valid values: {', '.join(field.valid_values)}.")
        if field.data_type == "date_time":
            return value.replace(" UTC", "Z").replace(" ", "T")
        return value

    def link(self, field, value, what):
        if not isinstance(value.get("type"), str) or value["type"] not in TABLE:
            raise bad(f"API {what}() invalid/missing entity hash string 'type': {json.dumps(value)}")
        ref = self.loose_ref(value)
        if ref is None or ref[0] not in field.valid_types or self.store.live(ref) is None:
            raise illegal(field, "Value is not legal.")
        return ref

    def links(self, kind, field, value, had, what):
        mode = "set"
        if isinstance(value, dict):
            mode, value = value.get("multi_entity_update_mode"), value.get("value")
            if mode not in MODES:
                raise bad(f"API {what}() invalid/missing string 'multi_entity_update_mode'")
            if not isinstance(value, list):
                raise bad(f"API {what}() invalid/missing array of entity hashes 'value'")
        if not isinstance(value, list):
            raise bad(f"API {what}() {kind.name}.{field.name} expected [Array, Hash] data type(s) but got "
                      f"{type(value).__name__}: {json.dumps(value)}")
        given = []
        for one in value:
            if isinstance(one, str) and self.inside:
                ref = self.store.seed_ref(one)
            elif not isinstance(one, dict):
                raise bad(f"API {what}() invalid/missing entity hash: {json.dumps(one)}")
            else:
                ref = self.link(field, one, what)
            if ref not in given:
                given.append(ref)
        if mode == "set":
            return tuple(given)
        if mode == "add":
            return had + tuple(ref for ref in given if ref not in had)
        return tuple(ref for ref in had if ref not in given)
