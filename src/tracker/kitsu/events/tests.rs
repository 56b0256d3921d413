//! Listening to a server that does as it is told.

use std::time::Instant as Moment;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};

use super::*;
use crate::tracker::Scope;

const A: &str = "a24a6ea4-ce75-4665-a070-57453082c256";
const OPEN: &str = r#"0{"sid":"s","upgrades":[],"pingInterval":300,"pingTimeout":200,"maxPayload":1000000}"#;
const ENTERED: &str = r#"40/events,{"sid":"t"}"#;

/// Sends these frames to whoever connects, then keeps silent and hands over what it hears, until it is dropped.
struct Server {
    site: Url,
    task: JoinHandle<Vec<String>>,
}

impl Server {
    #[expect(clippy::disallowed_methods, reason = "no app here to spawn through")]
    async fn start(frames: Vec<Message>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let site = Url::parse(&format!("http://{}/kitsu", listener.local_addr().unwrap())).unwrap();
        let task = tokio::spawn(async move {
            let (connection, _) = listener.accept().await.unwrap();
            let mut heard = Vec::new();
            #[expect(clippy::result_large_err, reason = "the library's signature")]
            let greet = |request: &Request, response: Response| {
                heard.push(format!("{} {:?}", request.uri(), request.headers().get(AUTHORIZATION)));
                Ok(response)
            };
            let mut socket = tokio_tungstenite::accept_hdr_async(connection, greet).await.unwrap();
            for frame in frames {
                let _closed = socket.send(frame).await;
            }
            while let Some(Ok(message)) = socket.next().await {
                if let Message::Text(text) = message {
                    heard.push(text.to_string());
                }
            }
            heard
        });
        Self { site, task }
    }

    async fn texts(texts: &[&str]) -> Self {
        Self::start(texts.iter().map(|text| Message::text(*text)).collect()).await
    }

    async fn listen(&self) -> Result<BoxStream<'static, Signal>, SourceError> {
        listen(&self.site, "secret-token", Arc::new(AtomicBool::new(false))).await
    }
}

fn changed(kind: &str) -> Signal {
    Signal::Changed { objects: vec![ObjectRef::new(kind, A)], cursor: None }
}

#[tokio::test]
async fn events_are_told_as_what_to_re_read() {
    let task = format!(r#"42/events,["task:assign",{{"task_id":"{A}"}}]"#);
    let person = format!(r#"42/events,["person:update",{{"person_id":"{A}"}}]"#);
    let import = r#"42/events,["task:new",{"project_id":"x"}]"#;
    let idle = r#"42/events,["time-spent:new",{}]"#;
    let server = Server::texts(&[OPEN, ENTERED, &task, "2", import, idle, "6", &person]).await;
    let mut stream = server.listen().await.unwrap();
    let mut told = Vec::new();
    while told.last() != Some(&changed("person")) {
        told.push(stream.next().await.unwrap());
    }
    let reload = Signal::Reload { scope: Scope::Large, objects: Vec::new() };
    assert_eq!(told, [changed("task"), Signal::Heartbeat, reload, Signal::Heartbeat, changed("person")]);
    drop(stream);
    let heard = server.task.await.unwrap();
    assert!(heard[0].starts_with("/kitsu/socket.io/?EIO=4&transport=websocket"), "{heard:?}");
    assert!(heard[0].contains("Bearer secret-token"), "{heard:?}");
    assert_eq!(heard[1..], [socket::ENTER, socket::PONG]);
}

#[tokio::test]
async fn a_feed_that_breaks_says_so_once_and_ends() {
    for (frames, expected) in [
        (vec![Message::text("41/events,")], "closed by the server"),
        (vec![Message::text("1")], "closed by the server"),
        (vec![Message::Close(None)], "closed by the server"),
        (vec![Message::text(r#"44/events,{"message":"Token has expired"}"#)], "Token has expired"),
        (vec![Message::text("42/events,[\"task:new\",{")], "not a Socket.IO packet"),
        (vec![Message::text("hello")], "not a Socket.IO packet"),
        (vec![Message::text("2".repeat(5 << 20))], "too long"),
    ] {
        let opening = [Message::text(OPEN), Message::text(ENTERED)];
        let server = Server::start(opening.into_iter().chain(frames).collect()).await;
        let mut stream = server.listen().await.unwrap();
        match stream.next().await {
            Some(Signal::Lost(why)) => {
                assert!(why.to_lowercase().contains(&expected.to_lowercase()), "{expected}: {why}")
            }
            other => panic!("{expected}: {other:?}"),
        }
        assert_eq!(stream.next().await, None);
    }
}

#[tokio::test]
async fn silence_is_noticed() {
    let server = Server::texts(&[OPEN, ENTERED]).await;
    let started = Moment::now();
    let mut stream = server.listen().await.unwrap();
    assert_eq!(stream.next().await, Some(Signal::Lost("silent for 0.5 s".into())));
    assert!(started.elapsed() < Duration::from_secs(3));
}

#[tokio::test]
async fn who_is_not_let_in_learns_why() {
    for (frames, expected) in [
        (vec![OPEN, r#"44/events,{"message":"Not enough segments"}"#], "does not let the token listen"),
        (vec![r#"0{"pingInterval":25000}"#], "not a Socket.IO packet"),
        (vec!["40/events,{}"], "does not open as Engine.IO 4 does"),
        (vec![OPEN, "41/events,"], "closed while connecting"),
    ] {
        let server = Server::texts(&frames).await;
        let Err(error) = server.listen().await else { panic!("let in: {expected}") };
        assert!(error.to_string().contains(expected), "{error}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
    let nobody = Url::parse("http://127.0.0.1:9").unwrap();
    let Err(error) = listen(&nobody, "t", Arc::default()).await else { panic!("let in") };
    assert!(error.to_string().contains("cannot be reached"), "{error}");
}
