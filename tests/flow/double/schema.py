"""The types as objects, and what the site tells of them: `/schema` and the `schema_*` methods tell the same."""

import re

from .types import JOINS, LINKS, NAMED, TYPES, WITHOUT_NAME

CALCULATED = {"calculated", "summary", "pivot_column"}
UNFILTERABLE = {"serializable", "password", "url", *CALCULATED}
UNSORTABLE = {"multi_entity", "image", *UNFILTERABLE}
LINK = {"entity", "multi_entity"}


class Field:
    """One field of a type."""

    __slots__ = ("type", "name", "data_type", "editable", "valid_types", "valid_values", "ends", "join")

    def __init__(self, type_name, words):
        match = re.fullmatch(r"(\w+):(\w+)(!?)(?:>([\w|]+))?(?:=(\S+))?", words)
        name, data_type, fixed, targets, values = match.groups()
        self.type, self.name, self.data_type = type_name, name, data_type
        self.editable = not fixed
        self.valid_types = targets.split("|") if targets else []
        self.valid_values = values.split("/") if values else []
        # The other end of the link, by the type that it leads to.
        self.ends = {}
        self.join = JOINS.get(f"{type_name}.{name}")

    @property
    def many(self):
        return self.data_type == "multi_entity"

    @property
    def default(self):
        if self.many:
            return ()
        if self.data_type == "checkbox":
            return False
        return self.valid_values[0] if self.data_type == "status_list" else None


class Type:
    """One entity type."""

    def __init__(self, name, text):
        words = text.split() + ["id:number!"]
        if name not in WITHOUT_NAME:
            words.append("cached_display_name:text" + ("!" if name == "PermissionRuleSet" else ""))
        self.name = name
        # A later word replaces an earlier one: Task and Version have their own kind of a shared field.
        self.fields = {field.name: field for field in (Field(name, word) for word in words)}
        self.slug = slug(name)
        self.named = NAMED.get(name, "code")
        self.is_join = name.endswith("Connection")
        self.audited = "updated_at" in self.fields


def slug(name):
    """`HumanUser` is `human_users` in addresses."""
    snake = snake_case(name)
    if snake.endswith("s"):
        return snake + "es"
    return snake[:-1] + "ies" if snake.endswith("y") else snake + "s"


def snake_case(name):
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


TABLE = {name: Type(name, text) for name, text in TYPES.items()}
for _one, _others in LINKS:
    _type, _name = _one.split(".")
    for _other in _others.split():
        _target, _back = _other.split(".")
        TABLE[_type].fields[_name].ends[_target] = _back
        TABLE[_target].fields[_back].ends[_type] = _name
NAMES = {**{kind.name: kind for kind in TABLE.values()}, **{kind.slug: kind for kind in TABLE.values()}}


# === what the site tells ===

def told(value, editable=False):
    return {"value": value, "editable": editable}


def tell_type(kind):
    return {"name": told(title(kind.name)), "visible": told(True)}


def title(name):
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)


def tell_field(field, editable):
    """A field as the schema tells it to a caller who may (or may never) edit it."""
    properties = {"default_value": told(None if field.many else field.default, True),
                  "summary_default": told("none", True)}
    if field.data_type in LINK:
        properties["valid_types"] = told(field.valid_types, True)
    if field.data_type in ("list", "status_list"):
        properties["valid_values"] = told(field.valid_values, True)
    if field.data_type == "status_list":
        properties["display_values"] = told({value: value.upper() for value in field.valid_values})
        properties["hidden_values"] = told([])
    return {
        "name": told(field.name.removeprefix("sg_").replace("_", " ").title(), True),
        "description": told("", True), "custom_metadata": told("", True), "entity_type": told(field.type),
        "data_type": told(field.data_type), "editable": told(editable), "mandatory": told(False), "unique": told(False),
        "properties": properties, "visible": told(True), "ui_value_displayable": told(True),
    }
