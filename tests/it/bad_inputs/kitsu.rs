//! A Kitsu in miniature, without an event stream: what it has is good, but for what a row says.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

pub(super) const BO: &str = "b0000000-0000-4000-8000-000000000001";
pub(super) const LIN: &str = "b0000000-0000-4000-8000-000000000002";
pub(super) const PROJECT: &str = "c0000000-0000-4000-8000-000000000001";
/// Two tasks that Bo is assigned to.
pub(super) const TASK: &str = "d0000000-0000-4000-8000-000000000001";
pub(super) const OTHER: &str = "d0000000-0000-4000-8000-000000000002";
pub(super) const SHOT: &str = "e0000000-0000-4000-8000-000000000001";
const TYPE: &str = "f0000000-0000-4000-8000-000000000001";

/// A path below `/api`, and what is answered there, byte for byte.
pub(super) type Answers = Vec<(String, Vec<u8>)>;

/// A running server; ended when dropped.
pub(super) struct Kitsu {
    pub(super) address: String,
    ended: Arc<AtomicBool>,
}

impl Kitsu {
    pub(super) fn start(answers: Answers) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let ended = Arc::new(AtomicBool::new(false));
        let (answers, end) = (Arc::new(answers), Arc::clone(&ended));
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                if end.load(Ordering::Relaxed) {
                    return;
                }
                let answers = Arc::clone(&answers);
                std::thread::spawn(move || serve(connection.unwrap(), &answers));
            }
        });
        Self { address, ended }
    }
}

impl Drop for Kitsu {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        let _wake = TcpStream::connect(&self.address);
    }
}

fn serve(mut connection: TcpStream, answers: &Answers) {
    let mut request = Vec::new();
    let mut chunk = [0; 4096];
    while !request.ends_with(b"\r\n\r\n") {
        match connection.read(&mut chunk) {
            Ok(read @ 1..) => request.extend_from_slice(&chunk[..read]),
            _ => return,
        }
    }
    let request = String::from_utf8_lossy(&request);
    let target = request.split(' ').nth(1).unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let path = path.strip_prefix("/api").unwrap_or(path);
    let answer = match answers.iter().find(|(at, _)| at == path) {
        Some((_, answer)) => answer.clone(),
        None => good(path, query.contains("page=")).map_or_else(|| status("404 Not Found", "<html>"), |body| ok(&body)),
    };
    // The other side may have heard enough.
    let _cut = connection.write_all(&answer);
}

/// An answer of HTTP.
pub(super) fn status(status: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}").into_bytes()
}

/// JSON, as it should be.
pub(super) fn ok(body: &Value) -> Vec<u8> {
    status("200 OK", &body.to_string())
}

/// A page that is all there is.
pub(super) fn page(rows: &[Value]) -> Vec<u8> {
    ok(&paged(rows))
}

pub(super) fn task(id: &str) -> Value {
    json!({
        "id": id, "project_id": PROJECT, "entity_id": SHOT, "task_type_id": TYPE, "task_status_id": TYPE,
        "assignees": [BO],
    })
}

pub(super) fn person(id: &str, name: &str) -> Value {
    json!({
        "id": id, "first_name": name, "last_name": "", "active": true, "is_bot": false, "role": "user",
        "email": null, "desktop_login": null, "departments": [], "studio_id": null, "preview_project_id": null,
    })
}

pub(super) fn project() -> Value {
    json!({
        "id": PROJECT, "name": "Atlas", "project_status_id": TYPE, "task_statuses_link": {}, "is_clients_isolated": false,
        "is_bot_collaboration_enabled": false,
    })
}

pub(super) fn shot() -> Value {
    json!({"id": SHOT, "name": "SH010", "project_id": PROJECT, "entity_type_id": TYPE, "created_by": null})
}

fn paged(rows: &[Value]) -> Value {
    json!({"data": rows, "total": rows.len()})
}

/// What a good Kitsu answers.
fn good(path: &str, pages: bool) -> Option<Value> {
    let named = |name: &str| json!({"id": TYPE, "name": name});
    let rows = match path {
        "/" => return Some(json!({"api": "Zou", "version": "1.0.97"})),
        "/auth/authenticated" => return Some(json!({"authenticated": true, "user": {"role": "admin"}})),
        "/data/persons" => vec![person(BO, "Bo"), person(LIN, "Lin")],
        "/data/projects" => vec![project()],
        "/data/project-status" => vec![named("Open")],
        "/data/entity-types" => vec![named("Shot")],
        "/data/task-types" => vec![json!({"id": TYPE, "name": "Animation", "department_id": null})],
        "/data/task-status" => vec![json!({
            "id": TYPE, "name": "WIP", "short_name": "wip", "is_artist_allowed": true, "is_client_allowed": true,
        })],
        "/data/entities" => vec![shot()],
        "/data/tasks" => vec![task(TASK), task(OTHER)],
        "/data/departments" | "/data/studios" | "/data/custom-actions" | "/data/metadata-descriptors" => Vec::new(),
        _ => match path.strip_prefix("/data/projects/")?.split_once('/') {
            None => return Some(project()),
            Some((_, "team")) => vec![person(BO, "Bo"), person(LIN, "Lin")],
            Some(_) => return None,
        },
    };
    let team = path.ends_with("/team");
    let row = |row: Value| if team { with(row, "project_role", Value::Null) } else { row };
    let rows: Vec<_> = rows.into_iter().map(row).collect();
    Some(if pages { paged(&rows) } else { Value::Array(rows) })
}

/// The row with another value in a field.
pub(super) fn with(mut row: Value, field: &str, value: Value) -> Value {
    row[field] = value;
    row
}
