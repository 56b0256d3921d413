"""What a change looks like in a `ftrack.update` event: legacy tables, legacy columns, values as texts."""

import uuid

from .query import ancestors

NEVER = {"Event", "StatusChange", "Recipient"}


def text(settings, value):
    """Values are texts on the wire, unless the double was told otherwise."""
    if value is None or settings.values == "native":
        return value
    if isinstance(value, bool):
        return "1" if value else "0"
    return value if isinstance(value, (dict, list)) else str(value)


def table(row):
    return row.kind.legacy.lower()


def entity(store, settings, action, row, changed):
    """The event's entity for one change, or None for a row that changes in silence."""
    name = table(row)
    if name in settings.silent or row.kind.root in NEVER:
        return None
    changes = {}
    for column in row.kind.columns:
        if "hidden" in column.flags or column.kind == "key":
            continue
        if action == "update":
            if column.name in changed:
                old, new = changed[column.name]
                changes[column.legacy] = {"old": text(settings, old), "new": text(settings, new)}
        else:
            value = text(settings, getattr(row, column.name))
            if value is not None:
                changes[column.legacy] = {"old": None, "new": value} if action == "add" else {"old": value, "new": None}
    if action == "update" and not changes:
        return None
    if action == "update" and "parent_id" in changed and row.kind.root == "Context":
        action = "move"
    out = {
        "entityType": name, "entity_type": row.kind.name, "entityId": store.key(row.kind, row), "action": action,
        "keys": list(changes), "changes": changes, "parents": parents(store, row),
    }
    out["parentId"] = out["parents"][0]["parentId"]
    if row.kind.classifier and "object_typeid" in row.kind.classifier:
        out["objectTypeId"] = row.kind.classifier["object_typeid"]
    return out


def parents(store, row):
    """The chain from the row up to its project, or to its user."""
    chain = [row]
    kind = row.kind.name
    if kind == "AssetVersion":
        asset = store.find("Asset", row.asset_id)
        chain += [asset, asset and store.find("Context", asset.context_id)]
    elif kind == "UserSecurityRoleProject":
        role = store.find("UserSecurityRole", row.user_security_role_id)
        chain += [role, role and store.find("User", role.user_id), store.find("Project", row.project_id)]
    elif kind == "Membership":
        chain += [store.find("User", row.user_id), store.find("Group", row.group_id)]
    elif kind == "ListObject":
        chain.append(store.find("List", row.list_id))
    elif kind == "Note":
        chain.append(store.find("Context", row.parent_id) or store.find("AssetVersion", row.parent_id))
    elif row.kind.root == "Context":
        pass
    elif getattr(row, "context_id", None) is not None:
        chain.append(store.find("Context", row.context_id))
    elif getattr(row, "user_id", None) is not None:
        chain.append(store.find("User", row.user_id))
    chain = [item for item in chain if item is not None]
    last = chain[-1]
    if last.kind.root == "Context" and last.kind.name != "Project":
        chain += reversed(ancestors(store, last))
    project = getattr(last, "project_id", None)
    if project is not None and last.kind.name != "Project":
        chain += [item for item in [store.find("Project", project)] if item is not None]
    above = chain[1:] + [None]
    return [{"entityId": store.key(item.kind, item), "entityType": table(item), "entity_type": item.kind.name,
             "parentId": up and store.key(up.kind, up)} for item, up in zip(chain, above)]


def update(caller, entities):
    """The whole event of a batch."""
    user = caller.user
    projects = {p["entityId"] for e in entities for p in e["parents"] if p["entityType"] == "show"}
    event = {
        "topic": "ftrack.update", "id": uuid.uuid4().hex, "sent": None, "target": "", "inReplyToEvent": None,
        "source": {"id": uuid.uuid4().hex, "applicationId": caller.application, "user": None},
        "data": {"entities": entities, "user": None, "clientToken": caller.token, "pushToken": caller.push,
                 "parents": sorted(projects)},
    }
    if user is not None:
        event["source"]["user"] = {"id": user.id, "username": user.username}
        event["data"]["user"] = {"userid": user.id, "name": user.username}
    return event
