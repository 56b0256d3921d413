"""The REST API: addresses, media types and bodies."""

import json
import re
import urllib.parse

from aiohttp import web

from .changes import Transaction
from .filters import from_array, from_hash
from .reads import Reads
from .schema import NAMES, TABLE, tell_field, tell_type
from .store import Refusal, bad, missing
from .studio import error_answer

FORM = "application/x-www-form-urlencoded"
ARRAY = "application/vnd+shotgun.api3_array+json"
HASH = "application/vnd+shotgun.api3_hash+json"
LARGEST = 5000


class Rest:
    """Answers `/api/v1` and `/api/v1.1`, which are the same."""

    def __init__(self, studio):
        self.studio = studio

    def routes(self):
        return [web.route("*", r"/api/{version:v1(?:\.1)?}{tail:(?:/.*)?}", self.serve)]

    async def serve(self, request):
        return await self.studio.serve(request, self.answer, error_answer)

    async def answer(self, request):
        self.studio.version = request.match_info["version"]
        parts = [urllib.parse.unquote(part) for part in request.match_info["tail"].split("/") if part]
        method = request.method
        if not parts and method == "GET":
            return self.root()
        if parts == ["auth", "access_token"] and method == "POST":
            return await self.token(request)
        caller = self.studio.callers.bearer(request.headers.get("Authorization"))
        request["asked"].caller = caller
        match [method, *parts]:
            case ["GET", "schema", *rest] if len(rest) <= 3:
                return self.schema(caller, rest)
            case ["GET", "preferences"]:
                return web.json_response({"data": PREFERENCES, "links": {"self": request.path}})
            case ["POST", "entity", "_batch"]:
                return await self.batch(request, caller)
            case ["POST", "entity", name, "_search"]:
                return await self.search(request, caller, self.kind(name))
            case ["POST", "entity", name, "_summarize"]:
                return await self.summarize(request, caller, self.kind(name))
            case ["GET", "entity", name]:
                return self.list(request, caller, self.kind(name))
            case ["POST", "entity", name]:
                return await self.create(request, caller, self.kind(name))
            case [_, "entity", name, key, *rest] if key.isdigit() and len(rest) in (0, 2):
                return await self.one(request, caller, self.kind(name), int(key), rest)
        raise Refusal(404, 103, "Not Found")

    def kind(self, name):
        return self.studio.store.kind(name)

    def root(self):
        return web.json_response({"data": {
            "shotgun_version": "v8.80.0.0 (build double)", "api_version": self.studio.version,
            "shotgun_version_number": "8.80.0.0", "shotgun_build_number": "double", "portfolio_version": "8.80.0.0",
            "unified_login_flow_enabled": True, "user_authentication_method": "default", "site_id": "1",
            "site_name": "double", "authentication_app_session_launcher_enabled": False}})

    async def token(self, request):
        kind = request.content_type
        if request.headers.get("Content-Type") and kind != FORM:
            raise Refusal(415, 103, f"Unsupported Content-Type '{kind}'",
                          {"content_type": f"Content-Type must be one of: '{FORM}'."})
        form = dict(urllib.parse.parse_qsl(await request.text()))
        return web.json_response(self.studio.callers.grant({**request.query, **form}))

    # === schema ===

    def schema(self, caller, rest):
        links = {"self": "/".join([f"/api/{self.studio.version}/schema", *rest])}
        if not rest:
            return web.json_response({"data": {name: tell_type(kind) for name, kind in TABLE.items()}, "links": links})
        kind = TABLE.get(rest[0])
        if kind is None or rest[1:2] not in ([], ["fields"]):
            raise Refusal(404, 103, "Not Found", None, f"Entity type '{rest[0]}' does not exist.")
        if len(rest) == 1:
            return web.json_response({"data": tell_type(kind), "links": links})
        guard = self.studio.guard
        told = {name: tell_field(field, guard.editable(caller, field, kind)) for name, field in kind.fields.items()}
        if len(rest) == 3:
            if rest[2] not in told:
                raise Refusal(404, 103, "Not Found", None, f"Field '{rest[2]}' does not exist.")
            told = told[rest[2]]
        return web.json_response({"data": told, "links": links})

    # === reading ===

    async def search(self, request, caller, kind):
        wish = await self.wish(request)
        query = nested(request.query)
        wish = {**{name: query[name] for name in ("fields", "sort", "page", "options") if name in query}, **wish}
        return self.page(request, caller, kind, wish["tree"], wish, [])

    def list(self, request, caller, kind):
        query = nested(request.query)
        filters = query.get("filter", {})
        tree = "and", [(name, "in", [self.typed(kind, name, one) for one in text.split(",")])
                       for name, text in filters.items()]
        return self.page(request, caller, kind, tree, query, ["*"])

    @staticmethod
    def typed(kind, path, text):
        """A value of the query string; links are asked for by dotted paths."""
        name = path.split(".")[-1]
        owner = path.split(".")[-2] if "." in path else kind.name
        field = TABLE[owner].fields.get(name) if owner in TABLE else None
        if field is not None and field.data_type in ("number", "duration", "percent") and text.lstrip("-").isdigit():
            return int(text)
        return text

    def page(self, request, caller, kind, tree, wish, default):
        names = wish.get("fields", default)
        names = names.split(",") if isinstance(names, str) else names
        page = wish.get("page") or {}
        size, number = whole(page, "size", 500), whole(page, "number", 1)
        if not 1 <= size <= LARGEST:
            raise bad("Request Parameters invalid.", {"page": {"size": [f"size must be one of: 1 - {LARGEST}"]}})
        if number < 1:
            raise bad("Request Parameters invalid.", {"page": {"number": ["number must be greater than 0"]}})
        reads = Reads(self.studio, caller)
        rows = reads.select(kind, tree, sorts(wish.get("sort")), (number - 1) * size, size, **self.options(wish))
        tell = reads.rest(kind, names)
        links = {"self": request.path_qs, "next": turned(request, number + 1, size)}
        if number > 1:
            links["prev"] = turned(request, number - 1, size)
        return web.json_response({"data": [tell(row) for row in rows], "links": links})

    def options(self, wish):
        options = wish.get("options") or {}
        if options.get("return_only", "active") not in ("active", "retired"):
            said = "return_only must be one of: active, retired"
            raise bad("Request Parameters invalid.", {"options": {"return_only": [said]}})
        archived = options.get("include_archived_projects", self.studio.settings.archived_default == "include")
        return {"retired": options.get("return_only") == "retired", "archived": archived in (True, "true", "1")}

    async def summarize(self, request, caller, kind):
        wish = await self.wish(request)
        if not isinstance(wish.get("summary_fields"), list):
            raise bad("Request Parameters invalid.", {"summary_fields": ["summary_fields is missing"]})
        options = self.options({**nested(request.query), **wish})
        told = Reads(self.studio, caller).summarize(kind, wish["tree"], wish["summary_fields"], wish.get("grouping"),
                                                    options["archived"])
        return web.json_response({"data": told})

    async def wish(self, request):
        """The body of a search, with its filters read as its media type says."""
        kind = request.content_type
        if kind not in (ARRAY, HASH):
            raise Refusal(415, 103, f"Unsupported Content-Type '{kind}'",
                          {"content_type": f"Content-Type must be one of: '{ARRAY}', '{HASH}'."})
        wish = await body(request)
        if kind == ARRAY:
            wish["tree"] = from_array(wish.get("filters", []))
        else:
            filters = wish.get("filters")
            wish["tree"] = from_hash(filters) if filters not in (None, {}, []) else ("and", [])
        return wish

    # === one row ===

    async def one(self, request, caller, kind, key, rest):
        match request.method:
            case "GET":
                return self.get(request, caller, kind, key, rest)
            case "PUT" if not rest:
                data = await body(request)
                (row,), _ = self.write(caller, ("update", kind.name, key, data))
                return self.told(caller, row, ["*"])
            case "DELETE" if not rest:
                self.write(caller, ("delete", kind.name, key, {}))
                return web.Response(status=204)
            case "POST" if not rest and request.query.get("revive") in ("true", "1"):
                (row,), _ = self.write(caller, ("revive", kind.name, key, {}))
                here = {"self": f"/api/{self.studio.version}/entity/{kind.name}/{key}"}
                return web.json_response({"data": {"type": kind.name, "id": key}, "links": here,
                                          "meta": {"did_revive": row is not None}})
        raise Refusal(404, 103, "Not Found")

    def get(self, request, caller, kind, key, rest):
        query = nested(request.query)
        names = query.get("fields", "*").split(",")
        options = self.options(query)
        # A row that is asked for by its id is found in an archived project too.
        options["archived"] |= "include_archived_projects" not in query.get("options", {})
        rows = Reads(self.studio, caller).select(kind, ("id", "is", [key]), **options)
        if not rows:
            raise Refusal(404, 104, "Not Found", None, f"{kind.name}: {key} not found")
        if rest:
            told = Reads(self.studio, caller).rest(kind, [rest[1]])(rows[0])["relationships"].get(rest[1])
            if rest[0] != "relationships" or told is None:
                raise Refusal(404, 103, "Not Found")
            return web.json_response(told)
        return self.told(caller, rows[0], names)

    def told(self, caller, row, names, status=200, echo=False):
        told = Reads(self.studio, caller).rest(row.kind, names, echo)(row)
        answer = {"data": told}
        if not echo:
            answer["links"] = told["links"]
        return web.json_response(answer, status=status)

    async def create(self, request, caller, kind):
        if request.content_type != "application/json":
            raise Refusal(415, 103, f"Unsupported Content-Type '{request.content_type}'",
                          {"content_type": "Content-Type must be one of: 'application/json'."})
        (row,), _ = self.write(caller, ("create", kind.name, None, await body(request)))
        return self.told(caller, row, ["*"], 201, echo=True)

    def write(self, caller, *operations):
        return Transaction(self.studio, caller).run(operations)

    async def batch(self, request, caller):
        if request.content_type != "application/json":
            raise Refusal(415, 103, f"Unsupported Content-Type '{request.content_type}'",
                          {"content_type": "Content-Type must be one of: 'application/json'."})
        wish = await body(request)
        if not isinstance(wish.get("requests"), list):
            raise bad("Request Parameters invalid.", {"requests": ["requests is missing"]})
        operations = []
        for at, one in enumerate(wish["requests"]):
            action, name, key = one.get("request_type"), one.get("entity"), one.get("record_id")
            if action not in ("create", "update", "delete"):
                raise bad("Request Parameters invalid.", {"requests": {str(at): {
                    "request_type": ["request_type must be one of: create, update, delete"]}}})
            if not name:
                raise bad("Request Parameters invalid.", {"requests": {str(at): {"entity": ["entity is missing"]}}})
            if name not in TABLE:
                raise bad("Invalid entity type: entity type [] does not exist.")
            if action != "delete" and not isinstance(one.get("data"), dict):
                raise bad("Request Parameters invalid.", {"data": [
                    "data hash containing field/value pairs is required for the given request"]})
            if action != "create" and key is not None and (not isinstance(key, int) or key < 1):
                said = {"record_id": ["record_id must be greater than 0"]}
                raise bad("Request Parameters invalid.", {"requests": {str(at): said}})
            if action != "create" and key is None:
                raise missing(NAMES[name], 0)
            operations.append((action, name, None if action == "create" else key, one.get("data") or {}))
        rows, _ = self.write(caller, *operations)
        out = []
        for (action, name, key, _), row in zip(operations, rows):
            reads = Reads(self.studio, caller)
            if action == "delete":
                out.append({"request_type": "delete", "type": name, "id": key, "uuid": f"{key:032x}",
                            "did_delete": True})
            elif action == "create":
                out.append({"data": reads.rest(row.kind, ["*"], echo=True)(row)})
            else:
                told = reads.rest(row.kind, ["*"])(row)
                out.append({"data": told, "links": told["links"], "status": 200})
        return web.json_response({"data": out})


PREFERENCES = {"format_currency_fields_decimal_options": "$1,000.99", "format_time_hour_fields": "12 hour",
               "hours_per_day": 8.0, "support_local_storage": True, "date_component_order": "month_day"}


async def body(request):
    try:
        found = json.loads(await request.text() or "{}")
    except ValueError as error:
        raise bad("Invalid JSON body", {"body": str(error)}) from None
    if not isinstance(found, dict):
        raise bad(f"Invalid JSON body. Expected Hash but received {type(found).__name__}.")
    return found


def nested(query):
    """`page[size]=5` as {"page": {"size": "5"}}."""
    out = {}
    for name, value in query.items():
        match = re.fullmatch(r"(\w+)\[([^\]]+)\]", name)
        if match:
            out.setdefault(match[1], {})[match[2]] = value
        else:
            out[name] = value
    return out


def whole(page, name, default):
    try:
        return int(page.get(name, default))
    except (TypeError, ValueError):
        raise bad("Request Parameters invalid.", {"page": {name: [f"{name} must be an integer"]}}) from None


def sorts(text):
    """`-id,code` as [("id", True), ("code", False)]."""
    if text is None:
        return []
    out = []
    for part in text if isinstance(text, list) else str(text).split(","):
        if not re.fullmatch(r"-?[\w.]+", part):
            said = "sort must be filled" if not text else "sort list is not valid"
            raise bad("Request Parameters invalid.", {"sort": [said]})
        out.append((part.lstrip("-"), part.startswith("-")))
    return out


def turned(request, number, size):
    """The address of another page: it is always told, also behind the last one."""
    kept = [(name, value) for name, value in request.query.items() if name not in ("page[number]", "page[size]")]
    return request.path + "?" + urllib.parse.urlencode([*kept, ("page[number]", number), ("page[size]", size)])
