"""The event log: what a write leaves there, under which id, and when it can be seen."""

import asyncio
import copy
import time
import uuid

from .schema import TABLE, title
from .store import Row

FIRST = 90000


def stamp(seconds=None):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def spelled(when):
    """The other way in which the site writes a time: in echoes of creates and in `meta`."""
    return when.replace("T", " ").replace("Z", " UTC")


class Drafts:
    """The events of one transaction; they get their ids when it commits."""

    def __init__(self, store, caller, settings, turn):
        self.store, self.caller, self.settings = store, caller, settings
        # What the site does now one way and now the other alternates.
        self.turn = turn
        self.list = []

    def add(self, row, action, attribute=None, meta=None):
        caller, name = self.caller, row.kind.name
        if row.kind.is_join or name == "EventLogEntry":
            return None
        if caller.actual is not None and meta is not None:
            meta["sudo_actual_user"] = self.told(caller.actual.ref)
        draft = {
            "event_type": f"Shotgun_{name}_{action}", "attribute_name": attribute, "entity": row.ref,
            "project": self.project(row), "user": caller.subject.ref if caller.subject is not None else None,
            "meta": meta, "session_uuid": caller.session, "description": f"{action} of {title(name)} {row.title()}",
            "created_at": stamp(),
        }
        self.list.append(draft)
        return draft

    def project(self, row):
        if row.kind.name == "Project":
            return row.ref
        if row.kind.name == "Reply":
            above = self.store.live(row.raw("entity"))
            return self.project(above) if above is not None else None
        return self.store.value(row, "project") if "project" in row.kind.fields else None

    def told(self, ref):
        """A link as `meta` tells it."""
        row = self.store.find(ref)
        told = {"type": ref[0], "id": ref[1], "name": row.title(), "uuid": str(uuid.uuid4()), "valid": "valid"}
        if "sg_status_list" in row.kind.fields:
            told["status"] = row.raw("sg_status_list")
        return told

    def value(self, value):
        return self.told(value) if isinstance(value, tuple) else value

    def change(self, row, field, old, new, in_create=False):
        meta = {"type": "attribute_change", "attribute_name": field.name, "entity_type": row.kind.name,
                "entity_id": row.id}
        if in_create:
            meta["in_create"] = True
        meta["field_data_type"] = field.data_type
        if field.many:
            meta["added"] = [self.told(ref) for ref in new if ref not in old]
            meta["removed"] = [self.told(ref) for ref in old if ref not in new]
        else:
            meta["old_value"], meta["new_value"] = self.value(old), self.value(new)
        return self.add(row, "Change", field.name, meta)

    def back_reference(self, original, row, field, other, name, added, removed):
        """The other end of a changed link: `meta` tells of the row that was written, the event is of the other one."""
        if other.retired or row.kind.is_join:
            return
        meta = {"type": "attribute_change", "attribute_name": name, "entity_type": row.kind.name, "entity_id": row.id,
                "field_data_type": field.data_type, "actual_attribute_changed": f"{row.kind.name}.{field.name}",
                "original_event_log_entry_id": original}
        if original is not None and original["meta"].get("in_create"):
            meta["in_create"] = True
        if other.kind.fields[name].many:
            meta["added"], meta["removed"] = [self.told(ref) for ref in added], [self.told(ref) for ref in removed]
        else:
            meta["old_value"] = self.told(removed[0]) if removed else None
            meta["new_value"] = self.told(added[0]) if added else None
        self.add(other, "Change", name, meta)

    def new(self, row, changes):
        """A create: one Change for each field, and a New before or after them."""
        first = self.settings.new_first == "always" or self.settings.new_first == "alternate" and self.turn % 2 == 1
        meta = {"type": "new_entity", "entity_type": row.kind.name, "entity_id": row.id}
        if first:
            self.add(row, "New", None, meta)
        for field, new, others in changes:
            draft = self.change(row, field, () if field.many else None, new, in_create=True)
            for other, name, added, removed in others:
                self.back_reference(draft, row, field, other, name, added, removed)
        if not first:
            self.add(row, "New", None, meta)

    def retired(self, row):
        when = spelled(stamp())
        meta = {"type": "entity_retirement", "class_name": row.kind.name, "display_name": row.title(),
                "entity_type": row.kind.name, "entity_id": row.id, "id": row.id, "retirement_date": when}
        self.add(row, "Retirement", None, meta)
        self.add(row, "Change", "retirement_date", {
            "type": "attribute_change", "attribute_name": "retirement_date", "entity_type": row.kind.name,
            "entity_id": row.id, "old_value": None, "new_value": when})

    def revived(self, row):
        meta = {"class_name": row.kind.name, "display_name": row.title(), "entity_type": row.kind.name,
                "entity_id": row.id, "id": row.id}
        if self.settings.revival_type == "always" or self.settings.revival_type == "alternate" and self.turn % 2 == 1:
            meta = {"type": "entity_revival", **meta}
        self.add(row, "Revival", None, meta)


class EventLog:
    """Gives out ids, as the site does: taken in order, seen when their transaction is through."""

    def __init__(self, studio):
        self.studio = studio
        self.clear()

    def clear(self):
        """`hold`: so many of the next events keep their id and are not seen; `twice`: so many are logged twice."""
        self.hold = self.twice = 0
        self.held = []
        self.next = FIRST

    @property
    def table(self):
        return self.studio.store.tables["EventLogEntry"]

    def take(self):
        self.next = max(self.next, self.table.last + 1)
        self.next += 1
        return self.next - 1

    def burn(self, count):
        """Ids that were taken by something that was rolled back."""
        return [self.take() for _ in range(count)]

    def commit(self, drafts, hold=False):
        """Gives ids to drafts; answers the ids. Those not held are seen at once, or after the settings' delay."""
        seen, ids = [], []
        for draft in drafts:
            draft["id"] = self.take()
        for draft in drafts:
            original = (draft["meta"] or {}).get("original_event_log_entry_id")
            if isinstance(original, dict):
                draft["meta"]["original_event_log_entry_id"] = original["id"]
        for draft in drafts:
            ids.append(draft["id"])
            if hold or self.hold > 0:
                self.hold -= not hold
                self.held.append(draft)
                continue
            seen.append(draft)
            if self.twice > 0:
                self.twice -= 1
                seen.append(copy.deepcopy(draft) | {"id": self.take()})
        later = self.studio.settings.event_after
        if later and seen:
            asyncio.get_running_loop().call_later(later, self.show, seen)
        else:
            self.show(seen)
        return ids

    def show(self, drafts):
        """From now on these are in the log."""
        kind = TABLE["EventLogEntry"]
        for draft in drafts:
            if draft["id"] not in self.table.rows:
                values = {name: value for name, value in draft.items() if name != "id" and value is not None}
                self.studio.store.insert(Row(kind, draft["id"], values))
        self.studio.webhooks.tell(drafts)

    def release(self, which):
        """Held events are seen: "all", or those with these ids."""
        out = [draft for draft in self.held if which == "all" or draft["id"] in which]
        self.held = [draft for draft in self.held if draft not in out]
        self.show(out)
        return [draft["id"] for draft in out]

    def raw(self, wish):
        """An event that no write made, as told: any of its fields may be missing or odd."""
        names = ("event_type", "attribute_name", "entity", "project", "user", "meta", "session_uuid", "description")
        draft = {**dict.fromkeys(names), "created_at": stamp(), **wish}
        for name in ("entity", "project", "user"):
            if isinstance(draft[name], str):
                kind, _, key = draft[name].partition(":")
                draft[name] = kind, int(key)
        draft.setdefault("id", self.take())
        self.show([draft])
        return draft["id"]
