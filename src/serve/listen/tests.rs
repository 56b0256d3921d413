//! Addresses, and what a socket file of another server or of a dead one does.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::time::Duration;

use futures_util::StreamExt as _;
use tempfile::tempdir;

use super::*;

fn unix(path: &Path) -> Address {
    Address::Unix(path.to_owned())
}

fn complaint(address: &Address) -> String {
    Listener::bind(address).map(drop).unwrap_err().to_string()
}

#[test]
fn spellings_of_addresses() {
    for (text, shown, local) in [
        ("127.0.0.1:7300", "127.0.0.1:7300", true),
        ("[::1]:7300", "[::1]:7300", true),
        ("[::ffff:127.0.0.1]:7300", "[::ffff:127.0.0.1]:7300", true),
        ("0.0.0.0:7300", "0.0.0.0:7300", false),
        ("[::]:7300", "[::]:7300", false),
        ("10.0.0.7:1", "10.0.0.7:1", false),
        ("unix:/run/s.sock", "unix:/run/s.sock", true),
        ("unix:///run/s.sock", "unix:/run/s.sock", true),
    ] {
        let address: Address = text.parse().unwrap();
        assert_eq!((address.to_string().as_str(), address.is_local()), (shown, local), "{text}");
    }
    for text in ["", "7300", "localhost:7300", ":7300", "127.0.0.1", "127.0.0.1:70000", "http://127.0.0.1:1"] {
        let told = text.parse::<Address>().unwrap_err();
        assert!(told.contains("127.0.0.1:7300") && told.contains("unix:/path"), "{told}");
    }
    for text in ["unix:", "unix:run/s.sock", "unix://run/s.sock"] {
        let told = text.parse::<Address>();
        assert!(told.as_ref().is_err_and(|told| told.contains("whole path")), "{text}: {told:?}");
    }
}

#[tokio::test]
async fn a_port_in_use_is_told() {
    let listener = Listener::bind(&"127.0.0.1:0".parse().unwrap()).unwrap();
    let taken = listener.address().unwrap();
    assert_ne!(taken, "127.0.0.1:0".parse().unwrap());
    let told = complaint(&taken);
    assert!(told.starts_with(&format!("cannot listen on {taken}: ")) && told.contains("another process"), "{told}");
}

#[tokio::test]
async fn a_socket_is_for_owner_and_group_and_removed_in_the_end() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("s.sock");
    let listener = Listener::bind(&unix(&path)).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
    assert_eq!(listener.address().unwrap(), unix(&path));
    drop(listener);
    assert!(!path.exists());
}

#[tokio::test]
async fn a_dead_socket_is_replaced_and_a_living_one_is_not() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("s.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists(), "left behind");
    let living = Listener::bind(&unix(&path)).unwrap();
    let inode = std::fs::metadata(&path).unwrap().ino();
    let told = complaint(&unix(&path));
    assert!(told.contains("another server answers there"), "{told}");
    assert_eq!(std::fs::metadata(&path).unwrap().ino(), inode, "left alone");
    drop(living);
}

#[tokio::test]
async fn what_is_no_socket_is_left_alone() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("s.sock");
    std::fs::write(&path, "precious").unwrap();
    let told = complaint(&unix(&path));
    assert!(told.contains("a file that is no socket is in the way"), "{told}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
    let told = complaint(&unix(&directory.path().join("nowhere/s.sock")));
    assert!(told.contains("create the directory first"), "{told}");
}

#[tokio::test]
async fn the_file_of_a_successor_is_left_alone() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("s.sock");
    let first = Listener::bind(&unix(&path)).unwrap();
    std::fs::remove_file(&path).unwrap();
    let second = Listener::bind(&unix(&path)).unwrap();
    drop(first);
    assert!(path.exists());
    drop(second);
    assert!(!path.exists());
}

#[tokio::test]
async fn of_two_that_start_at_once_one_listens() {
    for _ in 0..20 {
        let directory = tempdir().unwrap();
        let path = directory.path().join("s.sock");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let bind = || {
            let address = unix(&path);
            tokio::task::spawn_blocking(move || Listener::bind(&address))
        };
        let (one, two) = (bind(), bind());
        let bound = [one.await.unwrap(), two.await.unwrap()];
        assert_eq!(bound.iter().filter(|bound| bound.is_ok()).count(), 1, "{bound:?}");
        assert!(tokio::net::UnixStream::connect(&path).await.is_ok());
    }
}

#[tokio::test]
async fn what_waits_to_be_accepted_when_the_drain_begins_still_is() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("s.sock");
    let drain = Drain::new(Duration::from_secs(1));
    let Listener::Unix(listener, file) = Listener::bind(&unix(&path)).unwrap() else { panic!() };
    let waiting: Vec<_> = (0..10).map(|_| std::os::unix::net::UnixStream::connect(&path).unwrap()).collect();
    drain.begin();
    let accepted: Vec<_> = Incoming::new((listener, file), &drain).collect().await;
    assert_eq!(accepted.len(), waiting.len());
    assert!(!path.exists());
}
