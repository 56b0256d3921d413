"""The double itself, over REST in its raw form: tokens, searches, writes, refusals, faults."""

import base64
import json
import time
import unittest

from harness import ARRAY, FORM, HASH, Case, link, update


class Tokens(Case):
    def test_a_token_says_who_and_how_long(self):
        told = self.double.token("stagedoor").json
        self.assertEqual((told["token_type"], told["expires_in"]), ("Bearer", 600))
        payload = told["access_token"].split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        self.assertEqual((claims["user"], claims["sudo_as_login"]), (link("ApiUser", 3), None))

    def test_refusals(self):
        ask = self.double.request
        for form, wanted in {
            "grant_type=client_credentials&client_id=stagedoor&client_secret=no":
                "Can't authenticate script 'stagedoor'",
            "grant_type=client_credentials&client_id=stagedoor": "Missing or invalid authentication arguments",
            "grant_type=client_credentials&client_id=retired-script&client_secret=retired-script-key":
                "Can't authenticate script 'retired-script'",
            "grant_type=password&username=dan&password=dan-password": "Can't authenticate user 'dan'.",
            "grant_type=implicit": "Unsupported grant_type", "": "Unsupported grant_type",
        }.items():
            answer = ask("POST", "/auth/access_token", form, FORM)
            self.assertEqual((answer.status, answer.error[2]), (400, wanted))
        body = {"grant_type": "client_credentials", "client_id": "stagedoor", "client_secret": "stagedoor-key"}
        self.assertEqual(ask("POST", "/auth/access_token", body).status, 415)
        refresh = "grant_type=refresh_token&refresh_token=x"
        self.assertEqual(ask("POST", "/auth/access_token", refresh, FORM).status, 401)
        self.assertEqual(ask("GET", "/entity/tasks").error[:2], (401, 102))

    def test_other_grants(self):
        token = self.double.request("POST", "/auth/access_token",
                                    "grant_type=password&username=ann&password=ann-password", FORM).json
        again = self.double.request("POST", "/auth/access_token",
                                    f"grant_type=refresh_token&refresh_token={token['refresh_token']}", FORM).json
        answer = self.double.request("GET", "/entity/human_users/3", token=again["access_token"])
        self.assertEqual(answer.data["attributes"]["login"], "ann")

    def test_acting_as_another_user(self):
        for person, said in {"nobody": "unknown or retired user", "dan": "inactive user account",
                             "ines": "user account has 'can_impersonate_this_user' turned off"}.items():
            status, code, text = self.double.token("auditor", person).error
            self.assertEqual((status, code, text), (400, 102, f"Cannot 'sudo' - {said}: '{person}'"))
        self.assertEqual(self.double.token("stagedoor", "ann").error[:2], (400, 102))
        self.double.rest("auditor", "ann")("GET", "/entity/tasks/1")
        self.assertEqual(self.double.ask("record")[-1]["as"], "ann by auditor")

    def test_tokens_grow_old(self):
        ask = self.double.rest()
        self.assertEqual(ask("GET", "/entity/tasks/1").status, 200)
        self.double.ask("tokens", {"expire": True})
        self.assertEqual(ask("GET", "/entity/tasks/1").error, (401, 102, "Unauthorized"))
        self.double.ask("settings", {"token_life": 0.2})
        ask = self.double.rest()
        self.assertEqual(ask("GET", "/entity/tasks/1").status, 200)
        time.sleep(0.3)
        self.assertEqual(ask("GET", "/entity/tasks/1").status, 401)


class Reading(Case):
    def setUp(self):
        super().setUp()
        self.ask = self.double.rest("stagedoor")

    def test_both_versions_and_both_spellings(self):
        token = self.double.token("stagedoor").json["access_token"]
        for version in ("v1", "v1.1"):
            self.assertEqual(self.double.request("GET", "", version=version).data["api_version"], version)
            for name in ("Task", "tasks"):
                path = f"/entity/{name}/1?fields=content,entity"
                row = self.double.request("GET", path, token=token, version=version).data
                self.assertEqual((row["type"], row["id"], row["attributes"]), ("Task", 1, {"content": "comp"}))
                self.assertEqual(row["relationships"]["entity"], {
                    "data": {"id": 1, "name": "SH010", "type": "Shot"},
                    "links": {"self": f"/api/{version}/entity/tasks/1/relationships/entity",
                              "related": f"/api/{version}/entity/shots/1"}})
        self.assertEqual(self.double.request("GET", "", version="v1.2").status, 404)

    def test_a_search_needs_the_vendors_media_type(self):
        triples, group = [["id", "is", 1]], {"logical_operator": "or", "conditions": [["id", "is", 1], ["id", "is", 2]]}
        self.assertEqual(self.ask("POST", "/entity/tasks/_search", {"filters": triples}).status, 415)
        self.assertEqual(self.ask("POST", "/entity/tasks/_search", {"filters": triples}, ARRAY).ids, [1])
        self.assertEqual(self.ask("POST", "/entity/tasks/_search", {"filters": group}, HASH).ids, [1, 2])
        leaf = {"path": "id", "relation": "is", "values": [1]}
        for filters, content in ((group, ARRAY), ([leaf], ARRAY), (leaf, HASH), ([triples], ARRAY),
                                 ({"logical_operator": "AND", "conditions": []}, HASH),
                                 ({"logical_operator": "or"}, HASH)):
            self.assertEqual(self.ask("POST", "/entity/tasks/_search", {"filters": filters}, content).status, 400)

    def test_deep_groups(self):
        group = ["id", "is", 1]
        for _ in range(265):
            group = {"logical_operator": "and", "conditions": [group]}
        self.assertEqual(self.ask("POST", "/entity/tasks/_search", {"filters": group}, HASH).ids, [1])
        group = {"logical_operator": "and", "conditions": [group]}
        self.assertEqual(self.ask("POST", "/entity/tasks/_search", {"filters": group}, HASH).status, 500)

    def test_pages(self):
        page = self.search(self.ask, "tasks", [], page={"size": 8, "number": 3})
        self.assertEqual((len(page.ids), sorted(page.json["links"])), (4, ["next", "prev", "self"]))
        page = self.search(self.ask, "tasks", [], page={"size": 8, "number": 4})
        self.assertEqual((page.ids, "next" in page.json["links"]), ([], True))
        for size, status in ((5000, 200), (5001, 400), (0, 400)):
            self.assertEqual(self.search(self.ask, "tasks", [], page={"size": size}).status, status)
        after = self.search(self.ask, "tasks", [["id", "greater_than", 19]], page={"size": 1}, sort="id")
        self.assertEqual(after.ids, [20])
        asked = "/entity/tasks/_search?fields=content&sort=-id&page[size]=2&options[include_archived_projects]=true"
        page = self.ask("POST", asked, {"filters": []}, ARRAY)
        self.assertEqual((page.ids, list(page.data[0]["attributes"])), ([21, 20], ["content"]))

    def test_what_is_ignored_in_silence(self):
        rows = self.search(self.ask, "shots", [["id", "is", 1]], ["code", "nothing", "tasks.Task.content",
                                                                  "sg_sequence.Sequence.code"])
        self.assertEqual(rows.data[0]["attributes"], {"code": "SH010", "sg_sequence.Sequence.code": "SQ010"})
        for sort in ("nothing", "open_notes_count", "-tasks"):
            self.assertEqual(self.search(self.ask, "shots", [], sort=sort).ids, [1, 2, 3, 4, 5, 6, 8, 9])
        self.assertEqual(self.search(self.ask, "shots", [], sort="id desc").status, 400)

    def test_archived_projects_are_left_out_unless_asked_for(self):
        name = "include_archived_projects"
        for options, found in (({}, []), ({name: False}, []), ({name: True}, [14])):
            wish = {"filters": [["id", "is", 14]], "options": options}
            self.assertEqual(self.ask("POST", "/entity/tasks/_search", wish, ARRAY).ids, found)
        self.double.ask("settings", {"archived_default": "include"})
        self.assertEqual(self.ask("POST", "/entity/tasks/_search", {"filters": [["id", "is", 14]]}, ARRAY).ids, [14])

    def test_rows_in_the_trash(self):
        self.assertEqual(self.ask("GET", "/entity/tasks/17").error, (404, 104, "Task: 17 not found"))
        self.assertEqual(self.ask("GET", "/entity/tasks/17?options[return_only]=retired").data["id"], 17)
        retired = self.search(self.ask, "tasks", [], options={"return_only": "retired"})
        self.assertEqual(retired.ids, [17])
        people = self.search(self.ask, "human_users", [["login", "is", "ann"]], options={"return_only": "retired"})
        self.assertEqual(people.ids, [13])
        self.assertIsNone(self.ask("GET", "/entity/tasks/19?fields=entity").data["relationships"]["entity"]["data"])

    def test_filters(self):
        ann, group = link("HumanUser", 3), link("Group", 3)
        for kind, filters, found in (
            ("tasks", [["task_assignees", "is", ann]], [1, 5, 10, 13, 14]),
            ("tasks", [["task_assignees", "is", group]], [4]),
            ("tasks", [["task_assignees", "in", [group, link("HumanUser", 6)]]], [4, 12]),
            ("tasks", [["task_assignees.Group.users", "is", link("HumanUser", 4)]], [2]),
            ("tasks", [["task_assignees", "is", None], ["project", "is", link("Project", 1)]], [9]),
            ("tasks", [["task_assignees", "is_not", None], ["id", "between", [8, 11]]], [8, 10, 11]),
            ("tasks", [["task_assignees", "type_is", "Group"]], [2, 4, 6, 11]),
            ("tasks", [["content", "is", "COMP"], ["id", "less_than", 11]], [1, 4, 10]),
            ("tasks", [["content", "starts_with", "An"]], [2, 5]),
            ("tasks", [["sg_status_list", "not_in", ["ip", "wtg", "fin"]]], [3, 6, 8, 9, 11, 18]),
            ("tasks", [["milestone", "is", True]], [5, 7]),
            ("tasks", [["est_in_mins", "greater_than", 240]], [1, 3]),
            ("tasks", [["project.Project.archived", "is", True]], [14]),
            ("tasks", [["entity.Shot.sg_sequence.Sequence.code", "contains", "020"]], [6]),
            ("tasks", [["entity", "type_is", "Sequence"]], [12]),
            ("tasks", [["entity", "name_contains", "sh02"]], [4, 5, 21]),
            ("shots", [["tasks.Task.content", "is", "roto"]], [3]),
            ("shots", [["assets.Asset.tasks.Task.content", "is", "model"]], [1, 2, 4]),
            ("time_logs", [["date", "greater_than", "2026-03-05"]], [4, 5]),
            ("versions", [["created_at", "less_than", "2026-01-10T00:00:00Z"]], [3, 4, 5, 6, 7, 9]),
            ("human_users", [["projects", "is", None]], [2, 11]),
            ("shots", [["cached_display_name", "is", "ep1_010"]], [4]),
        ):
            with self.subTest(kind=kind, filters=filters):
                answer = self.search(self.ask, kind, filters)
                self.assertEqual(answer.status, 200, answer.text)
                self.assertEqual(answer.ids, found)

    def test_wrong_filters(self):
        for kind, one, said in (
            ("Task", ["nothing", "is", 1], "API read() Task.nothing doesn't exist."),
            ("Task", ["name", "is", "x"], "API read() Task.name doesn't exist."),
            ("Task", ["content", "like", "x"],
             "API read() Task.content's 'text' data type doesn't support 'like' 'relation'"),
            ("Task", ["entity", "is", 1],
             "API read() Task.entity expected [Hash, NilClass] data type(s) but got int: 1"),
            ("Task", ["entity", "in", [{"id": 1}]],
             "API read() invalid/missing entity hash string 'type': {\"id\": 1}"),
            ("Task", ["milestone", "greater_than", True],
             "API read() Task.milestone's 'checkbox' data type doesn't support 'greater_than' 'relation'"),
            ("EventLogEntry", ["meta", "is", None],
             "API read() EventLogEntry.meta's 'serializable' data type cannot be used in a filter."),
            ("Shot", ["open_notes_count", "is", 1],
             "API read() Shot.open_notes_count's 'summary' data type cannot be used in a filter."),
            ("Version", ["sg_uploaded_movie", "is", None],
             "API read() Version.sg_uploaded_movie's 'url' data type cannot be used in a filter."),
            ("Shot", ["tasks.Task.nothing", "is", 1], "API read() Task.nothing doesn't exist."),
        ):
            with self.subTest(one):
                self.assertEqual(self.search(self.ask, kind, [one]).error, (400, 103, said))

    def test_lists_and_counts(self):
        asked = "/entity/tasks?fields=content&filter[sg_status_list]=ip,rev&filter[project.Project.id]=1&sort=-id"
        self.assertEqual(self.ask("GET", asked).ids, [19, 12, 7, 3, 1])
        wish = {"filters": [["project", "is", link("Project", 1)]],
                "summary_fields": [{"field": "id", "type": "record_count"}]}
        told = self.ask("POST", "/entity/shots/_summarize", wish, ARRAY).data
        self.assertEqual(told, {"summaries": {"id": 3}, "groups": []})
        wish["summary_fields"] = [{"field": "id", "type": "nothing"}]
        self.assertEqual(self.ask("POST", "/entity/shots/_summarize", wish, ARRAY).status, 400)

    def test_the_schema(self):
        self.assertEqual(self.ask("GET", "/schema").data["TimeLog"]["name"], {"value": "Time Log", "editable": False})
        fields = self.ask("GET", "/schema/Task/fields?project_id=1").data
        self.assertEqual(fields["entity"]["data_type"], {"value": "entity", "editable": False})
        self.assertEqual(fields["task_assignees"]["properties"]["valid_types"]["value"], ["Group", "HumanUser"])
        self.assertEqual(fields["sg_status_list"]["properties"]["valid_values"]["value"][:2], ["wtg", "rdy"])
        # A reader may edit nothing; the schema says so of each field.
        self.assertFalse(any(field["editable"]["value"] for field in fields.values()))
        shot = self.double.rest()("GET", "/schema/Shot/fields").data
        names = ("code", "smart_cut_in", "open_notes_count", "id")
        self.assertEqual([shot[name]["editable"]["value"] for name in names], [True, True, False, False])
        self.assertEqual(shot["open_notes_count"]["data_type"]["value"], "summary")
        nothing = self.ask("GET", "/schema/Nothing/fields").error
        self.assertEqual(nothing, (404, 103, "Entity type 'Nothing' does not exist."))


class Writing(Case):
    def setUp(self):
        super().setUp()
        self.ask = self.double.rest()

    def test_create_update_delete_revive(self):
        task = {"content": "paint", "project": link("Project", 1), "entity": link("Shot", 1)}
        made = self.ask("POST", "/entity/tasks", task)
        self.assertEqual((made.status, made.data["attributes"]["sg_status_list"]), (201, "wtg"))
        self.assertRegex(made.data["attributes"]["created_at"], r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC$")
        key = made.data["id"]
        self.assertEqual(made.data["relationships"]["created_by"]["data"]["name"], "pipeline 1.0")
        told = self.ask("PUT", f"/entity/tasks/{key}", {"sg_status_list": "ip"}).data["attributes"]
        self.assertEqual((told["sg_status_list"], "T" in told["updated_at"]), ("ip", True))
        self.assertIn(key, [task["id"] for task in self.double.row("Shot", 1, "tasks")["tasks"]])
        self.assertEqual(self.ask("DELETE", f"/entity/tasks/{key}").status, 204)
        self.assertEqual(self.ask("DELETE", f"/entity/tasks/{key}").error,
                         (404, 104, f"Entity of type [Task] with id={key} does not exist."))
        self.assertNotIn(key, [task["id"] for task in self.double.row("Shot", 1, "tasks")["tasks"]])
        revived = self.ask("POST", f"/entity/tasks/{key}?revive=true").json
        self.assertEqual((revived["data"], revived["meta"]), ({"type": "Task", "id": key}, {"did_revive": True}))
        self.assertIn(key, [task["id"] for task in self.double.row("Shot", 1, "tasks")["tasks"]])

    def test_wrong_writes(self):
        project = link("Project", 1)
        for method, path, data, said in (
            ("POST", "/entity/tasks", {"nothing": 1}, (400, 103, "API create() Task.nothing doesn't exist.")),
            ("POST", "/entity/tasks", {"content": "x"},
             (400, 103, "API create() missing 'project' attribute: {\"content\": \"x\"}")),
            ("PUT", "/entity/tasks/1", {"entity": link("Shot", 999)},
             (400, 104,
              "Invalid field value, update failed [5 - Update failed for [Task.entity]: Value is not legal.]")),
            ("PUT", "/entity/tasks/1", {"task_assignees": None},
             (400, 103, "API update() Task.task_assignees expected [Array, Hash] data type(s) but got NoneType: null")),
            ("PUT", "/entity/tasks/1", {"id": 5}, (400, 104, "The field is not editable for this user: [Task.id].")),
            ("PUT", "/entity/tasks/1", {"time_logs_sum": 5},
             (400, 104, "The field is not editable for this user: [Task.time_logs_sum].")),
            ("PUT", "/entity/tasks/999999999", {"content": "x"},
             (404, 104, "Entity of type [Task] with id=999999999 does not exist.")),
            ("POST", "/entity/nothings", {}, (404, 103, "Entity type 'nothings' does not exist.")),
        ):
            with self.subTest(data):
                self.assertEqual(self.ask(method, path, data).error, said)
        bad = self.ask("POST", "/entity/tasks", {"content": "x", "project": project, "sg_status_list": "zz"}).error
        self.assertEqual(bad[:2], (400, 104))
        self.assertIn("'zz' is not a valid status. Valid statuses: 'wtg', 'rdy'", bad[2])

    def test_lists_of_links(self):
        def assigned(value):
            answer = self.ask("PUT", "/entity/tasks/1", {"task_assignees": value})
            self.assertEqual(answer.status, 200, answer.text)
            return [one["id"] for one in answer.data["relationships"]["task_assignees"]["data"]]

        def wished(mode, key):
            return {"multi_entity_update_mode": mode, "value": [link("HumanUser", key)]}
        self.assertEqual(assigned(wished("add", 4)), [3, 4])
        self.assertEqual(assigned(wished("add", 4)), [3, 4])
        self.assertEqual(assigned(wished("remove", 3)), [4])
        self.assertEqual(assigned([link("HumanUser", 5), link("HumanUser", 5)]), [5])
        self.assertEqual(assigned([]), [])
        self.assertEqual(self.ask("PUT", "/entity/tasks/1", {"task_assignees": [5]}).status, 400)

    def test_both_ends_of_a_link(self):
        def ids(kind, key, name):
            return [one["id"] for one in self.double.row(kind, key, name)[name]]
        self.ask("PUT", "/entity/tasks/1", {"entity": link("Asset", 2)})
        self.assertEqual((1 in ids("Shot", 1, "tasks"), ids("Asset", 2, "tasks")), (False, [8, 9, 1]))
        self.ask("PUT", "/entity/sequences/2", {"shots": [link("Shot", 1)]})
        self.assertEqual(ids("Sequence", 1, "shots"), [2])
        self.assertEqual(self.double.row("Shot", 1, "sg_sequence")["sg_sequence"]["id"], 2)
        self.assertIsNone(self.double.row("Shot", 3, "sg_sequence")["sg_sequence"])
        self.ask("PUT", "/entity/projects/3", {"users": [link("HumanUser", 3)]})
        self.assertIn(3, ids("HumanUser", 3, "projects"))
        joins = self.search(self.ask, "ProjectUserConnection", [["project", "is", link("Project", 3)]], ["user"])
        self.assertEqual([row["relationships"]["user"]["data"]["id"] for row in joins.data], [3])
        self.ask("PUT", "/entity/human_users/3", {"projects": []})
        joins = self.search(self.ask, "ProjectUserConnection", [["project", "is", link("Project", 3)]])
        self.assertEqual(joins.ids, [])
        join = {"group": link("Group", 2), "user": link("HumanUser", 3)}
        made = self.ask("POST", "/entity/GroupUserConnection", join)
        self.assertEqual((ids("Group", 2, "users"), ids("HumanUser", 3, "groups")), ([8, 3], [2]))
        self.ask("DELETE", f"/entity/GroupUserConnection/{made.data['id']}")
        self.assertEqual((ids("Group", 2, "users"), ids("HumanUser", 3, "groups")), ([8], []))

    def test_one_end_may_be_made_to_differ(self):
        self.double.ask("raw", {"type": "Project", "id": 1, "data": {"users": ["HumanUser:11"]}})
        self.assertEqual([one["id"] for one in self.double.row("Project", 1, "users")["users"]], [11])
        self.assertEqual(self.double.row("HumanUser", 11, "projects")["projects"], [])

    def test_a_shot_takes_its_versions_along(self):
        self.ask("DELETE", "/entity/shots/1")
        self.assertIsNone(self.double.row("Version", 1))
        self.assertEqual(self.double.row("Version", 1, retired=True)["entity"], None)
        self.assertIsNone(self.double.row("Task", 1, "entity")["entity"])
        self.ask("POST", "/entity/shots/1?revive=1")
        self.assertEqual(self.double.row("Version", 1)["entity"]["id"], 1)
        # What was in the trash before stays there.
        self.assertIsNone(self.double.row("Version", 8))

    def test_a_batch_is_done_whole_or_not_at_all(self):
        create = {"request_type": "create", "entity": "Task", "data": {"content": "x", "project": link("Project", 1)}}
        change = {"request_type": "update", "entity": "Task", "record_id": 1,
                  "data": {"content": "y", "entity": link("Shot", 2)}}
        never = {"request_type": "update", "entity": "Task", "record_id": 999999999, "data": {"content": "x"}}
        gone = {"request_type": "delete", "entity": "Shot", "record_id": 1}
        before = [self.double.ask("query", {"type": kind}) for kind in ("Task", "Shot")]
        events = self.double.ask("events")["next"]
        self.assertEqual(self.ask("POST", "/entity/_batch", {"requests": [create, change, gone, never]}).status, 404)
        self.assertEqual([self.double.ask("query", {"type": kind}) for kind in ("Task", "Shot")], before)
        self.assertEqual(self.double.ask("events")["next"], events)
        out = self.ask("POST", "/entity/_batch", {"requests": [create, change, gone]}).data
        self.assertEqual([sorted(one) for one in out], [
            ["data"], ["data", "links", "status"], ["did_delete", "id", "request_type", "type", "uuid"]])
        never["record_id"] = 0
        self.assertEqual(self.ask("POST", "/entity/_batch", {"requests": [never]}).status, 400)
        self.assertEqual(self.ask("POST", "/entity/_batch", {"requests": []}, ARRAY).status, 415)

    def test_a_write_of_what_is_there_changes_nothing(self):
        before, events = self.double.row("Task", 1), self.double.ask("events")["next"]
        same = {"content": "comp", "task_assignees": [link("HumanUser", 3)]}
        self.assertEqual(self.ask("PUT", "/entity/tasks/1", same).status, 200)
        self.assertEqual((self.double.row("Task", 1), self.double.ask("events")["next"]), (before, events))
        self.ask("DELETE", "/entity/tasks/3")
        self.assertEqual(self.ask("PUT", "/entity/versions/3", {"sg_task": None}).status, 200)
        self.ask("POST", "/entity/tasks/3?revive=true")
        self.assertEqual(self.double.row("Version", 3, "sg_task")["sg_task"]["id"], 3)


class Faults(Case):
    def test_each_fault(self):
        ask = self.double.rest("stagedoor")
        for error in ("502", "503", "504", "500"):
            self.double.ask("faults", {"what": "get Task", "error": error})
            self.assertEqual(ask("GET", "/entity/shots/1").status, 200)
            self.assertEqual(ask("GET", "/entity/tasks/1").status, int(error))
            self.assertEqual(ask("GET", "/entity/tasks/1").status, 200)
        self.double.ask("faults", {"error": "401", "times": None})
        self.assertEqual(ask("GET", "/entity/tasks/1").error[0], 401)
        self.double.ask("faults", method="DELETE")
        self.double.ask("faults", {"error": "drop"})
        with self.assertRaises(OSError):
            ask("GET", "/entity/tasks/1")
        self.double.ask("faults", {"error": "garbled"})
        with self.assertRaises(ValueError):
            ask("GET", "/entity/tasks/1").json
        self.double.ask("faults", {"delay": 0.3})
        start = time.monotonic()
        self.assertEqual(ask("GET", "/entity/tasks/1").status, 200)
        self.assertGreater(time.monotonic() - start, 0.3)
        self.double.ask("settings", {"latency": 0.3})
        start = time.monotonic()
        ask("GET", "/entity/tasks/1")
        self.assertGreater(time.monotonic() - start, 0.3)
        self.double.ask("api", {"mode": "down"})
        self.assertEqual(ask("GET", "/entity/tasks/1").status, 503)
        self.double.ask("reset", {})
        self.assertEqual(self.double.rest("stagedoor")("GET", "/entity/tasks/1").status, 200)

    def test_a_write_may_be_done_and_its_answer_lost(self):
        self.double.ask("faults", {"what": "update Task", "error": "502", "apply": True})
        self.assertEqual(self.double.rest()("PUT", "/entity/tasks/1", {"sg_status_list": "rev"}).status, 502)
        self.assertEqual(self.double.row("Task", 1)["sg_status_list"], "rev")

    def test_the_record(self):
        ask = self.double.rest("stagedoor")
        self.search(ask, "tasks", [["id", "is", 1]])
        ask("PUT", "/entity/tasks/1", {"content": "x"})
        entries = [(e["what"], e["as"], e["status"]) for e in self.double.ask("record")]
        self.assertEqual(entries, [("token", None, 200), ("search Task", "stagedoor", 200),
                                   ("update Task", "stagedoor", 400)])
        self.assertEqual(self.double.ask("counts"), {"requests": 3, "token": 1, "search Task": 1, "update Task": 1})
        self.double.client("stagedoor").find("Task", [])
        self.assertNotIn("stagedoor-key", json.dumps(self.double.ask("record")))

    def test_a_big_studio(self):
        made = self.double.ask("generate", {"tasks": 20000, "versions": 1})
        self.assertEqual((made["Task"], made["Shot"], made["Version"]), (20000, 4000, 4000))
        ask = self.double.rest("stagedoor")
        last, seen = 0, 0
        while True:
            wish = {"sort": "id", "page": {"size": 5000}, "fields": ["content", "task_assignees", "entity"]}
            rows = self.search(ask, "tasks", [["id", "greater_than", last]], **wish).data
            if not rows:
                break
            last, seen = rows[-1]["id"], seen + len(rows)
        self.assertEqual(seen, 20020)
        self.assertEqual(self.double.row("Shot", 1000, "tasks")["tasks"][0]["id"], 1000)

    def test_a_wrong_wish_is_refused(self):
        for path, wish in (("mutate", {"as": "nobody", "operations": []}), ("mutate", {}), ("settings", {"odd": 1}),
                           ("seed", {"Odd": [{}]}), ("seed", {"Task": [{"id": 1, "odd": 1}]}), ("api", {"mode": "odd"}),
                           ("faults", {"error": "odd"}), ("settings", {"cascade": "odd"}), ("hooks", {"odd": 1})):
            with self.subTest(path=path, wish=wish), self.assertRaises(AssertionError):
                self.double.ask(path, wish)
        self.double.ask("mutate", {"as": "ann", "operations": [update("Task", 1, sg_status_list="rev")]})


if __name__ == "__main__":
    unittest.main()
