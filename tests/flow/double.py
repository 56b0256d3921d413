#!/usr/bin/env python3
"""A double of a Flow Production Tracking site, for tests: `/api/v1.1` and `/api3/json`, as the vendor's clients know.

    python double.py --port 0 --seed seed.json --roles roles.yaml

The first line on stdout is its address, http://127.0.0.1:PORT. `--help` lists the options. A script NAME has the key
NAME-key, a person LOGIN the password LOGIN-password. With a roles file, what a caller may do is enforced. Tests steer
it below /double/, JSON in and out; a wrong request is a 400 with the reason. Links are "Type:id".

Rows
  POST /double/seed      {"Task": [{row}...]...}          replaces everything; the record is emptied
  POST /double/reset                                      the seed and roles again, no faults, first settings
  POST /double/generate  {"tasks": 100000, "projects": 20, "people": 200, "groups": 20, "per_shot": 5,
                          "per_sequence": 20, "versions": 0}      the seed and a big studio with ids from 1000
  POST /double/mutate    {"as": "ann", "operations": [
                            {"action": "update", "type": "Task", "id": 1, "data": {"sg_status_list": "rev"}}]}
       actions create, update, delete, revive; "as" a login, a script's name, or null; "by": the script that acts as
       that person. "check": true enforces the permissions; otherwise every field can be written. "event": false:
       nothing is logged, whoever writes; "hold": true: its events are held back. Answers {"ids", "events"}.
  POST /double/raw       {"type": "Project", "id": 1, "data": {"users": ["HumanUser:3"]}}     one end of a link alone,
                          "retired" too; no event, no updated_at
  GET  /double/query?type=Task&id=1&fields=content,entity&retired=1                 POST: also "filters" as REST's hash
Decisions
  GET  /double/decide?subject_type=&subject=3&action=update&type=task&id=1&field=sg_status_list&value=rev&project=
       {"decision": "allow|deny", "reason": "NO_GRANT"...}; POST takes one as JSON, or a list of them
  POST /double/roles     another roles file, as YAML
Record
  GET  /double/record?since=N&what=search Task&as=stagedoor&method=POST            DELETE empties it
       n, time, what, method, path, as ("ann by auditor" for sudo), status, body, ms
  GET  /double/counts    {"requests": 12, "token": 1, "search Task": 3, "get Task": 1, "rpc read Task": 2...}
Faults
  POST /double/faults    {"what": "search Task", "error": "502", "times": 2}     DELETE removes all
       what: the start of a name in the counts, or "any"; text: a part of the body; times: null is until removed; error:
       an HTTP status, hang, drop, garbled; or none and only "delay": seconds; "apply": true: done, and its answer lost.
  POST /double/api       {"mode": "ok|down|refuse|hang"}
  POST /double/tokens    {"expire": true}                  all access tokens are too old; {"forget": true}: refresh too
  POST /double/settings  {"latency": 5, "token_life": 2, "event_after": 0.4, "archived_default": "include", "cascade":
                          "events", "new_first": "always", "revival_type": "never", "retire_touches": false,
                          "burn_on_rollback": true, "rpc_page": 100}
Events
  GET  /double/events    the next id, what is held
  POST /double/events    {"hold": 2} the next two keep their id and are not seen; {"release": "all"} or [ids];
                          {"burn": 3} ids that nobody gets; {"twice": 1} logged twice; {"raw": [{"event_type":
                          "Shotgun_PermissionRuleSet_ChangeRule", "entity": "PermissionRuleSet:3", "id": 95000}]}
Webhooks
  POST /double/hooks     {"url": "http://127.0.0.1:9/hook", "token": "t", "batch": true, "types": ["Task"]}
  POST /double/hooks     {"drop": 1, "duplicate": 1, "wrong": 1, "delay": 0.5, "reorder": true}     the next deliveries
  GET  /double/hooks     the hooks and what was delivered;  DELETE forgets all

What no public text settles is an option, or the stricter reading: a search leaves out archived projects unless asked;
a write moves `updated_at` on the row that was written only; a join row that is written itself tells nobody.
"""

import argparse
import asyncio
import json
import pathlib
import signal
import sys

from aiohttp import web

from double.control import Control, clear_errors
from double.permissions import Roles
from double.rest import Rest
from double.rpc import Rpc
from double.studio import Studio


def arguments():
    parser = argparse.ArgumentParser(description="A double of a Flow Production Tracking site.")
    parser.add_argument("--port", type=int, default=0, help="0: a free one")
    parser.add_argument("--seed", type=pathlib.Path, help="rows by type, as JSON")
    parser.add_argument("--roles", type=pathlib.Path, help="what each role may do, as YAML; without: everything")
    parser.add_argument("--token-life", type=float, default=600, help="seconds")
    parser.add_argument("--latency", type=float, default=0, help="seconds before each answer")
    parser.add_argument("--event-after", type=float, default=0, help="seconds from a write to its events")
    parser.add_argument("--archived-default", choices=("include", "exclude"), default="exclude",
                        help="whether REST tells rows of archived projects when it is not told to")
    parser.add_argument("--cascade", choices=("silent", "events"), default="silent",
                        help="whether the versions that go with a shot have events")
    parser.add_argument("--new-first", choices=("always", "never", "alternate"), default="alternate",
                        help="whether a create's New comes before its Changes")
    parser.add_argument("--revival-type", choices=("always", "never", "alternate"), default="alternate",
                        help="whether a revival's meta has a type")
    parser.add_argument("--retire-stays", dest="retire_touches", action="store_false",
                        help="retiring and reviving a row do not move its updated_at")
    parser.add_argument("--burn-on-rollback", action="store_true", help="a batch that is undone has taken event ids")
    parser.add_argument("--rpc-page", type=int, default=500, help="rows of a page for the Python client")
    settings = parser.parse_args()
    settings.start = dict(vars(settings))
    return settings


async def main(settings):
    seed = json.loads(settings.seed.read_text()) if settings.seed else {}
    studio = Studio(settings, Roles(settings.roles.read_text()) if settings.roles else None)
    studio.replace(seed)
    app = web.Application(middlewares=[clear_errors], client_max_size=1024**3)
    app.add_routes(Rest(studio).routes() + Rpc(studio).routes() + Control(studio, seed).routes())
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", settings.port)
    await site.start()
    studio.port = runner.addresses[0][1]
    print(f"http://127.0.0.1:{studio.port}", flush=True)
    done = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, done.set)
    await done.wait()
    await runner.cleanup()


if __name__ == "__main__":
    sys.exit(asyncio.run(main(arguments())))
