"""The probes that change nothing find on the site what the decisions say: for people of each role, on many rows."""

import unittest

from harness import Case
from test_permissions import DECISIONS, question

PEOPLE = {"1": "ada", "2": "max", "3": "ann", "4": "art", "5": "lia", "6": "cora", "7": "vic", "8": "vera", "9": "nora",
          "11": "rhea", "14": "sue", "15": "otto"}
TYPES = {"task": "Task", "note": "Note", "version": "Version", "asset": "Asset", "reply": "Reply", "shot": "Shot",
         "human_user": "HumanUser", "project": "Project", "time_log": "TimeLog", "ticket": "Ticket",
         "custom_entity07": "CustomEntity07"}
NEVER = {"request_type": "update", "entity": "Task", "record_id": 999999999, "data": {"content": "x"}}


class Probes(Case):
    def setUp(self):
        super().setUp()
        self.asking = {number: self.double.rest("auditor", login) for number, login in PEOPLE.items()}

    def undone(self, ask, request):
        """Whether a write is allowed, by a batch that never comes about."""
        status, _, said = ask("POST", "/entity/_batch", {"requests": [request, NEVER]}).error
        return status == 404 and "999999999" in said

    def allowed(self, asked):
        """What the site says to a question of the table."""
        ask, kind, key = self.asking[asked["subject"]], TYPES[asked["type"]], int(asked["id"])
        if asked["action"] == "read":
            answer = ask("GET", f"/entity/{kind}/{key}")
            field = asked.get("field")
            return answer.status == 200 and (not field or field in answer.data["attributes"])
        if asked["action"] == "delete":
            return self.undone(ask, {"request_type": "delete", "entity": kind, "record_id": key})
        data = {asked["field"]: asked.get("value", self.now(kind, key, asked["field"]))}
        return self.undone(ask, {"request_type": "update", "entity": kind, "record_id": key, "data": data})

    def now(self, kind, key, field):
        value = (self.double.row(kind, key, field) or {}).get(field)
        if isinstance(value, list):
            return [{"type": one["type"], "id": one["id"]} for one in value]
        return value

    def test_the_table_of_decisions(self):
        probed = 0
        for line in DECISIONS.strip().splitlines():
            asked, reason = question(line)
            if asked["subject"] not in PEOPLE or asked["type"] not in TYPES or not asked.get("id", "0").isdigit():
                continue
            if asked["action"] not in ("read", "update", "delete") or reason in ("INDETERMINATE", "ACTION_UNKNOWN"):
                continue
            if asked["action"] == "update" and "field" not in asked or asked["id"].startswith("0"):
                continue
            if "value" not in asked and asked["action"] == "update":
                value = self.now(TYPES[asked["type"]], asked["id"], asked["field"])
                asked["value"] = value if isinstance(value, str) else None
                reason = self.double.ask("decide", asked)["reason"]
                del asked["value"]
            probed += 1
            with self.subTest(line):
                self.assertEqual(self.allowed(asked), reason == "GRANTED")
        self.assertGreater(probed, 60)

    def test_every_person_on_every_row(self):
        before = self.double.ask("events")["next"]
        for kind, name in TYPES.items():
            ids = [str(row["id"]) for row in self.double.ask("query", {"type": name, "fields": ["id"]})]
            for action in ("read", "delete"):
                table = [{"subject": person, "action": action, "type": kind, "id": key}
                         for person in PEOPLE for key in ids]
                for asked, told in zip(table, self.double.ask("decide", table)):
                    self.assertEqual(self.allowed(asked), told["decision"] == "allow", asked)
        self.assertEqual(self.double.ask("events")["next"], before)


if __name__ == "__main__":
    unittest.main()
