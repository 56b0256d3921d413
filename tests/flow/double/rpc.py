"""The older API, one address for all methods: what the vendor's Python client speaks."""

import json

from aiohttp import web

from .changes import Transaction
from .filters import from_rpc
from .reads import Reads
from .rest import PREFERENCES
from .schema import TABLE, tell_field, tell_type
from .store import bad

WIRE = {"logical_operator": "and", "conditions": []}


class Rpc:
    """Answers `/api3/json`."""

    def __init__(self, studio):
        self.studio = studio

    def routes(self):
        return [web.post("/api3/json", self.serve)]

    async def serve(self, request):
        return await self.studio.serve(request, self.answer, fault)

    async def answer(self, request):
        asked = json.loads(await request.text())
        method, params = asked["method_name"], asked.get("params") or []
        if method == "info":
            return web.json_response({
                "full_version": [8, 80, 0, 0], "version": [8, 80, 0], "user_authentication_method": "default",
                "unified_login_flow_enabled": True, "api_max_entities_per_page": self.studio.settings.rpc_page,
                "s3_uploads_enabled": False, "totango_site_id": "1"})
        caller = self.studio.callers.rpc(params[0] if params else {})
        request["asked"].caller = caller
        handler = getattr(self, f"do_{method}", None)
        if handler is None:
            raise bad(f"API {method}() is not a method")
        results = handler(caller, params[1] if len(params) > 1 else {})
        return web.json_response({"results": results})

    # === reading ===

    def do_read(self, caller, wish):
        kind = self.studio.store.kind(wish["type"])
        reads = Reads(self.studio, caller)
        paging = wish.get("paging") or {}
        size, number = paging.get("entities_per_page", 500), paging.get("current_page", 1)
        sorts = [(one["field_name"], one.get("direction") == "desc") for one in wish.get("sorts") or []]
        rows = reads.select(kind, from_rpc(wish.get("filters") or WIRE), sorts, (number - 1) * size, size + 1,
                            retired=wish.get("return_only") == "retired",
                            archived=wish.get("include_archived_projects", True) is not False)
        tell = reads.flat(kind, wish.get("return_fields") or ["id"])
        more = len(rows) > size and bool(wish.get("return_paging_info_without_counts"))
        return {"entities": [tell(row) for row in rows[:size]],
                "paging_info": {"current_page": number, "entities_per_page": size, "has_next_page": more}}

    def do_summarize(self, caller, wish):
        kind = self.studio.store.kind(wish["type"])
        return Reads(self.studio, caller).summarize(
            kind, from_rpc(wish.get("filters") or WIRE), wish["summaries"], wish.get("grouping"),
            wish.get("include_archived_projects", True) is not False)

    # === writing ===

    def do_create(self, caller, wish):
        return self.write(caller, [{"request_type": "create", **wish}])[0]

    def do_update(self, caller, wish):
        return self.write(caller, [{"request_type": "update", **wish}])[0]

    def do_delete(self, caller, wish):
        row = self.studio.store.find((wish["type"], wish["id"]))
        if row is not None and row.retired:
            return False
        return self.write(caller, [{"request_type": "delete", **wish}])[0]

    def do_revive(self, caller, wish):
        (row,), _ = Transaction(self.studio, caller).run([("revive", wish["type"], wish["id"], {})])
        return row is not None

    def do_batch(self, caller, wishes):
        return self.write(caller, wishes)

    def write(self, caller, wishes):
        operations = []
        for wish in wishes:
            data = {one["field_name"]: self.value(one) for one in wish.get("fields") or ()}
            if wish["request_type"] not in ("create", "update", "delete"):
                raise bad(f"API batch() {wish['request_type']} is not a request")
            operations.append((wish["request_type"], wish["type"], wish.get("id"), data))
        rows, _ = Transaction(self.studio, caller).run(operations)
        out = []
        for wish, (action, name, _, data), row in zip(wishes, operations, rows):
            if action == "delete":
                out.append(True)
                continue
            names = [*data, *(wish.get("return_fields") or ())]
            out.append(Reads(self.studio, caller).flat(TABLE[name], names)(row))
        return out

    @staticmethod
    def value(one):
        """A list that is not set whole says how."""
        if one.get("multi_entity_update_mode"):
            return {"multi_entity_update_mode": one["multi_entity_update_mode"], "value": one["value"]}
        return one["value"]

    # === the rest ===

    def do_schema_entity_read(self, caller, wish):
        return {name: tell_type(kind) for name, kind in TABLE.items()}

    def do_schema_field_read(self, caller, wish):
        kind = self.studio.store.kind(wish["type"])
        told = self.fields(caller, kind)
        if "field_name" in wish:
            if wish["field_name"] not in told:
                raise bad(f"API schema_field_read() {kind.name}.{wish['field_name']} doesn't exist.")
            return {wish["field_name"]: told[wish["field_name"]]}
        return told

    def do_schema_read(self, caller, wish):
        return {name: self.fields(caller, kind) for name, kind in TABLE.items()}

    def fields(self, caller, kind):
        guard = self.studio.guard
        return {name: tell_field(field, guard.editable(caller, field, kind)) for name, field in kind.fields.items()}

    def do_preferences_read(self, caller, wish):
        wanted = wish.get("prefs") or list(PREFERENCES)
        return {name: PREFERENCES[name] for name in wanted if name in PREFERENCES}

    def do_get_session_token(self, caller, wish):
        return {"session_id": self.studio.callers.open_session(caller)}


def fault(refusal):
    """Refusals come with status 200."""
    code = 102 if refusal.status == 401 else refusal.code
    return web.json_response({"exception": True, "error_code": code, "message": refusal.text()})
