//! A change is seen by every Check that starts after it was applied: over gRPC, while others ask too.
//!
//! ```text
//! writer:  apply ─► applied := its revision ─► asks at once ─► apply ...
//! callers: read applied ─► ask ─► an answer of at least that revision, and right in its own
//! ```

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use stagedoor::authorizer::{Authorizer, Clock, Feed, Options};
use stagedoor::engine::policy::Policy;
use stagedoor::model::change::{Batch, Change, Snapshot};
use stagedoor::model::id::Id;
use stagedoor::model::record::{Member, Record};
use stagedoor::model::value::Value;
use stagedoor::proto::v1;
use stagedoor::proto::v1::authorization_client::AuthorizationClient;
use stagedoor::serve::Services;
use stagedoor::serve::drain::Drain;
use stagedoor::serve::health::health;
use stagedoor::serve::listen::{Address, Listener};
use tokio::runtime::{Builder, Runtime};
use tonic::transport::{Channel, Endpoint};

use crate::app::question;

const FOR: Duration = Duration::from_secs(3);
/// So many ask all the time, each on a connection of their own.
const CALLERS: usize = 3;
/// One of them is asked about; all of them are too many for one write guard.
const TASKS: usize = 1_200;
const ASKED: usize = TASKS / 2;
/// Of so many changes one is a snapshot, and one a batch of every task.
const OF: u64 = 16;

/// An answer, to be judged once it is known which revisions there were.
struct Seen {
    /// What had been applied when it was asked.
    applied: u64,
    revision: u64,
    /// Whether each of the artists was allowed, of those who were asked about.
    allowed: [Option<bool>; 2],
}

fn person(n: usize) -> String {
    format!("artist{n}")
}

fn task(n: usize, whose: usize) -> Change {
    let record = Record::new("task", &format!("task{n}")).in_project("P").with("entity_id", Value::text("S"));
    Change::Upsert(record.with("assignees", Value::texts([person(whose).as_str()])))
}

/// A project with two artists and no tasks yet.
fn studio() -> Arc<Authorizer> {
    let policy = Policy::load("kitsu", None).unwrap();
    let authorizer = Authorizer::new(policy, Options::default(), Clock::system());
    let people = (0..2).map(|n| {
        let record = Record::new("person", &person(n)).with("active", true).with("role", Value::text("user"));
        Change::Upsert(record.with("departments", Value::texts([])))
    });
    let members = (0..2).map(|n| Member::new(Id::from(person(n).as_str()), None)).collect();
    let rest = [
        Change::Team { project: Id::from("P"), members },
        Change::Upsert(Record::new("project", "P")),
        Change::Upsert(Record::new("shot", "S").in_project("P").with("created_by", Value::Null)),
    ];
    authorizer.apply(Batch::Delta(people.chain(rest).collect()));
    authorizer.known_equal(Instant::now());
    authorizer.feed(Feed::Live);
    authorizer
}

/// The n-th change gives the task that is asked about to the other artist: alone, with all others, or in a snapshot.
fn change(n: u64) -> Batch {
    let (whose, others) = (whose(n), usize::from(n / OF % 2 == 1));
    let all = || (0..TASKS).map(|n| task(n, if n == ASKED { whose } else { others })).collect();
    match n % OF {
        0 => Batch::Snapshot(Snapshot { complete: vec!["task".into()], changes: all(), ..Snapshot::default() }),
        1 => Batch::Delta(all()),
        _ => Batch::Delta(vec![task(ASKED, whose)]),
    }
}

fn whose(n: u64) -> usize {
    usize::from(n % 2 == 1)
}

fn ask(n: usize) -> v1::CheckRequest {
    question(&person(n), "publish", &format!("task:task{ASKED}"))
}

fn revision(freshness: Option<v1::Freshness>) -> u64 {
    freshness.unwrap().revision
}

fn alone() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

async fn client(address: SocketAddr) -> AuthorizationClient<Channel> {
    AuthorizationClient::new(Endpoint::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap())
}

/// Asks about one of the artists, or about both at once.
async fn seen(client: &mut AuthorizationClient<Channel>, applied: u64, who: Option<usize>) -> Seen {
    let mut allowed = [None, None];
    let is_allowed = |answer: &v1::CheckResponse| Some(answer.decision() == v1::Decision::Allow);
    let freshness = if let Some(who) = who {
        let answer = client.check(ask(who)).await.unwrap().into_inner();
        allowed[who] = is_allowed(&answer);
        answer.freshness
    } else {
        let both = v1::BatchCheckRequest { items: vec![ask(0), ask(1)], ..Default::default() };
        let answer = client.batch_check(both).await.unwrap().into_inner();
        allowed = [is_allowed(&answer.results[0]), is_allowed(&answer.results[1])];
        answer.freshness
    };
    Seen { applied, revision: revision(freshness), allowed }
}

#[test]
fn a_change_is_seen_by_every_check_that_starts_after_it() {
    let authorizer = studio();
    // As the app has it.
    let check = Builder::new_multi_thread().thread_name("stagedoor-check").enable_all().build().unwrap();
    let entered = check.enter();
    let listener = Listener::bind(&"127.0.0.1:0".parse().unwrap()).unwrap();
    drop(entered);
    let Address::Tcp(address) = listener.address().unwrap() else { panic!("bound to TCP") };
    let (_reporter, health) = health();
    let services = Services::new(Arc::clone(&authorizer), None, health, Drain::new(Duration::ZERO));
    let serving = check.spawn(services.serve(listener, None));

    let first = authorizer.apply(change(0)).revision;
    let (applied, until) = (AtomicU64::new(first), Instant::now() + FOR);
    let (mut revisions, seen_by_writer, seen_by_callers) = std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let runtime = alone();
            let mut client = runtime.block_on(client(address));
            let (mut revisions, mut all) = (vec![first], Vec::new());
            for n in 1.. {
                // Of every kind of change at least two, however busy the machine is.
                if Instant::now() > until && n > 2 * OF {
                    break;
                }
                let revision = authorizer.apply(change(n)).revision;
                applied.store(revision, Ordering::Release);
                revisions.push(revision);
                // Whoever got the task, and whoever lost it.
                all.push(runtime.block_on(seen(&mut client, revision, Some(usize::from(n % 4 < 2)))));
                authorizer.heard(None);
            }
            (revisions, all)
        });
        let callers = (0..CALLERS).map(|caller| {
            let applied = &applied;
            scope.spawn(move || {
                let runtime = alone();
                let mut client = runtime.block_on(client(address));
                let mut all = Vec::new();
                while Instant::now() < until {
                    let who = (caller < 2).then_some(caller);
                    all.push(runtime.block_on(seen(&mut client, applied.load(Ordering::Acquire), who)));
                }
                all
            })
        });
        let callers: Vec<_> = callers.collect();
        let (revisions, writers) = writer.join().unwrap();
        let others: Vec<_> = callers.into_iter().flat_map(|caller| caller.join().unwrap()).collect();
        (revisions, writers, others)
    });
    serving.abort();
    check.shutdown_background();

    let flips = revisions.len();
    let of: HashMap<u64, usize> = (0..).zip(revisions.drain(..)).map(|(n, revision)| (revision, whose(n))).collect();
    assert_eq!(of.len(), flips, "each change makes a revision");
    let right = |seen: &Seen| {
        let Seen { applied, revision, allowed } = seen;
        assert!(revision >= applied, "asked after revision {applied}, answered from {revision}");
        let whose = of.get(revision).unwrap_or_else(|| panic!("answered from within a batch, at revision {revision}"));
        for (who, allowed) in allowed.iter().enumerate() {
            assert!(
                allowed.is_none_or(|allowed| allowed == (who == *whose)),
                "{who} at revision {revision}: {allowed:?}"
            );
        }
    };
    seen_by_writer.iter().chain(&seen_by_callers).for_each(right);
    assert!(seen_by_writer.iter().all(|seen| seen.revision == seen.applied), "nobody else writes");
    let (at_once, beside) = (seen_by_writer.len(), seen_by_callers.len());
    println!("{at_once} changes seen at once; {beside} answers beside");
    // Thousands, where the machine has nothing else to do.
    assert!(at_once > 30 && beside > 30, "{at_once} changes and {beside} answers prove nothing");
}
