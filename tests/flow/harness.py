"""A double of a test's own: started, steered and stopped; and the requests of a plain REST client."""

import json
import os
import pathlib
import subprocess
import sys
import time
import unittest
import urllib.error
import urllib.parse
import urllib.request

import shotgun_api3

HERE = pathlib.Path(__file__).resolve().parent
ARRAY = "application/vnd+shotgun.api3_array+json"
HASH = "application/vnd+shotgun.api3_hash+json"
FORM = "application/x-www-form-urlencoded"
# The double is on this machine, whatever proxy this machine has.
for _name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
    os.environ.pop(_name, None)


class Answer:
    """What REST answered."""

    def __init__(self, status, text):
        self.status, self.text = status, text

    @property
    def json(self):
        return json.loads(self.text)

    @property
    def data(self):
        return self.json["data"]

    @property
    def ids(self):
        return [row["id"] for row in self.data]

    @property
    def error(self):
        """(status, code, what was said)."""
        error = self.json["errors"][0]
        return error["status"], error["code"], error["detail"] or error["title"]


class Double:
    """A double of its own, with the studio of seed.json and the roles of roles.yaml."""

    def __init__(self, *options):
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "double.py"), "--seed", str(HERE / "seed.json"),
             "--roles", str(HERE / "roles.yaml"), *options], stdout=subprocess.PIPE, text=True)
        self.url = self.process.stdout.readline().strip()
        self.clients = []

    def close(self):
        for client in self.clients:
            client.close()
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()

    def ask(self, path, data=None, method=None):
        """A control request: POST if there is data."""
        body = None if data is None else json.dumps(data).encode()
        asked = urllib.request.Request(f"{self.url}/double/{path}", body, method=method)
        try:
            with urllib.request.urlopen(asked) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                raise AssertionError(error.read().decode()) from None

    def mutate(self, person, *operations, **more):
        return self.ask("mutate", {"as": person, "operations": list(operations), **more})

    def row(self, kind, key, *fields, retired=False):
        """A row as it is, or None."""
        names = urllib.parse.urlencode({"type": kind, "id": key, "fields": ",".join(fields or ["*"])})
        found = self.ask(f"query?{names}" + "&retired=1" * retired)
        return found[0] if found else None

    def client(self, script="pipeline", **more):
        """The vendor's own client; a person with `login` and `password`."""
        if "login" not in more:
            more = {"script_name": script, "api_key": f"{script}-key", **more}
        client = shotgun_api3.Shotgun(self.url, **more)
        self.clients.append(client)
        return client

    def request(self, method, path, body=None, content="application/json", token=None, version="v1.1"):
        text = body if isinstance(body, (str, type(None))) else json.dumps(body)
        sent = None if text is None else text.encode()
        headers = {"Content-Type": content} if sent is not None else {}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        asked = urllib.request.Request(f"{self.url}/api/{version}{path}", sent, headers, method=method)
        try:
            with urllib.request.urlopen(asked, timeout=10) as answer:
                return Answer(answer.status, answer.read().decode())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.read().decode())

    def token(self, script="pipeline", person=None, **more):
        form = {"grant_type": "client_credentials", "client_id": script, "client_secret": f"{script}-key", **more}
        if person:
            form["scope"] = f"sudo_as_login:{person}"
        return self.request("POST", "/auth/access_token", urllib.parse.urlencode(form), FORM)

    def rest(self, script="pipeline", person=None):
        """A function that asks REST as a script, or as a person by that script."""
        token = self.token(script, person).json["access_token"]

        def ask(method, path, body=None, content="application/json"):
            return self.request(method, path, body, content, token)

        return ask


class Case(unittest.TestCase):
    """A double for each class of tests, as new before each test."""

    @classmethod
    def setUpClass(cls):
        cls.double = Double()
        cls.addClassCleanup(cls.double.close)

    def setUp(self):
        self.double.ask("reset", {})

    def search(self, ask, kind, filters, fields=(), **more):
        """A search by triples (or by groups), archived projects included."""
        wish = {"filters": filters, "fields": list(fields), "options": {"include_archived_projects": True}, **more}
        return ask("POST", f"/entity/{kind}/_search", wish, ARRAY if isinstance(filters, list) else HASH)


def until(holds, most=20):
    end = time.monotonic() + most
    while not holds():
        if time.monotonic() > end:
            raise AssertionError("waited in vain")
        time.sleep(0.02)


def update(kind, key, **data):
    return {"action": "update", "type": kind, "id": key, "data": data}


def link(kind, key):
    return {"type": kind, "id": key}
