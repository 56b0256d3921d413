"""The vendor's published listener against the double, case by case, with what the double recorded of it.

The table at the end is for comparison: the same cases are put to the guard.
"""

import sys
import unittest

from harness import MESSAGE, Double, set_status, until

TABLE = []


class Listener(unittest.TestCase):
    """Statuses named Approved are for the group Producers: kim is in it, lena in a group below it, uma in neither."""

    def setUp(self):
        self.double = Double()
        self.addCleanup(self.double.close)

    @classmethod
    def tearDownClass(cls):
        head = ("case", "writes", "refused", "batches", "messages", "status after")
        width = max(len(row[0]) for row in TABLE) if TABLE else 0
        print("\nThe published listener:", file=sys.stderr)
        for row in [head] + sorted(TABLE):
            print(f"  {row[0]:<{width}}  {row[1]:>6}  {row[2]:>7}  {row[3]:>7}  {row[4]:>8}  {row[5]}", file=sys.stderr)

    def done(self, case, task="task-comp", kind="Task", settle=True):
        """Adds the case to the table; answers (writes, refused, batches, messages, status)."""
        if settle:
            self.double.settle()
        writes = self.double.ask("record?kind=write&user=service")
        good = [w for w in writes if w["outcome"] == "ok"]
        # Every write of a batch tells its size.
        batches = sum(1 / w["batch"] for w in good)
        messages = self.double.ask(f"record?kind=event&topic={MESSAGE}")
        row = (len(good), len(writes) - len(good), round(batches), len(messages), self.double.status(task, kind))
        TABLE.append((case, *row))
        return row

    def test_outsider(self):
        self.double.listen()
        self.double.mutate("uma", set_status("task-comp", "status-approved"))
        self.assertEqual(self.done("01 outsider sets it"), (1, 0, 1, 1, "status-work"))
        told = self.double.ask(f"record?topic={MESSAGE}")[0]
        self.assertEqual(told["target"], 'applicationId=ftrack.client.web and user.id="user-uma"')
        self.assertEqual(told["data"]["type"], "message")
        self.assertFalse(told["data"]["success"])

    def test_member(self):
        self.double.listen()
        self.double.mutate("kim", set_status("task-comp", "status-approved"))
        self.assertEqual(self.done("02 member sets it"), (0, 0, 0, 0, "status-approved"))

    def test_member_of_a_group_below(self):
        self.double.listen()
        self.double.mutate("lena", set_status("task-comp", "status-approved"))
        self.assertEqual(self.done("03 member of a group below sets it"), (1, 0, 1, 1, "status-work"))

    def test_namesake(self):
        self.double.listen()
        self.double.mutate("uma", set_status("task-comp", "status-approved-2"))
        self.assertEqual(self.done("04 a second status of that name"), (1, 0, 1, 1, "status-work"))

    def test_out_of_it(self):
        self.double.listen()
        self.double.mutate("uma", set_status("task-final", "status-work"))
        self.assertEqual(self.done("05 outsider moves it out", "task-final"), (0, 0, 0, 0, "status-work"))

    def test_two_tasks(self):
        self.double.listen()
        self.double.mutate("uma", set_status("task-comp", "status-approved"),
                           set_status("task-anim", "status-approved"))
        self.assertEqual(self.done("06 two tasks in one event"), (2, 0, 1, 1, "status-work"))
        self.assertEqual(self.double.status("task-anim"), "status-work")

    def test_task_and_shot(self):
        self.double.listen()
        self.double.mutate("uma", set_status("task-comp", "status-approved"),
                           set_status("shot-film", "status-approved", "Shot"))
        self.assertEqual(self.done("07a a task and a shot in one event"), (0, 0, 0, 0, "status-approved"))
        self.double.mutate("rita", set_status("task-anim", "status-approved"))
        self.assertEqual(self.done("07b and then another violation"), (2, 0, 1, 1, "status-work"))

    def test_shot(self):
        self.double.listen()
        self.double.mutate("uma", set_status("shot-film", "status-approved", "Shot"))
        self.assertEqual(self.done("08 a shot", "shot-film", "Shot"), (0, 0, 0, 0, "status-approved"))

    def test_version(self):
        self.double.listen()
        self.double.mutate("uma", set_status("version-comp-1", "status-approved", "AssetVersion"))
        self.assertEqual(self.done("09 a version", "version-comp-1", "AssetVersion"), (0, 0, 0, 0, "status-approved"))

    def test_created(self):
        self.double.listen()
        self.double.mutate("uma", {"action": "create", "type": "Task", "data": {
            "id": "task-new", "name": "new", "parent_id": "shot-film", "status_id": "status-approved"}})
        self.assertEqual(self.done("10 created straight into it", "task-new"), (0, 0, 0, 0, "status-approved"))

    def test_refused(self):
        self.double.listen()
        self.double.ask("faults", {"error": "ValidationError"})
        self.double.mutate("uma", set_status("task-comp", "status-approved"))
        self.assertEqual(self.done("11 its write is refused"), (0, 1, 0, 0, "status-approved"))

    def test_from_nothing(self):
        self.double.mutate("ada", set_status("task-comp", None), event=False)
        self.double.listen()
        self.double.mutate("uma", set_status("task-comp", "status-approved"))
        self.assertEqual(self.done("12 the old status is null"), (0, 1, 0, 0, "status-approved"))

    def test_event_twice(self):
        self.double.listen()
        self.double.ask("hub", {"duplicate": 1})
        self.double.mutate("uma", set_status("task-comp", "status-approved"))
        writes, refused, _, messages, status = self.done("13 the event comes twice")
        self.assertEqual((writes, refused, messages, status), (2, 0, 2, "status-work"))

    def test_late_duplicate(self):
        self.double.listen()
        self.double.ask("hub", {"hold": True})
        self.double.mutate("uma", set_status("task-comp", "status-approved"))
        self.double.ask("hub", {"duplicate": 0, "hold": False})
        self.double.mutate("kim", set_status("task-comp", "status-final"))
        self.double.ask("hub/release", {})
        row = self.done("14 the event comes after a later, rightful change")
        self.assertEqual(row, (1, 0, 1, 1, "status-work"))

    def test_own_user_outside(self):
        self.double.mutate("ada", set_status("task-comp", "status-final"), event=False)
        self.double.listen(("Approved", "Final"))
        self.double.mutate("uma", set_status("task-comp", "status-approved"))
        until(lambda: len(self.double.ask("record?kind=write")) > 10)
        writes, _, _, messages, _ = self.done("15 two restricted statuses, its own user outside: no end", settle=False)
        self.assertGreater(writes, 10)
        self.assertGreater(messages, 5)

    def test_own_user_inside(self):
        self.double.mutate("ada", set_status("task-comp", "status-final"), event=False)
        self.double.mutate("ada", {"action": "create", "type": "Membership", "data": {
            "user_id": "user-service", "group_id": "group-producers"}})
        self.double.listen(("Approved", "Final"))
        self.double.mutate("uma", set_status("task-comp", "status-approved"))
        self.assertEqual(self.done("16 two restricted statuses, its own user inside"), (1, 0, 1, 1, "status-final"))

    def test_outage(self):
        self.double.listen()
        self.double.ask("hub", {"mode": "stall"})
        self.double.mutate("uma", set_status("task-comp", "status-approved"))
        self.double.ask("hub", {"mode": "ok"})
        self.assertEqual(self.done("17 the event is missed"), (0, 0, 0, 0, "status-approved"))

    def test_nobody(self):
        self.double.listen()
        self.double.mutate(None, set_status("task-comp", "status-approved"))
        self.assertEqual(self.done("18 nobody did it"), (0, 0, 0, 0, "status-approved"))

    def test_claimed_user(self):
        self.double.mutate("kim", set_status("task-comp", "status-approved"), event=False)
        self.double.listen()
        self.double.ask("hub/send", {"event": {
            "topic": "ftrack.update", "id": "forged", "target": "", "sent": None, "inReplyToEvent": None,
            "source": {"id": "x", "user": {"id": "user-uma", "username": "uma"}},
            "data": {"entities": [{"entityType": "task", "entityId": "task-comp", "action": "update",
                                   "keys": ["statusid"],
                                   "changes": {"statusid": {"old": "status-new", "new": "status-approved"}}}]}}})
        self.assertEqual(self.done("19 a forged event about a rightful change"), (1, 0, 1, 1, "status-new"))

    def test_garbled(self):
        self.double.listen()
        self.double.ask("hub/send", {"frame": '5:::{"name":"ftrack.ev'})
        self.double.mutate("uma", set_status("task-comp", "status-approved"))
        self.assertEqual(self.done("20 after a malformed frame"), (0, 0, 0, 0, "status-approved"))


if __name__ == "__main__":
    unittest.main()
