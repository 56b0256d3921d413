"""The query language: from a text to a plan, and from a plan to rows."""

import itertools
import re

from .store import invalid

TOKEN = re.compile(r"""\s*(?:("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')|(>=|<=|!=|=|<|>)|([(),])|([^\s(),<>=!"']+))""")
OPERATORS = {
    "=": "=", "is": "=", "!=": "!=", "is_not": "!=", ">": ">", "after": ">", "greater_than": ">",
    "<": "<", "before": "<", "less_than": "<", ">=": ">=", "<=": "<=", "in": "in", "not_in": "not_in",
    "like": "like", "not_like": "not_like", "has": "has", "any": "any",
}
# Texts that few rows share.
INDEXED = {"username", "name", "parent_id", "entity_id", "email"}
CLAUSES = {"where", "order", "group", "offset", "limit"}


class Word(str):
    """A bare word, as against a quoted text."""


def tokens(text):
    at, out = 0, []
    text = text.rstrip()
    while at < len(text):
        found = TOKEN.match(text, at)
        if not found:
            raise invalid(f"Could not parse expression near: {text[at:at + 40]}")
        quoted, operator, mark, bare = found.groups()
        if quoted is not None:
            out.append(re.sub(r"\\(.)", r"\1", quoted[1:-1]))
        else:
            out.append(Word(operator or mark or bare))
        at = found.end()
    return out


class Query:
    """A parsed expression. `depends` are the tables that the answer is made from."""

    def __init__(self, store, text):
        self.store, self.tokens, self.at = store, tokens(text), 0
        self.depends = set()
        self.projections, self.order, self.group = [], [], []
        self.offset, self.limit = 0, None
        self.parse()

    # === words ===

    def peek(self):
        return self.tokens[self.at] if self.at < len(self.tokens) else None

    def next(self):
        token = self.peek()
        if token is None:
            raise invalid("Could not parse expression: it ends too early")
        self.at += 1
        return token

    def word(self, *names):
        """Takes the next token if it is one of these bare words."""
        token = self.peek()
        if isinstance(token, Word) and token.lower() in names:
            self.at += 1
            return True
        return False

    def need(self, name):
        if not self.word(name):
            raise invalid(f"Could not parse expression: expected {name} before {self.peek()!r}")

    # === clauses ===

    def parse(self):
        self.need("select")
        while True:
            self.projections.append(self.projection())
            if not self.word(","):
                break
        self.need("from")
        begin = self.at
        name = self.next()
        self.kind = self.type_named(name)
        self.where, self.hints = None, {}
        if self.word("where"):
            tree = self.either()
            self.where = self.compile(self.kind, tree)
            self.hints = self.hinted(self.kind, tree)
        stop = self.at
        while self.peek() is not None and self.peek() != ")":
            if self.word("order"):
                self.need("by")
                self.ordering()
                stop = self.at
            elif self.word("group"):
                self.need("by")
                self.group.append(self.path(self.next()))
            elif self.word("offset"):
                self.offset = self.number()
            elif self.word("limit"):
                self.limit = self.number()
            else:
                raise invalid(f"Could not parse expression near {self.peek()!r}")
        # What decides which rows in which order: the same for every page and projection.
        self.core = tuple((type(token) is Word, token) for token in self.tokens[begin:stop])
        for item in self.projections:
            self.check_projection(item)

    def projection(self):
        token = self.next()
        if token in ("count", "sum", "min", "max") and self.word("("):
            path = self.path(self.next())
            self.need(")")
            return (str(token), path)
        return self.path(token)

    def check_projection(self, item):
        path = item[1] if isinstance(item, tuple) else item
        self.walk(self.kind, path)

    def ordering(self):
        while True:
            path = self.path(self.next())
            down = self.word("desc", "descending")
            if not down:
                self.word("asc", "ascending")
            self.order.append((self.value_of(self.kind, path), down, path))
            if not self.word(","):
                return

    def number(self):
        token = self.next()
        if not token.isdigit():
            raise invalid(f"Could not parse expression: {token!r} is no number")
        return int(token)

    @staticmethod
    def path(token):
        if not isinstance(token, Word) or not re.fullmatch(r"[A-Za-z_][\w.]*", token):
            raise invalid(f"Could not parse expression near {token!r}")
        return token.split(".")

    def type_named(self, name):
        kind = self.store.schema.told_type(name)
        if kind is None:
            raise invalid(f"Entity type {name} does not exist")
        self.depends.add(kind.root)
        return kind

    def attribute(self, kind, name):
        """The attribute of the type, or of a type below it (a user's name through a resource)."""
        for each in [kind] + [self.store.schema.types[n] for n in sorted(kind.family) if n in self.store.schema.types]:
            attribute = each.attributes.get(name)
            if attribute is not None and "hidden" not in attribute.flags:
                return attribute
        raise invalid(f"{kind.name} has no attribute {name}")

    def walk(self, kind, path):
        """The attributes along a dotted path."""
        out = []
        for i, name in enumerate(path):
            attribute = self.attribute(kind, name)
            if attribute.kind == "same":
                attribute = self.attribute(kind, attribute.target)
            out.append(attribute)
            if attribute.kind in ("one", "many", "listed") or attribute.kind == "calc" and attribute.target != "list":
                kind = self.type_named(attribute.target)
            elif i + 1 < len(path):
                raise invalid(f"{kind.name}.{name} is no relation")
        return out

    # === conditions: first a tree, then a function on a row ===

    def either(self):
        parts = [self.both()]
        while self.word("or"):
            parts.append(self.both())
        return parts[0] if len(parts) == 1 else ("or", parts)

    def both(self):
        parts = [self.unary()]
        while self.word("and"):
            parts.append(self.unary())
        return parts[0] if len(parts) == 1 else ("and", parts)

    def unary(self):
        if self.word("not"):
            return ("not", self.unary())
        if self.word("("):
            tree = self.either()
            self.need(")")
            return tree
        path = self.path(self.next())
        token = self.next()
        operator = OPERATORS.get(token.lower()) if isinstance(token, Word) else None
        if operator is None:
            raise invalid(f"Could not parse expression near {token!r}")
        if operator in ("has", "any"):
            self.need("(")
            tree = None if self.peek() == ")" else self.either()
            self.need(")")
            return (operator, path, tree)
        if operator in ("in", "not_in"):
            self.need("(")
            return (operator, path, self.members())
        return (operator, path, self.literal())

    def members(self):
        if self.peek() == "select":
            inner = Query.__new__(Query)
            inner.store, inner.tokens, inner.at, inner.depends = self.store, self.tokens, self.at, self.depends
            inner.projections, inner.order, inner.group, inner.offset, inner.limit = [], [], [], 0, None
            inner.parse()
            self.at = inner.at
            self.need(")")
            get = inner.value_of(inner.kind, inner.projections[0])
            return [value for row in inner.rows() for value in get(row)]
        out = []
        if not self.word(")"):
            while True:
                out.append(self.literal())
                if self.word(")"):
                    break
                self.need(",")
        return out

    def literal(self):
        token = self.next()
        if isinstance(token, Word):
            if token in ("(", ")", ",") or token.lower() in CLAUSES:
                raise invalid(f"Could not parse expression near {token!r}")
            if token.lower() == "none":
                return None
        return str(token)

    def compile(self, kind, tree):
        what = tree[0]
        if what in ("and", "or"):
            parts = [self.compile(kind, part) for part in tree[1]]
            test = all if what == "and" else any
            return lambda row: test(part(row) for part in parts)
        if what == "not":
            inner = self.compile(kind, tree[1])
            return lambda row: not inner(row)
        if what in ("has", "any"):
            path = self.walk(kind, tree[1])
            many = path[-1].kind not in ("one",)
            if (what == "any") != many:
                raise invalid(f"`{what}` cannot be used with {'.'.join(tree[1])}")
            get = self.getter(path)
            if tree[2] is None:
                return lambda row: any(item is not None for item in get(row))
            inner = self.compile(self.type_named(path[-1].target), tree[2])
            return lambda row: any(item is not None and inner(item) for item in get(row))
        operator, names, value = tree
        path = self.walk(kind, names)
        get = self.getter(path)
        test = comparison(operator, value, path[-1])
        return lambda row: any(test(item) for item in get(row))

    def value_of(self, kind, path):
        return self.getter(self.walk(kind, path))

    def getter(self, path):
        """A function from a row to the list of values at the end of the path; a relation's value is its row."""
        store = self.store
        first = path[0]
        if len(path) == 2 and first.kind == "one" and path[1].kind == "key":
            # `project.id` is `project_id`.
            column = first.column
            return lambda row: (getattr(row, column, None),)
        if len(path) == 1 and first.kind not in ("one", "many", "listed", "calc"):
            name = first.name
            return lambda row: (getattr(row, name, None),)
        steps = [step(store, attribute) for attribute in path]

        def get(row):
            rows = (row,)
            for follow in steps:
                rows = [item for one in rows if one is not None for item in follow(one)]
            return rows or (None,)

        return get

    # === rows ===

    def hinted(self, kind, tree):
        """Conditions that an index can answer: {column: values}, and ("id", after) for `id > x`."""
        out = {}
        for part in tree[1] if tree[0] == "and" else [tree]:
            if part[0] not in ("=", "in", ">", ">="):
                continue
            path = self.walk(kind, part[1])
            if len(path) == 2 and path[0].kind == "one" and path[1].kind == "key":
                column = path[0].column
            elif len(path) == 1 and (path[0].kind in ("key", "fk") or path[0].name in INDEXED) and not path[0].narrow:
                column = path[0].name
            else:
                continue
            if part[0] in ("=", "in"):
                values = part[2] if part[0] == "in" else [part[2]]
                if None not in values:
                    out[column] = values
            elif column == "id" and part[2] is not None:
                out[">"] = (part[2], part[0] == ">=")
        return out

    def candidates(self):
        table = self.store.table(self.kind)
        names = set(self.kind.concrete)
        simple = self.kind.keys == ["id"]
        if simple and "id" in self.hints:
            found = (table.find(self.kind.concrete, key) for key in dict.fromkeys(self.hints["id"]))
            return [row for row in found if row is not None]
        best = None
        for column, values in self.hints.items():
            if column not in (">", "id"):
                groups = [table.having(column, value) for value in dict.fromkeys(values)]
                size = sum(map(len, groups))
                if best is None or size < best[0]:
                    best = size, groups
        if best is not None:
            return [row for group in best[1] for row in group if row.kind.name in names]
        if simple and ">" in self.hints:
            return table.after(self.kind.concrete, *self.hints[">"])
        return self.store.rows(self.kind)

    def by_id(self):
        """Whether the rows come from the index in the order that is asked for."""
        plain = len(self.order) == 1 and self.order[0][2] == ["id"] and not self.order[0][1]
        return plain and set(self.hints) == {">"} and self.kind.keys == ["id"]

    def rows(self, visible=None, most=None):
        """All rows that match, in order, before offset and limit; `most` of them where that is cheaper."""
        rows = self.candidates()
        if self.where is not None:
            rows = filter(self.where, rows)
        if visible is not None:
            rows = filter(visible, rows)
        if self.by_id():
            return list(itertools.islice(rows, most))
        rows = list(rows)
        if self.order and not (self.order[0][2] == ["id"] and not self.order[0][1] and rows_are_sorted(rows)):
            # Of equals the newer one counts as the greater, or the older one: no server promises either.
            if self.order[-1][1] == (self.store.ties == "newest"):
                rows.reverse()
            for get, down, _ in reversed(self.order):
                rows.sort(key=lambda row, get=get: sort_key(get(row)[0]), reverse=down)
        return rows


def rows_are_sorted(rows):
    return all(rows[i].id <= rows[i + 1].id for i in range(len(rows) - 1))


def sort_key(value):
    if value is None:
        return (0, 0, "")
    if isinstance(value, (bool, int, float)):
        return (1, value, "")
    return (2, 0, str(getattr(value, "id", value)))


def step(store, attribute):
    """A function from a row to the rows or values of one of its attributes."""
    kind, name, column = attribute.kind, attribute.name, attribute.column
    if kind == "one":
        return lambda row: (store.find(attribute.target, getattr(row, column, None)),)
    if kind == "many":
        target = store.schema.get(attribute.target)
        names = set(target.concrete)
        table = store.table(target)
        if attribute.narrow:
            field, _, wanted = attribute.narrow.partition("=")
            return lambda row: [r for r in table.having(column, row.id)
                                if r.kind.name in names and getattr(r, field) == wanted]
        return lambda row: [r for r in table.having(column, row.id) if r.kind.name in names]
    if kind == "listed":
        return lambda row: [r for key in getattr(row, column, None) or ()
                            if (r := store.find(attribute.target, key)) is not None]
    if kind == "calc":
        return {"link": lambda row: [link(store, row)], "ancestors": lambda row: ancestors(store, row),
                "descendants": lambda row: descendants(store, row)}[name]
    return lambda row: (getattr(row, name, None),)


def ancestors(store, row):
    """The contexts above, the topmost first, without the project."""
    out, seen = [], set()
    up = store.find("TypedContext", row.parent_id)
    while up is not None and up.id not in seen:
        seen.add(up.id)
        out.insert(0, up)
        up = store.find("TypedContext", up.parent_id)
    return out


def descendants(store, row):
    if row.kind.name == "Project":
        return [r for r in store.tables["Context"].having("project_id", row.id) if r is not row]
    out, level = [], [row]
    while level:
        level = [r for up in level for r in store.tables["Context"].having("parent_id", up.id)]
        out += level
    return out


def link(store, row):
    kind = row.kind.name
    if row.kind.root == "Context":
        chain = ancestors(store, row) + [row] if kind != "Project" else [row]
        project = store.find("Project", row.project_id)
        if project is not None and kind != "Project":
            chain.insert(0, project)
        return [{"type": "Project" if r.kind.name == "Project" else "TypedContext", "id": r.id,
                 "name": getattr(r, "full_name", None) or r.name} for r in chain]
    if kind == "Group":
        chain, seen = [row], {row.id}
        up = store.find("Group", row.parent_id)
        while up is not None and up.id not in seen:
            seen.add(up.id)
            chain.insert(0, up)
            up = store.find("Group", up.parent_id)
        return [{"type": "Group", "id": r.id, "name": r.name} for r in chain]
    asset = store.find("Asset", row.asset_id)
    parent = store.find("Context", asset.context_id) if asset else None
    above = link(store, parent) if parent else []
    return above + [{"type": "AssetVersion", "id": row.id, "name": f"{asset.name if asset else ''} v{row.version}"}]


def comparison(operator, value, attribute):
    """A test of one value. A null passes only where `none` is asked for."""
    kind = attribute.narrow if attribute.kind == "key" and attribute.narrow else attribute.kind
    if kind in ("one", "many", "listed", "calc") and value is not None:
        raise invalid(f"{attribute.name} is a relation: compare an attribute of it")
    if operator in ("in", "not_in"):
        wanted = {cast(kind, item, attribute) for item in value}
        if operator == "in":
            return lambda item: item in wanted
        return lambda item: item is not None and item not in wanted
    if value is None:
        if operator == "=":
            return lambda item: item is None
        if operator == "!=":
            return lambda item: item is not None
        raise invalid(f"none cannot be compared with {operator}")
    if operator in ("like", "not_like"):
        pattern = re.compile(".*".join(re.escape(part) for part in value.split("%")), re.IGNORECASE | re.DOTALL)
        if operator == "like":
            return lambda item: item is not None and pattern.fullmatch(str(item)) is not None
        return lambda item: item is not None and pattern.fullmatch(str(item)) is None
    wanted = cast(kind, value, attribute)
    if operator == "=":
        return lambda item: item == wanted
    if operator == "!=":
        return lambda item: item is not None and item != wanted
    return {
        ">": lambda item: item is not None and item > wanted, "<": lambda item: item is not None and item < wanted,
        ">=": lambda item: item is not None and item >= wanted, "<=": lambda item: item is not None and item <= wanted,
    }[operator]


def cast(kind, value, attribute):
    if value is None:
        return None
    if kind in ("bool", "same"):
        if value.lower() not in ("true", "false", "1", "0"):
            raise invalid(f"{attribute.name}: {value!r} is no boolean")
        return value.lower() in ("true", "1")
    if kind in ("int", "num"):
        try:
            number = float(value)
        except ValueError:
            raise invalid(f"{attribute.name}: {value!r} is no number") from None
        return int(number) if number.is_integer() else number
    if kind == "date":
        return value.replace(" ", "T", 1)
    return value
