"""The types as objects: attributes and relations, legacy names, and what `query_schemas` tells of them."""

import hashlib
import json

from .types import TYPES

# The object types that every workspace has; their ids are fixed.
OBJECT_TYPES = {
    "Task": "11c137c0-ee7e-4f9c-91c5-8c77cec22b2c",
    "Shot": "bad911de-3bd6-47b9-8b46-3476e237cb36",
    "Sequence": "e5139355-61da-4c8f-9db4-3abc870166bc",
    "Folder": "3c133785-51cb-11e3-980a-20c9d0831e59",
    "Asset Build": "4be63b64-5010-42fb-bf1f-428af9d638f0",
    "Episode": "22139355-61da-4c8f-9db4-3abc870166bc",
    "Scene": "34b122f0-bd5c-11eb-96ea-d6270330280e",
    "Milestone": "01decdd1-51cb-11e3-9d5b-20c9d0831e59",
    "Image": "4721f72a-bd5c-11eb-a3da-d6270330280e",
    "Information": "efb7d34c-bd5b-11eb-86a7-d6270330280e",
}
ABSTRACT = {"Resource", "BaseUser", "Context", "TypedContext", "StatusChange", "StatusRuleGroup"}
STORED = {"str", "int", "num", "bool", "date", "json", "fk", "key"}
# Rows that go when the row they belong to goes.
OWNED = {"appointments", "memberships", "user_security_roles", "user_security_role_projects", "assets", "versions",
         "timelogs", "notes", "managers", "children", "incoming_links", "outgoing_links", "status_rules", "replies",
         "recipients", "review_sessions", "review_session_objects", "review_session_invitees"}


class Attribute:
    """One attribute of a type."""

    __slots__ = ("name", "kind", "target", "column", "narrow", "legacy", "default", "flags")

    def __init__(self, words):
        self.name, kind, *rest = words.split(" ")
        self.target = self.column = self.narrow = self.default = None
        self.legacy = self.name
        if kind == "intkey":
            self.kind, self.narrow = "key", "int"
        elif kind in STORED:
            self.kind = kind
        elif kind in ("calc", "same"):
            self.kind, self.target = kind, rest.pop(0)
        elif kind[0] == ">":
            self.kind, self.target = "fk", kind[1:]
        elif kind[0] in "*%":
            self.kind = "many" if kind[0] == "*" else "listed"
            path, _, self.narrow = kind[1:].partition("?")
            self.target, self.column = path.split(".")
        else:
            self.kind = "one"
            self.target, self.column = kind.split(":")
        line = " ".join(rest)
        if "=" in line:
            # Only a last word's default may hold spaces.
            line, _, default = line.partition("=")
            for flag in ("system", "must", "fixed", "hidden"):
                if default.endswith(" " + flag):
                    default, line = default[: -len(flag) - 1], line + " " + flag
            self.default = {"true": True, "false": False, "0": 0}.get(default, default)
        rest = line.split()
        self.legacy = next((word[1:] for word in rest if word[0] == "~"), self.name)
        self.flags = frozenset(word for word in rest if word[0] != "~")

    def fragment(self):
        """The attribute as `query_schemas` tells it."""
        out = {}
        if self.kind == "one":
            out["$ref"] = self.target
        elif self.kind in ("many", "listed") or self.kind == "calc" and self.target != "list":
            out.update(type="array", items={"$ref": self.target})
        else:
            names = {"int": "integer", "num": "number", "bool": "boolean", "json": "object"}
            out["type"] = "boolean" if self.kind == "same" else names.get(self.narrow or self.kind, "string")
            if self.kind == "date":
                out["format"] = "date-time"
            if self.kind == "fk":
                out["format"] = "foreign_key"
                out["description"] = f"Foreign key(s): {self.target}.id"
            if self.kind == "key" and self.name == "id" and not self.narrow:
                out["default"] = "{uid}"
            if self.default is not None:
                out["default"] = self.default
        if self.legacy != self.name:
            out["alias_for"] = self.legacy
        return out


class Type:
    """One API class: its attributes with those of its bases, its place in the tree, where its rows are."""

    def __init__(self, name, base, legacy):
        self.name, self.base = name, base
        shared = base is not None and base.name in ("TypedContext", "List", "StatusChange")
        self.legacy = legacy or (base.legacy if shared else name)
        self.root = base.root if base else name
        self.attributes = dict(base.attributes) if base else {}
        self.classifier = None
        self.concrete = [] if name in ABSTRACT else [name]
        self.family = {name}
        self.keys = []
        up = base
        while up is not None:
            up.concrete += self.concrete
            up.family.add(name)
            up = up.base

    def close(self):
        """Called when all attributes are known."""
        self.keys = [a.name for a in self.attributes.values() if a.kind == "key"]
        self.columns = [a for a in self.attributes.values() if a.kind in STORED]
        self.system = [n for n, a in self.attributes.items() if "system" in a.flags]

    def fragment(self):
        seen = {n: a for n, a in self.attributes.items() if "hidden" not in a.flags}
        out = {
            "id": self.name, "type": "object", "primary_key": self.keys, "default_projections": list(self.keys),
            "properties": {n: a.fragment() for n, a in seen.items()},
            "immutable": [n for n, a in seen.items() if "fixed" in a.flags or a.kind == "key" or a.target == "list"],
            "required": [n for n, a in seen.items() if "must" in a.flags or a.kind == "key"],
        }
        if self.base:
            out["$mixin"] = {"$ref": self.base.name}
        if self.root == "Context":
            out["default_projections"] = ["context_type", "id", "name"]
        # The server names some of these by their legacy column, and leaves the discriminator out.
        system = [seen[n].legacy for n in self.system if n in seen and n != "object_type_id"]
        if system:
            out["system_projections"] = system
        if self.classifier:
            out["alias_for"] = {"id": self.legacy, "classifiers": self.classifier}
            for attribute, fixed in (("object_type_id", "object_typeid"), ("system_type", "entity")):
                if attribute in seen and fixed in self.classifier:
                    out["properties"][attribute]["default"] = self.classifier[fixed]
        elif self.legacy != self.name:
            out["alias_for"] = self.legacy
        return out


class Schema:
    """All types by name."""

    def __init__(self, without=()):
        self.types = {}
        last = None
        for line in TYPES.strip().splitlines():
            if line.startswith("  "):
                attribute = Attribute(line.strip(" "))
                last.attributes[attribute.name] = attribute
                continue
            words = line.split()
            base = self.types[words[words.index("<") + 1]] if "<" in words else None
            legacy = words[words.index("=") + 1] if "=" in words else None
            if last:
                last.close()
            last = self.types[words[0]] = Type(words[0], base, legacy)
        last.close()
        self.types["TypedContextList"].classifier = {"entity": "task"}
        self.types["AssetVersionList"].classifier = {"entity": "assetversion"}
        self.by_object_type = {}
        for name, key in OBJECT_TYPES.items():
            self.add_object_type(name, key)
        self.aliases = {"AccessKey": "ApiKey"}
        # Types that this server stores and does not tell.
        self.gone = set()
        for name in without:
            type_name, _, attribute = name.partition(".")
            if attribute:
                kind = self.types[type_name]
                # Still stored, no longer told.
                kind.attributes[attribute].flags |= {"hidden"}
                kind.close()
            else:
                self.gone.add(self.types[type_name].name)

    def add_object_type(self, name, key):
        """Every object type is a class of its own: its name without spaces."""
        if key in self.by_object_type:
            return
        name = "".join(c for c in name if c.isalnum())
        kind = Type(name, self.types["TypedContext"], None)
        kind.classifier = {"object_typeid": key}
        kind.close()
        self.types[name] = kind
        self.by_object_type[key] = name

    def get(self, name):
        return self.types.get(self.aliases.get(name, name))

    def told_type(self, name):
        """The type, if the server tells of it."""
        kind = self.get(name)
        return None if kind is None or kind.name in self.gone else kind

    def told(self):
        return [kind.fragment() for kind in self.types.values() if kind.name not in self.gone]

    def hash(self):
        return hashlib.md5(json.dumps(self.told(), sort_keys=True).encode()).hexdigest()
