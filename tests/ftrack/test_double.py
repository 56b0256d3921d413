"""The double itself, where the vendor's client does not look: frames, faults, answers in their raw form."""

import asyncio
import json
import unittest

import aiohttp

from harness import Double, set_status

HEADERS = {"ftrack-user": "service", "ftrack-api-key": "service-key"}


def event(topic, data, target=""):
    return json.dumps({"name": "ftrack.event", "args": [{"topic": topic, "id": "x", "data": data, "target": target}]})


def subscribe(name, expression):
    return event("ftrack.meta.subscribe", {"subscriber": {"id": name}, "subscription": expression})


class Raw(unittest.IsolatedAsyncioTestCase):
    options = ()

    def setUp(self):
        self.double = Double(*self.options)
        self.addCleanup(self.double.close)

    async def asyncSetUp(self):
        self.http = aiohttp.ClientSession(headers=HEADERS)
        self.addAsyncCleanup(self.http.close)

    async def ask(self, path, data):
        return await asyncio.to_thread(self.double.ask, path, data)

    async def api(self, *batch, **headers):
        async with self.http.post(f"{self.double.url}/api", json=batch, headers=headers) as answer:
            return answer.status, await answer.json()

    async def connect(self):
        async with self.http.get(f"{self.double.url}/socket.io/1/") as answer:
            sid = (await answer.text()).split(":")[0]
        socket = await self.http.ws_connect(f"{self.double.url}/socket.io/1/websocket/{sid}")
        self.addAsyncCleanup(socket.close)
        self.assertEqual(await socket.receive_str(), "1::")
        return socket

    async def frame(self, socket, wait=5):
        """The next frame that is no heartbeat."""
        while True:
            text = await socket.receive_str(timeout=wait)
            if text != "2::":
                return text


class Frames(Raw):
    async def test_handshake(self):
        async with self.http.get(f"{self.double.url}/socket.io/1/") as answer:
            self.assertRegex(await answer.text(), r"^[0-9a-f]{20}:60:60:websocket,xhr-polling$")
        async with self.http.get(f"{self.double.url}/socket.io/1/", headers={"ftrack-api-key": "wrong"}) as answer:
            self.assertEqual(answer.status, 401)
        with self.assertRaises(aiohttp.WSServerHandshakeError):
            await self.http.ws_connect(f"{self.double.url}/socket.io/1/websocket/none")

    async def test_acknowledgements(self):
        socket = await self.connect()
        for packet, wanted in {
            "5:1+::" + subscribe("a", "topic=ftrack.update"): '6:::1+[{"success": true}]',
            "5:2::" + subscribe("b", "topic=ftrack.update"): "6:::2",
            "5:3+::" + event("ftrack.meta.unsubscribe", {"subscriber": {"id": "b"}}): '6:::3+[{"success": true}]',
        }.items():
            await socket.send_str(packet)
            self.assertEqual(await self.frame(socket), wanted)
        for packet in ("5:4+::" + subscribe("a", "topic=other"), "5:5+::" + subscribe("c", "(("), "5:6+::{no"):
            await socket.send_str(packet)
            self.assertIn('"success": false', await self.frame(socket))

    async def test_heartbeat_and_stall(self):
        socket = await self.connect()
        self.assertEqual(await socket.receive_str(timeout=3), "2::")
        await self.ask("hub", {"mode": "stall"})
        with self.assertRaises(asyncio.TimeoutError):
            while True:
                await socket.receive_str(timeout=1.8)

    async def test_subscriptions_choose_on_the_server(self):
        socket = await self.connect()
        chosen = 'topic=ftrack.up* and source.user.username="uma" and not data.clientToken=mine'
        await socket.send_str("5:1+::" + subscribe("a", chosen))
        await self.frame(socket)
        for user, token in (("kim", None), ("uma", "mine"), ("uma", None)):
            await self.ask("mutate", {"as": user, "token": token, "operations": [
                {"action": "update", "type": "Task", "id": "task-comp", "data": {"description": f"{user} {token}"}}]})
        told = json.loads((await self.frame(socket)).split(":", 3)[3])["args"][0]
        self.assertEqual(told["data"]["entities"][0]["changes"]["description"]["new"], "uma None")

    async def test_any_frame_can_be_sent(self):
        socket = await self.connect()
        for text in ("9:::what", "5:::{", "", "7:::boom", "é:::"):
            await self.ask("hub/send", {"frame": text})
            self.assertEqual(await self.frame(socket), text)


class Answers(Raw):
    options = ("--without", "ApiKey.enabled,StatusRule", "--activity")

    async def test_a_repeated_entity_is_told_once(self):
        query = {"action": "query", "expression": "select project.name from Task where project_id is project-film "
                                                  "order by id limit 2"}
        _, [answer] = await self.api(query)
        first, second = (task["project"] for task in answer["data"])
        self.assertEqual(first["name"], "film")
        self.assertEqual(second, {"__entity_type__": "Project", "id": "project-film"})
        self.assertEqual(answer["data"][0]["context_type"], "task")
        _, [answer] = await self.api(query, **{"ftrack-api-options": "strict:1;denormalize:1"})
        for task in answer["data"]:
            self.assertEqual(set(task), {"__entity_type__", "id", "project"})
            self.assertEqual(task["project"]["name"], "film")

    async def test_a_full_page_names_the_next(self):
        for limit, offset in ((8, 8), (9, None)):
            _, [answer] = await self.api({"action": "query", "expression": f"select id from Task limit {limit}"})
            self.assertEqual(answer["metadata"]["next"]["offset"], offset)

    async def test_errors(self):
        wrong = {"action": "query", "expression": "select enabled from ApiKey"}
        status, answer = await self.api(wrong)
        self.assertEqual((status, answer["exception"], answer["error_code"]), (200, "ValidationError", None))
        status, _ = await self.api(wrong, **{"ftrack-strict-api": "true"})
        self.assertEqual(status, 422)
        _, answer = await self.api({"action": "query", "expression": "select id from StatusRule"})
        self.assertEqual(answer["exception"], "ValidationError")
        _, answer = await self.api({"action": "frobnicate"})
        self.assertEqual(answer["content"], "Invalid action u'frobnicate'")
        status, answer = await self.api(wrong, **{"ftrack-api-key": "wrong"})
        self.assertEqual((status, answer["exception"]), (200, "InvalidCredentialsError"))

    async def test_an_update_tells_what_changed_only(self):
        for status, code in (("status-final", None), (None, "ValidationError")):
            _, answer = await self.api({"action": "update", "entity_type": "Task", "entity_key": ["task-comp"],
                                        "entity_data": {"__entity_type__": "Task", "status_id": status}})
            if code:
                self.assertEqual(answer["exception"], code)
            else:
                self.assertEqual(set(answer[0]["data"]), {"__entity_type__", "id", "status_id", "context_type",
                                                          "project_id", "object_type_id"})

    async def test_activity_is_kept_where_asked_for(self):
        await self.ask("mutate", {"as": "uma", "operations": [set_status("task-comp", "status-final")]})
        _, [answer] = await self.api({"action": "query", "expression": "select id, parent_id, user_id from Event"})
        self.assertEqual([(e["id"], e["parent_id"], e["user_id"]) for e in answer["data"]],
                         [(1, "task-comp", "user-uma")])

    async def test_history_of_one_second(self):
        for status in ("status-review", "status-final"):
            await self.ask("mutate", {"as": "uma", "operations": [set_status("task-comp", status)]})
        newest = "select status_id from StatusChange order by date desc limit 1"
        for ties, wanted in (("newest", "status-final"), ("oldest", "status-review")):
            await self.ask("settings", {"ties": ties})
            dates = {row["date"]["value"] for row in self.double.query("select date from StatusChange")}
            if len(dates) == 1:
                self.assertEqual(self.double.query(newest)[0]["status_id"], wanted)

    async def test_faults(self):
        query = {"action": "query", "expression": "select id from Task limit 1"}
        await self.ask("faults", {"action": "query", "expression": "from Shot", "error": "500"})
        self.assertEqual((await self.api(query))[0], 200)
        await self.ask("faults", {"action": "query", "error": "drop"})
        with self.assertRaises(aiohttp.ClientError):
            await self.api(query)
        await self.ask("api", {"mode": "refuse"})
        with self.assertRaises(aiohttp.ClientError):
            await self.api(query)
        await self.ask("api", {"mode": "down"})
        async with self.http.post(f"{self.double.url}/api", json=[query]) as answer:
            self.assertEqual(answer.status, 503)
        await self.ask("reset", {})
        self.assertEqual((await self.api(query))[0], 200)

    async def test_a_wrong_wish_is_refused(self):
        for path, wish in (("hub", {"mode": "odd"}), ("mutate", {"as": "nobody", "operations": []}), ("mutate", {}),
                           ("settings", {"odd": 1}), ("seed", {"Odd": [{}]}), ("seed", {"Task": [{"odd": 1}]})):
            async with self.http.post(f"{self.double.url}/double/{path}", json=wish) as answer:
                self.assertEqual(answer.status, 400, (path, wish))


if __name__ == "__main__":
    unittest.main()
