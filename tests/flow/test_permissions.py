"""Who may do what: the decisions as the text tells them, and the site's refusals by them."""

import unittest

from harness import Case, link, update

# (subject, action, type, id, field, value, project) -> the reason; 1 ada admin, 2 max manager, 3 ann and 4 art artists,
# 5 lia lead, 6 cora coordinator, 7 vic and 8 vera vendors, 11 rhea without projects.
DECISIONS = """
    99  read    task 1                      SUBJECT_UNKNOWN
    13  read    task 1                      SUBJECT_UNKNOWN
    10  read    task 1                      SUBJECT_INACTIVE
    9   read    task 1                      NO_GRANT
    14  read    task 1                      NO_GRANT
    9   read    nothing 1                   ACTION_UNKNOWN
    1   fly     task 1                      ACTION_UNKNOWN
    1   update  task 1 nothing              ACTION_UNKNOWN
    1   delete  task 1 content              ACTION_UNKNOWN
    1   read    event_log_entry 89999       ACTION_UNKNOWN
    1   read    client_user 1               ACTION_UNKNOWN
    1   read    task 17                     RESOURCE_UNKNOWN
    1   revive  task 1                      RESOURCE_UNKNOWN
    1   revive  task 17                     GRANTED
    2   revive  task 17                     NO_GRANT
    1   read    task 01                     RESOURCE_UNKNOWN
    1   read    task 13                     GRANTED
    3   read    task 13                     NOT_MEMBER
    3   read    task 14                     GRANTED
    3   read    task 15                     GRANTED
    11  read    task 15                     GRANTED
    11  read    task 1                      NOT_MEMBER
    11  read    human_user 3                GRANTED
    3   read    task 21                     NOT_MEMBER
    1   read    task 21                     GRANTED
    15  read    task 16                     NOT_MEMBER
    3   read    asset 6                     GRANTED
    8   read    asset 1                     NO_GRANT
    3   read    api_user 1                  NO_GRANT
    3   read    reply 1                     GRANTED
    3   read    reply 3                     NOT_MEMBER
    1   read    reply 4                     NO_GRANT
    7   read    reply 2                     GRANTED
    7   read    reply 1                     NO_GRANT
    3   update  task 1                      GRANTED
    3   update  task 1 sg_status_list       GRANTED
    3   update  task 2 sg_status_list       NO_GRANT
    4   update  task 2 sg_status_list       GRANTED
    5   update  task 3 sg_status_list=fin   GRANTED
    3   update  task 4 sg_status_list       NO_GRANT
    3   update  task 1 content              NO_GRANT
    1   update  task 1 pinned               RESTRICTED
    1   update  task 1 created_by           RESTRICTED
    1   update  shot 1 smart_cut_in         RESTRICTED
    1   update  shot 1 open_notes_count     RESTRICTED
    3   update  shot 1 code                 NO_GRANT
    3   update  note 2                      GRANTED
    3   update  note 1                      NO_GRANT
    3   update  note 1 addressings_cc       GRANTED
    3   delete  note 2                      NO_GRANT
    3   create  task project=1              NO_GRANT
    3   create  note project=1              GRANTED
    3   create  note project=3              NOT_MEMBER
    3   create  note project=6              RESOURCE_UNKNOWN
    3   create  note                        INDETERMINATE
    3   create  reply                       INDETERMINATE
    1   create  permission_rule_set         RESTRICTED
    1   delete  permission_rule_set 3       RESTRICTED
    1   delete  project 4                   RESTRICTED
    1   delete  project 7                   GRANTED
    1   create  event_log_entry project=1   GRANTED
    2   create  event_log_entry project=1   NO_GRANT
    3   create  event_log_entry project=1   NO_GRANT
    7   read    task 3                      GRANTED
    7   read    task 1                      NO_GRANT
    8   read    task 6                      GRANTED
    7   read    shot 1                      GRANTED
    7   read    shot 3                      NO_GRANT
    7   update  task 3 sg_status_list=ip    GRANTED
    7   update  task 3 sg_status_list=fin   NO_GRANT
    7   update  task 3 sg_status_list=IP    NO_GRANT
    7   update  task 3 sg_status_list       INDETERMINATE
    7   read    human_user 3 email          NO_GRANT
    7   read    human_user 3 login          GRANTED
    5   read    human_user 3 locked_until   NO_GRANT
    5   read    note 1                      GRANTED
    5   read    note 2                      GRANTED
    5   read    note 3                      NO_GRANT
    5   read    note 8                      GRANTED
    5   update  task 1 sg_status_list=omt   RESTRICTED
    5   update  task 1 sg_status_list=fin   GRANTED
    5   update  task 2 sg_status_list=fin   RESTRICTED
    5   update  task 2 est_in_mins          NO_GRANT
    5   update  task 1 est_in_mins          GRANTED
    5   update  task 1 sg_priority          GRANTED
    5   update  task 2 sg_priority          NO_GRANT
    5   update  task 1 task_reviewers       NO_GRANT
    5   update  shot 1 sg_cut_order         NO_GRANT
    5   update  shot 1 description          GRANTED
    5   update  version 2 description       GRANTED
    5   update  version 1 description       GRANTED
    5   update  version 4 description       NO_GRANT
    5   update  version 3 sg_status_list=apr GRANTED
    5   read    time_log 1                  GRANTED
    5   read    time_log 4                  NO_GRANT
    5   read    custom_entity07 1           GRANTED
    5   read    custom_entity07 2           GRANTED
    5   read    custom_entity07 3           GRANTED
    5   read    custom_entity07 4           NO_GRANT
    3   update  custom_non_project_entity03 2   NO_GRANT
    5   update  custom_non_project_entity03 1   GRANTED
    6   read    project 2                   NOT_MEMBER
    6   update  task 1                      GRANTED
    6   update  task 5                      NO_GRANT
    6   update  task 7                      GRANTED
    6   update  task 5 task_assignees       GRANTED
    6   update  task 9 sg_status_list=omt   GRANTED
    6   update  task 1 sg_status_list=omt   RESTRICTED
    6   delete  task 9                      GRANTED
    6   delete  task 1                      NO_GRANT
    6   update  time_log 2                  GRANTED
    6   update  time_log 1                  NO_GRANT
    6   update  time_log 3                  NO_GRANT
    6   delete  time_log 1                  GRANTED
    6   delete  time_log 2                  NO_GRANT
    6   read    asset 5                     NO_GRANT
    6   update  asset 1                     NO_GRANT
    6   update  asset 2                     GRANTED
    6   delete  asset 2                     GRANTED
    6   update  ticket 1                    NO_GRANT
    6   update  ticket 2                    GRANTED
    6   delete  ticket 1                    NO_GRANT
    6   delete  ticket 2                    GRANTED
    6   update  version 1                   GRANTED
    6   update  version 2                   NO_GRANT
    6   delete  version 5                   NO_GRANT
    6   delete  version 1                   GRANTED
    2   update  human_user 3 sg_status_list NO_GRANT
    2   update  human_user 3 email          GRANTED
    2   create  human_user                  NO_GRANT
    1   act_as_another_user site            GRANTED
    1   act_as_another_user site =3         GRANTED
    1   act_as_another_user site =10        RESTRICTED
    1   act_as_another_user site =12        RESTRICTED
    1   act_as_another_user site =13        RESOURCE_UNKNOWN
    2   act_as_another_user site            NO_GRANT
    3   show_overlay_player site            GRANTED
    3   fly     site                        ACTION_UNKNOWN
"""


def question(line):
    """A line of the table as a question and the reason that it must have."""
    subject, action, kind, *words, reason = line.split()
    asked = {"subject": subject, "action": action, "type": kind}
    for word in words:
        name, equals, value = word.partition("=")
        if name.isdigit():
            asked["id"] = name
        elif name == "project":
            asked["project"] = value
        else:
            asked["field"] = name
            if equals:
                asked["value"] = value
    return asked, reason


class Decisions(Case):
    def test_the_table(self):
        table = [question(line) for line in DECISIONS.strip().splitlines()]
        for (asked, reason), told in zip(table, self.double.ask("decide", [asked for asked, _ in table])):
            with self.subTest(asked):
                self.assertEqual(told, {"decision": "allow" if reason == "GRANTED" else "deny", "reason": reason})

    def test_other_names_for_a_subject(self):
        for kind, subject, reason in (
            ("login", "ann", "GRANTED"), ("login", "Ann", "SUBJECT_UNKNOWN"),
            ("email", "ann@studio.example", "GRANTED"), ("email", "shared@studio.example", "SUBJECT_UNKNOWN"),
            ("email", "", "SUBJECT_UNKNOWN"), ("", "3", "GRANTED"), ("bot", "1", "GRANTED"), ("bot", "2", "GRANTED"),
            ("bot", "5", "SUBJECT_UNKNOWN"), ("odd", "3", "SUBJECT_UNKNOWN"),
        ):
            asked = {"subject_type": kind, "subject": subject, "action": "read", "type": "task", "id": "1"}
            self.assertEqual(self.double.ask("decide", asked)["reason"], reason, asked)

    def test_a_script_in_its_projects(self):
        def reason(action, kind, key, field=""):
            asked = {"subject_type": "bot", "subject": "2", "action": action, "type": kind, "id": key, "field": field}
            return self.double.ask("decide", asked)["reason"]
        self.assertEqual(reason("read", "task", "10"), "NOT_MEMBER")
        self.assertEqual(reason("read", "human_user", "3"), "NO_GRANT")
        self.assertEqual(reason("update", "task", "1", "sg_status_list"), "NO_GRANT")
        self.assertEqual(reason("update", "version", "1"), "NO_GRANT")
        self.assertEqual(reason("update", "published_file", "4"), "GRANTED")

    def test_rules_that_name_what_is_not_there_never_grant(self):
        text = ("extends: flow\nroles:\n  artist:\n    types:\n      '*': {see: yes}\n"
                "      Task: {edit: {path: nothing, relation: is, values: [1]}}\n"
                "  lead: {clone: artist, types: {Shot: {see: no}}}\n")
        import urllib.request
        urllib.request.urlopen(f"{self.double.url}/double/roles", text.encode()).close()
        asked = {"subject": "3", "action": "update", "type": "task", "id": "1"}
        self.assertEqual(self.double.ask("decide", asked)["reason"], "INVALID_POLICY")
        asked = {"subject": "5", "action": "read", "type": "shot", "id": "1"}
        self.assertEqual(self.double.ask("decide", asked)["reason"], "NO_GRANT")
        asked = {"subject": "1", "action": "read", "type": "shot", "id": "1"}
        self.assertEqual(self.double.ask("decide", asked)["reason"], "NO_GRANT")


class Refusals(Case):
    def as_person(self, person):
        return self.double.rest("auditor", person)

    def test_what_people_see(self):
        for person, kind, found in (
            ("ann", "projects", [1, 2, 4, 5, 7, 8]), ("rhea", "projects", [4, 7, 8]),
            ("max", "projects", [1, 2, 3, 4, 5, 7, 8]), ("rhea", "tasks", [15]), ("rhea", "versions", []),
            ("vic", "tasks", [3, 8]), ("vic", "shots", [1, 2]),
            ("vic", "notes", [3]), ("vic", "replies", [2]), ("art", "assets", [1, 2, 5, 6]),
            ("rhea", "human_users", None),
        ):
            with self.subTest(person=person, kind=kind):
                ids = self.search(self.as_person(person), kind, []).ids
                self.assertEqual(ids, found if found is not None else [*range(1, 13), 14, 15])
        self.assertEqual(self.as_person("ann")("GET", "/entity/tasks/13").error, (404, 104, "Task: 13 not found"))
        told = self.search(self.as_person("ann"), "api_users", []).error
        self.assertEqual(told, (400, 104, "Entity of type ApiUser can not be accessed by this user. Rule: Artist"))
        told = self.search(self.as_person("sue"), "tasks", []).error
        self.assertEqual(told, (400, 104, "Entity of type Task can not be accessed by this user. Rule: Studio custom"))

    def test_fields_that_are_not_seen_are_not_there(self):
        ask = self.as_person("vic")
        told = self.search(ask, "human_users", [["id", "is", 3]], ["login", "email"]).data[0]
        self.assertEqual(told["attributes"], {"login": "ann"})
        self.assertEqual(self.search(ask, "human_users", [["email", "is", "x"]]).error[:2], (400, 103))

    def test_what_the_schema_says_is_editable(self):
        def editable(person, kind):
            fields = self.as_person(person)("GET", f"/schema/{kind}/fields").data
            return sorted(name for name, field in fields.items() if field["editable"]["value"])
        self.assertEqual(editable("ann", "Task"), ["sg_status_list"])
        self.assertEqual(editable("ann", "Shot"), [])
        self.assertEqual(editable("ann", "Asset"), ["description"])
        self.assertEqual(editable("vic", "Task"), ["sg_status_list"])
        self.assertNotIn("pinned", editable("ada", "Task"))
        self.assertIn("content", editable("ada", "Task"))

    def test_probes_that_change_nothing(self):
        ann, ada = self.as_person("ann"), self.as_person("ada")
        before, events = self.double.row("Task", 2), self.double.ask("events")["next"]
        never = {"request_type": "update", "entity": "Task", "record_id": 999999999, "data": {"content": "x"}}

        def batch(ask, **real):
            real = {"entity": "Task", "record_id": 2, **real}
            return ask("POST", "/entity/_batch", {"requests": [real, never]}).error[:2]
        bad_task = {"content": "x", "project": link("Project", 1), "sg_status_list": "zz"}
        self.assertEqual(ann("PUT", "/entity/tasks/2", {"content": "anim"}).error,
                         (400, 104, "The field is not editable for this user: [Task.content]."))
        said = ann("PUT", "/entity/tasks/2", {"sg_status_list": "wtg"}).error[2]
        self.assertIn("[Task.sg_status_list]. Rule: Artist -- PermissionRule", said)
        self.assertIn('RULE: {"logical_operator": "or", "conditions": [{"path": "task_assignees"', said)
        self.assertEqual(ann("PUT", "/entity/tasks/1", {"sg_status_list": "ip"}).status, 200)
        self.assertEqual(ada("PUT", "/entity/tasks/2", {"content": "anim"}).status, 200)
        self.assertEqual(ann("PUT", "/entity/tasks/2", {}).status, 200)
        self.assertEqual(ann("POST", "/entity/tasks", bad_task).error,
                         (400, 104, "Entity of type Task cannot be created by this user."))
        self.assertIn("not a valid status", ada("POST", "/entity/tasks", bad_task).error[2])
        self.assertEqual(batch(ann, request_type="delete"), (400, 104))
        self.assertEqual(batch(ada, request_type="delete"), (404, 104))
        self.assertEqual(batch(ann, request_type="update", data={"sg_status_list": "fin"}), (400, 104))
        self.assertEqual(batch(ada, request_type="update", data={"sg_status_list": "fin"}), (404, 104))
        self.assertEqual(ann("DELETE", "/entity/tasks/2").error,
                         (400, 104, "Entity of type Task can not be deleted by this user."))
        self.assertEqual((self.double.row("Task", 2), self.double.ask("events")["next"]), (before, events))

    def test_a_value_that_is_refused_is_told(self):
        said = self.as_person("lia")("PUT", "/entity/tasks/1", {"sg_status_list": "omt"}).error[2]
        self.assertRegex(said, r"PermissionRule \d+: DENY update_field FOR entity_type => Task, "
                               r"field_name => sg_status_list, field_value => omt$")

    def test_rows_that_are_not_seen_are_not_written(self):
        ask = self.as_person("ann")
        said = (404, 104, "Entity of type [Task] with id=13 does not exist.")
        self.assertEqual(ask("PUT", "/entity/tasks/13", {"content": "x"}).error, said)
        self.assertEqual(ask("DELETE", "/entity/tasks/13").error, said)
        note = {"subject": "x", "project": link("Project", 3)}
        self.assertEqual(ask("POST", "/entity/notes", note).error[:2], (400, 104))
        note["project"] = link("Project", 1)
        made = ask("POST", "/entity/notes", note)
        self.assertEqual((made.status, made.data["relationships"]["user"]["data"]["id"]), (201, 3))
        self.assertEqual(ask("PUT", f"/entity/notes/{made.data['id']}", {"content": "more"}).status, 200)

    def test_a_changed_role_counts_at_once(self):
        ask = self.as_person("ann")
        self.assertEqual(ask("PUT", "/entity/tasks/2", {"content": "x"}).status, 400)
        self.double.mutate("ada", update("HumanUser", 3, permission_rule_set="PermissionRuleSet:1"))
        self.assertEqual(ask("PUT", "/entity/tasks/2", {"content": "x"}).status, 200)
        self.assertEqual(self.double.ask("record")[-1]["as"], "ann by auditor")

    def test_readers_write_nothing(self):
        ask = self.double.rest("stagedoor")
        self.assertEqual(ask("PUT", "/entity/tasks/1", {"content": "x"}).status, 400)
        self.assertEqual(ask("POST", "/entity/notes", {"subject": "x", "project": link("Project", 1)}).status, 400)
        self.assertEqual(ask("DELETE", "/entity/tasks/1").status, 400)
        self.assertEqual(ask("POST", "/entity/tasks/17?revive=true").status, 400)
        self.assertEqual(len(self.search(ask, "permission_rule_sets", []).ids), 17)


if __name__ == "__main__":
    unittest.main()
