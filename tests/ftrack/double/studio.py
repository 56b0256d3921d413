"""One ftrack workspace: the rows, the operations on them, the record of what was done, and the faults in between."""

import asyncio
import json
import time
import uuid

from aiohttp import web

from .events import update
from .hub import Hub
from .operations import WRITES, Operations
from .schema import Schema
from .store import Refusal, Store

STRICT = {"InvalidCredentialsError": 401, "FTAuthenticationError": 401, "PermissionError": 403, "ValidationError": 422}


class Record:
    """Every write and every event that clients published, in order, and how often each operation was asked for."""

    def __init__(self):
        self.clear()

    def clear(self):
        self.entries, self.counts = [], {}

    def count(self, name, n=1):
        self.counts[name] = self.counts.get(name, 0) + n

    def add(self, **entry):
        self.entries.append({"n": len(self.entries) + 1, "time": round(time.time(), 3), **entry})

    def event(self, caller, event):
        self.add(kind="event", user=caller.user.username, user_id=caller.user.id, topic=event.get("topic"),
                 data=event.get("data"), target=event.get("target"), source=event.get("source"), id=event.get("id"),
                 in_reply_to=event.get("inReplyToEvent"))

    def writes(self, caller, batch, outcome):
        for operation in batch:
            if not isinstance(operation, dict) or str(operation.get("action", "")).startswith(("query", "perm")):
                continue
            data = operation.get("entity_data")
            if operation.get("action") not in WRITES:
                data = {name: value for name, value in operation.items() if name != "action"}
            self.add(kind="write", user=caller.user.username, user_id=caller.user.id, token=caller.token,
                     action=operation.get("action"), entity_type=operation.get("entity_type"),
                     key=operation.get("entity_key"), data=data, batch=len(batch), outcome=outcome)


class Studio:
    """What the double serves. Seeds replace the store; hub, record and settings stay."""

    def __init__(self, settings):
        self.settings = settings
        self.record = Record()
        self.faults = []
        self.api_mode = "ok"
        self.cookies = {}
        self.replace({})
        self.hub = Hub(self)

    def replace(self, seed):
        store = Store(Schema(self.settings.without))
        store.load(seed)
        self.use(store)

    def use(self, store):
        self.store = store
        store.ties = self.settings.ties
        self.operations = Operations(store, self.settings)

    # === POST /api ===

    async def api(self, request):
        self.record.count("POST /api")
        if self.api_mode == "hang":
            await asyncio.sleep(3600)
        if self.api_mode == "refuse":
            request.transport.abort()
        if self.api_mode != "ok":
            return web.Response(status=503, text="the server is down")
        strict = request.headers.get("ftrack-strict-api", "").lower() == "true"
        try:
            caller, cookie = self.caller(request)
        except Refusal as error:
            return self.refused(error, strict)
        try:
            batch = json.loads(await request.read())
        except ValueError:
            return self.refused(Refusal("MalformedDataError", "The body is no JSON."), strict)
        fault = self.fault(batch)
        if fault is not None and fault.get("delay"):
            await asyncio.sleep(fault["delay"])
        error = fault.get("error") if fault else None
        if error and not fault.get("apply"):
            self.record.writes(caller, batch, error)
            return await self.broken(request, error, strict)
        try:
            results = self.run(caller, batch, options(request))
        except Refusal as refusal:
            self.record.writes(caller, batch if isinstance(batch, list) else [], refusal.kind)
            return self.refused(refusal, strict)
        self.record.writes(caller, batch, "ok")
        if error:
            return await self.broken(request, error, strict)
        answer = web.json_response(results, dumps=compact)
        answer.set_cookie("ftrack_session", cookie, httponly=True)
        return answer

    def caller(self, request):
        cookie = request.cookies.get("ftrack_session")
        kept = self.cookies.get(cookie)
        headers = {name.lower(): value for name, value in request.headers.items()}
        if kept is not None and "ftrack-api-key" not in headers:
            headers.update(kept["headers"])
        caller = self.operations.caller(headers)
        if kept is None:
            cookie = uuid.uuid4().hex
            names = ("ftrack-user", "ftrack-api-key")
            kept = self.cookies[cookie] = {"headers": {n: headers[n] for n in names}, "session": {}}
            while len(self.cookies) > 10000:
                del self.cookies[next(iter(self.cookies))]
        caller.session = kept["session"]
        assumed = self.store.find("User", caller.session.get("user"))
        if assumed is not None:
            caller.user, caller.key = assumed, None
        return caller, cookie

    def run(self, caller, batch, how):
        """Runs a batch, and tells the hub what it changed."""
        results, log, changes = self.operations.run(caller, batch, how, self.record.count)
        entities = [entity for entity in changes if entity is not None]
        loop = asyncio.get_running_loop()
        if entities and how.get("event", True):
            event = update(caller, entities)
            later = how.get("event_after", self.settings.event_after)
            if later:
                loop.call_later(later, self.hub.route, event)
            else:
                self.hub.route(event)
        later = how.get("visible_after", self.settings.visible_after)
        if later and log:
            store = self.store
            store.undo(log)
            loop.call_later(later, store.redo, log)
        return results

    def refused(self, error, strict):
        body = {"exception": error.kind, "content": error.content, "error_code": None}
        return web.json_response(body, status=STRICT.get(error.kind, 500) if strict else 200)

    def fault(self, batch):
        """The first fault that fits an operation of the batch; it is used up by one."""
        for fault in self.faults:
            for operation in batch if isinstance(batch, list) else []:
                key = operation.get("entity_key")
                key = key[0] if isinstance(key, list) and key else key
                if fault["action"] not in ("any", operation.get("action")):
                    continue
                if fault.get("entity_type") not in (None, operation.get("entity_type")):
                    continue
                if fault.get("entity_id") not in (None, key):
                    continue
                if fault.get("expression", "") not in operation.get("expression", ""):
                    continue
                if fault["times"] is not None:
                    fault["times"] -= 1
                    if fault["times"] <= 0:
                        self.faults.remove(fault)
                return fault
        return None

    async def broken(self, request, error, strict):
        """An answer that is none: HTTP 500, silence, a cut line; or a named refusal."""
        if error.isdigit():
            return web.Response(status=int(error), text="A test asked for this answer.")
        if error == "hang":
            await asyncio.sleep(3600)
        if error in ("drop", "hang"):
            request.transport.abort()
            return web.Response(status=503)
        if error == "garbled":
            return web.Response(text='[{"action": "update", "data": {', content_type="application/json")
        return self.refused(Refusal(error, "A test asked for this answer."), strict)


def options(request):
    """`ftrack-api-options: strict:1;denormalize:1`, with `=` too."""
    out = {}
    for part in request.headers.get("ftrack-api-options", "").split(";"):
        name, _, value = part.replace("=", ":").partition(":")
        if name.strip():
            out[name.strip()] = value.strip() in ("1", "true")
    return {name: out[name] for name in ("strict", "denormalize") if name in out}


def compact(value):
    return json.dumps(value, separators=(",", ":"))
