//! More callers than there are seats, and callers that say nothing.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::*;

const SHORT: Duration = Duration::from_millis(100);

async fn listener() -> (TcpListener, std::net::SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

#[tokio::test]
async fn more_than_have_seats_wait_until_one_goes() {
    let (listener, address) = listener().await;
    let drain = Drain::new(Duration::from_secs(1));
    let mut come = few(listener, &drain, 2, IDLE);
    let mut callers = Vec::new();
    for _ in 0..5 {
        callers.push(TcpStream::connect(address).await.unwrap());
    }
    let first = come.next().await.unwrap().unwrap();
    let _second = come.next().await.unwrap().unwrap();
    assert!(timeout(SHORT, come.next()).await.is_err());
    drop(first);
    let third = timeout(SHORT, come.next()).await.unwrap();
    assert!(third.unwrap().is_ok());
    drain.begin();
    while timeout(SHORT * 10, come.next()).await.unwrap().is_some() {}
}

#[tokio::test]
async fn where_all_seats_are_taken_the_drain_ends_it() {
    let (listener, address) = listener().await;
    let drain = Drain::new(Duration::from_secs(1));
    let mut come = few(listener, &drain, 1, IDLE);
    let _caller = TcpStream::connect(address).await.unwrap();
    let _only = come.next().await.unwrap().unwrap();
    drain.begin();
    assert!(timeout(SHORT, come.next()).await.unwrap().is_none());
}

#[tokio::test]
async fn who_says_nothing_is_let_go() {
    let (listener, address) = listener().await;
    let drain = Drain::new(Duration::from_secs(1));
    let mut come = few(listener, &drain, 1, SHORT);
    let mut caller = TcpStream::connect(address).await.unwrap();
    let mut seated = come.next().await.unwrap().unwrap();
    let mut read = [0; 4];
    for _ in 0..4 {
        caller.write_all(b"half").await.unwrap();
        seated.read_exact(&mut read).await.unwrap();
        tokio::time::sleep(SHORT / 2).await;
    }
    let silent = timeout(SHORT * 10, seated.read(&mut read)).await.unwrap();
    assert_eq!(silent.unwrap_err().kind(), io::ErrorKind::TimedOut);
}
