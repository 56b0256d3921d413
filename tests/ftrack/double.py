#!/usr/bin/env python3
"""A double of an ftrack server, for tests: `POST /api` and the event hub, as the vendor's clients know them.

    python double.py --port 0 --seed seed.json

The first line on stdout is its address, http://127.0.0.1:PORT. `--help` lists the options. Clients log in with a
user and a key of the seed. Tests steer it below /double/, JSON in and out; a wrong request is a 400 with the reason.

Rows
  POST /double/seed      {"Type": [{row}...]...}             replaces everything; the record is emptied
  POST /double/reset                                         the seed again, no faults, an empty record, first settings
  POST /double/generate  {"tasks": 500000, "projects": 50, "people": 500, "per_shot": 5, "per_sequence": 20,
                          "assigned": 1}                     the seed and a big studio (`assigned`: every n-th task)
  POST /double/mutate    {"as": "ada", "operations": [
                            {"action": "update", "type": "Task", "id": "t-1", "data": {"status_id": "s-approved"}}]}
       actions create, update, delete; a user by name, by id, {"id", "username"} for one that does not exist, or null.
       Also: "event": false (nobody is told), "history": false (no StatusChange), "history_user": ID|null,
       "token": the event's clientToken, "visible_after": seconds until the rows change, "event_after": seconds until
       the event goes out. All operations of one call are one event.
  GET  /double/query?expression=select id from Task where ...
Record
  GET  /double/record?since=N&kind=write|event&user=NAME&topic=...&action=...&outcome=ok    DELETE empties it
       A write: n, time, user, user_id, token, action, entity_type, key, data, batch (its size), outcome (`ok` or
       the error).
       An event that a client published: n, time, user, topic, data, target, source, id, in_reply_to.
  GET  /double/counts    {"POST /api": 12, "query Task": 3, "update Task": 1, "handshake": 1, "subscribe": 2...}
Hub
  GET  /double/hub       mode, connections with their subscribers, how many events were sent and are held
  POST /double/hub       {"mode": "ok|down|refuse|hang|stall", "duplicate": 1, "hold": true}
       down: 503, lines cut; refuse: the line is cut; hang: no answer; stall: connected, but no heartbeat and no event.
  POST /double/hub/send  {"frame": "9:::what"} as it is, to all; {"event": {...}} through the subscriptions
  POST /double/hub/release {"order": "as_held|reverse|shuffle|[2,0,1]"}
  POST /double/hub/drop  {"clean": false}
Faults of the API
  POST /double/faults    {"action": "update", "times": 2, "error": "ValidationError"}     DELETE removes all
       action: an operation's name or "any"; times: null is until removed; also "entity_type", "entity_id",
       "expression": a part of a query, "delay": seconds, "apply": true (the write goes through, its answer is lost).
       error: a server exception's name, an HTTP status ("500"), hang, drop, garbled; or none, only the delay.
  POST /double/api       {"mode": "ok|down|refuse|hang"}
  POST /double/settings  {"cap": 100, "heartbeat": 1, "silent": ["membership"], "visible_after": 2...}

What no public text settles is an option, or the stricter reading: dates have whole seconds; an update of status_id to
null is refused; memberships, groups, roles and API keys change in silence; a page that is full names a next offset
even if nothing follows; a batch is one event; a personal key sees everything, whatever its user's roles are.
"""

import argparse
import asyncio
import json
import pathlib
import signal
import sys

from aiohttp import web

from double.control import Control, clear_errors
from double.studio import Studio

SILENT = "membership,group,auth_role,auth_userrole,accesskey"


def arguments():
    parser = argparse.ArgumentParser(description="A double of an ftrack server.")
    parser.add_argument("--port", type=int, default=0, help="0: a free one")
    parser.add_argument("--seed", type=pathlib.Path, help="rows by type, as JSON")
    parser.add_argument("--cap", type=int, default=500, help="the most rows of one page")
    parser.add_argument("--heartbeat", type=float, default=5, help="seconds between heartbeats")
    parser.add_argument("--silent", default=SILENT, help=f"legacy tables without events (default: {SILENT})")
    parser.add_argument("--values", choices=("text", "native"), default="text", help="values in events")
    parser.add_argument("--claimed-source", choices=("keep", "overwrite"), default="keep",
                        help="whether a client's event may say who it is from")
    parser.add_argument("--bad-key", choices=("401", "200"), default="401", help="how the handshake answers one")
    parser.add_argument("--activity", action="store_true", help="write Event rows too")
    parser.add_argument("--ties", choices=("newest", "oldest"), default="newest",
                        help="which of rows with the same date comes first when the newest is asked for")
    parser.add_argument("--visible-after", type=float, default=0, help="seconds from an event to its row")
    parser.add_argument("--event-after", type=float, default=0, help="seconds from a write to its event")
    parser.add_argument("--without", default="", help="types and attributes that this server lacks: ApiKey.enabled,...")
    settings = parser.parse_args()
    settings.silent = set(filter(None, settings.silent.split(",")))
    settings.without = list(filter(None, settings.without.split(",")))
    settings.start = dict(vars(settings))
    return settings


async def main(settings):
    seed = json.loads(settings.seed.read_text()) if settings.seed else {}
    studio = Studio(settings)
    studio.replace(seed)
    app = web.Application(middlewares=[clear_errors], client_max_size=1024**3)
    app.router.add_post("/api", studio.api)
    app.add_routes(studio.hub.routes() + Control(studio, seed).routes())
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", settings.port)
    await site.start()
    print(f"http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
    done = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, done.set)
    await done.wait()
    await runner.cleanup()


if __name__ == "__main__":
    sys.exit(asyncio.run(main(arguments())))
