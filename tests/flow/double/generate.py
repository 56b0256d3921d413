"""A big studio, made in seconds: projects, people, groups, sequences, shots, and tasks that are assigned."""

import gc

from .schema import TABLE
from .store import SEEDED, Row, Store

STATUSES = ("wtg", "rdy", "ip", "rev", "cmpt", "fin")
FIRST = 1000
ROLES = ("Admin", "Manager", "Artist", "Vendor", "Lead", "Coordinator")


def big(seed, tasks=100000, projects=20, people=200, groups=20, per_shot=5, per_sequence=20, versions=0):
    """The seed's studio and a generated one, whose ids start at 1000; answers how many rows of which type were made.
    Task n is assigned to person n, and every third one also to a group; `versions` for each shot."""
    gc.disable()
    try:
        store = Store()
        store.load(seed)
        return store, fill(store, tasks, projects, people, groups, per_shot, per_sequence, versions)
    finally:
        gc.enable()


def fill(store, tasks, projects, people, groups, per_shot, per_sequence, versions):
    made = {}

    def add(kind, number, /, **values):
        row = Row(TABLE[kind], FIRST + number, values)
        if "created_at" in row.kind.fields:
            values["created_at"] = SEEDED
        if row.kind.audited:
            values["updated_at"] = SEEDED
        store.insert(row)
        made[kind] = made.get(kind, 0) + 1
        return row

    roles = {row.values["display_name"]: row.ref for row in store.tables["PermissionRuleSet"].rows.values()
             if row.values.get("entity_type") == "HumanUser"}
    roles = [roles[name] for name in ROLES if name in roles]
    shows = [add("Project", n, name=f"Project {n}", tank_name=f"project_{n}", archived=n % 10 == 9)
             for n in range(projects)]
    crew, teams = [], []
    for n in range(people):
        mine = tuple(dict.fromkeys(shows[(n + step) % projects].ref for step in range(min(4, projects))))
        person = add("HumanUser", n, login=f"person{n}", name=f"Person {n}", email=f"person{n}@studio.example",
                     projects=mine, sg_status_list="act", can_impersonate_this_user=True)
        if roles:
            person.values["permission_rule_set"] = roles[n % len(roles)]
        crew.append(person)
    joins = 0
    for person in crew:
        for ref in person.values["projects"]:
            show = store.find(ref)
            show.values["users"] = show.values.get("users", ()) + (person.ref,)
            add("ProjectUserConnection", joins, project=ref, user=person.ref)
            joins += 1
    joins = 0
    for n in range(groups):
        members = [person for person in crew[n::groups]]
        group = add("Group", n, code=f"Team {n}", users=tuple(person.ref for person in members))
        for person in members:
            person.values["groups"] = person.values.get("groups", ()) + (group.ref,)
            add("GroupUserConnection", joins, group=group.ref, user=person.ref)
            joins += 1
        teams.append(group)
    show = sequence = shot = None
    below, inside = [], []
    for n in range(tasks):
        at, in_shot = divmod(n, per_shot)
        if in_shot == 0:
            number, in_sequence = divmod(at, per_sequence)
            if in_sequence == 0:
                show = shows[number % projects].ref
                sequence = add("Sequence", number, code=f"sq{number:05d}", project=show)
                inside = []
            shot = add("Shot", at, code=f"sh{at:06d}", project=show, sg_sequence=sequence.ref,
                       sg_status_list=STATUSES[at % len(STATUSES)])
            inside.append(shot.ref)
            sequence.values["shots"] = tuple(inside)
            below = []
            for one in range(versions):
                version = add("Version", at * versions + one, code=f"sh{at:06d}_v{one:03d}", project=show,
                              entity=shot.ref)
                shot.values["sg_versions"] = shot.values.get("sg_versions", ()) + (version.ref,)
        task = add("Task", n, content=f"work {in_shot}", project=show, entity=shot.ref,
                   sg_status_list=STATUSES[n % len(STATUSES)])
        assigned = (crew[n % people].ref,) if people else ()
        if n % 3 == 0 and groups:
            assigned += (teams[n % groups].ref,)
        if assigned:
            task.values["task_assignees"] = assigned
        below.append(task.ref)
        shot.values["tasks"] = tuple(below)
    return made
