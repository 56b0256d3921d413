//! The connector against a server that answers as badly as it is told to.

mod asking;
mod feed;

use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use serde_json::{Value as Json, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::*;
use crate::model::schema::{FieldDef, KindDef};
use crate::model::value::Value;

/// A request as it came.
#[derive(Clone, Debug)]
struct Asked {
    /// `POST /api/v1/entity/Task/_search`
    line: String,
    head: String,
    body: String,
}

type Answers = Arc<dyn Fn(&Asked, usize) -> Vec<u8> + Send + Sync>;

/// A server of HTTP/1.1 that answers the n-th request (from 0) as the function says.
struct Server {
    address: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    task: JoinHandle<()>,
}

impl Server {
    #[expect(clippy::disallowed_methods, reason = "no app here to spawn through")]
    async fn start(answers: impl Fn(&Asked, usize) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let (asked, count) = (Arc::<Mutex<Vec<Asked>>>::default(), Arc::new(AtomicUsize::new(0)));
        let (answers, list): (Answers, _) = (Arc::new(answers), Arc::clone(&asked));
        let task = tokio::spawn(async move {
            while let Ok((mut connection, _)) = listener.accept().await {
                let (answers, list, count) = (Arc::clone(&answers), Arc::clone(&list), Arc::clone(&count));
                tokio::spawn(async move {
                    let Some(asked) = request(&mut connection).await else { return };
                    list.lock().push(asked.clone());
                    let answer = answers(&asked, count.fetch_add(1, Ordering::Relaxed));
                    let _closed = connection.write_all(&answer).await;
                    let _closed = connection.shutdown().await;
                });
            }
        });
        Self { address, asked, task }
    }

    fn flow(&self, kinds: &[(&str, &str, &str)]) -> Flow {
        flow(&self.address, kinds)
    }

    /// The requests for this path.
    fn asked(&self, path: &str) -> Vec<Asked> {
        self.asked.lock().iter().filter(|asked| asked.line.contains(path)).cloned().collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn flow(address: &str, kinds: &[(&str, &str, &str)]) -> Flow {
    let _already = rustls::crypto::ring::default_provider().install_default();
    let config = Config {
        url: address.to_owned(),
        script_name: "door & co".into(),
        script_key: TokenSource::Value("se=cret&key".into()),
        poll_interval: Duration::from_secs(1),
    };
    Flow::new(config, &pack(kinds)).unwrap()
}

/// A schema with these kinds: the mirror's name, Flow's, fields.
fn pack(kinds: &[(&str, &str, &str)]) -> Schema {
    let field = |name: &str| FieldDef { name: Str::from(name), link: true, ..FieldDef::default() };
    let kind = |(name, type_name, fields): &(&str, &str, &str)| KindDef {
        name: Str::from(*name),
        type_name: Str::from(*type_name),
        rowless: *type_name == "EventLogEntry",
        fields: fields.split_whitespace().map(field).collect(),
        ..KindDef::default()
    };
    Schema { kinds: kinds.iter().map(kind).collect(), ..Schema::default() }
}

async fn request(connection: &mut tokio::net::TcpStream) -> Option<Asked> {
    let mut request = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&request).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let lower = head.to_ascii_lowercase();
            let length =
                lower.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next()?.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                let line = head.lines().next().unwrap_or_default().trim_end_matches(" HTTP/1.1").to_owned();
                return Some(Asked { line, head: head.to_owned(), body: body.to_owned() });
            }
        }
        let mut chunk = vec![0; 65_536];
        match connection.read(&mut chunk).await {
            Ok(0) | Err(_) => return None,
            Ok(length) => request.extend_from_slice(&chunk[..length]),
        }
    }
}

fn answer(status: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}").into_bytes()
}

fn ok(body: &Json) -> Vec<u8> {
    answer("200 OK", &body.to_string())
}

fn told(status: &str, code: i64, title: &str) -> Vec<u8> {
    let code =
        json!({"errors": [{"id": "x", "status": 400, "code": code, "title": title, "source": {}, "detail": null}]});
    answer(status, &code.to_string())
}

fn token(name: &str) -> Vec<u8> {
    ok(&json!({"token_type": "Bearer", "access_token": name, "expires_in": 600, "refresh_token": "r"}))
}

/// A page of rows as the site sends it: a link to the next one is always there.
fn page(rows: Json) -> Vec<u8> {
    ok(&json!({"data": rows, "links": {"self": "/s", "next": "/s?page[number]=2"}}))
}

fn field(data_type: &str, valid: &[&str]) -> Json {
    json!({
        "name": {"value": "A name", "editable": true},
        "data_type": {"value": data_type, "editable": false},
        "properties": {"default_value": {"value": null, "editable": false}, "valid_types": {"value": valid, "editable": true}},
    })
}

fn task_fields() -> Json {
    json!({"data": {
        "content": field("text", &[]),
        "project": field("entity", &["Project"]),
        "entity": field("entity", &["Asset", "Shot"]),
        "task_assignees": field("multi_entity", &["Group", "HumanUser"]),
        "sg_status_list": field("status_list", &[]),
        "image": field("image", &[]),
    }})
}

fn task(id: u64, assignees: Json) -> Json {
    json!({
        "type": "Task",
        "id": id,
        "attributes": {"content": "comp", "sg_status_list": "ip"},
        "relationships": {
            "project": {"data": {"id": 7, "name": "Film", "type": "Project"}, "links": {"self": "/x"}},
            "entity": {"data": {"id": 8, "name": "sh1", "type": "Shot"}, "links": {}},
            "task_assignees": {"data": assignees, "links": {}},
        },
        "links": {"self": "/api/v1/entity/tasks/1"},
    })
}

const TASK: (&str, &str, &str) = ("task", "Task", "entity task_assignees sg_status_list image missing");

fn one(id: &str) -> [ObjectRef; 1] {
    [ObjectRef::new("task", id)]
}

#[tokio::test]
async fn a_row_is_asked_for_as_the_site_wants_it() {
    let server = Server::start(|asked, _| match asked.line.as_str() {
        "POST /api/v1/auth/access_token" => token("t1"),
        "GET /api/v1/schema/Task/fields" => ok(&task_fields()),
        "POST /api/v1/entity/Task/_search" => page(json!([task(5, json!([{"id": 3, "name": "G", "type": "Group"}]))])),
        line => panic!("{line}"),
    });
    let server = server.await;
    let changes = server.flow(&[TASK]).reread(&one("5")).await.unwrap();
    let [Change::Upsert(record)] = &changes[..] else { panic!("{changes:?}") };
    assert_eq!((record.kind.as_str(), record.name.as_str(), record.trashed), ("task", "comp", false));
    assert_eq!(record.project, Some("7".into()));
    let fields: Vec<&str> = record.fields.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(fields, ["entity", "task_assignees", "sg_status_list"], "neither what is missing nor an image");
    assert_eq!(record.field("entity"), Some(&Value::link("Shot", "8")));
    assert_eq!(record.field("task_assignees"), Some(&Value::List(vec![Value::link("Group", "3")])));

    // The key is sent in a form, never in an address; who asks shows the token.
    let exchange = &server.asked("access_token")[0];
    assert_eq!(exchange.body, "grant_type=client_credentials&client_id=door+%26+co&client_secret=se%3Dcret%26key");
    assert!(exchange.head.to_ascii_lowercase().contains("content-type: application/x-www-form-urlencoded"));
    let search = &server.asked("_search")[0];
    let head = search.head.to_ascii_lowercase();
    assert!(head.contains("authorization: bearer t1") && head.contains("api3_hash+json"), "{head}");
    let body: Json = serde_json::from_str(&search.body).unwrap();
    assert_eq!(
        body,
        json!({
            "filters": {"logical_operator": "and", "conditions": [["id", "in", [5]]]},
            "fields": ["entity", "task_assignees", "sg_status_list", "image", "project", "content"],
            "sort": "id",
            "page": {"size": 5000, "number": 1},
            "options": {"return_only": "active", "include_archived_projects": true},
        })
    );
}

#[tokio::test]
async fn a_refused_token_is_renewed_once() {
    let server = Server::start(|asked, n| match asked.line.as_str() {
        "POST /api/v1/auth/access_token" => token(&format!("t{n}")),
        "GET /api/v1/schema/Task/fields" => ok(&task_fields()),
        _ if asked.head.contains("Bearer t0") => told("401 Unauthorized", 103, "Unauthorized"),
        _ => page(json!([task(5, json!([]))])),
    });
    let server = server.await;
    let flow = server.flow(&[TASK]);
    assert_eq!(flow.reread(&one("5")).await.unwrap().len(), 1);
    assert_eq!(server.asked("access_token").len(), 2);

    let server = Server::start(|asked, _| match asked.line.as_str() {
        "POST /api/v1/auth/access_token" => token("t"),
        "GET /api/v1/schema/Task/fields" => ok(&task_fields()),
        _ => told("401 Unauthorized", 103, "Unauthorized"),
    });
    let server = server.await;
    let told = server.flow(&[TASK]).reread(&one("5")).await.unwrap_err();
    assert!(matches!(&told, SourceError::Refused(why) if why.contains("script_key_file")), "{told}");
    assert_eq!(server.asked("access_token").len(), 2, "once more, not for ever");
}

#[tokio::test]
async fn what_the_site_says_is_told_and_what_to_mend() {
    let html = "<!doctype html><title>Portal</title>";
    let cases: [(Vec<u8>, &str, &str); 8] = [
        (
            told("400 Bad Request", 104, "Can't authenticate script 'door'"),
            "refused",
            "code 104: Can't authenticate script 'door'",
        ),
        (answer("200 OK", html), "malformed", "is tracker.flow.url the address of the Flow site?"),
        (answer("404 Not Found", html), "malformed", "is tracker.flow.url the address of the Flow site?"),
        (answer("302 Found", ""), "malformed", "302"),
        (answer("200 OK", "{}"), "malformed", "no access_token"),
        (answer("200 OK", &format!("{}1{}", "[".repeat(5000), "]".repeat(5000))), "malformed", "not JSON"),
        (answer("503 Service Unavailable", html), "unavailable", "503"),
        (answer("429 Too Many Requests", ""), "unavailable", "429"),
    ];
    for (said, sort, needs) in cases {
        let server = Server::start(move |_, _| said.clone()).await;
        let told = server.flow(&[TASK]).reread(&one("5")).await.unwrap_err();
        let is = match &told {
            SourceError::Refused(_) => "refused",
            SourceError::Malformed(_) => "malformed",
            SourceError::Unavailable(_) => "unavailable",
        };
        let told = told.to_string();
        assert!(is == sort && told.contains(needs) && !told.contains("cret"), "{is}: {told}");
    }
}

#[tokio::test]
async fn rows_are_read_until_a_page_is_not_full() {
    // A site whose pages hold what is asked for, and whose link to the next one is always there.
    let server = Server::start(|asked, _| match asked.line.as_str() {
        "POST /api/v1/auth/access_token" => token("t"),
        "GET /api/v1/schema/Task/fields" => ok(&task_fields()),
        _ => {
            let body: Json = serde_json::from_str(&asked.body).unwrap();
            let after = body["filters"]["conditions"][0][2].as_u64().unwrap_or(0);
            assert_eq!(body["page"], json!({"size": 2000, "number": 1}));
            match body["options"]["return_only"].as_str() {
                Some("retired") => page(json!([])),
                _ => page((after + 1..=(after + 2000).min(4000)).map(|id| task(id, json!([]))).collect()),
            }
        }
    });
    let server = server.await;
    let flow = server.flow(&[TASK]);
    let table = &flow.site.tables.all()[0];
    let shape = flow.site.shapes.of(&flow.site.client, table).await.unwrap().unwrap();
    let mut pager = page::Pager::new(table, &shape, false);
    let mut ids = Vec::new();
    while let Some(rows) = pager.next(&flow.site.client).await.unwrap() {
        ids.extend(rows.iter().map(|row| row.id));
    }
    assert_eq!(ids, (1..=4000).collect::<Vec<u64>>());
    assert_eq!(server.asked("_search").len(), 3);
}

#[tokio::test]
async fn a_site_that_begins_anew_each_time_is_not_read_for_ever() {
    let rows: Json = (1..=2000).map(|id| task(id, json!([]))).collect();
    let server = Server::start(move |asked, _| match asked.line.as_str() {
        "POST /api/v1/auth/access_token" => token("t"),
        "GET /api/v1/schema/Task/fields" => ok(&task_fields()),
        _ => page(rows.clone()),
    });
    let server = server.await;
    let flow = server.flow(&[TASK]);
    let told = load(&flow, Scope::Large).await.0.unwrap_err();
    assert!(told.to_string().contains("rows come again"), "{told}");
    assert_eq!(server.asked("_search").len(), 2);
}

/// Loads, and how many changes were handed over in parts.
async fn load(flow: &Flow, scope: Scope) -> (Result<Snapshot, SourceError>, usize) {
    let (parts, mut handed) = Parts::channel();
    let progress = Progress::logged();
    let loading = async {
        let parts = parts;
        load::load(&flow.site, scope, &progress, &parts).await
    };
    let counting = async {
        let mut count = 0;
        while let Some(part) = handed.recv().await {
            count += part.len();
        }
        count
    };
    tokio::join!(loading, counting)
}

#[tokio::test]
async fn rows_are_read_again_where_the_site_has_other_fields_now() {
    let fields = Arc::new(Mutex::new(Some(task_fields())));
    let told = Arc::clone(&fields);
    let server = Server::start(move |asked, _| match (asked.line.as_str(), told.lock().clone()) {
        ("POST /api/v1/auth/access_token", _) => token("t"),
        ("GET /api/v1/schema/Task/fields", Some(fields)) => ok(&fields),
        ("GET /api/v1/schema/Task/fields", None) => answer("404 Not Found", r#"{"errors": [{"code": 103}]}"#),
        _ => page(json!([task(5, json!([]))])),
    });
    let server = server.await;
    let flow = server.flow(&[TASK]);
    let loaded = async |scope| {
        let (snapshot, parts) = load(&flow, scope).await;
        let snapshot = snapshot.unwrap();
        let shown = matches!(&snapshot.changes[..], [Change::Upsert(record)] if record.kind == "entity_type");
        (parts, shown, snapshot.complete.iter().any(|kind| kind == "task"))
    };
    assert_eq!(loaded(Scope::All).await, (2, true, true), "in the trash and not");
    assert_eq!(loaded(Scope::Core).await, (0, true, false));
    fields.lock().as_mut().unwrap()["data"]["missing"] = field("text", &[]);
    assert_eq!(loaded(Scope::Core).await, (2, true, true), "a field that the policy names");
    assert_eq!(loaded(Scope::Core).await, (0, true, false), "once");
    let known = fields.lock().take();
    assert_eq!(loaded(Scope::Core).await, (0, false, true), "the type is gone, and all its rows");
    *fields.lock() = known;
    assert_eq!(loaded(Scope::Core).await, (2, true, true), "and is back");
}

#[tokio::test]
async fn an_odd_row_is_quarantined_alone_and_an_odd_value_left_out() {
    let rows = json!([
        task(1, json!([])),
        task(2, json!("nobody")),
        task(3, json!([{"id": "x"}])),
        {"type": "Task", "id": 4, "attributes": {}, "relationships": {"project": {"data": {"type": "Shot", "id": 1}}}},
        {"type": "Task", "id": 5, "attributes": {"content": "roto"}},
        {"type": "Shot", "id": 6, "attributes": {}, "relationships": {"project": {"data": null}}},
        {"id": 7},
        "row",
    ]);
    let server = Server::start(move |asked, _| match asked.line.as_str() {
        "POST /api/v1/auth/access_token" => token("t"),
        "GET /api/v1/schema/Task/fields" => ok(&task_fields()),
        _ if asked.body.contains("retired") => page(json!([])),
        _ => page(rows.clone()),
    });
    let server = server.await;
    let objects: Vec<_> = (1..=6).map(|id| ObjectRef::new("task", &id.to_string())).collect();
    let read = read::objects(&server.flow(&[TASK]).site, &objects).await.unwrap();
    let mut told = Vec::new();
    for change in &read.changes {
        told.push(match change {
            Change::Upsert(record) => format!("{} {}", record.id, record.field("task_assignees").is_some()),
            Change::Quarantine { object, problem } => format!("{} {problem}", object.id),
            other => panic!("{other:?}"),
        });
    }
    assert_eq!(
        told,
        [
            "1 true",
            "2 false",
            "3 false",
            "4 its project is no link to a project",
            "5 its project is not told",
            "6 it is no Task with an id",
        ]
    );
    assert!(!read.left_out);
}

#[tokio::test]
async fn who_refers_to_what_was_taken_out_of_the_trash_is_searched_for() {
    let server = Server::start(|asked, _| match asked.line.as_str() {
        "POST /api/v1/auth/access_token" => token("t"),
        "GET /api/v1/schema/Task/fields" => ok(&task_fields()),
        "GET /api/v1/schema/Group/fields" => ok(&json!({"data": {"users": field("multi_entity", &["HumanUser"])}})),
        "GET /api/v1/schema/Project/fields" => ok(&json!({"data": {"name": field("text", &[])}})),
        "GET /api/v1/schema/Shot/fields" => ok(&json!({"data": {"project": field("entity", &["Project"])}})),
        _ if asked.body.contains("retired") => page(json!([task(9, json!([]))])),
        _ => page(json!([task(5, json!([]))])),
    });
    let server = server.await;
    let flow =
        server.flow(&[TASK, ("group", "Group", "users"), ("shot", "Shot", "project"), ("project", "Project", "")]);
    let objects = [ObjectRef::new("shot", "8"), ObjectRef::new("group", "2")];
    let found = refer::referrers(&flow.site, &objects).await.unwrap();
    assert_eq!(found.objects, [ObjectRef::new("task", "5"), ObjectRef::new("task", "9")]);
    assert_eq!(found.reload, None);
    let searches = server.asked("_search");
    assert_eq!(searches.len(), 2, "nothing else can hold such a link: {searches:?}");
    let body: Json = serde_json::from_str(&searches[0].body).unwrap();
    let conditions = json!([{"logical_operator": "or", "conditions": [
        ["entity", "in", [{"type": "Shot", "id": 8}]],
        ["task_assignees", "in", [{"type": "Group", "id": 2}]],
    ]}]);
    assert_eq!(body["filters"]["conditions"], conditions);
    let found = refer::referrers(&flow.site, &[ObjectRef::new("project", "7")]).await.unwrap();
    assert_eq!((found.objects.len(), found.reload), (0, Some(Scope::All)), "too many");
}

#[tokio::test]
async fn a_script_acts_as_a_person_with_a_token_of_its_own() {
    let server = Server::start(|asked, n| match asked.line.as_str() {
        "POST /api/v1/auth/access_token" if asked.body.contains("sudo_as_login%3Amallory") => {
            told("400 Bad Request", 102, "can not sudo as mallory")
        }
        "POST /api/v1/auth/access_token" if asked.body.contains("sudo_as_login%3Aann") => token(asking::ANN),
        "POST /api/v1/auth/access_token" => token(&format!("t{n}")),
        _ => page(json!([])),
    });
    let server = server.await;
    let flow = server.flow(&[TASK]);
    let search = search::Search::of("Task", ["content"]);
    flow.site.client.search(&search).await.unwrap();
    flow.site.client.as_person("ann").search(&search).await.unwrap();
    let [own, anns] = &server.asked("access_token")[..] else { panic!("two tokens") };
    assert!(!own.body.contains("scope=") && anns.body.ends_with("&scope=sudo_as_login%3Aann"));
    let told = flow.site.client.as_person("mallory").search(&search).await.unwrap_err().to_string();
    assert!(told.contains("can not sudo") && told.contains("can_impersonate_this_user"), "{told}");
}

#[test]
fn an_address_is_one_of_a_site() {
    assert_eq!(address("https://s.example/").unwrap().as_str(), "https://s.example/");
    for (text, needs) in [
        ("s.example", "is not a URL"),
        ("ftp://s.example", "neither http nor https"),
        ("https://a:b@s.example", "script_key_file"),
    ] {
        let told = address(text).unwrap_err().to_string();
        assert!(told.contains(needs) && !told.contains("a:b"), "{told}");
    }
}
