"""One Flow site: the rows, who may do what, the event log; the record of what was asked; and the faults in between."""

import asyncio
import json
import re
import secrets
import time

from aiohttp import web

from .callers import Callers
from .events import EventLog
from .guard import Guard
from .schema import NAMES
from .store import Refusal, Store
from .webhooks import Webhooks

SECRETS = re.compile(r'("(?:script_key|user_password|session_token)": *)"[^"]*"')


class Record:
    """Every request, in order, and how often each was made."""

    def __init__(self):
        self.clear()

    def clear(self):
        self.entries, self.counts = [], {}

    def count(self, name):
        self.counts[name] = self.counts.get(name, 0) + 1


class Asked:
    """What is known of the request under way, for the record."""

    def __init__(self, request):
        self.request, self.what, self.caller, self.body, self.start = request, "?", None, None, time.time()


class Studio:
    """What the double serves. Seeds replace the rows; the record and the settings stay."""

    version = "v1.1"

    def __init__(self, settings, roles):
        self.settings, self.roles, self.first_roles = settings, roles, roles
        self.record = Record()
        self.faults = []
        self.mode = "ok"
        self.turn = 0
        self.webhooks = Webhooks(self)
        self.events = EventLog(self)
        self.callers = Callers(self)
        self.replace({})

    def replace(self, seed):
        store = Store()
        store.load(seed)
        self.use(store)

    def use(self, store):
        self.store = store
        self.guard = Guard(store, self.roles)
        self.events.clear()
        self.callers.clear()
        self.turn = 0

    # === one request ===

    async def serve(self, request, handler, refused):
        """Runs a handler: faults before it, its refusals told by `refused`, the record after it."""
        asked = request["asked"] = Asked(request)
        if self.mode == "hang":
            await asyncio.sleep(3600)
        if self.mode == "refuse":
            request.transport.abort()
        if self.mode != "ok":
            return self.done(asked, web.Response(status=503, text="the site is down"))
        if self.settings.latency:
            await asyncio.sleep(self.settings.latency)
        asked.body = await request.text()
        asked.what = self.name(request, asked.body)
        fault = self.fault(asked)
        if fault is not None:
            if fault.get("delay"):
                await asyncio.sleep(fault["delay"])
            if fault.get("error") and not fault.get("apply"):
                return self.done(asked, await self.broken(request, fault["error"]))
        try:
            answer = await handler(request)
        except Refusal as refusal:
            answer = refused(refusal)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            answer = refused(Refusal(400, 103, f"Request Parameters invalid. {error!r}", {}))
        if fault is not None and fault.get("error"):
            answer = await self.broken(request, fault["error"])
        return self.done(asked, answer)

    def done(self, asked, answer):
        request = asked.request
        self.record.count("requests")
        self.record.count(asked.what)
        self.record.entries.append({
            "n": len(self.record.entries) + 1, "time": round(asked.start, 3), "what": asked.what,
            "method": request.method, "path": request.path_qs, "as": asked.caller.name if asked.caller else None,
            "status": answer.status, "body": None if asked.what == "token" else without_keys(asked.body),
            "ms": round((time.time() - asked.start) * 1000)})
        return answer

    @staticmethod
    def name(request, body):
        """What a request is called in the counts: `token`, `search Task`, `rpc read Task`..."""
        parts = request.path.split("/")[2:]
        if parts[:1] == ["json"]:
            try:
                asked = json.loads(body)
                rest = asked.get("params", [])[1:]
                kind = rest[0].get("type", "") if rest and isinstance(rest[0], dict) else ""
                return f"rpc {asked.get('method_name')} {kind}".strip()
            except (ValueError, AttributeError, IndexError, TypeError):
                return "rpc ?"
        parts = parts[1:]
        if parts[:1] == ["auth"]:
            return "token"
        if parts[:1] == ["schema"]:
            return " ".join(["schema", *parts[1:2]])
        if parts[:1] != ["entity"]:
            return " ".join(parts) or "root"
        kind = NAMES[parts[1]].name if len(parts) > 1 and parts[1] in NAMES else "".join(parts[1:2])
        if kind == "_batch":
            return "batch"
        if len(parts) > 2 and parts[2].startswith("_"):
            return f"{parts[2][1:]} {kind}"
        if request.method == "POST":
            return f"{'revive' if len(parts) > 2 else 'create'} {kind}"
        verb = {"PUT": "update", "DELETE": "delete"}.get(request.method, "get" if len(parts) > 2 else "list")
        return f"{verb} {kind}"

    # === faults ===

    def fault(self, asked):
        """The first fault that fits; it is used up by one."""
        for fault in self.faults:
            if fault["what"] != "any" and not asked.what.startswith(fault["what"]):
                continue
            if fault.get("text", "") not in asked.body:
                continue
            if fault["times"] is not None:
                fault["times"] -= 1
                if fault["times"] <= 0:
                    self.faults.remove(fault)
            return fault
        return None

    async def broken(self, request, error):
        """An answer that is none: a status, silence, a cut line, half an answer."""
        if error == "401":
            return error_answer(Refusal(401, 102, "Unauthorized"))
        if error.isdigit():
            text = "<html>A test asked for this answer.</html>"
            return web.Response(status=int(error), text=text, content_type="text/html")
        if error == "hang":
            await asyncio.sleep(3600)
        if error in ("drop", "hang"):
            request.transport.abort()
            return web.Response(status=503)
        return web.Response(text='{"data":[{"type":"Task","attrib', content_type="application/json")


def without_keys(body):
    """A body of JSON-RPC names the key; the record does not."""
    return SECRETS.sub(r'\1"*"', body) if body else body


def error_answer(refusal):
    return web.json_response({"errors": [{
        "id": secrets.token_hex(16), "status": refusal.status, "code": refusal.code, "title": refusal.title,
        "source": refusal.source, "detail": refusal.detail, "meta": None}]}, status=refusal.status)
