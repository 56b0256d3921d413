"""The vendor's own client against the double: what it does with a real site it does here, and finds what REST shows."""

import datetime
import time
import unittest

import shotgun_api3

from harness import Case, link, update

DAEMON = ["id", "event_type", "attribute_name", "meta", "entity", "user", "project", "session_uuid", "created_at"]
LOADED = {
    "PermissionRuleSet": ["code", "display_name", "entity_type", "parent_set"],
    "HumanUser": ["login", "email", "name", "permission_rule_set", "projects", "groups", "department", "sg_status_list",
                  "locked_until", "can_impersonate_this_user"],
    "ApiUser": ["firstname", "permission_rule_set", "projects", "generate_event_log_entries"],
    "ClientUser": ["email", "name", "sg_status_list"],
    "Group": ["code", "users"], "Department": ["code", "name", "users", "sg_status_list"],
    "Project": ["name", "users", "archived", "is_template", "is_template_project", "sg_status"],
    "ProjectUserConnection": ["project", "user"], "ApiUserProjectConnection": ["project", "user"],
    "GroupUserConnection": ["group", "user"], "Asset_linked_projects_Connection": ["asset", "project"],
    "Task": ["content", "project", "entity", "step", "sg_status_list", "task_assignees", "task_reviewers", "milestone",
             "est_in_mins", "created_by"],
    "Shot": ["code", "project", "sg_sequence", "tasks", "assets", "open_notes_count", "smart_cut_in"],
    "Asset": ["code", "project", "linked_projects", "sg_asset_type", "sg_keep"],
    "Sequence": ["code", "project", "shots"],
    "Version": ["code", "project", "entity", "sg_task", "user", "created_by", "playlists", "client_approved"],
    "PublishedFile": ["code", "project", "entity", "task", "version"],
    "Note": ["subject", "project", "user", "addressings_to", "addressings_cc", "note_links", "tasks", "replies"],
    "Reply": ["content", "entity", "user"], "TimeLog": ["project", "entity", "user", "date", "duration"],
    "Playlist": ["code", "project", "versions", "locked", "locked_by"],
    "Ticket": ["title", "project", "addressings_to"],
    "Status": ["code", "name"], "Step": ["code", "short_name", "department"],
    "CustomEntity07": ["code", "project", "sg_recipients", "sg_shots"],
    "CustomNonProjectEntity03": ["code", "sg_owner"],
}


def utc(*when):
    return datetime.datetime(*when, tzinfo=datetime.timezone.utc)


class VendorCase(Case):
    def setUp(self):
        super().setUp()
        self.sg = self.double.client()


class Finding(VendorCase):
    def test_it_connects(self):
        info = self.sg.info()
        self.assertEqual((info["full_version"], self.sg.server_caps.version), ([8, 80, 0, 0], (8, 80, 0)))

    def test_it_finds_what_rest_shows(self):
        ask = self.double.rest()
        for kind, fields in LOADED.items():
            for retired in (False, True):
                with self.subTest(kind=kind, retired=retired):
                    found = self.sg.find(kind, [], fields, retired_only=retired)
                    options = {"return_only": "retired" if retired else "active", "include_archived_projects": True}
                    shown = self.search(ask, kind, [], fields, options=options).data
                    flat = [{"type": row["type"], "id": row["id"], **row["attributes"],
                             **{name: told["data"] for name, told in row["relationships"].items()}} for row in shown]
                    self.assertEqual(found, flat)
                    self.assertTrue(found or retired or "Connection" in kind)
                    self.assertTrue(all(set(fields) <= set(row) for row in found))

    def test_more_rows_than_a_page_come_all_and_once(self):
        self.double.ask("generate", {"tasks": 1200, "people": 10, "groups": 2, "projects": 2})
        found = [row["id"] for row in self.sg.find("Task", [], ["content"])]
        self.assertEqual((len(found), found), (1220, sorted(set(found))))
        self.assertEqual(self.double.ask("counts")["rpc read Task"], 3)
        self.assertEqual(len(self.sg.find("Task", [], limit=700)), 700)
        self.assertEqual([row["id"] for row in self.sg.find("Task", [], limit=5, page=2)], [6, 7, 8, 9, 10])

    def test_filters(self):
        ann = link("HumanUser", 3)
        for kind, filters, found in (
            ("Task", [["task_assignees", "is", ann]], [1, 5, 10, 13, 14]),
            ("Task", [["task_assignees.Group.users", "is", link("HumanUser", 4)]], [2]),
            ("Task", [{"filter_operator": "any", "filters": [["id", "is", 1], ["content", "is", "roto"]]}], [1, 6]),
            ("Task", [["id", "in", [3, 2, 99]], ["sg_status_list", "is_not", "rev"]], [2]),
            ("Task", [["entity", "is", None], ["id", "greater_than", 10]], [18, 19]),
            ("Version", [["created_at", "greater_than", utc(2026, 1, 9)]], [1, 2]),
            ("HumanUser", [["login", "is", "ANN"]], [3]),
            ("PermissionRuleSet", [["entity_type", "is", "HumanUser"]], [1, 2, 3, 4, 5, 6, 7]),
            ("Shot", [["sg_sequence.Sequence.code", "starts_with", "SQ"]], [1, 2, 3]),
        ):
            with self.subTest(filters):
                self.assertEqual([row["id"] for row in self.sg.find(kind, filters)], found)

    def test_one_row(self):
        task = self.sg.find_one("Task", [["id", "is", 1]], ["entity", "entity.Shot.code", "created_at", "nothing"])
        self.assertEqual(task["entity"], {"id": 1, "name": "SH010", "type": "Shot"})
        self.assertEqual((task["entity.Shot.code"], task["created_at"]), ("SH010", utc(2026, 1, 5, 9)))
        self.assertNotIn("nothing", task)
        self.assertIsNone(self.sg.find_one("Task", [["id", "is", 999]]))
        newest = self.sg.find_one("Task", [], order=[{"field_name": "id", "direction": "desc"}])
        self.assertEqual(newest["id"], 21)

    def test_archived_projects(self):
        self.assertEqual(len(self.sg.find("Task", [["id", "is", 14]])), 1)
        self.assertEqual(self.sg.find("Task", [["id", "is", 14]], include_archived_projects=False), [])

    def test_wrong_reads(self):
        for kind, filters in (("Task", [["name", "is", "x"]]), ("Nothing", []),
                              ("EventLogEntry", [["meta", "is", None]]), ("Task", [["content", "like", "x"]])):
            with self.subTest(kind=kind, filters=filters), self.assertRaises(shotgun_api3.Fault):
                self.sg.find(kind, filters)

    def test_counting(self):
        fields = [{"field": "id", "type": "record_count"}]
        told = self.sg.summarize("Task", [["project", "is", link("Project", 1)]], fields)
        self.assertEqual(told["summaries"], {"id": 13})
        told = self.sg.summarize("Task", [["project", "is", link("Project", 2)]], fields,
                                 grouping=[{"field": "sg_status_list", "type": "exact", "direction": "asc"}])
        groups = [(group["group_value"], group["summaries"]["id"]) for group in told["groups"]]
        self.assertEqual(groups, [("ip", 1), ("rev", 1)])

    def test_the_schema(self):
        self.assertIn("TimeLog", self.sg.schema_entity_read())
        field = self.sg.schema_field_read("Task", "entity")["entity"]
        self.assertEqual((field["data_type"]["value"], field["properties"]["valid_types"]["value"]),
                         ("entity", ["Asset", "Sequence", "Shot", "Version"]))
        told = self.sg.schema_read(link("Project", 1))
        self.assertEqual(told["Shot"]["open_notes_count"]["data_type"]["value"], "summary")
        rest = self.double.rest()("GET", "/schema/Shot/fields").data
        self.assertEqual(told["Shot"], rest)
        self.assertEqual(self.sg.preferences_read(["hours_per_day"]), {"hours_per_day": 8.0})


class Writing(VendorCase):
    def test_create_update_delete_revive(self):
        made = self.sg.create("Task", {"content": "paint", "project": link("Project", 1), "entity": link("Shot", 1)},
                              return_fields=["sg_status_list"])
        self.assertEqual((made["sg_status_list"], made["entity"]["name"]), ("wtg", "SH010"))
        self.assertEqual(self.sg.update("Task", made["id"], {"sg_status_list": "ip"})["sg_status_list"], "ip")
        self.sg.update("Task", made["id"], {"task_assignees": [link("HumanUser", 3)]})
        self.sg.update("Task", made["id"], {"task_assignees": [link("Group", 3)]}, {"task_assignees": "add"})
        found = self.sg.find_one("Task", [["id", "is", made["id"]]], ["task_assignees"])["task_assignees"]
        self.assertEqual([(one["type"], one["id"]) for one in found], [("HumanUser", 3), ("Group", 3)])
        self.assertTrue(self.sg.delete("Task", made["id"]))
        self.assertFalse(self.sg.delete("Task", made["id"]))
        self.assertIsNone(self.sg.find_one("Task", [["id", "is", made["id"]]]))
        self.assertTrue(self.sg.find_one("Task", [["id", "is", made["id"]]], retired_only=True))
        self.assertTrue(self.sg.revive("Task", made["id"]))
        self.assertFalse(self.sg.revive("Task", made["id"]))

    def test_a_batch(self):
        out = self.sg.batch([
            {"request_type": "create", "entity_type": "Shot", "data": {"code": "SH900", "project": link("Project", 1)}},
            {"request_type": "update", "entity_type": "Task", "entity_id": 1, "data": {"content": "x"}},
            {"request_type": "delete", "entity_type": "Task", "entity_id": 2}])
        self.assertEqual((out[0]["code"], out[1]["content"], out[2]), ("SH900", "x", True))
        with self.assertRaises(shotgun_api3.Fault):
            self.sg.batch([{"request_type": "update", "entity_type": "Task", "entity_id": 1, "data": {"content": "y"}},
                           {"request_type": "update", "entity_type": "Task", "entity_id": 999, "data": {}}])
        self.assertEqual(self.double.row("Task", 1)["content"], "x")

    def test_wrong_writes(self):
        for data in ({"sg_status_list": "zz"}, {"nothing": 1}, {"time_logs_sum": 1}, {"entity": link("Shot", 999)}):
            with self.subTest(data), self.assertRaises(shotgun_api3.Fault):
                self.sg.update("Task", 1, data)


class People(VendorCase):
    def test_wrong_credentials(self):
        for more in ({"script_name": "pipeline", "api_key": "no"}, {"login": "dan", "password": "dan-password"},
                     {"login": "nobody", "password": "nobody-password"}):
            with self.subTest(more), self.assertRaises(shotgun_api3.AuthenticationFault):
                self.double.client(**more).find("Task", [])
        self.assertEqual(self.sg.authenticate_human_user("ann", "ann-password")["id"], 3)
        with self.assertRaises(shotgun_api3.AuthenticationFault):
            self.sg.authenticate_human_user("ann", "no")

    def test_a_person_by_password_by_session_and_by_a_script(self):
        ann = self.double.client(login="ann", password="ann-password")
        token = ann.get_session_token()
        again = shotgun_api3.Shotgun(self.double.url, session_token=token)
        self.addCleanup(again.close)
        acting = self.double.client("auditor", sudo_as_login="ann")
        for client in (ann, again, acting):
            self.assertEqual([row["id"] for row in client.find("Project", [])], [1, 2, 4, 5, 7, 8])
            self.assertEqual(client.update("Task", 1, {"sg_status_list": "ip"})["sg_status_list"], "ip")
            for refused in (lambda: client.update("Task", 1, {"content": "x"}), lambda: client.delete("Task", 1),
                            lambda: client.create("Task", {"content": "x", "project": link("Project", 1)}),
                            lambda: client.find("ApiUser", []), lambda: client.update("Task", 13, {"content": "x"})):
                with self.assertRaises(shotgun_api3.Fault):
                    refused()
        for script, person in (("stagedoor", "ann"), ("auditor", "dan"), ("auditor", "ines"), ("auditor", "nobody")):
            with self.subTest(person), self.assertRaises(shotgun_api3.AuthenticationFault):
                self.double.client(script, sudo_as_login=person).find("Task", [])


class Events(VendorCase):
    def poll(self, state, limit=500):
        """As the official event daemon does it, without its backlog."""
        filters = [["id", "greater_than", state["next"] - 1]]
        order = [{"column": "id", "direction": "asc"}]
        events = self.sg.find("EventLogEntry", filters, DAEMON, order, limit=limit)
        if events:
            state["next"] = events[-1]["id"] + 1
        return events

    def test_polling(self):
        newest = self.sg.find_one("EventLogEntry", [], ["id"], order=[{"column": "id", "direction": "desc"}])
        state = {"next": newest["id"] + 1}
        self.assertEqual(self.poll(state), [])
        self.sg.update("Task", 1, {"sg_status_list": "rev", "task_assignees": [link("HumanUser", 4)]})
        events = self.poll(state)
        self.assertEqual([event["attribute_name"] for event in events], ["sg_status_list", "task_assignees"])
        self.assertEqual((events[0]["user"], events[0]["entity"]["name"], events[0]["project"]["id"]),
                         ({"id": 1, "name": "pipeline 1.0", "type": "ApiUser"}, "comp", 1))
        self.assertEqual((events[0]["meta"]["old_value"], events[0]["meta"]["new_value"]), ("ip", "rev"))
        self.assertIsInstance(events[0]["created_at"], datetime.datetime)
        # An id that came late is missed by whoever keeps the highest only.
        self.double.ask("events", {"hold": 1})
        self.sg.update("Task", 1, {"content": "late"})
        self.sg.update("Task", 1, {"content": "later"})
        self.assertEqual([event["meta"]["new_value"] for event in self.poll(state)], ["later"])
        late = self.double.ask("events", {"release": "all"})["released"]
        self.assertEqual(self.poll(state), [])
        self.assertEqual(len(self.sg.find("EventLogEntry", [["id", "in", late]])), 1)
        self.double.mutate("ann", *[update("Task", 1, content=f"n{n}") for n in range(30)])
        got = []
        while batch := self.poll(state, 10):
            got += [event["id"] for event in batch]
        self.assertEqual((len(got), got), (30, sorted(set(got))))
        types = self.sg.find("EventLogEntry", [["event_type", "in", ["Shotgun_User_Login"]]], ["user"])
        self.assertEqual([row["user"]["name"] for row in types], ["Ada Admin"])


class Trouble(VendorCase):
    def test_502_and_504_are_tried_again(self):
        for error in ("502", "504"):
            self.double.ask("faults", {"what": "rpc read", "error": error, "times": 1})
            self.assertEqual(self.sg.find_one("Task", [["id", "is", 1]])["id"], 1)
        self.double.ask("faults", {"what": "rpc read", "error": "502", "times": 3})
        with self.assertRaises(shotgun_api3.ProtocolError):
            self.sg.find("Task", [])

    def test_others_are_not(self):
        for error in ("503", "500", "429"):
            self.double.ask("faults", {"what": "rpc read", "error": error})
            with self.assertRaises(shotgun_api3.ProtocolError):
                self.sg.find("Task", [])
            self.assertEqual(len(self.sg.find("Task", [["id", "is", 1]])), 1)

    def test_a_slow_site(self):
        self.double.ask("settings", {"latency": 0.5})
        start = time.monotonic()
        self.assertEqual(len(self.sg.find("Task", [["id", "is", 1]])), 1)
        self.assertGreater(time.monotonic() - start, 0.5)



if __name__ == "__main__":
    unittest.main()
