//! Connecting to, and listening to, a hub that does as it is told.

use std::time::Instant as Moment;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::*;
use crate::model::id::ObjectRef;
use crate::tracker::ftrack::{Config, Ftrack};
use crate::tracker::secret::TokenSource;
use crate::tracker::{Scope, Source as _};

const GREETING: &str = "67a93c66e9d044c0b126:60:60:websocket,xhr-polling";
const ACK: &str = r#"6:::1+[{"success": true}]"#;
const PACE: Pace = Pace {
    step: Duration::from_millis(300),
    silence: Duration::from_millis(700),
    ping: Duration::from_millis(100),
    pong: Duration::from_millis(400),
    look: Duration::from_millis(150),
};

/// What a hub does after the greeting, step by step.
#[derive(Clone)]
enum Step {
    Send(String),
    /// Waits for a text frame, and answers it as the function says.
    Hear(fn(&str) -> Option<String>),
    Wait(u64),
    /// Reads, so that pings are answered, and sends nothing.
    Silence,
    /// Does not even read.
    Freeze,
    Close,
}

/// Greets, then does these steps for the one that connects; hands over what it heard.
struct Server {
    address: String,
    task: JoinHandle<Vec<String>>,
}

impl Server {
    #[expect(clippy::disallowed_methods, reason = "no app here to spawn through")]
    async fn start(greeting: &str, steps: Vec<Step>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/studio", listener.local_addr().unwrap());
        let greeting =
            format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{greeting}", greeting.len());
        let task = tokio::spawn(async move {
            let (mut connection, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 4096];
            let length = connection.read(&mut request).await.unwrap();
            let mut heard = vec![String::from_utf8_lossy(&request[..length]).into_owned()];
            connection.write_all(greeting.as_bytes()).await.unwrap();
            drop(connection);
            let Ok((connection, _)) = listener.accept().await else { return heard };
            let mut upgrade = vec![0; 4096];
            let length = connection.peek(&mut upgrade).await.unwrap();
            heard.push(String::from_utf8_lossy(&upgrade[..length]).into_owned());
            let mut socket = tokio_tungstenite::accept_async(connection).await.unwrap();
            for step in steps {
                match step {
                    Step::Send(text) => drop(socket.send(Message::text(text)).await),
                    Step::Wait(millis) => tokio::time::sleep(Duration::from_millis(millis)).await,
                    Step::Silence => while let Some(Ok(_)) = socket.next().await {},
                    Step::Freeze => std::future::pending().await,
                    Step::Close => drop(socket.close(None).await),
                    Step::Hear(answer) => loop {
                        match socket.next().await {
                            Some(Ok(Message::Text(text))) => {
                                heard.push(text.to_string());
                                if let Some(answer) = answer(&text) {
                                    let _closed = socket.send(Message::text(answer)).await;
                                }
                                break;
                            }
                            Some(Ok(_)) => {}
                            _ => return heard,
                        }
                    },
                }
            }
            heard
        });
        Self { address, task }
    }

    /// One that lets the client subscribe and then does these steps.
    async fn subscribed(mut steps: Vec<Step>) -> Self {
        let mut all = vec![send("1::"), Step::Hear(|_| Some(ACK.into()))];
        all.append(&mut steps);
        Self::start(GREETING, all).await
    }

    fn ftrack(&self) -> Ftrack {
        let _already = rustls::crypto::ring::default_provider().install_default();
        let api_key = TokenSource::Value("secret-key".into());
        Ftrack { pace: PACE, ..Ftrack::new(Config { url: self.address.clone(), user: "api".into(), api_key }).unwrap() }
    }

    async fn listen(&self) -> Result<BoxStream<'static, Signal>, SourceError> {
        listen(self.ftrack().shared, PACE).await
    }

    /// What is heard until the link is lost.
    async fn signals(&self) -> Vec<Signal> {
        self.listen().await.unwrap().collect().await
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn send(text: &str) -> Step {
    Step::Send(text.into())
}

fn update(kind: &str, id: &str) -> Step {
    let entity = json!({"entityType": kind, "entityId": id, "action": "update", "keys": ["name"]});
    let event = json!({"topic": "ftrack.update", "data": {"entities": [entity]}});
    Step::Send(format!("5:::{}", json!({"name": "ftrack.event", "args": [event]})))
}

fn changed(kind: &str, id: &str) -> Signal {
    Signal::Changed { objects: vec![ObjectRef::new(kind, id)], cursor: None }
}

fn lost(signals: &[Signal]) -> &str {
    match signals.last() {
        Some(Signal::Lost(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn it_shows_its_key_to_the_greeting_alone_and_subscribes_plainly() {
    let server = Server::subscribed(vec![send("2::"), Step::Hear(|_| None)]).await;
    let signals = server.signals().await;
    assert_eq!(signals[0], Signal::Heartbeat);
    let mut server = server;
    let heard = (&mut server.task).await.unwrap();
    let [greeting, upgrade, subscription, heartbeat] = &heard[..] else { panic!("{heard:?}") };
    assert!(greeting.starts_with("GET /studio/socket.io/1/ HTTP/1.1"), "{greeting}");
    for header in
        ["ftrack-user: api", "ftrack-api-key: secret-key", "ftrack-strict-api: true", "ftrack-clienttoken: stagedoor-"]
    {
        assert!(greeting.contains(header), "{greeting}");
    }
    assert!(upgrade.starts_with("GET /studio/socket.io/1/websocket/67a93c66e9d044c0b126 HTTP/1.1"), "{upgrade}");
    assert!(!upgrade.contains("secret"), "{upgrade}");
    let event: Json = serde_json::from_str(subscription.strip_prefix("5:1+::").unwrap()).unwrap();
    assert_eq!(event["name"], "ftrack.event");
    let event = &event["args"][0];
    assert_eq!(
        (&event["topic"], &event["data"]["subscription"]),
        (&json!("ftrack.meta.subscribe"), &json!("topic=ftrack.update"))
    );
    assert_eq!(event["data"]["subscriber"]["id"], event["source"]["id"]);
    assert_eq!(heartbeat, "2::");
}

#[tokio::test]
async fn a_greeting_that_is_none() {
    for (greeting, expected) in [
        ("", "has no session id"),
        ("a/../b:60:60:websocket", "has no session id"),
        ("<html>", "a web page came"),
        ("s:60:60:xhr-polling", "offers no websocket"),
        ("s", "offers no websocket"),
        (
            r#"{"exception":"InvalidCredentialsError","content":"The supplied API key is not valid."}"#,
            "does not accept the API key",
        ),
    ] {
        let server = Server::start(greeting, Vec::new()).await;
        let error = server.listen().await.map(drop).unwrap_err().to_string();
        assert!(error.contains(expected) && !error.contains("secret"), "{greeting}: {error}");
    }
}

#[tokio::test]
async fn a_hub_that_does_not_let_in() {
    type Case = (Vec<Step>, &'static str);
    let nack: fn(&str) -> Option<String> = |_| Some(r#"6:::1+[{"success": false, "message": "no such topic"}]"#.into());
    let cases: Vec<Case> = vec![
        (vec![Step::Freeze], "takes longer than"),
        (vec![Step::Close], "closed"),
        (vec![send("7:::client not handshaken+reconnect")], "refuses the connection: client not handshaken"),
        (vec![send("0::")], "closed"),
        (vec![send("1::"), Step::Hear(nack)], "does not let the API key listen to events: no such topic"),
        (vec![send("1::"), Step::Silence], "takes longer than"),
    ];
    for (steps, expected) in cases {
        let server = Server::start(GREETING, steps).await;
        let started = Moment::now();
        let error = server.listen().await.map(drop).unwrap_err().to_string();
        assert!(error.contains(expected), "{expected}: {error}");
        assert!(started.elapsed() < Duration::from_secs(3), "{expected}");
    }
}

#[tokio::test]
async fn what_comes_while_connecting_is_survived() {
    let ack: fn(&str) -> Option<String> = |_| Some(ACK.into());
    let steps = vec![
        send("8::"),
        send("garbage"),
        send("1::"),
        Step::Hear(|_| None),
        send("2::"),
        send("6:::77"),
        send("5:::{"),
        Step::Hear(ack),
        update("user", "u"),
        send("0::"),
    ];
    let server = Server::start(GREETING, steps).await;
    assert_eq!(server.signals().await[0], changed("user", "u"));
}

#[tokio::test]
async fn a_frame_of_several_events_is_read_whole() {
    let event = |kind: &str, action: &str| json!({"topic": "ftrack.update", "data": {"entities": [{"entityType": kind, "entityId": "x", "action": action}]}});
    let args = [event("user", "update"), event("note", "update"), event("group", "remove")];
    let frame = format!("5:::{}", json!({"name": "ftrack.event", "args": args}));
    let server = Server::subscribed(vec![send(&frame), send("0::")]).await;
    let objects = ["user", "note", "group"].map(|kind| ObjectRef::new(kind, "x")).to_vec();
    assert_eq!(server.signals().await[0], Signal::Reload { scope: Scope::Core, objects });
}

#[tokio::test]
async fn nothing_but_the_end_of_the_link_ends_it() {
    let garbled = ["", ":", "hello", "5:::", "5:::{", "6:::x+[", r#"5:::{"name":"ftrack.event","args":[7]}"#];
    let passed_over = ["8::", "99::", "3:::x", "4:::[]", r#"5:::{"name":"other","args":[]}"#];
    let mut steps: Vec<Step> = garbled.iter().map(|text| send(text)).collect();
    steps.extend(passed_over.iter().map(|text| send(text)));
    steps.extend([update("group", "g"), send("0::")]);
    let server = Server::subscribed(steps).await;
    let signals = server.signals().await;
    let reload = Signal::Reload { scope: Scope::All, objects: Vec::new() };
    assert_eq!(signals[..garbled.len()], vec![reload; garbled.len()]);
    assert_eq!(signals[garbled.len()], changed("group", "g"));
    assert_eq!(lost(&signals), "closed by the event hub");
    for (end, expected) in [(Step::Close, "closed by the server"), (send("7:::+reconnect"), "put out by the event hub")]
    {
        let server = Server::subscribed(vec![end, Step::Silence]).await;
        let signals = server.signals().await;
        assert!(lost(&signals).contains(expected), "{signals:?}");
    }
}

#[tokio::test]
async fn a_hub_that_is_silent_is_left_though_its_server_answers_pings() {
    let server = Server::subscribed(vec![Step::Silence]).await;
    let stream = server.listen().await.unwrap();
    let started = Moment::now();
    let signals: Vec<_> = stream.collect().await;
    assert!(signals.len() == 1 && lost(&signals).starts_with("silent for"), "{signals:?}");
    assert!(started.elapsed() >= PACE.silence && started.elapsed() < PACE.silence * 2);
}

#[tokio::test]
async fn a_server_that_answered_pings_and_stops_is_left_sooner() {
    // It reads for a while, waiting for a text that never comes.
    let server = Server::subscribed(vec![send("2::"), Step::Hear(|_| None), Step::Freeze]).await;
    let mut stream = server.listen().await.unwrap();
    assert_eq!(stream.next().await, Some(Signal::Heartbeat));
    let started = Moment::now();
    let signals: Vec<_> = stream.collect().await;
    assert!(lost(&signals).starts_with("silent for") && started.elapsed() < PACE.silence * 2, "{signals:?}");
}

#[tokio::test]
async fn what_is_hinted_is_looked_at_once_more() {
    let server = Server::subscribed(vec![update("user", "u"), update("user", "v"), Step::Silence]).await;
    let mut stream = server.listen().await.unwrap();
    assert_eq!(stream.next().await, Some(changed("user", "u")));
    assert_eq!(stream.next().await, Some(changed("user", "v")));
    let started = Moment::now();
    let mut again = Vec::new();
    while again.len() < 2 {
        match stream.next().await {
            Some(Signal::Changed { objects, .. }) => again.extend(objects),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(again, [ObjectRef::new("user", "u"), ObjectRef::new("user", "v")]);
    assert!(started.elapsed() >= Duration::from_millis(100));
}

#[tokio::test]
async fn a_project_that_an_event_names_and_nobody_sees_is_asked_for_once() {
    let entity = json!({"entityType": "task", "entityId": "t", "action": "update", "parents": [{"entityType": "show", "entityId": "p"}]});
    let event = json!({"topic": "ftrack.update", "data": {"entities": [entity]}});
    let frame = format!("5:::{}", json!({"name": "ftrack.event", "args": [event]}));
    let server = Server::subscribed(vec![send(&frame), send(&frame), send("0::")]).await;
    let signals = server.signals().await;
    let task = ObjectRef::new("object", "t");
    let first = Signal::Changed { objects: vec![task, ObjectRef::new("project", "p")], cursor: None };
    assert_eq!(signals[..2], [first, changed("object", "t")]);
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "no app here to spawn through")]
async fn a_message_is_told_once_the_hub_has_taken_it() {
    let taken: fn(&str) -> Option<String> = |text| {
        let number = text.strip_prefix("5:")?.split('+').next()?;
        Some(format!("6:::{number}+[{{\"success\": true}}]"))
    };
    let refused: fn(&str) -> Option<String> = |text| {
        let number = text.strip_prefix("5:")?.split('+').next()?;
        Some(format!("6:::{number}+[{{\"success\": false, \"message\": \"no such target\"}}]"))
    };
    let server = Server::subscribed(vec![
        Step::Hear(taken),
        Step::Hear(refused),
        Step::Hear(|_| None),
        Step::Wait(50),
        send("0::"),
    ])
    .await;
    let ftrack = server.ftrack();
    let publish = || {
        let event = Hub::new(&ftrack.shared.client).event("a.topic", "", &json!({"text": "a:b"}));
        ftrack.shared.outbox.publish(event, Duration::from_secs(2))
    };
    assert!(matches!(publish().await, Err(SourceError::Unavailable(why)) if why.contains("not connected")));
    let stream = listen(Arc::clone(&ftrack.shared), PACE).await.unwrap();
    let listening = tokio::spawn(stream.collect::<Vec<_>>());
    assert_eq!(publish().await, Ok(Notified::Taken));
    assert!(matches!(publish().await, Err(SourceError::Refused(why)) if why.contains("no such target")));
    // The link ends before an answer: it was sent, and is not to be sent again.
    assert_eq!(publish().await, Ok(Notified::Sent));
    listening.await.unwrap();
    assert!(matches!(publish().await, Err(SourceError::Unavailable(_))));
}

#[test]
fn refusals() {
    for (answer, expected) in [
        (json!(null), None),
        (json!({"success": true}), None),
        (json!({"success": false, "message": "why"}), Some("why")),
        (json!({"success": false}), Some("no reason given")),
        (json!({"exception": "X", "content": "why"}), Some("why")),
    ] {
        assert_eq!(refused(&answer).as_deref(), expected, "{answer}");
    }
}

#[tokio::test]
async fn what_the_last_link_named_is_looked_at_after_it() {
    let objecttype = json!({"entityType": "objecttype", "entityId": "o", "action": "update", "keys": ["name"]});
    let event = json!({"topic": "ftrack.update", "data": {"entities": [objecttype]}});
    let reload = format!("5:::{}", json!({"name": "ftrack.event", "args": [event]}));
    let server = Server::subscribed(vec![update("user", "u"), send(&reload), send("5:::{"), send("0::")]).await;
    let ftrack = server.ftrack();
    let started = Instant::now();
    let signals: Vec<_> = listen(Arc::clone(&ftrack.shared), PACE).await.unwrap().collect().await;
    assert_eq!(signals.len(), 4, "{signals:?}");
    let sure = ftrack.sure_until().unwrap();
    assert!(sure >= started.into_std() && sure <= Moment::now());
    let (mut objects, mut scope) = (Vec::new(), None);
    while ftrack.sure_until().is_some() {
        match ftrack.shared.looks.due(PACE.look).await {
            Signal::Changed { objects: due, .. } => objects.extend(due),
            Signal::Reload { scope: due, objects: also } => {
                objects.extend(also);
                scope = Some(due);
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((objects, scope), (vec![ObjectRef::new("user", "u")], Some(Scope::All)));
    assert!(started.elapsed() >= PACE.look);
}

#[tokio::test]
async fn a_load_that_is_owed_is_told_at_once() {
    let server = Server::subscribed(vec![Step::Silence]).await;
    let ftrack = server.ftrack();
    let slow = Pace { ping: Duration::from_secs(5), ..PACE };
    let mut stream = listen(Arc::clone(&ftrack.shared), slow).await.unwrap();
    let owing = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        ftrack.shared.looks.owe(Scope::Large);
    };
    let (signal, ()) = tokio::join!(stream.next(), owing);
    assert_eq!(signal, Some(Signal::Reload { scope: Scope::Large, objects: Vec::new() }));
}
