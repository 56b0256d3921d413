"""What tests ask of the double, as JSON over HTTP below `/double/`. `double.py` tells of each with an example."""

import json
import types

from aiohttp import web

from .generate import big
from .operations import Caller
from .query import Query
from .answer import Serialiser
from .schema import Schema
from .store import Refusal

HUB = ("ok", "down", "refuse", "hang", "stall")
API = ("ok", "down", "refuse", "hang")
SETTINGS = {"cap": int, "heartbeat": float, "silent": list, "values": str, "claimed_source": str, "bad_key": str,
            "activity": bool, "ties": str, "visible_after": float, "event_after": float}


class Control:
    """The endpoints, over one studio."""

    def __init__(self, studio, seed):
        self.studio, self.seed = studio, seed

    def routes(self):
        return [
            web.get("/double/health", self.health),
            web.post("/double/seed", self.load),
            web.post("/double/reset", self.reset),
            web.post("/double/generate", self.generate),
            web.post("/double/mutate", self.mutate),
            web.get("/double/query", self.query),
            web.get("/double/record", self.record),
            web.delete("/double/record", self.forget),
            web.get("/double/counts", self.counts),
            web.get("/double/hub", self.hub),
            web.post("/double/hub", self.set_hub),
            web.post("/double/hub/send", self.send),
            web.post("/double/hub/release", self.release),
            web.post("/double/hub/drop", self.drop),
            web.post("/double/faults", self.fault),
            web.delete("/double/faults", self.heal),
            web.post("/double/api", self.set_api),
            web.post("/double/settings", self.settings),
        ]

    async def health(self, request):
        return web.json_response({"ok": True})

    # === rows ===

    async def load(self, request):
        seed = await body(request)
        self.studio.replace(seed)
        self.seed = seed
        self.studio.record.clear()
        return web.json_response({"ok": True})

    async def reset(self, request):
        """The seed again; no faults, an empty record, the settings of the start."""
        studio = self.studio
        studio.faults.clear()
        studio.api_mode = "ok"
        hub = studio.hub
        hub.held, hub.duplicate, hub.hold = [], 0, False
        await hub.set_mode("ok")
        vars(studio.settings).update(vars(studio.settings)["start"])
        studio.replace(self.seed)
        studio.record.clear()
        return web.json_response({"ok": True})

    async def generate(self, request):
        sizes = await body(request)
        store, made = big(Schema(self.studio.settings.without), self.seed, **sizes)
        self.studio.use(store)
        return web.json_response(made)

    async def mutate(self, request):
        wish = await body(request)
        caller = Caller(self.person(wish.get("as")), token=wish.get("token"), push=wish.get("push_token"),
                        application=wish.get("application", "ftrack.client.web"))
        batch = []
        for operation in wish["operations"]:
            key = operation.get("id", operation.get("key"))
            batch.append({
                "action": operation["action"], "entity_type": operation["type"],
                "entity_key": key if isinstance(key, list) or key is None else [key],
                "entity_data": operation.get("data", {}),
            })
        how = {name: wish[name] for name in ("event", "history", "history_user", "visible_after", "event_after")
               if name in wish}
        counts = dict(self.studio.record.counts)
        results = self.studio.run(caller, batch, {**how, "inside": True})
        # The tests' own writes are no requests.
        self.studio.record.counts = counts
        return web.json_response([result["data"] for result in results])

    def person(self, name):
        """A user by name or id; `{"id": ..., "username": ...}` is one that does not exist; null is nobody."""
        if name is None:
            return None
        if isinstance(name, dict):
            return types.SimpleNamespace(**name)
        found = self.studio.store.tables["Resource"].having("username", name)
        user = found[0] if found else self.studio.store.find("User", name)
        if user is None:
            raise Refusal("ValidationError", f"no user {name}")
        return user

    async def query(self, request):
        studio = self.studio
        query = Query(studio.store, request.query["expression"])
        rows = query.rows()
        rows = rows[query.offset:None if query.limit is None else query.offset + query.limit]
        making = Serialiser(studio.store, strict=True, denormalize=True)
        tree = making.tree(query.projections)
        return web.json_response([making.entity(row, tree) for row in rows])

    # === the record ===

    async def record(self, request):
        wanted = request.query
        since = int(wanted.get("since", 0))
        entries = self.studio.record.entries[since:]
        for name in ("kind", "user", "topic", "action", "outcome", "token"):
            if name in wanted:
                entries = [entry for entry in entries if entry.get(name) == wanted[name]]
        return web.json_response(entries)

    async def forget(self, request):
        self.studio.record.clear()
        return web.json_response({"ok": True})

    async def counts(self, request):
        return web.json_response(self.studio.record.counts)

    # === faults ===

    async def hub(self, request):
        hub = self.studio.hub
        return web.json_response({
            "mode": hub.mode, "duplicate": hub.duplicate, "hold": hub.hold, "held": len(hub.held), "sent": hub.sent,
            "connections": [{"user": c.caller.user.username,
                             "subscribers": [{"subscription": expression.text, **metadata}
                                             for metadata, expression in c.subscribers.values()]}
                            for c in hub.connections],
        })

    async def set_hub(self, request):
        hub = self.studio.hub
        wish = await body(request)
        hub.duplicate = int(wish.get("duplicate", hub.duplicate))
        hub.hold = bool(wish.get("hold", hub.hold))
        if "mode" in wish:
            await hub.set_mode(one_of(wish["mode"], HUB))
        return web.json_response({"ok": True})

    async def send(self, request):
        wish = await body(request)
        if "frame" in wish:
            self.studio.hub.frame(wish["frame"])
        else:
            self.studio.hub.route(wish["event"])
        return web.json_response({"ok": True})

    async def release(self, request):
        released = self.studio.hub.release((await body(request)).get("order", "as_held"))
        return web.json_response({"released": released})

    async def drop(self, request):
        await self.studio.hub.drop(bool((await body(request)).get("clean")))
        return web.json_response({"ok": True})

    async def fault(self, request):
        wish = await body(request)
        wish.setdefault("action", "update")
        wish.setdefault("times", 1)
        self.studio.faults.append(wish)
        return web.json_response({"ok": True})

    async def heal(self, request):
        self.studio.faults.clear()
        return web.json_response({"ok": True})

    async def set_api(self, request):
        self.studio.api_mode = one_of((await body(request))["mode"], API)
        return web.json_response({"ok": True})

    async def settings(self, request):
        wish = await body(request)
        for name, value in wish.items():
            if name not in SETTINGS:
                raise Refusal("ValidationError", f"no setting {name}: {', '.join(SETTINGS)}")
            value = SETTINGS[name](value)
            setattr(self.studio.settings, name, set(value) if name == "silent" else value)
        self.studio.store.ties = self.studio.settings.ties
        return web.json_response({"ok": True})


async def body(request):
    text = await request.text()
    return json.loads(text) if text.strip() else {}


def one_of(value, allowed):
    if value not in allowed:
        raise Refusal("ValidationError", f"{value!r} is none of {', '.join(allowed)}")
    return value


@web.middleware
async def clear_errors(request, handler):
    """A wrong control request is answered with 400 and the reason."""
    if not request.path.startswith("/double/"):
        return await handler(request)
    try:
        return await handler(request)
    except Refusal as error:
        return web.json_response({"error": error.content}, status=400)
    except (KeyError, TypeError, ValueError) as error:
        return web.json_response({"error": f"malformed: {error!r}"}, status=400)
