"""Both ends of a link, and the join rows beside it, in step."""

from .schema import TABLE
from .store import Row


def refs(value):
    """A link's value as a tuple of links."""
    if not value:
        return ()
    return (value,) if isinstance(value[0], str) else value


class Links:
    """Sets links in a store. `changes` gathers what that did at the other ends: (row, field, added, removed)."""

    def __init__(self, store, log=None):
        self.store, self.log, self.changes = store, log, []

    def join(self, row, field, new):
        """Adds to what is there, as seeds do: the other end may have been given first."""
        if field.many:
            had = row.raw(field.name)
            new = had + tuple(one for one in new if one not in had)
        self.set(row, field, new)

    def set(self, row, field, new):
        """Makes `new` the value of a link field."""
        old, now = refs(row.raw(field.name)), refs(new)
        self.store.put(row, field.name, new or None, self.log)
        for ref in old:
            if ref not in now:
                self.part(row, field, ref)
        for ref in now:
            if ref not in old:
                self.meet(row, field, ref)

    def part(self, row, field, ref):
        target, back = self.store.find(ref), field.ends.get(ref[0])
        if back:
            self.take(target, back, row.ref)
        self.joined(row, field, ref, False)

    def meet(self, row, field, ref):
        target, back = self.store.find(ref), field.ends.get(ref[0])
        if back and target.kind.fields[back].many:
            had = target.raw(back)
            if row.ref not in had:
                self.store.put(target, back, had + (row.ref,), self.log)
                self.changes.append((target, back, (row.ref,), ()))
        elif back:
            before = target.raw(back)
            if before and before != row.ref:
                # A shot can be in one sequence only: the other one loses it.
                holder = self.store.find(before)
                self.take(holder, TABLE[ref[0]].fields[back].ends[before[0]], ref)
            if before != row.ref:
                self.store.put(target, back, row.ref, self.log)
                self.changes.append((target, back, (row.ref,), (before,) if before else ()))
        self.joined(row, field, ref, True)

    def take(self, row, name, ref):
        """Removes one link from a field."""
        value = row.raw(name)
        if ref in refs(value):
            left = tuple(one for one in value if one != ref) if row.kind.fields[name].many else None
            self.store.put(row, name, left or None, self.log)
            self.changes.append((row, name, (), (ref,)))

    def joined(self, row, field, ref, there):
        """Makes or removes the join row of a link."""
        one, other = row.ref, ref
        join = field.join
        if join is None and ref[0] in field.ends:
            join, one, other = TABLE[ref[0]].fields[field.ends[ref[0]]].join, ref, row.ref
        if join is None:
            return
        name, here, far = join
        table = self.store.tables[name]
        wanted = {here: one, far: other}
        had = next((r for r in self.of(table, far, other) if r.values == wanted), None)
        if there and had is None:
            made = Row(TABLE[name], table.last + 1, wanted)
            self.store.insert(made, self.log)
        elif not there and had is not None and not had.retired:
            self.store.trash(had, True, self.log)
        elif there and had.retired:
            self.store.trash(had, False, self.log)

    @staticmethod
    def of(table, name, ref):
        return (row for row in table.rows.values() if row.values.get(name) == ref)
