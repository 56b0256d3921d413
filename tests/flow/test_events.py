"""The event log and the webhooks: what writes leave there, and what goes wrong with it."""

import hashlib
import hmac
import http.server
import json
import threading
import time
import unittest

from harness import Case, link, until, update

FIELDS = ["event_type", "attribute_name", "entity", "project", "user", "meta", "session_uuid", "created_at"]


class EventCase(Case):
    def setUp(self):
        super().setUp()
        self.ask = self.double.rest("stagedoor")

    def events(self, after=89999):
        """The events behind an id, as a poller reads them."""
        found = self.search(self.ask, "EventLogEntry", [["id", "greater_than", after]], FIELDS, sort="id")
        return [{"id": row["id"], **row["attributes"],
                 **{name: told["data"] for name, told in row["relationships"].items()}} for row in found.data]

    def told(self, after=89999):
        return [(event["event_type"].removeprefix("Shotgun_"), event["attribute_name"]) for event in self.events(after)]

    def do(self, person, *operations, **more):
        return self.double.mutate(person, *operations, **more)


class Log(EventCase):
    def test_a_create(self):
        task = {"action": "create", "type": "Task", "data": {
            "content": "x", "project": "Project:1", "entity": "Shot:1", "task_assignees": ["HumanUser:3"]}}
        self.do("ann", task)
        events = self.events()
        self.assertEqual([event["attribute_name"] for event in events],
                         [None, "content", "project", "entity", "tasks", "task_assignees", "sg_status_list"])
        key = events[0]["meta"]["entity_id"]
        self.assertEqual(events[0]["meta"], {"type": "new_entity", "entity_type": "Task", "entity_id": key})
        self.assertEqual(events[1]["meta"], {
            "type": "attribute_change", "attribute_name": "content", "entity_type": "Task", "entity_id": key,
            "in_create": True, "field_data_type": "text", "old_value": None, "new_value": "x"})
        self.assertEqual((events[1]["user"]["id"], events[1]["project"]["id"], events[1]["entity"]["id"]), (3, 1, key))
        back = events[4]
        self.assertEqual((back["event_type"], back["entity"]["id"]), ("Shotgun_Shot_Change", 1))
        meta = back["meta"]
        self.assertEqual((meta["entity_type"], meta["entity_id"], meta["actual_attribute_changed"]),
                         ("Task", key, "Task.entity"))
        self.assertEqual([one["id"] for one in meta["added"]], [key])
        self.assertEqual(meta["original_event_log_entry_id"], events[3]["id"])
        # The next create has its New at the end.
        self.do("ann", task)
        self.assertEqual(self.told(events[-1]["id"])[-1], ("Task_New", None))

    def test_a_change_of_links(self):
        self.do("max", update("Task", 1, task_assignees=["HumanUser:4", "Group:1"]))
        meta = self.events()[0]["meta"]
        self.assertEqual([(one["type"], one["id"]) for one in meta["added"]], [("HumanUser", 4), ("Group", 1)])
        self.assertEqual([one["id"] for one in meta["removed"]], [3])
        self.assertNotIn("new_value", meta)
        self.do("max", update("Group", 2, users=["HumanUser:3"]))
        self.assertEqual(self.told()[1:], [("Group_Change", "users"), ("HumanUser_Change", "groups"),
                                           ("HumanUser_Change", "groups")])

    def test_a_retirement_and_a_revival(self):
        self.do("max", {"action": "delete", "type": "Task", "id": 1})
        retired, change = self.events()
        self.assertEqual((retired["entity"], retired["meta"]["entity_id"], retired["meta"]["type"]),
                         (None, 1, "entity_retirement"))
        self.assertEqual((change["attribute_name"], "field_data_type" in change["meta"]), ("retirement_date", False))
        # Older events of the row have lost it too, and it is not found by them.
        self.assertIsNone(self.events(89998)[0]["entity"])
        self.assertEqual(self.search(self.ask, "EventLogEntry", [["entity", "is", link("Task", 1)]]).ids, [])
        self.do("max", {"action": "revive", "type": "Task", "id": 1})
        for _ in range(2):
            self.do("max", {"action": "delete", "type": "Task", "id": 1}, {"action": "revive", "type": "Task", "id": 1})
        revivals = [event["meta"].get("type") for event in self.events()
                    if event["event_type"] == "Shotgun_Task_Revival"]
        self.assertEqual(set(revivals), {None, "entity_revival"})

    def test_a_cascade_is_silent_or_not(self):
        self.do("max", {"action": "delete", "type": "Shot", "id": 1})
        self.assertEqual(self.told(), [("Shot_Retirement", None), ("Shot_Change", "retirement_date")])
        self.assertIsNone(self.double.row("Version", 1))
        self.do("max", {"action": "revive", "type": "Shot", "id": 1})
        self.double.ask("settings", {"cascade": "events"})
        last = self.events()[-1]["id"]
        self.do("max", {"action": "delete", "type": "Shot", "id": 1})
        self.assertEqual([what for what, _ in self.told(last)].count("Version_Retirement"), 3)

    def test_referrers_of_a_revived_row_are_not_touched(self):
        self.do("max", {"action": "delete", "type": "Task", "id": 1})
        before = self.double.row("Version", 1, "updated_at", "sg_task")
        self.do("max", {"action": "revive", "type": "Task", "id": 1})
        after = self.double.row("Version", 1, "updated_at", "sg_task")
        self.assertEqual((before["sg_task"], after["sg_task"]["id"]), (None, 1))
        self.assertEqual(before["updated_at"], after["updated_at"])
        self.assertNotIn("Version_Change", [what for what, _ in self.told()])

    def test_silent_writers(self):
        ingest = self.double.rest("ingest")
        self.assertEqual(ingest("PUT", "/entity/published_files/4", {"description": "new"}).status, 200)
        self.do("max", update("Task", 1, entity=link("Shot", 2)), event=False)
        self.assertEqual(self.told(), [])
        self.assertGreater(self.double.row("Task", 1)["updated_at"], "2026-01-05T09:00:00Z")
        for shot in (1, 2):
            self.assertEqual(self.double.row("Shot", shot)["updated_at"], "2026-01-05T09:00:00Z")
        self.assertIn(1, [task["id"] for task in self.double.row("Shot", 2)["tasks"]])
        # A script may turn its own log on.
        self.double.rest()("PUT", "/entity/api_users/2", {"generate_event_log_entries": True})
        self.assertEqual(ingest("PUT", "/entity/published_files/4", {"description": "newer"}).status, 200)
        self.assertEqual(self.told()[-1], ("PublishedFile_Change", "description"))

    def test_join_rows_and_replies(self):
        join = {"project": link("Project", 3), "user": link("HumanUser", 3)}
        self.double.rest()("POST", "/entity/ProjectUserConnection", join)
        self.assertEqual(self.told(), [])
        self.assertIn(3, [one["id"] for one in self.double.row("HumanUser", 3)["projects"]])
        self.assertNotIn("updated_at", self.double.row("ProjectUserConnection", 1))
        self.assertNotIn("updated_at", self.double.row("Reply", 1))
        self.do("ann", update("Reply", 1, content="Undone"))
        event = self.events()[0]
        self.assertEqual((event["event_type"], event["project"]["id"]), ("Shotgun_Reply_Change", 1))

    def test_acting_as_another_user(self):
        self.double.rest("pipeline", "ada")("PUT", "/entity/tasks/1", {"content": "x"})
        event = self.events()[0]
        self.assertEqual((event["user"]["id"], event["meta"]["sudo_actual_user"]["name"]), (1, "pipeline 1.0"))

    def test_late_ids_gaps_and_repeats(self):
        self.double.ask("events", {"hold": 1})
        held = self.do("max", update("Task", 1, content="a"))["events"]
        burned = self.double.ask("events", {"burn": 2})["burned"]
        seen = self.do("max", update("Task", 1, content="b"))["events"]
        self.assertEqual((held, burned, seen), ([90000], [90001, 90002], [90003]))
        self.assertEqual([event["id"] for event in self.events()], [90003])
        self.assertEqual(self.double.row("Task", 1)["content"], "b")
        self.assertEqual(self.double.ask("events", {"release": "all"}), {"released": [90000]})
        self.assertEqual([event["id"] for event in self.events()], [90000, 90003])
        self.double.ask("events", {"twice": 1})
        self.do("max", update("Task", 1, content="c"))
        self.assertEqual([event["meta"]["new_value"] for event in self.events(90003)], ["c", "c"])
        whole = self.do("max", update("Task", 1, content="d"), update("Task", 2, content="e"), hold=True)["events"]
        self.assertEqual(self.events(90005), [])
        self.double.ask("events", {"release": [whole[1]]})
        self.assertEqual([event["id"] for event in self.events(90005)], [whole[1]])

    def test_events_come_later_than_what_they_tell(self):
        self.double.ask("settings", {"event_after": 0.3})
        self.do("max", update("Task", 1, content="a"))
        self.assertEqual((self.double.row("Task", 1)["content"], self.events()), ("a", []))
        until(lambda: self.events())

    def test_odd_events(self):
        ids = self.double.ask("events", {"raw": [
            {"event_type": "Shotgun_PermissionRuleSet_ChangeRule", "entity": "PermissionRuleSet:3"},
            {"event_type": "Shotgun_Preferences_Change", "meta": {"old": 1, "new": 2, "pref": "x"}},
            {"event_type": None, "meta": "what"}, {"event_type": "Odd", "meta": {"entity_id": "1"}}, {},
            {"id": 95000}]})["ids"]
        events = self.events()
        self.assertEqual([event["id"] for event in events], ids)
        self.assertEqual((events[0]["entity"]["name"], events[0]["meta"], ids[-1]), ("Artist", None, 95000))
        self.assertEqual(self.do("max", update("Task", 1, content="a"))["events"], [95001])

    def test_a_rolled_back_batch_may_burn_ids(self):
        self.double.ask("settings", {"burn_on_rollback": True})
        never = {"request_type": "update", "entity": "Task", "record_id": 999999999, "data": {"content": "x"}}
        real = {"request_type": "update", "entity": "Task", "record_id": 1, "data": {"content": "x"}}
        self.double.rest()("POST", "/entity/_batch", {"requests": [real, never]})
        self.assertEqual((self.told(), self.double.ask("events")["next"]), ([], 90001))


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((dict(self.headers), body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


class Hooks(EventCase):
    def setUp(self):
        super().setUp()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
        self.server.got = self.got = []
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)

    def hook(self, **more):
        url = f"http://127.0.0.1:{self.server.server_port}/hook"
        self.double.ask("hooks", {"url": url, "token": "mytoken", **more})

    def wait(self, count):
        until(lambda: len(self.got) >= count)
        return [(headers, json.loads(body)) for headers, body in self.got]

    def test_single_deliveries(self):
        self.hook()
        self.do("ann", update("Task", 1, sg_status_list="rev"))
        headers, told = self.wait(1)[0]
        digest = hmac.new(b"mytoken", self.got[0][1], hashlib.sha1).hexdigest()
        self.assertEqual(headers["X-SG-SIGNATURE"], f"sha1={digest}")
        self.assertTrue({"x-sg-webhook-id", "x-sg-delivery-id", "x-sg-webhook-site-url"} <= set(headers))
        data = told["data"]
        self.assertEqual((data["event_log_entry_id"], data["operation"], data["attribute_name"]),
                         (90000, "update", "sg_status_list"))
        self.assertEqual((data["entity"], data["user"]), (link("Task", 1), link("HumanUser", 3)))
        self.assertRegex(data["created_at"], r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}$")

    def test_batches_and_what_is_never_told(self):
        self.hook(batch=True)
        self.do("max", {"action": "create", "type": "Note", "data": {"subject": "x", "project": "Project:1"}},
                update("ApiUser", 1, description="x"), update("Task", 1, content="a"), update("Task", 2, content="b"))
        told = [one["event_type"] for one in self.wait(1)[0][1]["data"]["deliveries"]]
        self.assertEqual(told, ["Shotgun_Note_New", "Shotgun_Task_Change", "Shotgun_Task_Change"])

    def test_trouble(self):
        self.hook(types=["Task"])
        self.double.ask("hooks", {"drop": 1})
        self.do("max", update("Task", 1, content="a"), update("Shot", 1, code="x"))
        self.double.ask("hooks", {"duplicate": 1, "wrong": 1, "delay": 0.2})
        start = time.monotonic()
        self.do("max", update("Task", 1, content="b"))
        got = self.wait(2)
        self.assertGreater(time.monotonic() - start, 0.2)
        self.assertEqual([told["data"]["event_log_entry_id"] for _, told in got], [90002, 90002])
        right = [hmac.new(b"mytoken", body, hashlib.sha1).hexdigest() in headers["X-SG-SIGNATURE"]
                 for headers, body in self.got]
        self.assertEqual(right, [False, True])
        until(lambda: [one.get("status") for one in self.double.ask("hooks")["deliveries"]] == [None, 200, 200])


if __name__ == "__main__":
    unittest.main()
