"""The event hub: socket.io 0.9 over websocket, as the vendor's clients speak it."""

import asyncio
import json
import random
import re
import time
import uuid

from aiohttp import WSMsgType, web

from .store import Refusal

TOKEN = re.compile(
    r"""\s*(?:(\()|(\))|(!=|>=|<=|=|>|<)|"((?:\\.|[^"\\])*)"|'((?:\\.|[^'\\])*)'|([A-Za-z0-9_.,/*@+-]+))""")
COMPARE = {
    "=": lambda a, b: a == b, "!=": lambda a, b: a != b, ">": lambda a, b: a > b, "<": lambda a, b: a < b,
    ">=": lambda a, b: a >= b, "<=": lambda a, b: a <= b,
}


class Expression:
    """A subscription or a target: `field op value`, `and`, `or`, `not`, parentheses."""

    def __init__(self, text):
        self.text, self.tokens, at = text, [], 0
        text = text.rstrip()
        while at < len(text):
            found = TOKEN.match(text, at)
            if not found:
                raise ValueError(f"not understood: {text[at:]}")
            opening, closing, operator, double, single, bare = found.groups()
            quoted = double if double is not None else single
            if quoted is not None:
                self.tokens.append(("value", re.sub(r"\\(.)", r"\1", quoted)))
            elif bare is not None:
                self.tokens.append(("word", bare))
            else:
                self.tokens.append(("mark", opening or closing or operator))
            at = found.end()
        self.at = 0
        self.matches = self.either()
        if self.at != len(self.tokens):
            raise ValueError("not understood: " + str(self.tokens[self.at:]))

    def take(self, *words):
        if self.at < len(self.tokens):
            kind, token = self.tokens[self.at]
            if (kind == "word" and token.lower() in words) or (kind == "mark" and token in words):
                self.at += 1
                return token
        return None

    def either(self):
        parts = [self.both()]
        while self.take("or"):
            parts.append(self.both())
        return lambda item: any(part(item) for part in parts)

    def both(self):
        parts = [self.unary()]
        while self.take("and"):
            parts.append(self.unary())
        return lambda item: all(part(item) for part in parts)

    def unary(self):
        if self.take("not"):
            inner = self.unary()
            return lambda item: not inner(item)
        if self.take("("):
            inner = self.either()
            if not self.take(")"):
                raise ValueError("a parenthesis is open")
            return inner
        try:
            (_, field), (_, operator), (_, value) = self.tokens[self.at:self.at + 3]
            compare = COMPARE[operator]
        except (ValueError, KeyError):
            raise ValueError("field, operator and value are needed") from None
        self.at += 3
        return lambda item: condition(item, field.split("."), compare, operator, value)


def condition(item, path, compare, operator, value):
    for name in path:
        if not isinstance(item, dict) or name not in item:
            return False
        item = item[name]
    if operator == "=" and value.endswith("*"):
        return str(item).startswith(value[:-1])
    return compare("" if item is None else str(item), value)


class Connection:
    """One client on the hub."""

    def __init__(self, caller, socket, transport):
        self.caller, self.socket, self.transport = caller, socket, transport
        self.subscribers = {}
        self.heard = time.monotonic()
        # A client that does not read must not hold up the others.
        self.out = asyncio.Queue(100000)

    async def write(self):
        while True:
            frame = await self.out.get()
            try:
                await self.socket.send_str(frame)
            except (ConnectionError, RuntimeError):
                return

    def send(self, frame):
        try:
            self.out.put_nowait(frame)
        except asyncio.QueueFull:
            self.transport.abort()

    def wants(self, event, target):
        return any((target is None or target.matches(metadata)) and expression.matches(event)
                   for metadata, expression in self.subscribers.values())


class Hub:
    """All connections, and the faults that tests ask for."""

    def __init__(self, studio):
        self.studio = studio
        self.sessions, self.connections = {}, []
        self.held = []
        self.sent = 0
        self.mode = "ok"
        self.duplicate, self.hold = 0, False

    def routes(self):
        return [web.get("/socket.io/1/", self.handshake), web.get("/socket.io/1/websocket/{sid}", self.serve)]

    async def away(self, request):
        """What a hub does that is not there."""
        if self.mode == "hang":
            await asyncio.sleep(3600)
        if self.mode == "refuse":
            request.transport.abort()
        return web.Response(status=503, text="the hub is down")

    async def handshake(self, request):
        if self.mode in ("down", "refuse", "hang"):
            return await self.away(request)
        headers = {name.lower(): value for name, value in request.headers.items()}
        for name, other in (("ftrack-user", "api_user"), ("ftrack-api-key", "api_key")):
            if other in request.query:
                headers.setdefault(name, request.query[other])
        self.studio.record.count("handshake")
        try:
            caller = self.studio.operations.caller(headers)
        except Refusal as error:
            body = {"exception": error.kind, "content": error.content, "error_code": None}
            return web.json_response(body, status=200 if self.studio.settings.bad_key == "200" else 401)
        sid = uuid.uuid4().hex[:20]
        self.sessions[sid] = caller
        while len(self.sessions) > 10000:
            del self.sessions[next(iter(self.sessions))]
        return web.Response(text=f"{sid}:60:60:websocket,xhr-polling")

    async def serve(self, request):
        if self.mode in ("down", "refuse", "hang"):
            return await self.away(request)
        caller = self.sessions.get(request.match_info["sid"])
        if caller is None:
            return web.Response(status=401, text="no such session")
        socket = web.WebSocketResponse(max_msg_size=16 * 1024 * 1024)
        await socket.prepare(request)
        connection = Connection(caller, socket, request.transport)
        self.connections.append(connection)
        connection.send("1::")
        work = [asyncio.ensure_future(self.beat(connection)), asyncio.ensure_future(connection.write())]
        try:
            async for message in socket:
                if message.type == WSMsgType.TEXT:
                    connection.heard = time.monotonic()
                    await self.receive(connection, message.data)
        finally:
            for task in work:
                task.cancel()
            if connection in self.connections:
                self.connections.remove(connection)
        return socket

    async def beat(self, connection):
        while True:
            await asyncio.sleep(self.studio.settings.heartbeat)
            if self.mode == "stall":
                continue
            if time.monotonic() - connection.heard > 60:
                await connection.socket.close()
                return
            connection.send("2::")

    async def receive(self, connection, packet):
        parts = packet.split(":", 3)
        if parts[0] == "0":
            await connection.socket.close()
            return
        if parts[0] != "5" or len(parts) < 4 or self.mode == "stall":
            return
        answer = {"success": True}
        try:
            message = json.loads(parts[3])
            if message.get("name") != "ftrack.event":
                raise ValueError(f"unknown event {message.get('name')}")
            for event in message["args"]:
                self.publish(connection, event)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            answer = {"success": False, "message": str(error)}
        packet_id = parts[1]
        if packet_id.endswith("+"):
            connection.send(f"6:::{packet_id}[{json.dumps(answer)}]")
        elif packet_id:
            connection.send(f"6:::{packet_id}")

    def publish(self, connection, event):
        topic = event["topic"]
        if topic == "ftrack.meta.subscribe":
            metadata = event["data"]["subscriber"]
            if metadata["id"] in connection.subscribers:
                raise ValueError(f"subscriber {metadata['id']} exists")
            text = event["data"]["subscription"]
            connection.subscribers[metadata["id"]] = (metadata, Expression(text))
            self.studio.record.count("subscribe")
            return
        if topic == "ftrack.meta.unsubscribe":
            if connection.subscribers.pop(event["data"]["subscriber"]["id"], None) is None:
                raise ValueError("no such subscriber")
            return
        self.studio.record.event(connection.caller, event)
        if self.studio.settings.claimed_source == "overwrite":
            user = connection.caller.user
            event.setdefault("source", {})["user"] = {"id": user.id, "username": user.username}
        self.route(event)

    def route(self, event):
        """Sends an event to everyone who subscribed to it and is meant, through the faults."""
        copies = 1 + self.duplicate
        if self.hold:
            self.held += [event] * copies
            return
        for _ in range(copies):
            self.deliver(event)

    def deliver(self, event):
        if self.mode != "ok":
            # Nothing is kept for those who were away.
            return
        target = Expression(event["target"]) if event.get("target") else None
        frame = "5:::" + json.dumps({"name": "ftrack.event", "args": [event]})
        self.sent += 1
        for connection in list(self.connections):
            if connection.wants(event, target):
                connection.send(frame)

    def release(self, order):
        """Lets the events go that were held back: `as_held`, `reverse`, `shuffle`, or a list of their places."""
        held, self.held = self.held, []
        if order == "reverse":
            held.reverse()
        elif order == "shuffle":
            random.shuffle(held)
        elif isinstance(order, list):
            held = [held[i] for i in order]
        for event in held:
            self.deliver(event)
        return len(held)

    def frame(self, text):
        for connection in list(self.connections):
            connection.send(text)

    async def drop(self, clean=False):
        """Ends every connection: with a close frame, or as a cable does."""
        gone, self.connections = self.connections, []
        for connection in gone:
            if clean:
                await connection.socket.close()
            else:
                connection.transport.abort()

    async def set_mode(self, mode):
        self.mode = mode
        if mode in ("down", "refuse", "hang"):
            await self.drop()
