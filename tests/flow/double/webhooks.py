"""Deliveries of events to registered addresses, as far as the tests let them come."""

import asyncio
import hashlib
import hmac
import json
import random
import time
import uuid

import aiohttp

from .schema import TABLE
from .store import bad

OPERATIONS = {"New": "create", "Change": "update", "Retirement": "delete", "Revival": "revive"}
BATCH = 50


class Webhooks:
    """The hooks, and what is to go wrong with the next deliveries."""

    def __init__(self, studio):
        self.studio = studio
        self.tasks = set()
        self.clear()

    def clear(self):
        self.hooks, self.log = [], []
        self.trouble = {"drop": 0, "duplicate": 0, "wrong": 0, "delay": 0.0, "reorder": False}

    def register(self, wish):
        unknown = set(wish) - {"url", "token", "batch", "types"}
        if unknown:
            raise bad(f"no such option of a hook: {', '.join(sorted(unknown))}")
        hook = {"id": str(uuid.uuid4()), "url": wish["url"], "token": wish.get("token"),
                "batch": bool(wish.get("batch")), "types": wish.get("types")}
        self.hooks.append(hook)
        return hook

    def tell(self, drafts):
        """Starts the deliveries of events that have just become visible."""
        for hook in self.hooks:
            events = [draft for draft in drafts if self.wanted(hook, draft)]
            if self.trouble["reorder"]:
                random.Random(1).shuffle(events)
            if not events:
                continue
            size = BATCH if hook["batch"] else 1
            parts = [events[at:at + size] for at in range(0, len(events), size)]
            task = asyncio.get_running_loop().create_task(self.deliver(hook, parts))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    @staticmethod
    def wanted(hook, draft):
        """Scripts, join rows and the log itself are never told of, nor the fields of a create."""
        kind = (draft["event_type"] or "").split("_")
        if len(kind) != 3 or kind[1] not in TABLE or kind[1] in ("ApiUser", "EventLogEntry") or "Connection" in kind[1]:
            return kind[:2] == ["Shotgun", "PermissionRuleSet"]
        if hook["types"] is not None and kind[1] not in hook["types"]:
            return False
        return not (kind[2] == "Change" and isinstance(draft["meta"], dict) and draft["meta"].get("in_create"))

    async def deliver(self, hook, parts):
        for part in parts:
            if self.trouble["delay"]:
                await asyncio.sleep(self.trouble["delay"])
            if self.trouble["drop"] > 0:
                self.trouble["drop"] -= 1
                self.log.append({"events": [draft["id"] for draft in part], "dropped": True})
                continue
            times = 1
            if self.trouble["duplicate"] > 0:
                self.trouble["duplicate"] -= 1
                times = 2
            for _ in range(times):
                await self.post(hook, part)

    async def post(self, hook, part):
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        delivery = str(uuid.uuid4())
        headers = {"Content-Type": "application/json; charset=utf-8", "x-sg-webhook-id": hook["id"],
                   "x-sg-delivery-id": delivery, "x-sg-webhook-site-url": f"http://127.0.0.1:{self.studio.port}/"}
        if hook["batch"]:
            body = {"timestamp": now, "data": {"deliveries": [self.item(draft) for draft in part]}}
            headers |= {"x-sg-event-batch-id": str(uuid.uuid4()), "x-sg-event-batch-size": str(len(part)),
                        "x-sg-event-batch-index": "0"}
        else:
            body = {"data": self.item(part[0]) | {"delivery_id": delivery}, "timestamp": now}
        text = json.dumps(body).encode()
        if hook["token"] is not None:
            key = hook["token"]
            if self.trouble["wrong"] > 0:
                self.trouble["wrong"] -= 1
                key += "-not"
            headers["X-SG-SIGNATURE"] = "sha1=" + hmac.new(key.encode(), text, hashlib.sha1).hexdigest()
        entry = {"events": [draft["id"] for draft in part], "delivery": delivery, "status": None}
        self.log.append(entry)
        try:
            async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=6)) as http:
                async with http.post(hook["url"], data=text, headers=headers) as answer:
                    entry["status"] = answer.status
        except (aiohttp.ClientError, TimeoutError) as error:
            entry["error"] = repr(error)

    def item(self, draft):
        """One event as it is delivered."""
        def link(ref):
            return {"type": ref[0], "id": ref[1]} if ref else None
        return {
            "id": f"{draft['id']}.{len(self.log)}.0", "event_log_entry_id": draft["id"],
            "event_type": draft["event_type"], "operation": OPERATIONS.get(draft["event_type"].split("_")[-1]),
            "user": link(draft["user"]),
            "entity": link(draft["entity"]), "project": link(draft["project"]), "meta": draft["meta"],
            "created_at": time.strftime("%Y-%m-%d %H:%M:%S.000000", time.gmtime()),
            "attribute_name": draft["attribute_name"], "session_uuid": draft["session_uuid"]}
