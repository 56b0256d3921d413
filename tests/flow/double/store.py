"""The rows. A link is a pair (type, id); several are a tuple of pairs. Both ends of a link are stored.

Every change goes through `put`, `insert` and `trash`, each of which a log can undo.
"""

import bisect

from .schema import NAMES, TABLE

DATED = ("created_at", "updated_at")
# When seeded rows were made and last changed, unless they say otherwise.
SEEDED = "2026-01-05T09:00:00Z"


class Refusal(Exception):
    """What the site answers instead of results: HTTP status, code, title, source, detail."""

    def __init__(self, status, code, title, source=None, detail=None):
        super().__init__(title)
        self.status, self.code, self.title, self.source, self.detail = status, code, title, source, detail

    def text(self):
        return self.detail if self.title == "Not Found" else self.title


def bad(title, source=None):
    return Refusal(400, 103, title, {} if source is None else source)


def missing(kind, key):
    return Refusal(404, 104, "Not Found", None, f"Entity of type [{kind.name}] with id={key} does not exist.")


class Row:
    """One row; what is not in `values` has its field's default."""

    __slots__ = ("kind", "id", "values", "retired")

    def __init__(self, kind, key, values):
        self.kind, self.id, self.values, self.retired = kind, key, values, False

    @property
    def ref(self):
        return self.kind.name, self.id

    def raw(self, name):
        if name == "id":
            return self.id
        value = self.values.get(name)
        return self.kind.fields[name].default if value is None else value

    def title(self):
        kind, get = self.kind.name, self.values.get
        if kind == "ApiUser":
            return " ".join(filter(None, (get("firstname"), get("lastname"))))
        return get(self.kind.named) or f"{kind} {self.id}"


class Table:
    """The rows of one type, with their ids in order."""

    def __init__(self, kind):
        self.kind, self.rows, self.ids, self.last = kind, {}, [], 0

    def after(self, key):
        """The rows whose id is greater, in order."""
        for at in range(bisect.bisect_right(self.ids, key), len(self.ids)):
            yield self.rows[self.ids[at]]


class Store:
    """All tables."""

    def __init__(self):
        self.tables = {name: Table(kind) for name, kind in TABLE.items()}

    def kind(self, name):
        kind = NAMES.get(name)
        if kind is None:
            raise Refusal(404, 103, "Not Found", None, f"Entity type '{name}' does not exist.")
        return kind

    def find(self, ref):
        table = self.tables.get(ref[0]) if ref else None
        return table.rows.get(ref[1]) if table else None

    def live(self, ref):
        row = self.find(ref)
        return row if row is not None and not row.retired else None

    def value(self, row, name):
        """A field as it reads: links to rows in the trash are not there."""
        if name == "cached_display_name":
            return row.title()
        value = row.raw(name)
        field = row.kind.fields[name]
        if field.data_type == "entity":
            return value if value and self.live(value) else None
        if field.many:
            return tuple(ref for ref in value if self.live(ref))
        return value

    # === changes ===

    def put(self, row, name, value, log=None):
        if log is not None:
            log.append((self.put, row, name, row.values.get(name)))
        if value is None:
            row.values.pop(name, None)
        else:
            row.values[name] = value

    def insert(self, row, log=None):
        table = self.tables[row.kind.name]
        table.rows[row.id] = row
        if row.id > table.last:
            table.last = row.id
            table.ids.append(row.id)
        else:
            bisect.insort(table.ids, row.id)
        if log is not None:
            log.append((self.remove, row))

    def remove(self, row):
        table = self.tables[row.kind.name]
        del table.rows[row.id]
        table.ids.remove(row.id)

    def trash(self, row, retired, log=None):
        if log is not None:
            log.append((self.trash, row, row.retired))
        row.retired = retired

    @staticmethod
    def undo(log):
        for change, *arguments in reversed(log):
            change(*arguments)

    # === seeds ===

    def load(self, seed):
        """Fills the tables from {type: [row, ...]}. Links are "Type:id"; one end of a link is enough, the other end and
        the join rows follow. `"retired": true` puts a row into the trash."""
        from .links import Links
        rows = []
        for name, many in seed.items():
            kind = TABLE.get(name)
            if kind is None:
                raise bad(f"no type {name}")
            for data in many:
                unknown = set(data) - set(kind.fields) - {"retired"}
                if unknown:
                    raise bad(f"{name}: no such field: {', '.join(sorted(unknown))}")
                row = Row(kind, data["id"], {name: SEEDED for name in DATED if name in kind.fields})
                row.retired = bool(data.get("retired"))
                if self.find(row.ref):
                    raise bad(f"{name} {row.id} is there twice")
                self.insert(row)
                rows.append((row, data))
        links = Links(self)
        for row, data in rows:
            for name, value in data.items():
                if name in ("id", "retired"):
                    continue
                field = row.kind.fields[name]
                if field.valid_types:
                    new = tuple(self.seed_ref(one) for one in value) if field.many else self.seed_ref(value)
                    links.join(row, field, new)
                else:
                    self.put(row, name, value)

    def seed_ref(self, text):
        if text is None:
            return None
        name, _, key = text.partition(":")
        if self.find((name, int(key))) is None:
            raise bad(f"no {text}")
        return name, int(key)
