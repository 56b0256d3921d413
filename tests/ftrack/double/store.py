"""The rows, with what it takes to find them fast: by key, by foreign key, in order of the key.

Rows are objects with slots, one class for each API class, so that half a million of them stay small.
"""

import bisect
import uuid


class Refusal(Exception):
    """What `/api` answers instead of results: the name of a server exception and a text."""

    def __init__(self, kind, content):
        super().__init__(content)
        self.kind, self.content = kind, content


def invalid(content):
    return Refusal("ValidationError", content)


class Table:
    """All rows of one root type (`Context` holds projects, tasks, shots...)."""

    def __init__(self):
        self.by_class = {}
        self.indexes = {}
        # `version` counts every change, `shape` only the rows that came and went.
        self.version = self.shape = 0
        self.ordered = {}

    def find(self, concrete, key):
        for name in concrete:
            rows = self.by_class.get(name)
            if rows:
                row = rows.get(key)
                if row is not None:
                    return row
        return None

    def index(self, column):
        """Column value -> the row, or a list of rows where there are several."""
        index = self.indexes.get(column)
        if index is None:
            index = self.indexes[column] = {}
            for rows in self.by_class.values():
                for row in rows.values():
                    self.put(index, getattr(row, column, None), row)
        return index

    @staticmethod
    def put(index, value, row):
        if value is None or isinstance(value, (list, dict)):
            return
        had = index.get(value)
        if had is None:
            index[value] = row
        elif isinstance(had, list):
            had.append(row)
        else:
            index[value] = [had, row]

    @staticmethod
    def take(index, value, row):
        had = index.get(value) if not isinstance(value, (list, dict)) else None
        if isinstance(had, list):
            had.remove(row)
            if len(had) == 1:
                index[value] = had[0]
        elif had is row:
            del index[value]

    def having(self, column, value):
        """The rows with that value in that column."""
        had = self.index(column).get(value)
        if had is None:
            return ()
        return had if isinstance(had, list) else (had,)

    def after(self, concrete, key, including):
        """The rows of these classes whose key is behind `key`, in order of it."""
        names = tuple(concrete)
        shape, keys, rows = self.ordered.get(names, (None, None, None))
        if shape != self.shape:
            rows = [row for name in names for row in self.by_class.get(name, {}).values()]
            rows.sort(key=lambda row: row.id)
            keys = [row.id for row in rows]
            self.ordered[names] = (self.shape, keys, rows)
        find = bisect.bisect_left if including else bisect.bisect_right
        return (rows[i] for i in range(find(keys, key), len(rows)))


class Store:
    """The tables, and the one way in which rows change: `insert`, `update`, `remove`, each of which can be undone."""

    def __init__(self, schema):
        self.schema = schema
        self.tables = {}
        self.classes = {}
        self.ties = "newest"
        for kind in schema.types.values():
            self.tables.setdefault(kind.root, Table())

    def row_class(self, kind):
        made = self.classes.get(kind.name)
        if made is None:
            columns = [c.name for c in kind.columns]
            made = type(kind.name, (), {"__slots__": columns, "kind": kind})
            self.classes[kind.name] = made
        return made

    def table(self, kind):
        return self.tables[kind.root]

    def key(self, kind, row):
        return row.id if kind.keys == ["id"] else tuple(getattr(row, name) for name in kind.keys)

    def find(self, type_name, key):
        """The row of that type (or of a type below it), or None."""
        kind = self.schema.get(type_name)
        return self.tables[kind.root].find(kind.concrete, key) if kind and key is not None else None

    def rows(self, kind):
        table = self.tables[kind.root]
        for name in kind.concrete:
            yield from table.by_class.get(name, {}).values()

    def make(self, kind, data):
        """A row of that class, not yet in the table: every column set."""
        row = object.__new__(self.row_class(kind))
        for column in kind.columns:
            value = data.get(column.name, column.default)
            if value is None and column.kind == "key":
                value = str(uuid.uuid4())
            setattr(row, column.name, value)
        return row

    def insert(self, row, log=None):
        kind = row.kind
        table = self.tables[kind.root]
        rows = table.by_class.setdefault(kind.name, {})
        key = self.key(kind, row)
        if table.find(kind.concrete, key) is not None:
            raise invalid(f"DuplicateEntryError: {kind.name} {key} exists")
        rows[key] = row
        for column, index in table.indexes.items():
            table.put(index, getattr(row, column, None), row)
        table.version += 1
        table.shape += 1
        if kind.name == "ObjectType":
            self.schema.add_object_type(row.name, row.id)
        if log is not None:
            log.append(("insert", row, None))

    def remove(self, row, log=None):
        kind = row.kind
        table = self.tables[kind.root]
        del table.by_class[kind.name][self.key(kind, row)]
        for column, index in table.indexes.items():
            table.take(index, getattr(row, column, None), row)
        table.version += 1
        table.shape += 1
        if log is not None:
            log.append(("remove", row, None))

    def update(self, row, values, log=None):
        """Sets columns; answers {column: (old, new)} of those that differ."""
        table = self.tables[row.kind.root]
        changed = {}
        for column, new in values.items():
            old = getattr(row, column)
            if old == new:
                continue
            changed[column] = (old, new)
            index = table.indexes.get(column)
            if index is not None:
                table.take(index, old, row)
                table.put(index, new, row)
            setattr(row, column, new)
        if changed:
            table.version += 1
            if log is not None:
                log.append(("update", row, changed))
        return changed

    def undo(self, log):
        for what, row, changed in reversed(log):
            if what == "insert":
                self.remove(row)
            elif what == "remove":
                self.insert(row)
            else:
                self.update(row, {c: old for c, (old, _) in changed.items()})

    def redo(self, log):
        for what, row, changed in log:
            if what == "insert":
                self.insert(row)
            elif what == "remove":
                self.remove(row)
            else:
                self.update(row, {c: new for c, (_, new) in changed.items()})

    def load(self, seed):
        """Fills the tables from {type: [row, ...]}; names that no column has are an error."""
        order = ["ObjectType"] + [name for name in seed if name != "ObjectType"]
        for name in order:
            for data in seed.get(name, ()):
                kind = self.schema.get(name)
                if kind is None or not kind.concrete:
                    raise invalid(f"no type {name}")
                if "__entity_type__" in data:
                    kind = self.schema.get(data["__entity_type__"])
                known = {c.name for c in kind.columns}
                unknown = set(data) - known - {"__entity_type__"}
                if unknown:
                    raise invalid(f"{name}: no such column: {', '.join(sorted(unknown))}")
                self.insert(self.make(kind, self.complete(kind, dict(data))))

    def complete(self, kind, data):
        """The values that follow from the class or from the parent."""
        if kind.root == "Resource":
            data["resource_type"] = {"User": "user", "Group": "group"}.get(kind.name, "collaborator")
        elif kind.root == "Context":
            data["context_type"] = "show" if kind.name == "Project" else "task"
            if kind.name == "Project":
                data.setdefault("project_id", data.setdefault("id", str(uuid.uuid4())))
            else:
                data["object_type_id"] = kind.classifier["object_typeid"]
                parent = self.find("Context", data.get("parent_id"))
                if data.get("project_id") is None and parent is not None:
                    data["project_id"] = parent.project_id
                data.setdefault("parent_id", data.get("project_id"))
        elif kind.classifier and "entity" in kind.classifier:
            data["system_type"] = kind.classifier["entity"]
        return data
