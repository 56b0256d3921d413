"""Who asks: scripts by key, people by password, scripts acting as a person; and the tokens that say so."""

import base64
import json
import secrets
import time

from .store import Refusal

REFRESH = 24 * 3600


class Caller:
    """`subject` is whose permissions count (None: the tests themselves), `actual` the script that acts as a person."""

    def __init__(self, subject, actual=None, session=None):
        self.subject, self.actual, self.session = subject, actual, session

    @property
    def name(self):
        if self.subject is None:
            return None
        name = login_of(self.subject)
        return f"{name} by {login_of(self.actual)}" if self.actual else name

    @property
    def logs(self):
        """Whether this caller's writes are logged."""
        who = self.actual or self.subject
        return who is None or who.kind.name != "ApiUser" or bool(who.raw("generate_event_log_entries"))


def login_of(row):
    return row.values.get("login") if row.kind.name == "HumanUser" else row.values.get("firstname")


class Callers:
    """Keys are `NAME-key`, passwords `LOGIN-password`: the tests need no secrets."""

    def __init__(self, studio):
        self.studio = studio
        self.clear()

    def clear(self):
        self.tokens, self.refreshes, self.sessions = {}, {}, {}

    def expire(self):
        """All access tokens are too old from now on."""
        for token in self.tokens.values():
            token["until"] = 0

    def named(self, name):
        """A person by login or a script by name, for the tests."""
        for kind, field in (("HumanUser", "login"), ("ApiUser", "firstname")):
            for row in self.studio.store.tables[kind].rows.values():
                if row.values.get(field) == name and not row.retired:
                    return row
        raise Refusal(400, 103, f"nobody is called {name}")

    def script(self, name, key):
        for row in self.studio.store.tables["ApiUser"].rows.values():
            if row.values.get("firstname") == name and not row.retired and key == f"{name}-key":
                return row
        raise Refusal(400, 102, f"Can't authenticate script '{name}'", {})

    def person(self, login, password):
        row = self.by_login(login)
        if row is None or password != f"{login}-password" or row.raw("sg_status_list") != "act":
            raise Refusal(400, 102, f"Can't authenticate user '{login}'.", {})
        return row

    def by_login(self, login):
        for row in self.studio.store.tables["HumanUser"].rows.values():
            if row.values.get("login") == login and not row.retired:
                return row
        return None

    def sudo(self, actual, login, session=None):
        """The caller as another person, or the site's refusal."""
        person = self.by_login(login)
        complaint = None
        if not self.studio.guard.may_sudo(Caller(actual)):
            complaint = f"Cannot 'sudo' - not allowed for this user: '{login}'"
        elif person is None:
            complaint = f"Cannot 'sudo' - unknown or retired user: '{login}'"
        elif person.raw("sg_status_list") != "act":
            complaint = f"Cannot 'sudo' - inactive user account: '{login}'"
        elif not person.raw("can_impersonate_this_user"):
            complaint = f"Cannot 'sudo' - user account has 'can_impersonate_this_user' turned off: '{login}'"
        if complaint:
            raise Refusal(400, 102, complaint, {})
        return Caller(person, actual, session)

    # === REST ===

    def grant(self, form):
        """An answer of the token endpoint."""
        kind = form.get("grant_type", "")
        if kind == "client_credentials":
            self.needs(form, "client_id", "client_secret")
            caller = Caller(self.script(form["client_id"], form["client_secret"]))
        elif kind == "password":
            self.needs(form, "username", "password")
            caller = Caller(self.person(form["username"], form["password"]))
        elif kind == "session_token":
            self.needs(form, "session_token")
            caller = self.sessions.get(form["session_token"])
            if caller is None:
                end = form["session_token"][-4:]
                raise Refusal(400, 102, f"Can't authenticate session token ending with '{end}'", {})
        elif kind == "refresh_token":
            kept = self.refreshes.pop(form.get("refresh_token"), None)
            if kept is None or kept["until"] < time.time():
                raise Refusal(401, 102, "Unauthorized")
            caller = kept["caller"]
        else:
            raise Refusal(400, 103, "Unsupported grant_type", {})
        session = form.get("session_uuid")
        for scope in form.get("scope", "").split():
            what, _, login = scope.partition(":")
            if what == "sudo_as_login":
                caller = self.sudo(caller.subject, login, session)
            elif what == "session_uuid":
                session = login
        if session:
            caller = Caller(caller.subject, caller.actual, session)
        return self.token(caller)

    @staticmethod
    def needs(form, *names):
        if not all(form.get(name) for name in names):
            raise Refusal(400, 103, "Missing or invalid authentication arguments", {})

    def token(self, caller):
        now, life = time.time(), self.studio.settings.token_life
        who = caller.actual or caller.subject
        payload = {"iss": "double", "aud": "double", "iat": int(now), "exp": int(now + life),
                   "jti": secrets.token_hex(8), "user": {"type": who.kind.name, "id": who.id},
                   "sudo_as_login": login_of(caller.subject) if caller.actual else None,
                   "auth_type": "api_key" if who.kind.name == "ApiUser" else "password", "session_uuid": caller.session}
        token = ".".join([encoded({"alg": "HS256"}), encoded(payload), secrets.token_urlsafe(32)])
        refresh = secrets.token_urlsafe(64)
        for table in (self.tokens, self.refreshes):
            while len(table) > 10000:
                del table[next(iter(table))]
        self.tokens[token] = {"caller": caller, "until": now + life}
        self.refreshes[refresh] = {"caller": caller, "until": now + REFRESH}
        return {"token_type": "Bearer", "access_token": token, "expires_in": round(life), "refresh_token": refresh}

    def bearer(self, header):
        scheme, _, token = (header or "").partition(" ")
        kept = self.tokens.get(token) if scheme.lower() == "bearer" else None
        if kept is None or kept["until"] < time.time() or not self.lives(kept["caller"]):
            raise Refusal(401, 102, "Unauthorized")
        return kept["caller"]

    def lives(self, caller):
        return all(self.studio.store.find(row.ref) is row and not row.retired
                   for row in (caller.subject, caller.actual) if row is not None)

    # === JSON-RPC ===

    def rpc(self, auth):
        session = auth.get("session_uuid")
        try:
            if "session_token" in auth:
                caller = self.sessions.get(auth["session_token"])
                if caller is None or not self.lives(caller):
                    raise Refusal(400, 102, "Session token has expired or is invalid.")
                caller = Caller(caller.subject, caller.actual, session)
            elif "script_name" in auth:
                caller = Caller(self.script(auth["script_name"], auth.get("script_key")), None, session)
            else:
                caller = Caller(self.person(auth.get("user_login"), auth.get("user_password")), None, session)
            if auth.get("sudo_as_login"):
                caller = self.sudo(caller.subject, auth["sudo_as_login"], session)
        except Refusal as refusal:
            refusal.code = 102
            raise
        return caller

    def open_session(self, caller):
        token = secrets.token_hex(16)
        self.sessions[token] = caller
        return token


def encoded(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")
