"""A double for one test: started, steered and stopped."""

import json
import logging
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

import ftrack_api

HERE = pathlib.Path(__file__).resolve().parent
# The client logs each refusal with a trace.
logging.getLogger("ftrack_api").setLevel(logging.CRITICAL + 1)
MESSAGE = "ftrack.action.trigger-user-interface"


class Double:
    """A double of its own, with the studio of seed.json."""

    def __init__(self, *options):
        self.cache = tempfile.TemporaryDirectory()
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "double.py"), "--seed", str(HERE / "seed.json"), "--heartbeat", "1", *options],
            stdout=subprocess.PIPE, text=True)
        self.url = self.process.stdout.readline().strip()
        self.sessions = []
        self.listener = None

    def close(self):
        for session in self.sessions:
            session.close()
        for process in (self.listener, self.process):
            if process is not None:
                process.terminate()
                process.wait()
        self.process.stdout.close()
        self.cache.cleanup()

    def session(self, user="service", key=None, hub=False, **more):
        session = ftrack_api.Session(self.url, key or f"{user}-key", user, auto_connect_event_hub=hub,
                                     schema_cache_path=self.cache.name, **more)
        self.sessions.append(session)
        if hub:
            until(lambda: session.event_hub.connected)
        return session

    def ask(self, path, data=None):
        """A control request: POST if there is data."""
        body = None if data is None else json.dumps(data).encode()
        with urllib.request.urlopen(urllib.request.Request(f"{self.url}/double/{path}", body)) as answer:
            return json.load(answer)

    def query(self, expression):
        return self.ask("query?" + urllib.parse.urlencode({"expression": expression}))

    def mutate(self, person, *operations, **more):
        return self.ask("mutate", {"as": person, "operations": list(operations), **more})

    def status(self, task="task-comp", kind="Task"):
        return self.query(f'select status_id from {kind} where id is "{task}"')[0]["status_id"]

    def listen(self, restricted=("Approved",)):
        """Runs the vendor's listener in a process of its own, and waits until it hears."""
        code = ("import ftrack_api, listener\n"
                f"listener.RESTRICTED_STATUSES = {list(restricted)!r}\n"
                "session = ftrack_api.Session(auto_connect_event_hub=True)\n"
                "listener.register(session)\n"
                "session.event_hub.wait()\n")
        self.listener = subprocess.Popen([sys.executable, "-c", code], cwd=HERE, stderr=subprocess.DEVNULL, env={
            **os.environ, "FTRACK_SERVER": self.url, "FTRACK_API_USER": "service", "FTRACK_API_KEY": "service-key",
            "FTRACK_API_SCHEMA_CACHE_PATH": self.cache.name})
        self.heard()

    def heard(self, subscription="topic=ftrack.update"):
        until(lambda: any(s["subscription"] == subscription for c in self.ask("hub")["connections"]
                          for s in c["subscribers"]))

    def settle(self, quiet=0.8, most=8):
        """Waits until nothing more is written or published."""
        end, last, since = time.monotonic() + most, None, time.monotonic()
        while time.monotonic() < end:
            now = (len(self.ask("record")), self.ask("counts").get("POST /api"))
            if now != last:
                last, since = now, time.monotonic()
            elif time.monotonic() - since > quiet:
                return
            time.sleep(0.05)


def until(holds, most=20):
    end = time.monotonic() + most
    while not holds():
        if time.monotonic() > end:
            raise AssertionError("waited in vain")
        time.sleep(0.05)


def set_status(task, status, kind="Task"):
    return {"action": "update", "type": kind, "id": task, "data": {"status_id": status}}
