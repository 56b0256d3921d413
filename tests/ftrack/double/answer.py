"""Rows as `/api` tells them: the asked-for attributes, a repeated entity as its key only."""

from .query import step
from .store import invalid


def plain(attribute, value):
    """A stored value in JSON."""
    if attribute.kind == "date" and value is not None:
        return {"__type__": "datetime", "value": value}
    return value


def reference(row):
    return {"__entity_type__": row.kind.name, **{name: getattr(row, name) for name in row.kind.keys}}


class Serialiser:
    """Makes the objects of one answer. `seen` remembers which attributes of an entity were told already."""

    def __init__(self, store, strict=False, denormalize=False, visible=None, seen=None):
        self.store, self.strict, self.visible = store, strict, visible
        self.seen = {} if seen is None else seen
        self.denormalize = denormalize and strict
        self.steps = {}

    @staticmethod
    def tree(paths):
        """Dotted paths as a tree of names."""
        root = {}
        for path in paths:
            at = root
            for name in path:
                at = at.setdefault(name, {})
        return root

    def entity(self, row, tree):
        if row is None:
            return None
        kind = row.kind
        names = [name for name in tree if name in kind.attributes]
        if not self.strict:
            names += [name for name in kind.system if name not in tree]
        out = reference(row)
        if not self.denormalize:
            identity = (kind.root, self.store.key(kind, row))
            told = self.seen.get(identity)
            if told is not None and told.issuperset(names):
                return out
            self.seen[identity] = told | set(names) if told is not None else frozenset(names)
        for name in names:
            attribute = kind.attributes[name]
            if "hidden" in attribute.flags:
                continue
            if attribute.kind == "same":
                out[name] = getattr(row, attribute.target)
            elif attribute.kind in ("one", "many", "listed") or attribute.kind == "calc":
                out[name] = self.relation(row, attribute, tree.get(name, {}))
            else:
                value = getattr(row, name)
                out[name] = plain(attribute, value) if attribute.kind == "date" else value
        return out

    def relation(self, row, attribute, tree):
        follow = self.steps.get(attribute)
        if follow is None:
            follow = self.steps[attribute] = step(self.store, attribute)
        found = follow(row)
        if attribute.kind == "calc" and attribute.target == "list":
            return found[0]
        if self.visible is not None:
            found = [item for item in found if item is not None and self.visible(item)]
        if attribute.kind == "one":
            return self.entity(found[0], tree) if found and found[0] is not None else None
        return [self.entity(item, tree) for item in found]

    def whole(self, row):
        """Everything stored of a row, as a create answers it."""
        return self.entity(row, {c.name: {} for c in row.kind.columns if "hidden" not in c.flags})


def aggregate(query, rows):
    """`select count(id) from Task group by status_id`."""
    groups = {}
    getters = [query.value_of(query.kind, path) for path in query.group]
    for row in rows:
        groups.setdefault(tuple(get(row)[0] for get in getters), []).append(row)
    out = []
    for key, members in groups.items():
        item = {".".join(path): value for path, value in zip(query.group, key)}
        for projection in query.projections:
            if not isinstance(projection, tuple):
                continue
            name, path = projection
            get = query.value_of(query.kind, path)
            values = [v for row in members for v in get(row) if v is not None]
            if name == "count":
                item["count"] = len(values)
            elif values:
                try:
                    item[name] = {"sum": sum, "min": min, "max": max}[name](values)
                except TypeError:
                    raise invalid(f"{name} of {'.'.join(path)} cannot be made") from None
        out.append(item)
    return out
