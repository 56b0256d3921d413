"""The operations for roles and grants, and those by which a caller learns what it may do."""

from .store import Refusal, invalid


class Security:
    """A part of `Operations`."""

    def row(self, type_name, key, what):
        row = self.store.find(type_name, key)
        if row is None:
            raise invalid(f"{what}: no {type_name} with id {key}")
        return row

    def add(self, call, type_name, **values):
        row = self.store.make(self.schema.get(type_name), values)
        self.store.insert(row, call.log)
        call.changed("add", row, {})
        return row

    def held(self, call, what):
        """The caller's operation names a user and a role that the user holds."""
        operation = call.operation
        self.row("User", operation["user_id"], what)
        for row in self.store.tables["UserSecurityRole"].having("user_id", operation["user_id"]):
            if row.security_role_id == operation["role_id"]:
                return row
        raise invalid(f"{what}: the user does not hold that role")

    def do_add_user_security_role(self, call):
        call.count("UserSecurityRole")
        user = self.row("User", call.operation["user_id"], "add_user_security_role")
        role = self.row("SecurityRole", call.operation["role_id"], "add_user_security_role")
        if role.type == "API":
            raise invalid("A role of type API cannot be put on a user.")
        for row in self.store.tables["UserSecurityRole"].having("user_id", user.id):
            if row.security_role_id == role.id:
                raise invalid("DuplicateEntryError: the user holds that role")
        self.add(call, "UserSecurityRole", user_id=user.id, security_role_id=role.id)
        return {"action": "add_user_security_role", "data": True}

    def do_remove_user_security_role(self, call):
        call.count("UserSecurityRole")
        self.remove(self.held(call, "remove_user_security_role"), call)
        return {"action": "remove_user_security_role", "data": True}

    def do_update_user_security_role(self, call):
        call.count("UserSecurityRole")
        row = self.held(call, "update_user_security_role")
        role = self.row("SecurityRole", call.operation["new_role_id"], "update_user_security_role")
        changed = self.store.update(row, {"security_role_id": role.id}, call.log)
        call.changed("update", row, changed)
        return {"action": "update_user_security_role", "data": True}

    def do_grant_user_security_role_project(self, call):
        return self.project_access(call, True)

    def do_revoke_user_security_role_project(self, call):
        return self.project_access(call, False)

    def project_access(self, call, grant):
        action = call.operation["action"]
        call.count("UserSecurityRoleProject")
        row = self.held(call, action)
        if call.operation.get("all_open_projects"):
            changed = self.store.update(row, {"is_all_open_projects": grant}, call.log)
            call.changed("update", row, changed)
            return {"action": action, "data": True}
        project = self.row("Project", call.operation["project_id"], action)
        role = self.store.find("SecurityRole", row.security_role_id)
        had = [r for r in self.store.tables["UserSecurityRoleProject"].having("user_security_role_id", row.id)
               if r.project_id == project.id]
        if not grant:
            for one in had:
                self.remove(one, call)
        elif role.type == "ASSIGNED" and project.is_private:
            raise invalid("A role of type ASSIGNED cannot be granted on a private project.")
        elif not had:
            self.add(call, "UserSecurityRoleProject", user_security_role_id=row.id, project_id=project.id)
        return {"action": action, "data": True}

    def do_grant_api_key_security_role(self, call):
        return self.key_list(call, "role_ids", "SecurityRole", "role_id", True)

    def do_revoke_api_key_security_role(self, call):
        return self.key_list(call, "role_ids", "SecurityRole", "role_id", False)

    def do_grant_api_key_project(self, call):
        return self.key_list(call, "project_ids", "Project", "project_id", True)

    def do_revoke_api_key_project(self, call):
        return self.key_list(call, "project_ids", "Project", "project_id", False)

    def key_list(self, call, column, type_name, field, grant):
        action = call.operation["action"]
        call.count("ApiKey")
        key = self.row("ApiKey", call.operation["api_key_id"], action)
        row = self.row(type_name, call.operation[field], action)
        listed = [one for one in getattr(key, column) or () if one != row.id] + ([row.id] if grant else [])
        self.store.update(key, {column: listed}, call.log)
        return {"action": action, "data": True}

    def do_assume_user(self, call):
        call.count("User")
        user = self.row("User", call.operation["user_id"], "assume_user")
        if "manage_users" not in self.permissions(call.caller):
            raise Refusal("PermissionError", "Not allowed to assume a user.")
        call.caller.session.update(user=user.id, read_only=bool(call.operation.get("read_only")))
        return {"action": "assume_user", "data": True}

    def do_un_assume_user(self, call):
        call.count("User")
        call.caller.session.pop("user", None)
        call.caller.session.pop("read_only", None)
        return {"action": "un_assume_user", "data": True}

    def do_permissions(self, call):
        """What the keys of the real answer are is not public; here it is the caller's own permission strings."""
        call.count(str(call.operation.get("entity_type")))
        return {"action": "permissions", "data": {name: True for name in sorted(self.permissions(call.caller))}}
