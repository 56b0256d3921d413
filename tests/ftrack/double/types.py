"""The types of the double, one attribute a line.

A line of TYPES is a type (`Name < Base = LegacyTable`) or, indented, an attribute:
    NAME KIND [~legacy] [=default] [flags]
KIND: key str int num bool date json, `>T` a foreign key, `T:column` a relation by that foreign key, `*T.column` the
rows of T whose column is this row's id (`?type=x` narrows), `%T.column` the rows of T listed in a column, `calc T`
computed. Flags: system (comes unasked), must (never null), fixed (cannot be updated), hidden (not in the schema).
"""

TYPES = """
Resource
  id key
  resource_type str system fixed
  appointments *Appointment.resource_id ~resource_appointments
  assignments *Appointment.resource_id?type=assignment ~resource_assignments
  allocations *Appointment.resource_id?type=allocation ~resource_allocations
BaseUser < Resource
  first_name str ~firstname
  last_name str ~lastname
  email str
  thumbnail_id str ~thumbid
User < BaseUser
  username str must
  is_active bool ~isactive =true
  require_details_update bool =false
  is_otp_enabled bool ~otp_enabled =false
  is_totp_enabled bool ~totp_enabled =false
  user_type_id >UserType ~typeid
  user_type UserType:user_type_id
  memberships *Membership.user_id ~user_memberships
  user_security_roles *UserSecurityRole.user_id ~userRoles
  timelogs *Timelog.user_id
Collaborator < BaseUser
Group < Resource
  name str must
  local bool =false
  parent_id >Group ~group_id
  parent Group:parent_id
  children *Group.parent_id
  link calc list ~api_link
  memberships *Membership.group_id ~group_memberships
UserType
  id key ~typeid
  name str
Membership
  id key
  group_id >Group must
  user_id >User must
  group Group:group_id
  user User:user_id
SecurityRole = Auth_Role
  id key ~roleid
  name str
  type str ~typeid
  user_security_roles *UserSecurityRole.security_role_id ~userRoles
  permissions json hidden
UserSecurityRole = Auth_UserRole
  id key
  user_id >User ~userid must
  security_role_id >SecurityRole ~roleid must
  is_all_open_projects bool ~isallprojects =false
  is_all_projects same is_all_open_projects
  user User:user_id
  security_role SecurityRole:security_role_id
  user_security_role_projects *UserSecurityRoleProject.user_security_role_id
UserSecurityRoleProject = UserRoleProject
  id key
  user_security_role_id >UserSecurityRole ~user_role_id must
  project_id >Project must
  project Project:project_id
  user_security_role UserSecurityRole:user_security_role_id
ApiKey = AccessKey
  id key
  identifier str system
  resource_id >Resource system
  prefix str system
  enabled bool =true
  created_at date
  last_used date
  roles %SecurityRole.role_ids
  projects %Project.project_ids
  resource Resource:resource_id
  role_ids json hidden
  project_ids json hidden
  secret str hidden
Context
  id key
  context_type str system fixed
  name str must =
  parent_id >Context
  parent Context:parent_id
  children *Context.parent_id
  project_id >Project ~showid system
  project Project:project_id ~show
  link calc list ~_api_link
  created_by_id >User ~created_by fixed
  created_by User:created_by_id ~createdBy
  created_at date fixed
  thumbnail_id str ~thumbid
  appointments *Appointment.context_id ~context_appointments
  assignments *Appointment.context_id?type=assignment ~context_assignments
  allocations *Appointment.context_id?type=allocation ~context_allocations
  assets *Asset.context_id
  timelogs *Timelog.context_id
  notes *Note.parent_id
  managers *Manager.context_id
Project < Context = Show
  full_name str ~fullname
  root str
  start_date date ~startdate
  end_date date ~enddate
  is_global bool ~isglobal =false
  is_private bool ~private =false
  status str must =active
  color str
  project_schema_id >ProjectSchema ~projectschemeid
  project_schema ProjectSchema:project_schema_id ~projectscheme
  descendants calc TypedContext
  review_sessions *ReviewSession.project_id ~reviewSessions
  user_security_role_projects *UserSecurityRoleProject.project_id ~user_role_projects
TypedContext < Context = Task
  object_type_id >ObjectType ~object_typeid system fixed
  object_type ObjectType:object_type_id ~objectType
  status_id >Status ~statusid must
  status Status:status_id
  type_id >Type ~typeid
  type Type:type_id
  priority_id >Priority ~priorityid
  priority Priority:priority_id
  description str
  bid num =0
  sort num =0
  start_date date ~startdate
  end_date date ~enddate
  ancestors calc TypedContext
  descendants calc TypedContext
  status_changes *StatusChange.parent_id
  incoming_links *TypedContextLink.to_id ~predecessors
  outgoing_links *TypedContextLink.from_id ~successors
ObjectType
  id key ~typeid
  name str must
  sort int =0
  icon str =default
  is_time_reportable bool ~istimereportable =false
  is_taskable bool ~istaskable =true
  is_typeable bool ~istypeable =true
  is_statusable bool ~isstatusable =true
  is_schedulable bool ~isschedulable =false
  is_leaf bool ~isleaf =false
  is_prioritizable bool ~ispriority =true
Status = TaskStatus
  id key ~statusid
  name str
  sort int =0
  color str
  is_active bool ~isactive =true
  state State:state_id ~statustype
  state_id >State hidden
State = StatusType
  id key ~typeid
  name str
  short str
Type = TaskType
  id key ~typeid
  name str
  color str
  sort int =0
  is_billable bool ~isbillable =true
Priority = PriorityType
  id key ~priorityid
  name str
  value num =0
  sort int =0
  color str
ProjectSchema = ProjectScheme
  id key ~schemeid
  name str
  task_workflow_schema_id >WorkflowSchema ~taskworkflowid
  asset_version_workflow_schema_id >WorkflowSchema ~versionworkflowid
  task_workflow_schema WorkflowSchema:task_workflow_schema_id ~taskworkflow
  asset_version_workflow_schema WorkflowSchema:asset_version_workflow_schema_id ~versionworkflow
  object_types %ObjectType.object_type_ids
  object_type_ids json hidden
WorkflowSchema = WorkflowScheme
  id key ~schemeid
  name str
  statuses %Status.status_ids
  status_ids json hidden
Appointment
  id key
  type str must
  resource_id >Resource must
  context_id >Context must
  resource Resource:resource_id ~appointment_resource
  context Context:context_id ~appointment_context
StatusChange = Trac
  id key ~tracid
  parent_id str
  parent_type str
  date date
  status_id >Status
  status Status:status_id
  from_status_id >Status
  from_status Status:from_status_id
  user_id str ~userid
  user User:user_id
TypedContextStatusChange < StatusChange
  parent TypedContext:parent_id
AssetVersionStatusChange < StatusChange
  parent AssetVersion:parent_id
Asset
  id key ~assetid
  project_id >Project
  name str
  context_id >Context system must
  type_id >AssetType ~typeid
  parent Context:context_id
  type AssetType:type_id
  versions *AssetVersion.asset_id
AssetType
  id key ~typeid
  name str
  short str
AssetVersion
  id key ~versionid
  project_id >Project
  asset_id >Asset ~assetid system must
  version int
  comment str =
  date date
  user_id >User ~userid
  task_id >TypedContext ~taskid
  is_published bool ~ispublished =true
  status_id >Status ~statusid must
  user User:user_id
  asset Asset:asset_id
  task TypedContext:task_id
  status Status:status_id
  link calc list ~_api_link
  notes *Note.parent_id
  status_changes *StatusChange.parent_id
Note
  id key ~noteid
  parent_id str
  parent_type str
  content str ~text
  date date
  thread_activity date ~triggerdate
  user_id >BaseUser ~userid must
  in_reply_to_id >Note ~noteparentid
  is_todo bool =false
  completed_by_id >User
  completed_at date
  project_id >Project system
  project Project:project_id
  author BaseUser:user_id ~user
  in_reply_to Note:in_reply_to_id ~noteparent
  replies *Note.in_reply_to_id ~notes
  recipients *Recipient.note_id ~note_recipients
Recipient
  id key
  note_id >Note must
  resource_id >Resource must
  text_mentioned str
  resource Resource:resource_id
Timelog
  id key
  name str
  comment str =
  start date
  duration num =0
  user_id >User system must
  context_id >Context system
  user User:user_id
  context Context:context_id
List
  id key ~listid
  name str =
  is_open bool ~isopen =true
  category_id >ListCategory ~typeid
  date date
  user_id >User ~userid
  project_id >Project ~showid system must
  system_type str ~entity
  category ListCategory:category_id ~type
  owner User:user_id ~user
  project Project:project_id ~show
TypedContextList < List
AssetVersionList < List
ListObject
  id key
  entity_id str ~entityid must
  list_id >List ~listid must
  list List:list_id
ListCategory = ListType
  id key ~typeid
  name str
ReviewSession
  id key
  name str =New review session
  description str =
  start_date date ~start
  end_date date ~end
  project_id >Project must
  created_by_id >User ~created_by
  created_at date
  is_open bool =true
  is_moderated bool =false
  availability str
  project Project:project_id
  created_by User:created_by_id ~createdBy
  review_session_objects *ReviewSessionObject.review_session_id ~reviewSessionObjects
  review_session_invitees *ReviewSessionInvitee.review_session_id ~reviewSessionInvitees
ReviewSessionObject
  id key
  name str =
  description str =
  version str =
  version_id >AssetVersion must
  review_session_id >ReviewSession system must
  created_at date
  sort_order num =0
  asset_version AssetVersion:version_id ~assetVersion
  review_session ReviewSession:review_session_id ~reviewSession
ReviewSessionInvitee
  id key
  email str
  name str
  review_session_id >ReviewSession system must
  created_by_id >User ~created_by
  created_at date
  review_session ReviewSession:review_session_id ~reviewSession
Manager
  id key ~managerid
  context_id >Context must
  type_id >ManagerType ~typeid
  user_id >User ~userid must
  context Context:context_id
  type ManagerType:type_id
  user User:user_id
ManagerType
  id key ~typeid
  name str
TypedContextLink = Dependency
  id key ~dependencyid
  from_id >TypedContext must
  to_id >TypedContext must
  type str =end_to_start
  from TypedContext:from_id ~fromTask
  to TypedContext:to_id ~toTask
StatusRuleGroup
  id key
  entity_type str
  schema_id >ProjectSchema
  status_id >Status must
  role_id >SecurityRole
  status Status:status_id
  role SecurityRole:role_id
  status_rules *StatusRule.status_rule_group_id
TypedContextStatusRuleGroup < StatusRuleGroup = TaskStatusRuleGroup
  object_type_id >ObjectType
AssetVersionStatusRuleGroup < StatusRuleGroup
StatusRule
  id key
  status_rule_group_id >StatusRuleGroup must
  status_id >Status must
  status_rule_group StatusRuleGroup:status_rule_group_id
  status Status:status_id
Event = SocialEvent
  id intkey ~socialid
  parent_type str
  parent_id str
  project_id >Project ~showid system
  user_id >User ~userid
  action str
  insert str
  data str
  created_at date
  project Project:project_id ~show
  user User:user_id
Setting
  name key
  group key
  value str
Location
  id key
  name str
  label str
  description str
Disk
  id key ~diskid
  name str
  unix str
  windows str
"""
