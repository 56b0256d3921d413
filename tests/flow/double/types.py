"""The entity types of the site: their fields, and which fields are the two ends of one link.

A line is `name:type`, then `!` where nobody can edit it over the API, then `>A|B` (the types that a link may lead to)
or `=a/b` (the values of a list; the first one of a status list is its default).
"""

USERS = "HumanUser|ApiUser"
PEOPLE = "Group|HumanUser"
LINKED = "Asset|Sequence|Shot|Version"
NOTED = "Asset|Department|Group|Playlist|Sequence|Shot|Version|CustomEntity07"
ANY = ("ApiUser|Asset|ClientUser|CustomEntity07|CustomNonProjectEntity03|Department|Group|HumanUser|Note|"
       "PermissionRuleSet|Playlist|Project|PublishedFile|Reply|Sequence|Shot|Status|Step|Task|Ticket|TimeLog|Version")

AUDIT = f"created_at:date_time! created_by:entity!>{USERS} updated_at:date_time! updated_by:entity!>{USERS}"
NOTES = "notes:multi_entity>Note open_notes_count:summary!"
TASKS = ("tasks:multi_entity>Task sg_versions:multi_entity>Version sg_published_files:multi_entity>PublishedFile "
         "step_0:pivot_column!")

TYPES = {
    "Project": f"""{AUDIT} name:text users:multi_entity>HumanUser archived:checkbox is_template:checkbox!
        is_template_project:checkbox! is_demo:checkbox! sg_status:list=Bidding/Active/Lost/Hold tank_name:text
        sg_description:text sg_type:list=Feature/Series/Commercial start_date:date! end_date:date! duration:number!
        layout_project:entity!>Project asset_linked_projects_assets:multi_entity>Asset billboard:url
        tracking_settings:serializable color:color""",
    "Sequence": f"""{AUDIT} {NOTES} {TASKS} code:text description:text project:entity>Project
        sg_status_list:status_list=wtg/ip/fin/omt/hld sg_sequence_type:list=main/bonus shots:multi_entity>Shot
        assets:multi_entity>Asset addressings_cc:multi_entity>{PEOPLE}""",
    "Shot": f"""{AUDIT} {NOTES} {TASKS} code:text description:text project:entity>Project
        sg_status_list:status_list=wtg/rdy/ip/rev/cmpt/fin/omt/hld sg_sequence:entity>Sequence
        assets:multi_entity>Asset sg_shot_type:list=VFX/Full-CG sg_cut_order:number sg_cut_in:number sg_cut_out:number
        smart_cut_in:number smart_cut_out:number smart_cut_duration:number smart_head_in:number smart_tail_out:number
        smart_working_duration:number! smart_cut_summary_display:text! addressings_cc:multi_entity>{PEOPLE}
        parent_shots:multi_entity>Shot shots:multi_entity>Shot step_13:pivot_column! image:image""",
    "Asset": f"""{AUDIT} {NOTES} {TASKS} code:text description:text project:entity>Project
        linked_projects:multi_entity>Project sg_status_list:status_list=wtg/rdy/ip/rev/fin/omt/hld
        sg_asset_type:list=Character/Vehicle/Prop/Environment sg_keep:checkbox shots:multi_entity>Shot
        sequences:multi_entity>Sequence assets:multi_entity>Asset parents:multi_entity>Asset
        addressings_cc:multi_entity>{PEOPLE} sg_rank:percent sg_progression:calculated!""",
    "Task": f"""{AUDIT} {NOTES} content:text project:entity>Project entity:entity>{LINKED} step:entity>Step
        sg_status_list:status_list=wtg/rdy/ip/rev/cmpt/fin/omt/hld task_assignees:multi_entity>{PEOPLE}
        task_reviewers:multi_entity>{PEOPLE} addressings_cc:multi_entity>{PEOPLE} milestone:checkbox pinned:checkbox
        est_in_mins:duration duration:duration start_date:date due_date:date sg_description:text
        sg_priority:list=1/2/3 sg_budget:float sg_versions:multi_entity!>Version upstream_tasks:multi_entity>Task
        downstream_tasks:multi_entity>Task sibling_tasks:multi_entity!>Task dependency_violation:checkbox!
        time_logs_sum:duration! time_percent_of_est:percent! time_vs_est:duration! workload:calculated!
        workload_assignee_count:number! splits:serializable""",
    "Version": f"""{AUDIT} {NOTES} code:text description:text project:entity>Project entity:entity>Asset|Sequence|Shot
        sg_task:entity>Task tasks:multi_entity>Task user:entity>HumanUser|ApiUser|Group
        sg_status_list:status_list=na/rev/vwd/apr playlists:multi_entity>Playlist
        published_files:multi_entity>PublishedFile client_approved:checkbox client_approved_at:date_time
        client_approved_by:entity>HumanUser|ClientUser sg_version_type:list frame_count:number
        sg_first_frame:number sg_path_to_movie:text sg_uploaded_movie:url viewed_by_current_user_at:date_time!
        otio_playable:text! step_0:pivot_column!""",
    "PublishedFile": f"""{AUDIT} code:text name:text description:text project:entity>Project entity:entity>Asset|Shot
        task:entity>Task version:entity>Version version_number:number sg_status_list:status_list=wtg/ip/cmpt path:url
        path_cache:text upstream_published_files:multi_entity>PublishedFile
        downstream_published_files:multi_entity>PublishedFile""",
    "Note": f"""created_at:date_time! created_by:entity!>HumanUser|ApiUser|ClientUser updated_at:date_time!
        updated_by:entity!>{USERS} subject:text content:text project:entity>Project user:entity>{USERS}
        addressings_to:multi_entity>{PEOPLE} addressings_cc:multi_entity>{PEOPLE} note_links:multi_entity>{NOTED}
        tasks:multi_entity>Task playlist:entity>Playlist replies:multi_entity>Reply client_note:checkbox!
        suppress_email_notif:checkbox! client_approved:checkbox sg_note_type:list=Internal/Client
        sg_status_list:status_list=opn/ip/clsd""",
    "Reply": f"""created_at:date_time! content:text entity:entity>{ANY} user:entity>HumanUser|ApiUser|ClientUser
        publish_status:text""",
    "TimeLog": f"""{AUDIT} date:date description:text duration:duration entity:entity>Task|Ticket
        project:entity>Project user:entity>HumanUser""",
    "Playlist": f"""{AUDIT} {NOTES} code:text description:text project:entity>Project versions:multi_entity>Version
        locked:checkbox locked_at:date_time! locked_by:entity!>{USERS} sg_status:status_list=opn/ip/clsd
        sg_date_and_time:date_time""",
    "Ticket": f"""{AUDIT} title:text description:text project:entity>Project addressings_to:multi_entity>{PEOPLE}
        addressings_cc:multi_entity>{PEOPLE} sg_status_list:status_list=opn/ip/rev/res sg_priority:list=1/2/3/4/5
        sg_ticket_type:list=Feature/Bug due_date:date replies:multi_entity>Reply tickets:multi_entity>Ticket
        time_logs_sum:duration!""",
    "HumanUser": f"""{AUDIT} login:text email:text name:text firstname:text lastname:text
        permission_rule_set:entity!>PermissionRuleSet projects:multi_entity>Project groups:multi_entity>Group
        department:entity>Department sg_status_list:status_list=act/dis locked_until:date_time
        can_impersonate_this_user:checkbox! autodesk_account_status:text! oxygen_user_id:text!
        password_proxy:password! merge_in_progress:percent! file_access:checkbox sso_login:text
        language:list=en/ja/zh-hans/ko""",
    "ApiUser": f"""{AUDIT} firstname:text lastname:text email:text description:text salted_password:text
        permission_rule_set:entity!>PermissionRuleSet projects:multi_entity>Project
        generate_event_log_entries:checkbox""",
    "ClientUser": f"""{AUDIT} email:text name:text firstname:text lastname:text sg_status_list:status_list=act/dis
        locked_until:date_time password_proxy:password!""",
    "Group": f"{AUDIT} {NOTES} code:text users:multi_entity>HumanUser",
    "Department": f"""{AUDIT} {NOTES} code:text name:text users:multi_entity>HumanUser steps:multi_entity>Step
        sg_status_list:status_list=act/dis list_order:number""",
    "PermissionRuleSet": f"""{AUDIT} code:text! display_name:text! entity_type:entity_type!
        parent_set:entity!>PermissionRuleSet""",
    "Status": f"{AUDIT} code:text! name:text bg_color:color system:checkbox!",
    "Step": f"""{AUDIT} code:text short_name:text description:text entity_type:entity_type!
        department:entity>Department list_order:number""",
    "EventLogEntry": f"""created_at:date_time! event_type:text! attribute_name:text! entity:entity!>{ANY}
        project:entity!>Project user:entity!>{USERS} meta:serializable! session_uuid:uuid! description:text!""",
    "CustomEntity07": f"""{AUDIT} code:text description:text project:entity>Project
        sg_status_list:status_list=wtg/ip/fin sg_recipients:multi_entity>{PEOPLE} sg_shots:multi_entity>Shot
        notes:multi_entity>Note""",
    "CustomNonProjectEntity03": f"""{AUDIT} code:text description:text sg_status_list:status_list=wtg/ip/fin
        sg_owner:entity>HumanUser""",
    "ProjectUserConnection": "project:entity>Project user:entity>HumanUser",
    "ApiUserProjectConnection": "project:entity>Project user:entity>ApiUser",
    "GroupUserConnection": "group:entity>Group user:entity>HumanUser",
    "Asset_linked_projects_Connection": "asset:entity>Asset project:entity>Project",
    "AssetShotConnection": "asset:entity>Asset shot:entity>Shot",
    "PlaylistVersionConnection": "playlist:entity>Playlist version:entity>Version sg_sort_order:number",
}

# The field that a row is called by.
NAMED = {"Project": "name", "Task": "content", "Note": "subject", "Reply": "content", "TimeLog": "description",
         "Ticket": "title", "HumanUser": "name", "ClientUser": "name", "Department": "name",
         "PermissionRuleSet": "display_name", "Status": "name", "EventLogEntry": "description"}
WITHOUT_NAME = {"Asset_linked_projects_Connection"}

# The two ends of a link: changing one changes the other.
LINKS = [
    ("Task.entity", "Shot.tasks Asset.tasks Sequence.tasks Version.tasks"),
    ("Version.entity", "Shot.sg_versions Asset.sg_versions Sequence.sg_versions"),
    ("PublishedFile.entity", "Shot.sg_published_files Asset.sg_published_files"),
    ("Note.note_links", "Shot.notes Asset.notes Sequence.notes Version.notes Playlist.notes Group.notes "
                        "Department.notes CustomEntity07.notes"),
    ("Note.tasks", "Task.notes"),
    ("Reply.entity", "Note.replies Ticket.replies"),
    ("Version.sg_task", "Task.sg_versions"),
    ("PublishedFile.version", "Version.published_files"),
    ("PublishedFile.upstream_published_files", "PublishedFile.downstream_published_files"),
    ("Shot.sg_sequence", "Sequence.shots"),
    ("Shot.assets", "Asset.shots"),
    ("Shot.parent_shots", "Shot.shots"),
    ("Sequence.assets", "Asset.sequences"),
    ("Asset.parents", "Asset.assets"),
    ("Asset.linked_projects", "Project.asset_linked_projects_assets"),
    ("Task.upstream_tasks", "Task.downstream_tasks"),
    ("Playlist.versions", "Version.playlists"),
    ("HumanUser.projects", "Project.users"),
    ("HumanUser.department", "Department.users"),
    ("Group.users", "HumanUser.groups"),
    ("Step.department", "Department.steps"),
]

# Join rows stand beside these links: the field, the row's type, its field for the holder and for the held.
JOINS = {
    "HumanUser.projects": ("ProjectUserConnection", "user", "project"),
    "ApiUser.projects": ("ApiUserProjectConnection", "user", "project"),
    "Group.users": ("GroupUserConnection", "group", "user"),
    "Asset.linked_projects": ("Asset_linked_projects_Connection", "asset", "project"),
    "Shot.assets": ("AssetShotConnection", "shot", "asset"),
    "Playlist.versions": ("PlaylistVersionConnection", "playlist", "version"),
}
