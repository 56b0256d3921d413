"""A big studio, made in seconds: projects, sequences, shots, tasks, people, and an assignment for each task."""

import gc
import sys

from .schema import OBJECT_TYPES
from .store import Store


def key(table, n):
    """An id that looks like the real ones: 36 characters."""
    return f"{n:08x}-0f7a-4000-8000-{table:012x}"


def filled(store, type_name, **values):
    """A template row and its class, to make many alike."""
    kind = store.schema.get(type_name)
    base = {column.name: column.default for column in kind.columns}
    base.update(values)
    return store.row_class(kind), base


def studio(store, seed, tasks=500000, projects=50, people=500, per_shot=5, per_sequence=20, assigned=1):
    """Adds to the seed's studio; answers how many rows of which type were made."""
    gc.disable()
    try:
        store.load(seed)
        return fill(store, tasks, projects, people, per_shot, per_sequence, assigned)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


def fill(store, tasks, projects, people, per_shot, per_sequence, assigned):
    statuses = [row.id for row in store.rows(store.schema.get("Status"))]
    types = [row.id for row in store.rows(store.schema.get("Type"))]
    schema = next((row.id for row in store.rows(store.schema.get("ProjectSchema"))), None)
    role = next((r.id for r in store.rows(store.schema.get("SecurityRole")) if r.type == "PROJECT"), None)
    contexts, resources = store.tables["Context"], store.tables["Resource"]
    when = "2026-01-05T09:00:00"
    made = {}

    def add(table, cls, base, own):
        row = object.__new__(cls)
        for name, value in base.items():
            setattr(row, name, value)
        for name, value in own.items():
            setattr(row, name, value)
        table[own["id"]] = row
        made[cls.__name__] = made.get(cls.__name__, 0) + 1

    users = []
    rows = resources.by_class.setdefault("User", {})
    roles = store.tables["UserSecurityRole"].by_class.setdefault("UserSecurityRole", {})
    cls, base = filled(store, "User", resource_type="user", is_active=True)
    role_cls, role_base = filled(store, "UserSecurityRole", security_role_id=role, is_all_open_projects=True)
    for n in range(people):
        users.append(key(1, n))
        add(rows, cls, base, {"id": users[n], "username": f"person{n}", "first_name": "Person", "last_name": str(n),
                              "email": f"person{n}@studio.example"})
        add(roles, role_cls, role_base, {"id": key(2, n), "user_id": users[n]})

    project_ids = []
    rows = contexts.by_class.setdefault("Project", {})
    cls, base = filled(store, "Project", context_type="show", project_schema_id=schema, created_at=when)
    for n in range(projects):
        project_ids.append(key(3, n))
        add(rows, cls, base, {"id": project_ids[n], "project_id": project_ids[n], "name": f"project_{n}",
                              "full_name": f"Project {n}", "is_private": n % 10 == 9})

    shared = dict(context_type="task", created_at=when)
    sequence = filled(store, "Sequence", object_type_id=OBJECT_TYPES["Sequence"], **shared)
    shot = filled(store, "Shot", object_type_id=OBJECT_TYPES["Shot"], **shared)
    task = filled(store, "Task", object_type_id=OBJECT_TYPES["Task"], **shared)
    sequences, shots, works = (contexts.by_class.setdefault(name, {}) for name in ("Sequence", "Shot", "Task"))
    appointments = store.tables["Appointment"].by_class.setdefault("Appointment", {})
    appointment = filled(store, "Appointment", type="assignment")
    names = [sys.intern(f"work {n}") for n in range(per_shot)]
    project = shot_id = sequence_id = None
    for n in range(tasks):
        shot_n, in_shot = divmod(n, per_shot)
        if in_shot == 0:
            sequence_n, in_sequence = divmod(shot_n, per_sequence)
            if in_sequence == 0:
                project = project_ids[sequence_n % projects]
                sequence_id = key(4, sequence_n)
                add(sequences, *sequence, {"id": sequence_id, "name": f"sq{sequence_n:05d}", "parent_id": project,
                                           "project_id": project, "status_id": statuses[0]})
            shot_id = key(5, shot_n)
            add(shots, *shot, {"id": shot_id, "name": f"sh{shot_n:06d}", "parent_id": sequence_id,
                               "project_id": project, "status_id": statuses[shot_n % len(statuses)]})
        task_id = key(6, n)
        add(works, *task, {"id": task_id, "name": names[in_shot], "parent_id": shot_id, "project_id": project,
                           "status_id": statuses[n % len(statuses)], "type_id": types[n % len(types)]})
        if assigned and n % assigned == 0 and users:
            add(appointments, *appointment, {"id": key(7, n), "context_id": task_id,
                                             "resource_id": users[n % len(users)]})
    for table in store.tables.values():
        table.version += 1
        table.shape += 1
        table.indexes.clear()
    return made


def big(schema, seed, **sizes):
    store = Store(schema)
    return store, studio(store, seed, **sizes)
