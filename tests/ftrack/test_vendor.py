"""The vendor's own client against the double: what it does with a real server it does here."""

import threading
import time
import unittest

import ftrack_api
from ftrack_api.event.base import Event

from harness import MESSAGE, Double, set_status, until


class Case(unittest.TestCase):
    """A double for each test."""

    options = ()

    def setUp(self):
        self.double = Double(*self.options)
        self.addCleanup(self.double.close)


class Queries(Case):
    def test_a_session_builds_its_classes_from_the_schema(self):
        session = self.double.session()
        for name in ("User", "Group", "Membership", "SecurityRole", "UserSecurityRole", "UserSecurityRoleProject",
                     "Project", "Appointment", "Task", "Shot", "Status", "AssetVersion", "Note", "Timelog", "List",
                     "ReviewSession", "ApiKey", "VendorPackage"):
            self.assertIn(name, session.types)

    def test_more_rows_than_a_page_come_all_and_once(self):
        self.double.ask("generate", {"tasks": 1300, "projects": 3, "people": 4})
        session = self.double.session()
        ids = [row["id"] for row in session.query("select id from Task order by id")]
        self.assertEqual(len(ids), 1308)
        self.assertEqual(ids, sorted(set(ids)))
        self.assertEqual(self.double.ask("counts")["query Task"], 3)

    def test_a_server_that_cuts_pages_shorter_is_followed(self):
        self.double.ask("settings", {"cap": 3})
        session = self.double.session()
        self.assertEqual(len(session.query("select id from Task").all()), 8)

    def test_one_and_first(self):
        session = self.double.session()
        self.assertEqual(session.query('User where username is "rita"').one()["id"], "user-rita")
        with self.assertRaises(ftrack_api.exception.MultipleResultsFoundError):
            session.query('Status where name is "Approved"').one()
        with self.assertRaises(ftrack_api.exception.NoResultFoundError):
            session.query("Status where name is nothing").one()
        self.assertIsNone(session.query("Status where name is nothing").first())
        self.assertIsNone(session.get("Task", "shot-film"))
        self.assertEqual(session.get("TypedContext", "shot-film")["name"], "sh010")

    def test_projections_bring_relations_along(self):
        session = self.double.session()
        text = "select name, status.state.short, parent.name, project.full_name, assignments.resource.id from Task"
        tasks = session.query(text + " where project.name is film order by id").all()
        before = self.double.ask("counts")["POST /api"]
        with session.auto_populating(False):
            told = {t["id"]: (t["status"]["state"]["short"], t["parent"]["name"], t["project"]["full_name"],
                              [a["resource"]["id"] for a in t["assignments"]]) for t in tasks}
        self.assertEqual(told["task-comp"], ("IN_PROGRESS", "sh010", "The Film", ["user-rita"]))
        self.assertEqual(told["task-light"], ("IN_PROGRESS", "sh020", "The Film", ["group-artists"]))
        self.assertEqual(told["task-final"], ("DONE", "sh020", "The Film", []))
        self.assertEqual(self.double.ask("counts")["POST /api"], before)

    def test_what_was_not_asked_for_is_fetched(self):
        session = self.double.session()
        task = session.query("Task where id is task-comp").one()
        self.assertEqual([item["id"] for item in task["link"]],
                         ["project-film", "seq-film", "shot-film", "task-comp"])
        self.assertEqual([a["id"] for a in task["ancestors"]], ["seq-film", "shot-film"])

    def test_the_query_language(self):
        session = self.double.session()
        for text, found in {
            "Task where project.name is film and not status.name is Approved": 4,
            "Task where status.name in (Approved, Final) or name like 'an%'": 2,
            "Task where assignments any (resource.username = rita)": 2,
            "Task where not assignments any ()": 3,
            "Task where parent has (name is sh010)": 2,
            "Context where project_id is project-old": 4,
            "TypedContext where project.is_private is true": 3,
            "Resource where id in (user-ada, group-line)": 2,
            "User where email is none": 1,
            "User where email is_not none and is_active is false": 1,
            "Group where parent_id is_not none": 4,
            "AssetVersion where version >= 2 and asset.parent.name is sh010": 1,
            "AssetVersion where date > '2026-01-10' and date before '2026-01-12'": 2,
            "Task where id in (select context_id from Appointment where resource_id is user-rita)": 2,
            "User where user_security_roles.security_role.name is 'Project Manager'": 2,
            "Timelog where context_id is none": 1,
        }.items():
            with self.subTest(text):
                self.assertEqual(len(session.query(text).all()), found)

    def test_a_wrong_query_is_refused(self):
        session = self.double.session()
        for text in ("select nothing from Task", "select id from Nothing", "select id from Task where name is",
                     "select id from Group where name is Line Producers", "select id from Task where status is x"):
            with self.subTest(text), self.assertRaises(ftrack_api.exception.ServerError):
                session.query(text).all()

    def test_counting(self):
        session = self.double.session()
        batch = [{"action": "query", "expression": "select count(id), status_id from Task group by status_id"}]
        counted = {row["status_id"]: row["count"] for row in session.call(batch)[0]["data"]}
        self.assertEqual(counted, {"status-work": 6, "status-review": 1, "status-approved": 1})


class Credentials(Case):
    def test_wrong_keys_and_inactive_users_stay_out(self):
        for user, key in (("ada", "wrong"), ("ada", "rita-key"), ("olaf", "olaf-key"), ("nobody", "global-key"),
                          ("ada", "disabled-key")):
            for strict in (False, True):
                with self.subTest(user=user, strict=strict), self.assertRaises(ftrack_api.exception.ServerError):
                    self.double.session(user, key, strict_api=strict)

    def test_a_global_key_sees_private_projects_only_where_awarded(self):
        projects = "select id from Project order by id"
        open_only = ["project-film", "project-old", "project-series"]
        everything = ["project-film", "project-old", "project-secret", "project-series"]
        plain = self.double.session("uma", "open-key")
        self.assertEqual([p["id"] for p in plain.query(projects)], open_only)
        self.assertEqual(plain.query("Task where id is task-secret").all(), [])
        self.assertEqual(plain.query("Appointment where id is assign-rita-secret").all(), [])
        self.assertEqual([p["id"] for p in self.double.session("uma", "global-key").query(projects)], everything)
        self.assertEqual([p["id"] for p in self.double.session("uma").query(projects)], everything)
        plain.call([{"action": "grant_api_key_project", "api_key_id": "key-open", "project_id": "project-secret"}])
        self.assertEqual([p["id"] for p in plain.query(projects)], everything)

    def test_a_caller_learns_its_own_permissions(self):
        session = self.double.session("rita")
        ask = [{"action": "query_server_information", "values": ["user_information"]}]
        told = session.call(ask)[0]["user_information"]
        self.assertEqual(told["permissions"], ["can_access_my_tasks", "can_change_status_of_a_task"])
        admin = self.double.session("ada")
        admin.call([{"action": "assume_user", "user_id": "user-rita", "read_only": True}])
        self.assertEqual(admin.call(ask)[0]["user_information"]["username"], "rita")
        with self.assertRaises(ftrack_api.exception.ServerError):
            admin.call([{"action": "delete", "entity_type": "Task", "entity_key": ["task-comp"]}])
        admin.call([{"action": "un_assume_user"}])
        self.assertEqual(admin.call(ask)[0]["user_information"]["username"], "ada")


class Writes(Case):
    def test_create_update_delete(self):
        session = self.double.session()
        shot = session.get("Shot", "shot-film")
        task = session.create("Task", {"name": "paint", "parent": shot, "status": session.get("Status", "status-work")})
        session.commit()
        row = self.double.query(f'select name, project_id, parent_id, status_id from Task where id is {task["id"]}')[0]
        self.assertEqual((row["project_id"], row["parent_id"], row["status_id"]),
                         ("project-film", "shot-film", "status-work"))
        task["name"] = "roto"
        task["status"] = session.get("Status", "status-review")
        session.commit()
        self.assertEqual((task["name"], task["status"]["name"]), ("roto", "Pending review"))
        session.delete(task)
        session.commit()
        self.assertIsNone(session.query(f'Task where id is {task["id"]}').first())
        record = self.double.ask("record?kind=write")
        writes = [(w["action"], w["entity_type"], w["user"], w["outcome"]) for w in record]
        self.assertEqual(writes, [(a, "Task", "service", "ok") for a in ("create", "update", "delete")])

    def test_a_status_change_is_kept_as_history(self):
        session = self.double.session("uma")
        session.get("Task", "task-comp")["status_id"] = "status-final"
        session.get("AssetVersion", "version-comp-1")["status_id"] = "status-final"
        session.commit()
        change = session.query("select from_status_id, status_id, user_id from TypedContextStatusChange").one()
        self.assertEqual((change["from_status_id"], change["status_id"], change["user_id"]),
                         ("status-work", "status-final", "user-uma"))
        self.assertEqual(session.query("AssetVersionStatusChange where parent_id is version-comp-1").one()["id"],
                         session.query("StatusChange where parent_id is version-comp-1").one()["id"])

    def test_a_commit_fails_as_a_whole(self):
        session = self.double.session()
        session.get("Task", "task-comp")["status_id"] = "status-final"
        session.create("Membership", {"user_id": "user-uma", "group_id": "group-nowhere"})
        with self.assertRaises(ftrack_api.exception.ServerError):
            session.commit()
        session.rollback()
        self.assertEqual(self.double.status(), "status-work")
        self.assertEqual(self.double.query("select id from StatusChange"), [])
        self.assertEqual({w["outcome"] for w in self.double.ask("record?kind=write")}, {"ValidationError"})

    def test_what_goes_takes_along_what_hangs_on_it(self):
        session = self.double.session()
        session.delete(session.get("Sequence", "seq-film"))
        session.commit()
        self.assertEqual(self.double.query("select id from Task where project_id is project-film"),
                         [{"__entity_type__": "Task", "id": "task-model"}])
        self.assertEqual(self.double.query("select id from Appointment where context_id is task-comp"), [])

    def test_the_security_operations(self):
        session = self.double.session()
        session.call([
            {"action": "add_user_security_role", "user_id": "user-nora", "role_id": "role-user"},
            {"action": "grant_user_security_role_project", "user_id": "user-nora", "role_id": "role-user",
             "project_id": "project-secret"},
            {"action": "grant_user_security_role_project", "user_id": "user-nora", "role_id": "role-user",
             "all_open_projects": True},
        ])
        role = session.query("UserSecurityRole where user_id is user-nora").one()
        self.assertTrue(role["is_all_open_projects"])
        self.assertEqual([g["project_id"] for g in role["user_security_role_projects"]], ["project-secret"])
        with self.assertRaises(ftrack_api.exception.ServerError):
            session.call([{"action": "grant_user_security_role_project", "user_id": "user-rita",
                           "role_id": "role-restricted", "project_id": "project-secret"}])

    def test_faults_answer_the_next_writes(self):
        session = self.double.session()
        for error, applied in (("ValidationError", False), ("PermissionError", False), ("500", False), ("500", True)):
            self.double.ask("faults", {"error": error, "apply": applied})
            session.get("Task", "task-comp")["status_id"] = "status-final"
            with self.assertRaises((ftrack_api.exception.ServerError, ValueError)):
                session.commit()
            session.rollback()
            self.assertEqual(self.double.status(), "status-final" if applied else "status-work")


class Hub(Case):
    def collect(self, session, subscription="topic=ftrack.update", subscriber=None):
        got = []
        session.event_hub.subscribe(subscription, got.append, subscriber=subscriber)
        until(lambda: any(s["subscription"] == subscription for c in self.double.ask("hub")["connections"]
                          for s in c["subscribers"]))
        return got

    @staticmethod
    def wait(session, got, n, most=10):
        end = time.monotonic() + most
        while len(got) < n and time.monotonic() < end:
            session.event_hub.wait(0.1)

    def test_changes_are_announced_in_the_legacy_vocabulary(self):
        session = self.double.session(hub=True)
        got = self.collect(session)
        writer = self.double.session("uma", headers={"ftrack-clienttoken": "a-token"})
        writer.get("Task", "task-comp")["status_id"] = "status-final"
        writer.commit()
        writer.create("Appointment", {"context_id": "task-anim", "resource_id": "user-rita", "type": "assignment"})
        writer.commit()
        self.wait(session, got, 2)
        entity = got[0]["data"]["entities"][0]
        self.assertEqual((entity["entityType"], entity["entityId"], entity["action"], entity["keys"]),
                         ("task", "task-comp", "update", ["statusid"]))
        self.assertEqual(entity["changes"], {"statusid": {"old": "status-work", "new": "status-final"}})
        self.assertEqual([p["entityType"] for p in entity["parents"]], ["task", "task", "task", "show"])
        self.assertEqual(got[0]["data"]["clientToken"], "a-token")
        self.assertEqual(got[0]["source"]["user"], {"id": "user-uma", "username": "uma"})
        self.assertEqual(got[1]["data"]["entities"][0]["entityType"], "appointment")

    def test_silent_tables_say_nothing(self):
        session = self.double.session(hub=True)
        got = self.collect(session)
        writer = self.double.session()
        writer.create("Membership", {"user_id": "user-uma", "group_id": "group-producers"})
        writer.commit()
        role = writer.query("UserSecurityRole where user_id is user-lena").one()
        role["is_all_open_projects"] = False
        writer.commit()
        writer.create("UserSecurityRoleProject", {"user_security_role_id": role["id"], "project_id": "project-film"})
        writer.commit()
        self.wait(session, got, 1)
        self.assertEqual([e["data"]["entities"][0]["entityType"] for e in got], ["userroleproject"])
        self.assertIn(("user", "user-lena"),
                      [(p["entityType"], p["entityId"]) for p in got[0]["data"]["entities"][0]["parents"]])

    def test_publish_and_reply(self):
        asked, asker = self.double.session("ada", hub=True), self.double.session("uma", hub=True)
        asked.event_hub.subscribe("topic=studio.question and data.n=5",
                                  lambda event: {"answer": int(event["data"]["n"]) + 1})
        self.double.heard("topic=studio.question and data.n=5")
        got = []
        worker = threading.Thread(target=asked.event_hub.wait, args=(3,))
        worker.start()
        asker.event_hub.publish(Event("studio.question", data={"n": "4"}), on_reply=got.append)
        asker.event_hub.publish(Event("studio.question", data={"n": "5"}), on_reply=got.append)
        self.wait(asker, got, 1)
        worker.join()
        self.assertEqual([event["data"] for event in got], [{"answer": 6}])

    def test_a_message_reaches_the_person_it_is_for(self):
        ada, uma = self.double.session("ada", hub=True), self.double.session("uma", hub=True)
        web = {"applicationId": "ftrack.client.web"}
        to_ada = self.collect(ada, f"topic={MESSAGE}", {**web, "id": "web-ada", "user": {"id": "user-ada"}})
        to_uma = self.collect(uma, f"topic={MESSAGE}", {**web, "id": "web-uma", "user": {"id": "user-uma"}})
        sender = self.double.session(hub=True)
        target = 'applicationId=ftrack.client.web and user.id="user-uma"'
        message = {"type": "message", "message": "No: this is closed"}
        sender.event_hub.publish(Event(MESSAGE, data=message, target=target))
        self.wait(uma, to_uma, 1)
        ada.event_hub.wait(0.3)
        self.assertEqual((len(to_ada), len(to_uma)), (0, 1))
        self.assertEqual(to_uma[0]["data"]["message"], "No: this is closed")
        said = self.double.ask(f"record?kind=event&topic={MESSAGE}")
        self.assertEqual([(e["user"], e["target"]) for e in said], [("service", target)])

    def test_the_client_comes_back_and_what_it_missed_is_lost(self):
        session = self.double.session(hub=True)
        got = self.collect(session)
        session.event_hub._auto_reconnect_delay = 0.5
        self.double.ask("hub", {"mode": "down"})
        until(lambda: not self.double.ask("hub")["connections"])
        self.double.mutate("uma", set_status("task-comp", "status-review"))
        self.double.ask("hub", {"mode": "ok"})
        self.double.heard()
        self.double.mutate("uma", set_status("task-comp", "status-final"))
        self.wait(session, got, 1)
        self.assertEqual([e["data"]["entities"][0]["changes"]["statusid"]["new"] for e in got], ["status-final"])

    def test_events_twice_and_out_of_order(self):
        session = self.double.session(hub=True)
        got = self.collect(session)
        self.double.ask("hub", {"hold": True})
        for status in ("status-review", "status-final"):
            self.double.mutate("uma", set_status("task-comp", status))
        self.double.ask("hub", {"hold": False})
        self.assertEqual(self.double.ask("hub/release", {"order": "reverse"}), {"released": 2})
        self.double.ask("hub", {"duplicate": 1})
        self.double.mutate("uma", set_status("task-comp", "status-work"))
        self.wait(session, got, 4)
        new = [e["data"]["entities"][0]["changes"]["statusid"]["new"] for e in got]
        self.assertEqual(new, ["status-final", "status-review", "status-work", "status-work"])
        self.assertEqual(got[2]["id"], got[3]["id"])

    def test_an_event_may_come_before_its_row(self):
        self.double.mutate("uma", set_status("task-comp", "status-final"), visible_after=0.5)
        self.assertEqual(self.double.status(), "status-work")
        until(lambda: self.double.status() == "status-final", most=3)


if __name__ == "__main__":
    unittest.main()
