"""Filters: read from REST (triples) or JSON-RPC (leaves), checked against the schema, compiled to a test of a row."""

import datetime
import json

from .schema import TABLE, UNFILTERABLE
from .store import Refusal, bad

DEEPEST = 265
TEXT = "contains not_contains is is_not starts_with ends_with in not_in".split()
NUMBER = "is is_not less_than greater_than between not_between in not_in".split()
LINKS = "is is_not name_contains name_not_contains name_is type_is type_is_not in not_in".split()
DATE = "is is_not greater_than less_than in_last not_in_last in_next not_in_next between in not_in".split()
RELATIONS = {
    "text": TEXT, "uuid": "is is_not in not_in".split(), "number": NUMBER, "duration": NUMBER, "percent": NUMBER,
    "float": NUMBER, "checkbox": ["is", "is_not"], "date": DATE, "date_time": DATE,
    "list": "is is_not in not_in".split(), "status_list": "is is_not in not_in".split(),
    "entity": LINKS, "multi_entity": LINKS,
    "entity_type": "is is_not in not_in".split(), "image": ["is", "is_not"], "color": TEXT,
}
SEVERAL = {"in", "not_in", "between", "not_between", "in_last", "not_in_last", "in_next", "not_in_next"}
UNITS = {"HOUR": 1 / 24, "DAY": 1, "WEEK": 7, "MONTH": 30, "YEAR": 365}


# === reading ===

def from_array(filters):
    """`application/vnd+shotgun.api3_array+json`: a list of triples, all of which must hold."""
    if not isinstance(filters, list):
        raise bad(f"Query is not an Array: {json.dumps(filters)}")
    for one in filters:
        if not isinstance(one, list):
            raise bad(f"Invalid filter. Expected array of basic condition arrays but received: {json.dumps(filters)}")
    return "and", [triple(one) for one in filters]


def from_hash(filters, depth=1):
    """`application/vnd+shotgun.api3_hash+json`: groups of triples and groups."""
    if isinstance(filters, list):
        return triple(filters)
    if depth > DEEPEST:
        raise Refusal(500, 104, "Shotgun Server Error")
    if not isinstance(filters, dict):
        raise bad(f"Invalid condition: {json.dumps(filters)}")
    if "logical_operator" not in filters:
        raise bad(f"Missing logical operator: {json.dumps(filters)}")
    operator = filters["logical_operator"]
    if operator not in ("and", "or"):
        raise bad(f"Invalid logical operator: {operator}")
    if "conditions" not in filters:
        raise bad(f"Missing conditions parameter: {json.dumps(filters)}")
    return operator, [from_hash(one, depth + 1) for one in filters["conditions"]]


def triple(one):
    if len(one) != 3 or not isinstance(one[0], str) or not isinstance(one[1], str):
        raise bad(f"Invalid condition: {json.dumps(one)}")
    path, relation, value = one
    return path, relation, value if relation in SEVERAL and isinstance(value, list) else [value]


def from_rpc(filters):
    """JSON-RPC: groups of {path, relation, values}."""
    if "logical_operator" in filters:
        return filters["logical_operator"], [from_rpc(one) for one in filters.get("conditions", [])]
    return filters["path"], filters["relation"], filters.get("values", [])


# === compiling ===

class Compiler:
    """Makes tests of rows. `hidden` tells the fields that the caller does not see."""

    def __init__(self, store, hidden=lambda kind, name: False, what="read"):
        self.store, self.hidden, self.what = store, hidden, what

    def compile(self, kind, tree):
        if len(tree) == 2:
            operator, parts = tree
            tests = [self.compile(kind, part) for part in parts]
            if len(tests) == 1:
                return tests[0]
            if operator == "and":
                return lambda row: all(test(row) for test in tests)
            # No condition at all is no filter.
            return lambda row: not tests or any(test(row) for test in tests)
        return self.leaf(kind, *tree)

    def leaf(self, kind, path, relation, values):
        field, get = self.path(kind, path, relation, values)
        called = f"{field.type}.{field.name}"
        sent = json.dumps({"path": path, "relation": relation, "values": values})
        if field.data_type in UNFILTERABLE:
            raise bad(f"API {self.what}() {called}'s '{field.data_type}' data type cannot be used in a filter.",
                      {called: f" data type cannot be used in a filter. Value: {sent}"})
        legal = RELATIONS[field.data_type]
        if relation not in legal:
            complaint = f"data type doesn't support '{relation}' 'relation'"
            raise bad(f"API {self.what}() {called}'s '{field.data_type}' {complaint}",
                      {called: f" {complaint}. Value: {sent} Valid relations: {json.dumps(legal)}"})
        if relation in SEVERAL:
            if not values:
                raise bad(f"API {self.what}() '{relation}' 'relation' expects at least a 1-element array: []")
        elif len(values) != 1 or isinstance(values[0], list):
            raise bad(f"API {self.what}() '{relation}' 'relation' expects a 1-element array: {json.dumps(values)}")
        wanted = [self.value(field, relation, one) for one in values]
        positive = relation.replace("_not", "").replace("not_", "")
        test = self.relation(field, positive, wanted)
        if positive != relation:
            return lambda row: not test(get(row))
        return lambda row: test(get(row))

    def field(self, kind, name, path, relation, values):
        field = kind.fields.get(name)
        if field is None or self.hidden(kind, name):
            sent = json.dumps({"path": path, "relation": relation, "values": values})
            raise bad(f"API {self.what}() {kind.name}.{name} doesn't exist.",
                      {f"{kind.name}.{name}": f" does not exist. Value: {sent}"})
        return field

    def path(self, kind, path, relation, values):
        """The field at the end of a path, and what reads its values from a row: a list."""
        store = self.store
        parts = path.split(".")
        steps = []
        field = self.field(kind, parts[0], path, relation, values)
        for at in range(1, len(parts), 2):
            target = TABLE.get(parts[at])
            if not field.valid_types or target is None or at + 1 >= len(parts):
                raise bad(f"API {self.what}() {kind.name}.{path} doesn't exist.")
            steps.append((field.name, target.name))
            field = self.field(target, parts[at + 1], path, relation, values)
        name, many = field.name, field.many

        def last(row):
            value = store.value(row, name)
            return list(value) if many else [] if value is None else [value]

        if not steps:
            return field, last

        def walk(row):
            rows = [row]
            for step, target in steps:
                found = []
                for one in rows:
                    value = store.value(one, step)
                    for ref in value if value and isinstance(value[0], tuple) else [value] if value else ():
                        if ref[0] == target:
                            found.append(store.live(ref))
                rows = found
            return [value for one in rows for value in last(one)]

        return field, walk

    def value(self, field, relation, value):
        called = f"API {self.what}() {field.type}.{field.name}"
        got = f"data type(s) but got {type(value).__name__}: {value}"
        if relation in ("in_last", "not_in_last", "in_next", "not_in_next"):
            return value
        if field.valid_types and relation.startswith(("is", "in", "not_in")) and not relation.startswith("name"):
            if value is None:
                return None
            if not isinstance(value, dict):
                raise bad(f"{called} expected [Hash, NilClass] {got}")
            if not isinstance(value.get("type"), str) or value["type"] not in TABLE:
                raise bad(f"API {self.what}() invalid/missing entity hash string 'type': {json.dumps(value)}")
            if not isinstance(value.get("id"), int):
                raise bad(f"API {self.what}() invalid/missing entity hash integer 'id': {json.dumps(value)}")
            return value["type"], value["id"]
        if value is None or field.valid_types:
            return fold(value)
        if field.data_type in ("number", "duration", "percent", "float") and not isinstance(value, (int, float)):
            if isinstance(value, str) and value.lstrip("-").isdigit():
                return int(value)
            raise bad(f"{called} expected [String, Integer, NilClass] {got}")
        if field.data_type == "checkbox" and not isinstance(value, bool):
            if value in ("true", "false"):
                return value == "true"
            raise bad(f"{called} expected [TrueClass, FalseClass] {got}")
        if field.data_type == "date_time" and isinstance(value, str):
            return value.replace(" UTC", "Z").replace(" ", "T")
        return fold(value) if isinstance(value, str) and field.data_type != "date" else value

    def relation(self, field, relation, wanted):
        """A test of the values at the end of a path."""
        one = wanted[0]
        if relation in ("is", "in"):
            if field.valid_types or field.data_type in ("number", "checkbox", "date", "date_time"):
                if len(wanted) == 1 and one is not None:
                    return lambda found: one in found
                return lambda found: any(value in wanted for value in found) or None in wanted and not found
            return lambda found: any(fold(value) in wanted for value in found) or None in wanted and not found
        if relation == "type_is":
            return lambda found: any(ref[0].lower() == one for ref in found)
        if relation.startswith("name_"):
            names = lambda found: [fold(self.store.find(ref).title()) for ref in found]
            if relation == "name_is":
                return lambda found: one in names(found)
            return lambda found: any(one in name for name in names(found))
        if relation in ("contains", "starts_with", "ends_with"):
            test = {"contains": str.__contains__, "starts_with": str.startswith, "ends_with": str.endswith}[relation]
            return lambda found: any(test(fold(value), one or "") for value in found)
        if relation == "greater_than":
            return lambda found: one is not None and any(value > one for value in found)
        if relation == "less_than":
            return lambda found: one is not None and any(value < one for value in found)
        if relation == "between":
            if len(wanted) != 2:
                raise bad(f"API {self.what}() 'between' 'relation' expects a 2-element array: {json.dumps(wanted)}")
            return lambda found: any(one <= value <= wanted[1] for value in found)
        return self.window(relation, wanted)

    def window(self, relation, wanted):
        if len(wanted) != 2 or str(wanted[1]).upper() not in UNITS:
            raise bad(f"API {self.what}() '{relation}' 'relation' expects a 2-element array: {json.dumps(wanted)}")
        span = datetime.timedelta(days=float(wanted[0]) * UNITS[str(wanted[1]).upper()])
        now = datetime.datetime.now(datetime.timezone.utc)
        ends = sorted((now, now - span if relation == "in_last" else now + span))
        low, high = (end.strftime("%Y-%m-%dT%H:%M:%SZ") for end in ends)
        return lambda found: any(low[:len(value)] <= value <= high for value in found)


def fold(value):
    return value.lower() if isinstance(value, str) else value


def bounds(tree):
    """What a filter says of the id: (greater than, or None; the only ids possible, or None). Makes big reads fast."""
    low = only = None
    if len(tree) == 3:
        tree = ("and", [tree])
    if tree[0] != "and":
        return None, None
    for part in tree[1]:
        if len(part) == 2:
            deeper, few = bounds(part)
            low = deeper if low is None else low
            only = few if only is None else only
        elif part[0] == "id" and part[1] == "greater_than" and isinstance(part[2][0], int):
            low = part[2][0] if low is None else max(low, part[2][0])
        elif part[0] == "id" and part[1] in ("is", "in") and all(isinstance(one, int) for one in part[2]):
            only = part[2]
    return low, only
