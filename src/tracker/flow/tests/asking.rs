//! What is asked of a site as somebody, and how often it is asked what it shows.

use std::sync::atomic::AtomicBool;
use std::time::Instant as Now;

use futures_util::future::join_all;

use super::*;
use crate::model::query::Subject;
use crate::tracker::flow::probe::FlowProbe;
use crate::tracker::probe::{Asked as Question, Pace, Probe, Verdict};

/// {"sudo_as_login":"ann"}
pub(super) const ANN: &str = "e30.eyJzdWRvX2FzX2xvZ2luIjoiYW5uIn0.x";
const RATE: f64 = 50.0;
const NEVER: &str = "Entity of type [Task] with id=999999999 does not exist.";

fn row(kind: &str, id: u64, attributes: Json) -> Json {
    json!({"type": kind, "id": id, "attributes": attributes, "relationships": {}})
}

/// What a site shows to who sees all of it.
fn shown(asked: &Asked) -> Option<Vec<u8>> {
    let rows = match asked.line.split(' ').nth(1)? {
        "/api/v1" => return Some(ok(&json!({"data": {"shotgun_version": "v8.80"}}))),
        "/api/v1/auth/access_token" => return Some(token("t")),
        "/api/v1/entity/HumanUser/_search" => row("HumanUser", 3, json!({"login": "ann", "name": "Ann"})),
        "/api/v1/entity/PermissionRuleSet/_search" => row("PermissionRuleSet", 1, json!({})),
        "/api/v1/entity/ApiUser/_search" => row("ApiUser", 1, json!({"firstname": "Door & Co"})),
        "/api/v1/entity/Project/_search" => row("Project", 7, json!({})),
        "/api/v1/entity/EventLogEntry/_search" => row("EventLogEntry", 9, json!({})),
        "/api/v1/schema/Task/fields" => {
            let status = json!({"data_type": {"value": "status_list"},
                                "properties": {"valid_values": {"value": ["ip", "fin"]}}});
            return Some(ok(&json!({"data": {"content": field("text", &[]), "sg_status_list": status}})));
        }
        _ => return None,
    };
    Some(page(json!([rows])))
}

#[tokio::test]
async fn who_misses_something_looks_once_for_all() {
    let server = Server::start(|asked, _| shown(asked).unwrap_or_else(|| page(json!([])))).await;
    let flow = server.flow(&[TASK]);
    let looks = || server.asked("/ApiUser/").len();
    let reads = (1..=20).map(|id| {
        let flow = flow.clone();
        async move { flow.reread(&one(&id.to_string())).await }
    });
    for read in join_all(reads).await {
        assert!(matches!(&read.unwrap()[..], [Change::Remove(_)]));
    }
    assert_eq!(looks(), 1);
    flow.reread(&one("99")).await.unwrap();
    assert_eq!(looks(), 1);
    flow.site.sight.check(&flow.site.client).await.unwrap();
    assert_eq!(looks(), 2, "a load looks itself");
}

/// What a site does to who asks as Ann.
#[derive(Default)]
struct Moods {
    /// It does the first of a batch, and says that it could not do the second.
    does_halves: AtomicBool,
    /// The task is in the trash.
    gone: AtomicBool,
    /// Tokens are for others, and for a moment.
    tokens_of_others: AtomicBool,
}

async fn site() -> (Server, Arc<Moods>) {
    let moods = Arc::<Moods>::default();
    let (its, status) = (Arc::clone(&moods), Mutex::new("ip".to_owned()));
    let server = Server::start(move |asked, _| {
        let is = |mood: &AtomicBool| mood.load(Ordering::Relaxed);
        match asked.line.as_str() {
            "POST /api/v1/auth/access_token" if asked.body.contains("sudo_as_login%3Aann") => {
                let name = if is(&its.tokens_of_others) { "e30.e30.x" } else { ANN };
                ok(&json!({"access_token": name, "expires_in": 0}))
            }
            "POST /api/v1/entity/Task/_search" if is(&its.gone) => page(json!([])),
            "POST /api/v1/entity/Task/_search" => {
                let values =
                    json!({"content": "comp", "sg_status_list": &*status.lock(), "updated_at": "2026-01-01T00:00:00Z"});
                page(json!([row("Task", 1, values)]))
            }
            "POST /api/v1/entity/_batch" => {
                let body: Json = serde_json::from_str(&asked.body).unwrap();
                if is(&its.does_halves)
                    && let Some(value) = body["requests"][0]["data"]["sg_status_list"].as_str()
                {
                    value.clone_into(&mut status.lock());
                }
                told("404 Not Found", 104, NEVER)
            }
            _ => shown(asked).unwrap_or_else(|| page(json!([]))),
        }
    });
    (server.await, moods)
}

/// The questions about task 1, asked as Ann.
async fn probe(server: &Server) -> (FlowProbe, Vec<Question<<FlowProbe as Probe>::Request>>) {
    let config = Config {
        url: server.address.clone(),
        script_name: "door & co".into(),
        script_key: TokenSource::Value("key".into()),
        poll_interval: Duration::from_secs(1),
    };
    let _already = rustls::crypto::ring::default_provider().install_default();
    let ruled = std::iter::once((Str::from("task"), vec![(Str::from("sg_status_list"), vec![Str::from("fin")])]));
    let probe = FlowProbe::new(config, &pack(&[TASK]), ruled.collect(), Pace::new(RATE)).unwrap();
    let met = probe.meet(Subject::Login("ann")).await.unwrap();
    let questions = probe.questions(&met, &one("1"), 1).await.unwrap();
    (probe, questions)
}

#[tokio::test]
async fn an_update_is_seen_to_come_to_nothing_before_another_is_asked_about() {
    let (server, moods) = site().await;
    let started = Now::now();
    let (asks, questions) = probe(&server).await;
    let updates: Vec<_> = questions.iter().filter(|asked| asked.question.action == "update").collect();
    let value = |asked: &Question<_>| asked.question.value.clone().unwrap();
    assert!(updates.iter().any(|asked| value(asked) == "ip") && updates.iter().any(|asked| value(asked) == "fin"));
    for update in &updates {
        assert_eq!(asks.ask(&update.request).await, Ok(Verdict::Allowed), "{:?}", update.question);
    }
    let looked = server.asked("/Task/_search").len();
    for update in &updates {
        asks.ask(&update.request).await.unwrap();
    }
    assert_eq!(server.asked("/Task/_search").len(), looked, "once is enough");
    let sent = u32::try_from(server.asked.lock().len()).unwrap();
    assert!(started.elapsed() >= Duration::from_secs_f64(1.0 / RATE) * (sent - 1), "{sent} requests, tokens too");

    moods.does_halves.store(true, Ordering::Relaxed);
    let (asks, questions) = probe(&server).await;
    let asked: Vec<_> = questions.iter().filter(|asked| asked.question.action == "update").collect();
    let mut told = Vec::new();
    for update in &asked {
        told.extend(asks.ask(&update.request).await.err().map(|error| error.to_string()));
    }
    assert!(told.first().is_some_and(|told| told.contains("Task 1 was changed while it was asked")), "{told:?}");
}

#[tokio::test]
async fn a_row_is_read_by_the_names_of_its_fields_and_one_that_is_gone_is_not_refused() {
    let (server, moods) = site().await;
    let (asks, questions) = probe(&server).await;
    let (reads, others): (Vec<_>, Vec<_>) = questions.iter().partition(|asked| asked.question.action == "read");
    for read in &reads {
        assert_eq!(asks.ask(&read.request).await, Ok(Verdict::Allowed), "{:?}", read.question);
    }
    let body: Json = serde_json::from_str(&server.asked("/Task/_search").last().unwrap().body).unwrap();
    assert_eq!(body["fields"], json!(["content", "sg_status_list"]));
    let (asks, _) = probe(&server).await;
    moods.gone.store(true, Ordering::Relaxed);
    assert!(!others.is_empty());
    for read in &reads {
        assert!(matches!(asks.ask(&read.request).await, Ok(Verdict::Inconclusive(_))), "{:?}", read.question);
    }
}

#[tokio::test]
async fn every_token_must_say_as_whom_it_acts() {
    let (server, moods) = site().await;
    let (asks, questions) = probe(&server).await;
    moods.tokens_of_others.store(true, Ordering::Relaxed);
    let before = server.asked("/_search").len();
    let told = asks.ask(&questions[0].request).await.unwrap_err();
    assert!(matches!(&told, SourceError::Refused(why) if why.contains("does not say that it acts as ann")), "{told:?}");
    assert_eq!(server.asked("/_search").len(), before, "nothing is asked with it");
}
