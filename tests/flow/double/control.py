"""What tests ask of the double, as JSON over HTTP below `/double/`. `double.py` tells of each with an example."""

import json

from aiohttp import web

from .callers import Caller
from .changes import Transaction
from .filters import from_hash
from .generate import big
from .guard import Guard
from .permissions import ABSENT, Roles
from .reads import Reads
from .store import Refusal, bad

MODES = ("ok", "down", "refuse", "hang")
SETTINGS = {"token_life": float, "latency": float, "event_after": float, "archived_default": ("include", "exclude"),
            "cascade": ("silent", "events"), "new_first": ("always", "never", "alternate"),
            "revival_type": ("always", "never", "alternate"), "retire_touches": bool, "burn_on_rollback": bool,
            "rpc_page": int}


class Control:
    """The endpoints, over one studio."""

    def __init__(self, studio, seed):
        self.studio, self.seed = studio, seed

    def routes(self):
        posts = ("seed", "reset", "generate", "mutate", "raw", "query", "faults", "api", "settings", "tokens", "events",
                 "hooks", "decide", "roles")
        gets = ("health", "query", "record", "counts", "events", "hooks", "decide")
        return ([web.post(f"/double/{name}", getattr(self, f"post_{name}")) for name in posts]
                + [web.get(f"/double/{name}", getattr(self, f"get_{name}")) for name in gets]
                + [web.delete("/double/record", self.forget), web.delete("/double/faults", self.heal),
                   web.delete("/double/hooks", self.unhook)])

    async def get_health(self, request):
        return web.json_response({"ok": True})

    # === rows ===

    async def post_seed(self, request):
        seed = await body(request)
        self.studio.replace(seed)
        self.seed = seed
        self.studio.record.clear()
        return web.json_response({"ok": True})

    async def post_reset(self, request):
        """The seed, the roles and the settings of the start again; no faults, no hooks, an empty record."""
        studio = self.studio
        studio.faults.clear()
        studio.mode = "ok"
        studio.webhooks.clear()
        vars(studio.settings).update(studio.settings.start)
        studio.roles = studio.first_roles
        studio.replace(self.seed)
        studio.record.clear()
        return web.json_response({"ok": True})

    async def post_generate(self, request):
        store, made = big(self.seed, **await body(request))
        self.studio.use(store)
        return web.json_response(made)

    async def post_mutate(self, request):
        wish = await body(request)
        caller = self.caller(wish)
        silent = not wish["event"] if "event" in wish else None
        operations = [(one["action"], one["type"], one.get("id"), one.get("data", {})) for one in wish["operations"]]
        writing = Transaction(self.studio, caller, inside=not wish.get("check"), silent=silent)
        rows, events = writing.run(operations, hold=bool(wish.get("hold")))
        return web.json_response({"ids": [row.id if row is not None else None for row in rows], "events": events})

    def caller(self, wish):
        name, by = wish.get("as"), wish.get("by")
        named = self.studio.callers.named
        return Caller(named(name) if name else None, named(by) if by else None, wish.get("session_uuid"))

    async def post_raw(self, request):
        """Fields as told, one end of a link alone, no event, no date: a site in which things do not agree."""
        wish = await body(request)
        store = self.studio.store
        row = store.find((wish["type"], wish["id"]))
        if row is None:
            raise bad(f"no {wish['type']} {wish['id']}")
        for name, value in wish["data"].items():
            field = row.kind.fields.get(name)
            if name == "retired":
                store.trash(row, bool(value))
            elif field is None:
                raise bad(f"{row.kind.name}: no such field: {name}")
            elif field.many:
                store.put(row, name, tuple(store.seed_ref(one) for one in value) or None)
            else:
                store.put(row, name, store.seed_ref(value) if field.valid_types else value)
        return web.json_response({"ok": True})

    async def get_query(self, request):
        wish = dict(request.query)
        filters = [["id", "is", int(wish["id"])]] if "id" in wish else []
        return self.query(wish["type"], {"logical_operator": "and", "conditions": filters},
                          wish.get("fields", "*").split(","), wish.get("retired") == "1")

    async def post_query(self, request):
        wish = await body(request)
        return self.query(wish["type"], wish.get("filters") or {"logical_operator": "and", "conditions": []},
                          wish.get("fields", ["*"]), bool(wish.get("retired")))

    def query(self, name, filters, fields, retired):
        kind = self.studio.store.kind(name)
        reads = Reads(self.studio, Caller(None))
        tell = reads.flat(kind, list(kind.fields) if fields == ["*"] else fields)
        return web.json_response([tell(row) for row in reads.select(kind, from_hash(filters), retired=retired)])

    # === decisions ===

    async def get_decide(self, request):
        return self.decide(dict(request.query))

    async def post_decide(self, request):
        wish = await body(request)
        if isinstance(wish, list):
            return web.json_response([self.decision(one) for one in wish])
        return self.decide(wish)

    def decide(self, wish):
        return web.json_response(self.decision(wish))

    def decision(self, wish):
        decider = self.studio.guard.decider
        if decider is None:
            raise bad("the double was started without --roles")
        found = decider.decide(str(wish.get("subject", "")), wish["action"], wish["type"], wish.get("id", ""),
                               wish.get("project", ""), wish.get("field", ""), wish.get("value", ABSENT),
                               wish.get("subject_type", "person"))
        return {"decision": "allow" if found.allow else "deny", "reason": found.reason}

    async def post_roles(self, request):
        """Another roles file, as YAML."""
        self.studio.roles = Roles(await request.text())
        self.studio.guard = Guard(self.studio.store, self.studio.roles)
        return web.json_response({"ok": True})

    # === the record ===

    async def get_record(self, request):
        wanted = request.query
        entries = self.studio.record.entries[int(wanted.get("since", 0)):]
        for name in ("what", "as", "method"):
            if name in wanted:
                entries = [entry for entry in entries if entry[name] == wanted[name]]
        return web.json_response(entries)

    async def forget(self, request):
        self.studio.record.clear()
        return web.json_response({"ok": True})

    async def get_counts(self, request):
        return web.json_response(self.studio.record.counts)

    # === faults ===

    async def post_faults(self, request):
        wish = await body(request)
        wish.setdefault("what", "any")
        wish.setdefault("times", 1)
        if "error" in wish:
            wish["error"] = str(wish["error"])
            if not wish["error"].isdigit() and wish["error"] not in ("hang", "drop", "garbled"):
                raise bad(f"{wish['error']} is no error: a status, hang, drop or garbled")
        self.studio.faults.append(wish)
        return web.json_response({"ok": True})

    async def heal(self, request):
        self.studio.faults.clear()
        return web.json_response({"ok": True})

    async def post_api(self, request):
        self.studio.mode = one_of((await body(request))["mode"], MODES)
        return web.json_response({"ok": True})

    async def post_settings(self, request):
        wish = await body(request)
        for name, value in wish.items():
            kind = SETTINGS.get(name)
            if kind is None:
                raise bad(f"no setting {name}: {', '.join(SETTINGS)}")
            setattr(self.studio.settings, name, one_of(value, kind) if isinstance(kind, tuple) else kind(value))
        return web.json_response({"ok": True})

    async def post_tokens(self, request):
        wish = await body(request)
        if wish.get("expire"):
            self.studio.callers.expire()
        if wish.get("forget"):
            self.studio.callers.clear()
        return web.json_response({"tokens": len(self.studio.callers.tokens)})

    # === events ===

    async def get_events(self, request):
        events = self.studio.events
        return web.json_response({"next": events.next, "hold": events.hold, "twice": events.twice,
                                  "held": [draft["id"] for draft in events.held]})

    async def post_events(self, request):
        wish = await body(request)
        events = self.studio.events
        out = {}
        if "hold" in wish:
            events.hold = int(wish["hold"])
        if "twice" in wish:
            events.twice = int(wish["twice"])
        if "burn" in wish:
            out["burned"] = events.burn(int(wish["burn"]))
        if "raw" in wish:
            rows = wish["raw"] if isinstance(wish["raw"], list) else [wish["raw"]]
            out["ids"] = [events.raw(row) for row in rows]
        if "release" in wish:
            out["released"] = events.release(wish["release"])
        return web.json_response(out)

    # === webhooks ===

    async def get_hooks(self, request):
        hooks = self.studio.webhooks
        return web.json_response({"hooks": hooks.hooks, "trouble": hooks.trouble, "deliveries": hooks.log})

    async def post_hooks(self, request):
        """Registers a hook (with a `url`), or sets what goes wrong."""
        wish = await body(request)
        hooks = self.studio.webhooks
        if "url" in wish:
            return web.json_response(hooks.register(wish))
        for name, value in wish.items():
            if name not in hooks.trouble:
                raise bad(f"no such trouble: {name}")
            hooks.trouble[name] = type(hooks.trouble[name])(value)
        return web.json_response(hooks.trouble)

    async def unhook(self, request):
        self.studio.webhooks.clear()
        return web.json_response({"ok": True})


async def body(request):
    text = await request.text()
    return json.loads(text) if text.strip() else {}


def one_of(value, allowed):
    if value not in allowed:
        raise bad(f"{value!r} is none of {', '.join(allowed)}")
    return value


@web.middleware
async def clear_errors(request, handler):
    """A wrong control request is answered with 400 and the reason."""
    if not request.path.startswith("/double/"):
        return await handler(request)
    try:
        return await handler(request)
    except Refusal as refusal:
        return web.json_response({"error": refusal.text(), "code": refusal.code, "status": refusal.status}, status=400)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        return web.json_response({"error": f"malformed: {error!r}"}, status=400)
