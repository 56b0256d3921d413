"""Finding rows, and telling them: REST tells links apart from values, JSON-RPC tells flat rows."""

from .events import spelled
from .filters import Compiler, bounds
from .schema import TABLE, UNSORTABLE
from .store import bad


class Reads:
    """Reads in one caller's name."""

    def __init__(self, studio, caller):
        self.studio, self.store, self.guard, self.caller = studio, studio.store, studio.guard, caller
        self.hidden = self.guard.hidden(caller)

    def tests(self, kind, tree, retired=False, archived=True, what="read"):
        """Everything that a row must pass."""
        self.guard.may_read(self.caller, kind)
        tests = [self.guard.sight(self.caller, kind)]
        if kind.name != "EventLogEntry" or retired:
            tests.append(lambda row: row.retired == retired)
        if not archived:
            gone = {row.ref for row in self.store.tables["Project"].rows.values() if row.raw("archived")}
            if gone and "project" in kind.fields:
                tests.append(lambda row: row.raw("project") not in gone)
            elif gone and kind.name == "Project":
                tests.append(lambda row: row.ref not in gone)
        if tree[1] or len(tree) == 3:
            tests.append(Compiler(self.store, self.hidden, what).compile(kind, tree))
        return [test for test in tests if test is not None]

    def select(self, kind, tree, sorts=(), offset=0, limit=None, retired=False, archived=True):
        """The rows that pass, in order."""
        tests = self.tests(kind, tree, retired, archived)
        table = self.store.tables[kind.name]
        low, only = bounds(tree)
        # What cannot be sorted by is ignored.
        sorts = [(name, down) for name, down in sorts
                 if name in kind.fields and kind.fields[name].data_type not in UNSORTABLE]
        if only is not None:
            rows = [table.rows[key] for key in sorted(set(only)) if key in table.rows and (low is None or key > low)]
        elif low is not None:
            rows = table.after(low)
        else:
            rows = (table.rows[key] for key in list(table.ids))
        if sorts and sorts[0] == ("id", True):
            rows = reversed(list(rows))
        found = []
        by_id = not sorts or sorts[0][0] == "id"
        for row in rows:
            if all(test(row) for test in tests):
                found.append(row)
                if by_id and limit is not None and len(found) >= offset + limit:
                    break
        if not by_id:
            for name, down in reversed(sorts):
                found.sort(key=lambda row: self.sort_key(row, name), reverse=down)
        return found[offset:None if limit is None else offset + limit]

    def sort_key(self, row, name):
        value = self.store.value(row, name)
        if isinstance(value, tuple):
            value = self.store.find(value).title()
        return (value is not None, value.lower() if isinstance(value, str) else value)

    # === fields ===

    def getters(self, kind, names):
        """The asked-for fields that there are: (name as asked, field, what reads it). Others are dropped in silence."""
        if names == ["*"]:
            names = list(kind.fields)
        out = []
        for name in dict.fromkeys(names):
            found = self.getter(kind, name)
            if found is not None:
                out.append((name, *found))
        return out

    def getter(self, kind, path):
        store = self.store
        parts = path.split(".")
        steps = []
        for at in range(0, len(parts) - 1, 2):
            field = kind.fields.get(parts[at])
            if field is None or field.data_type != "entity" or self.hidden(kind, field.name):
                return None
            if parts[at + 1] not in TABLE:
                return None
            steps.append((field.name, parts[at + 1]))
            kind = TABLE[parts[at + 1]]
        field = kind.fields.get(parts[-1]) if len(parts) % 2 else None
        if field is None or self.hidden(kind, field.name):
            return None
        seen = self.guard.field_sight(self.caller, kind)

        def get(row):
            for name, target in steps:
                ref = store.value(row, name)
                row = store.live(ref) if ref and ref[0] == target else None
                if row is None:
                    return None
            if seen is not None and not seen(row, field.name):
                return () if field.many else None
            return store.value(row, field.name)

        return field, get

    def link(self, ref):
        return {"id": ref[1], "name": self.store.find(ref).title(), "type": ref[0]}

    def plain(self, field, value):
        if field.many:
            return [self.link(ref) for ref in value or ()]
        if field.data_type == "summary":
            return 0
        return self.link(value) if isinstance(value, tuple) else value

    # === REST ===

    def rest(self, kind, names, echo=False):
        """A function that tells a row. `echo`: as a create answers it, with another spelling of times."""
        getters = self.getters(kind, names)

        def tell(row):
            here = f"/api/{self.studio.version}/entity/{kind.slug}/{row.id}"
            attributes, relationships = {}, {}
            for name, field, get in getters:
                value = get(row)
                if echo and value is None:
                    continue
                plain = self.plain(field, value)
                if field.valid_types and "." not in name:
                    links = {"self": f"{here}/relationships/{name}"}
                    if value and not field.many:
                        links["related"] = f"/api/{self.studio.version}/entity/{TABLE[value[0]].slug}/{value[1]}"
                    relationships[name] = {"data": plain, "links": links}
                elif not field.many:
                    attributes[name] = spelled(plain) if echo and field.data_type == "date_time" else plain
            attributes.pop("id", None)
            return {"type": kind.name, "attributes": attributes, "relationships": relationships, "id": row.id,
                    "links": {"self": here}}

        return tell

    # === JSON-RPC ===

    def flat(self, kind, names):
        getters = self.getters(kind, [name for name in names if name not in ("type", "id")])

        def tell(row):
            out = {"type": kind.name, "id": row.id}
            for name, field, get in getters:
                if "." not in name or not field.many:
                    out[name] = self.plain(field, get(row))
            return out

        return tell

    # === summaries ===

    def summarize(self, kind, tree, summaries, grouping, archived=True):
        rows = []
        tests = self.tests(kind, tree, False, archived, "summarize")
        for row in self.store.tables[kind.name].rows.values():
            if all(test(row) for test in tests):
                rows.append(row)
        out = {"summaries": self.sums(kind, rows, summaries), "groups": []}
        if grouping:
            name = grouping[0]["field"]
            found = self.getter(kind, name)
            if found is None:
                raise bad(f"API summarize() {kind.name}.{name} doesn't exist.")
            groups = {}
            for row in rows:
                groups.setdefault(found[1](row), []).append(row)
            for value, members in sorted(groups.items(), key=lambda pair: str(pair[0])):
                plain = self.plain(found[0], value)
                called = plain["name"] if isinstance(plain, dict) else "" if plain is None else str(plain)
                out["groups"].append({"group_name": called, "group_value": plain,
                                      "summaries": self.sums(kind, members, summaries)})
        return out

    def sums(self, kind, rows, summaries):
        out = {}
        for one in summaries:
            found = self.getter(kind, one["field"])
            if found is None:
                raise bad(f"API summarize() {kind.name}.{one['field']} doesn't exist.")
            values = [value for value in map(found[1], rows) if value not in (None, ())]
            how = {"record_count": lambda: len(rows), "count": lambda: len(values), "sum": lambda: sum(values),
                   "maximum": lambda: max(values, default=None), "minimum": lambda: min(values, default=None),
                   "latest": lambda: max(values, default=None), "earliest": lambda: min(values, default=None),
                   "checked": lambda: sum(map(bool, values)), "unchecked": lambda: len(rows) - sum(map(bool, values))}
            if one["type"] not in how:
                raise bad("Request Parameters invalid.",
                          {"summary_fields": {"0": {"type": [f"type must be one of: {', '.join(how)}"]}}})
            out[one["field"]] = how[one["type"]]()
        return out
