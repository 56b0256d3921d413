//! A small studio in zou whose permissions are changed to and fro, each change with a question that it turns over.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use reqwest::Method;
use serde_json::{Value as Json, json};
use stagedoor::model::query::{Query, Subject};
use stagedoor::model::value::Value;

use super::zou::{Zou, text};

/// A change of the studio and what is then true.
#[derive(Clone)]
pub(super) struct Change {
    /// Which switch of the studio it turns.
    switch: usize,
    pub(super) what: &'static str,
    how: How,
    question: Question,
    pub(super) allowed: bool,
}

#[derive(Clone)]
enum How {
    Rest(Method, String, Option<Json>),
    Csv(String),
    Sql(String),
}

#[derive(Clone)]
struct Question {
    subject: String,
    action: &'static str,
    field: String,
    value: Option<String>,
    kind: &'static str,
    id: String,
}

/// Something that can be on or off.
struct Switch {
    what: &'static str,
    /// What is asked of zou to turn it on, and to turn it off.
    turn: [(Method, String, Option<Json>); 2],
    question: Question,
    /// Whether the question is allowed while it is on.
    allowed_on: bool,
    on: bool,
}

pub(super) struct Studio {
    switches: Vec<Switch>,
    /// People whose roles are changed without an event: id and e-mail. Both are in the team of the project.
    quiet: [(String, String); 2],
    project: String,
}

impl Change {
    pub(super) fn query(&self) -> Query<'_> {
        let Question { subject, action, field, value, kind, id } = &self.question;
        let mut query = Query::new(Subject::Person(subject), action, kind, id);
        query.field = field;
        query.value = value.as_deref().map(Value::text).map(std::borrow::Cow::Owned);
        query
    }

    pub(super) async fn make(&self, zou: &Zou) {
        match &self.how {
            How::Rest(method, path, body) => drop(zou.ask(method.clone(), path, body.as_ref()).await),
            How::Csv(csv) => zou.import_csv("/import/csv/persons?update=true", csv).await,
            How::Sql(sql) => zou.ctl(&["sql", sql]).await,
        }
    }
}

impl Studio {
    /// Makes the studio, with names of its own: other tests' studios may be there too.
    pub(super) async fn seed(zou: &Zou) -> Self {
        let tag = &uuid::Uuid::new_v4().simple().to_string()[..8];
        let named = |what: &str| json!({"name": format!("{what} {tag}"), "color": "#000000"});
        let made = async |path: &str, body: Json| text(&zou.post(path, body).await, "id");
        let find = async |path: &str, name: &str| {
            let rows = zou.get(path).await;
            text(rows.as_array().expect("a list").iter().find(|row| row["name"] == name).expect(name), "id")
        };
        let (open, closed) = (find("/data/project-status", "Open").await, find("/data/project-status", "Closed").await);
        let project = made("/data/projects", json!({"name": format!("Show {tag}")})).await;
        let project_path = format!("/data/projects/{project}");
        let mut departments = Vec::new();
        for name in ["Dep", "Other", "Third"] {
            departments.push(made("/data/departments", named(name)).await);
        }
        let [department, other, third]: [String; 3] = departments.try_into().expect("three");
        let mut task_type = named("Type");
        task_type["for_entity"] = json!("Asset");
        task_type["department_id"] = json!(department);
        let task_type = made("/data/task-types", task_type).await;
        let mut states = Vec::new();
        for name in ["todo", "free", "shown"] {
            let mut status = named(name);
            status["short_name"] = json!(format!("{}{}", &name[..1], &tag[..6]));
            status["is_artist_allowed"] = json!(true);
            status["is_client_allowed"] = json!(true);
            states.push(made("/data/task-status", status).await);
        }
        let [todo, free, shown]: [String; 3] = states.try_into().expect("three");
        zou.post(&format!("{project_path}/settings/task-status"), json!({"task_status_id": shown})).await;

        let roles = [
            "user",
            "user",
            "user",
            "supervisor",
            "supervisor",
            "client",
            "client",
            "user",
            "user",
            "user",
            "user",
            "admin",
            "supervisor",
        ];
        let mut people = Vec::new();
        for (number, role) in roles.into_iter().enumerate() {
            let email = format!("p{number}-{tag}@example.com");
            let body = json!({"first_name": "P", "last_name": number.to_string(), "email": email, "role": role});
            let id = made("/data/persons", body).await;
            // The second and the twelfth are in no team.
            if !matches!(number, 1 | 11) {
                zou.post(&format!("{project_path}/team"), json!({"person_id": id})).await;
            }
            people.push((id, email));
        }
        let quiet = [people[9].clone(), people[10].clone()];
        let ids: Vec<String> = people.into_iter().map(|(id, _)| id).collect();
        let [artist, guest, promoted, lead, covering, client, other_client, active, roled, _, _, admin, keeper]: [String; 13] =
            ids.try_into().expect("thirteen");
        for (person, department) in [(&lead, &third), (&covering, &other), (&keeper, &department)] {
            zou.post(&format!("/actions/persons/{person}/departments/add"), json!({"department_id": department})).await;
        }

        let prop = find("/data/entity-types", "Prop").await;
        let asset = made(&format!("{project_path}/asset-types/{prop}/assets/new"), json!({"name": "Lamp"})).await;
        let task = |name: &str| {
            json!({
                "name": name, "project_id": project, "entity_id": asset, "task_type_id": task_type, "task_status_id": todo,
                "assignees": [active],
            })
        };
        let task = made("/data/tasks", task("main")).await;
        let comment = format!("/actions/tasks/{task}/comment");
        let comment = made(&comment, json!({"task_status_id": todo, "comment": "seen", "person_id": client})).await;
        let playlist = made("/data/playlists", json!({"name": "P", "project_id": project, "for_client": false})).await;
        let column = json!({
            "name": format!("col{tag}"), "entity_type": "Asset", "data_type": "string", "choices": [], "for_client": false,
            "departments": [],
        });
        let column = zou.post(&format!("{project_path}/metadata-descriptors"), column).await;
        let (column, field) = (text(&column, "id"), text(&column, "field_name"));

        let put = |path: String, body: Json| (Method::PUT, path, Some(body));
        let ask = |subject: &str, action, kind, id: &str| Question {
            subject: subject.into(),
            action,
            field: String::new(),
            value: None,
            kind,
            id: id.into(),
        };
        let with = |question: Question, value: &str| Question { value: Some(value.into()), ..question };
        let person = |id: &str| format!("/data/persons/{id}");
        let team = format!("{project_path}/team");
        let unassign = json!({"task_ids": [task], "person_id": artist});
        let mut switches = Vec::new();
        let mut switch = |what, on, off, question, allowed_on| {
            switches.push(Switch { what, turn: [on, off], question, allowed_on, on: false });
        };
        switch(
            "assign",
            put(format!("/actions/tasks/{task}/assign"), json!({"person_id": artist})),
            put("/actions/tasks/clear-assignation".into(), unassign),
            ask(&artist, "comment", "task", &task),
            true,
        );
        switch(
            "team",
            (Method::POST, team.clone(), Some(json!({"person_id": guest}))),
            (Method::DELETE, format!("{team}/{guest}"), None),
            ask(&guest, "read", "project", &project),
            true,
        );
        switch(
            "project role",
            put(format!("{team}/{promoted}"), json!({"role": "manager"})),
            put(format!("{team}/{promoted}"), json!({"role": null})),
            ask(&promoted, "update", "project", &project),
            true,
        );
        switch(
            "site role",
            put(person(&roled), json!({"role": "manager"})),
            put(person(&roled), json!({"role": "user"})),
            ask(&roled, "update", "project", &project),
            true,
        );
        switch(
            "inactive",
            put(person(&active), json!({"active": false})),
            put(person(&active), json!({"active": true})),
            ask(&active, "comment", "task", &task),
            false,
        );
        switch(
            "department of a person",
            (
                Method::POST,
                format!("/actions/persons/{lead}/departments/add"),
                Some(json!({"department_id": department})),
            ),
            (Method::DELETE, format!("/actions/persons/{lead}/departments/{department}"), None),
            ask(&lead, "set_priority", "task", &task),
            true,
        );
        switch(
            "department of a task type",
            put(format!("/data/task-types/{task_type}"), json!({"department_id": other})),
            put(format!("/data/task-types/{task_type}"), json!({"department_id": department})),
            ask(&covering, "set_priority", "task", &task),
            true,
        );
        switch(
            "status for artists",
            put(format!("/data/task-status/{free}"), json!({"is_artist_allowed": false})),
            put(format!("/data/task-status/{free}"), json!({"is_artist_allowed": true})),
            // Without a department of his own, as a supervisor: everything is his. An artist: assigned since the seed.
            with(ask(&artist, "comment", "task", &task), &free),
            false,
        );
        switch(
            "status for clients of the project",
            put(format!("{project_path}/settings/task-status/{shown}"), json!({"is_client_allowed": false})),
            put(format!("{project_path}/settings/task-status/{shown}"), json!({"is_client_allowed": true})),
            with(ask(&client, "comment", "task", &task), &shown),
            false,
        );
        switch(
            "closed project",
            put(project_path.clone(), json!({"project_status_id": closed})),
            put(project_path.clone(), json!({"project_status_id": open})),
            ask(&admin, "delete", "project", &project),
            true,
        );
        switch(
            "clients isolated",
            put(project_path.clone(), json!({"is_clients_isolated": true})),
            put(project_path.clone(), json!({"is_clients_isolated": false})),
            ask(&other_client, "read", "comment", &comment),
            false,
        );
        switch(
            "playlist for clients",
            put(format!("/data/playlists/{playlist}"), json!({"for_client": true})),
            put(format!("/data/playlists/{playlist}"), json!({"for_client": false})),
            ask(&client, "read", "playlist", &playlist),
            true,
        );
        switch(
            "column of a department",
            put(format!("{project_path}/metadata-descriptors/{column}"), json!({"departments": [department]})),
            put(format!("{project_path}/metadata-descriptors/{column}"), json!({"departments": []})),
            Question { field: format!("data.{field}"), ..ask(&keeper, "update", "asset", &asset) },
            true,
        );
        Self { switches, quiet, project }
    }

    /// A switch, to be turned from what it is.
    fn change(&self, number: usize) -> Change {
        let Switch { what, turn, question, allowed_on, on } = &self.switches[number];
        let (method, path, body) = turn[usize::from(*on)].clone();
        Change {
            switch: number,
            what,
            how: How::Rest(method, path, body),
            question: question.clone(),
            allowed: on != allowed_on,
        }
    }

    pub(super) fn pick(&self, rng: &mut StdRng) -> Change {
        let open: Vec<usize> = (0..self.switches.len()).filter(|number| self.is_free(*number)).collect();
        self.change(*open.choose(rng).expect("some switch"))
    }

    /// Switches that can be turned together, none bearing on another's question.
    pub(super) fn one_of_each(&self) -> Vec<Change> {
        let apart = |number: &usize| self.switches[*number].what != "department of a task type";
        (0..self.switches.len())
            .filter(|number| self.is_free(*number))
            .filter(apart)
            .map(|number| self.change(number))
            .collect()
    }

    /// Whether its question turns on nothing else now: the artist of one is assigned by another, and so on.
    fn is_free(&self, number: usize) -> bool {
        let on = |what| self.switches.iter().any(|switch| switch.what == what && switch.on);
        match self.switches[number].what {
            "status for artists" => on("assign"),
            "assign" => !on("status for artists"),
            "department of a person" => !on("department of a task type"),
            _ => true,
        }
    }

    pub(super) fn made(&mut self, change: &Change) {
        let switch = &mut self.switches[change.switch];
        switch.on = !switch.on;
    }

    /// A role given by a CSV import of persons.
    pub(super) fn role_by_csv(&self) -> Change {
        let (id, email) = &self.quiet[0];
        let csv = format!("First Name,Last Name,Email,Role\nP,9,{email},Production Manager\n");
        self.silent(How::Csv(csv), "CSV import", id)
    }

    /// A role given by plain SQL.
    pub(super) fn role_by_sql(&self) -> Change {
        let (id, _) = &self.quiet[1];
        self.silent(How::Sql(format!("UPDATE person SET role = 'manager' WHERE id = '{id}'")), "SQL", id)
    }

    fn silent(&self, how: How, what: &'static str, person: &str) -> Change {
        let question = Question {
            subject: person.into(),
            action: "update",
            field: String::new(),
            value: None,
            kind: "project",
            id: self.project.clone(),
        };
        Change { switch: usize::MAX, what, how, question, allowed: true }
    }
}
