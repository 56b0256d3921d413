//! The Kitsu connector against a real zou: how soon a change takes effect, and what happens when parts of zou are away.

mod studio;
mod zou;

use std::collections::BTreeMap;
use std::future::Future;
use std::io::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use stagedoor::authorizer::{Authorizer, Clock, Options, State};
use stagedoor::engine::policy::Policy;
use stagedoor::model::decision::Reason;
use stagedoor::tracker::kitsu::{Config, Kitsu};
use stagedoor::tracker::secret::TokenSource;
use stagedoor::tracker::supervise::{self, Stats, Supervisor};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use self::studio::{Change, Studio};
use self::zou::Zou;

/// These tests stop parts of zou and count what they see: one at a time.
pub(super) static TURN: Mutex<()> = Mutex::const_new(());

/// An authorizer that follows zou, in this process.
pub(super) struct Mirror {
    pub(super) authorizer: Arc<Authorizer>,
    stats: Arc<Stats>,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

impl Mirror {
    pub(super) async fn start(
        zou: &Zou,
        token: TokenSource,
        max_staleness: Duration,
        options: supervise::Options,
    ) -> Self {
        let policy = Policy::load("kitsu", None).expect("the built-in pack compiles");
        let authorizer = Authorizer::new(policy, Options { max_staleness, ..Options::default() }, Clock::system());
        let config = Config { url: zou.api.clone(), events_url: zou.events.clone(), token };
        let source = Kitsu::new(config).expect("a good configuration");
        let supervisor = Supervisor::new(source, Arc::clone(&authorizer), options);
        let (stats, shutdown) = (supervisor.stats(), CancellationToken::new());
        let task = spawn(supervisor.run(shutdown.clone()));
        let mirror = Self { authorizer, stats, shutdown, task };
        mirror.reaches(State::Live, Duration::from_secs(60)).await;
        mirror
    }

    async fn reaches(&self, state: State, within: Duration) -> Duration {
        let started = Instant::now();
        while self.authorizer.state() != state {
            assert!(started.elapsed() < within, "still {:?} after {within:?}", self.authorizer.state());
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        started.elapsed()
    }

    /// How long it takes until the change's question is answered as it then should be.
    async fn flips(&self, change: &Change, within: Duration) -> Duration {
        let started = Instant::now();
        loop {
            let answer = self.authorizer.check(&change.query()).await;
            if answer.decision.allowed() == change.allowed {
                return started.elapsed();
            }
            assert!(
                started.elapsed() < within,
                "{}: still {:?} after {within:?}; {:?}",
                change.what,
                answer.decision,
                self.stats
            );
            tokio::time::sleep(Duration::from_micros(200)).await;
        }
    }

    pub(super) async fn stop(self) {
        self.shutdown.cancel();
        self.task.await.expect("the supervisor ends without panic");
    }
}

#[expect(clippy::disallowed_methods, reason = "no app here to spawn through")]
fn spawn(future: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
    tokio::spawn(future)
}

pub(super) fn ready() -> Zou {
    let _already = rustls::crypto::ring::default_provider().install_default();
    let filter = tracing_subscriber::EnvFilter::try_from_env("STAGEDOOR_LOG").unwrap_or_else(|_| "off".into());
    let _set = tracing_subscriber::fmt().with_env_filter(filter).with_test_writer().try_init();
    Zou::from_env()
}

fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)]
}

fn print(line: &str) {
    writeln!(std::io::stdout(), "{line}").expect("stdout is open");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs zou: run tests/run"]
async fn a_hundred_changes_take_effect_at_once() {
    let _turn = TURN.lock().await;
    let zou = ready();
    let mut studio = Studio::seed(&zou).await;
    let mirror = Mirror::start(&zou, zou.token(), Duration::from_secs(600), supervise::Options::default()).await;
    let mut rng = StdRng::seed_from_u64(7);
    let mut times = Vec::new();
    let mut kinds: BTreeMap<&str, Vec<Duration>> = BTreeMap::new();
    for _ in 0..100 {
        let change = studio.pick(&mut rng);
        // As it is before: the other way round.
        let before = mirror.authorizer.check(&change.query()).await;
        assert_eq!(before.decision.allowed(), !change.allowed, "{} before: {:?}", change.what, before.decision);
        change.make(&zou).await;
        let took = mirror.flips(&change, Duration::from_secs(5)).await;
        times.push(took);
        kinds.entry(change.what).or_default().push(took);
        studio.made(&change);
        if rng.random_bool(0.3) {
            tokio::time::sleep(Duration::from_millis(rng.random_range(0..30))).await;
        }
    }
    times.sort_unstable();
    for (what, mut times) in kinds {
        times.sort_unstable();
        print(&format!(
            "{what}: {} times, p50 {:?}, most {:?}",
            times.len(),
            percentile(&times, 50),
            times[times.len() - 1]
        ));
    }
    print(&format!(
        "100 changes, REST return to flip: p50 {:?}, p95 {:?}, p99 {:?}, most {:?}; {:?}",
        percentile(&times, 50),
        percentile(&times, 95),
        percentile(&times, 99),
        times[times.len() - 1],
        mirror.stats
    ));
    assert_eq!(mirror.stats.reconcile_found.get(), 0);
    mirror.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs zou: run tests/run"]
async fn what_happened_while_the_event_process_was_away_is_caught_up_with() {
    let _turn = TURN.lock().await;
    let zou = ready();
    let studio = Studio::seed(&zou).await;
    let mirror = Mirror::start(&zou, zou.token(), Duration::from_secs(600), supervise::Options::default()).await;
    zou.ctl(&["events-stop"]).await;
    let stopped = Instant::now();
    mirror.reaches(State::Degraded, Duration::from_secs(5)).await;
    let changes = studio.one_of_each();
    for change in &changes {
        let before = mirror.authorizer.check(&change.query()).await;
        assert_eq!(before.decision.allowed(), !change.allowed, "{} before: {:?}", change.what, before.decision);
    }
    for change in &changes {
        change.make(&zou).await;
    }
    tokio::time::sleep(Duration::from_secs(10).saturating_sub(stopped.elapsed())).await;
    zou.ctl(&["events-start"]).await;
    let started = Instant::now();
    while mirror.stats.reconnects.get() == 0 {
        assert!(started.elapsed() < Duration::from_secs(20), "not reconnected");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let reconnected = Instant::now();
    for change in &changes {
        mirror.flips(change, Duration::from_secs(5).saturating_sub(reconnected.elapsed())).await;
    }
    let right = reconnected.elapsed();
    mirror.reaches(State::Live, Duration::from_secs(5)).await;
    print(&format!(
        "{} changes while the event process was away: reconnected {:?} after its start, all right {right:?} after that, \
         live {:?} after it",
        changes.len(),
        reconnected - started,
        reconnected.elapsed()
    ));
    mirror.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs zou: run tests/run"]
async fn what_no_event_announces_is_found_by_the_reconcile() {
    let _turn = TURN.lock().await;
    let zou = ready();
    let studio = Studio::seed(&zou).await;
    let options = supervise::Options { reconcile: Duration::from_secs(3), ..Default::default() };
    let mirror = Mirror::start(&zou, zou.token(), Duration::from_secs(600), options).await;
    for (what, change) in [("CSV import of persons", studio.role_by_csv()), ("plain SQL", studio.role_by_sql())] {
        let before = mirror.authorizer.check(&change.query()).await;
        assert_eq!(before.decision.allowed(), !change.allowed, "{what}: {:?}", before.decision);
        let (events, found) = (mirror.stats.events.get(), mirror.stats.reconcile_found.get());
        change.make(&zou).await;
        let took = mirror.flips(&change, Duration::from_secs(8)).await;
        // The decision flips while the reconcile is being applied; it is counted just after.
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(mirror.stats.events.get(), events, "{what} was announced after all");
        let counted = mirror.stats.reconcile_found.get() - found;
        assert!(counted >= 1, "{what} was not counted: {:?}", mirror.stats);
        print(&format!("{what}: right after {took:?} (reconcile every 3 s), {counted} found by it"));
    }
    mirror.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs zou: run tests/run"]
async fn answers_outlive_zou_until_they_are_too_old() {
    let _turn = TURN.lock().await;
    let zou = ready();
    let mut studio = Studio::seed(&zou).await;
    let bound = Duration::from_secs(6);
    let options = supervise::Options { probe: Duration::from_secs(1), ..Default::default() };
    let mirror = Mirror::start(&zou, zou.token(), bound, options).await;
    let change = studio.one_of_each().remove(0);
    let allowed = !change.allowed;

    zou.ctl(&["events-stop"]).await;
    zou.ctl(&["api-stop"]).await;
    mirror.reaches(State::Degraded, Duration::from_secs(4)).await;
    let first = mirror.authorizer.check(&change.query()).await;
    assert_eq!(first.decision.allowed(), allowed, "answers go on");
    tokio::time::sleep(Duration::from_millis(500)).await;
    let second = mirror.authorizer.check(&change.query()).await;
    assert!(second.freshness.age >= first.freshness.age + Duration::from_millis(400), "as_of ages");
    assert_eq!(second.freshness.as_of, first.freshness.as_of, "as_of stands still");
    let stale_after = mirror.reaches(State::Stale, bound + Duration::from_secs(2)).await;
    let stale = mirror.authorizer.check(&change.query()).await;
    assert_eq!(stale.decision.code, Reason::Stale);

    zou.ctl(&["api-start"]).await;
    zou.ctl(&["events-start"]).await;
    let back = Instant::now();
    mirror.reaches(State::Live, Duration::from_secs(20)).await;
    let live_after = back.elapsed();
    assert_eq!(mirror.authorizer.check(&change.query()).await.decision.allowed(), allowed);
    change.make(&zou).await;
    mirror.flips(&change, Duration::from_secs(5)).await;
    studio.made(&change);
    print(&format!("zou killed: stale {stale_after:?} later; zou back: live again after {live_after:?}"));
    mirror.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs zou: run tests/run"]
async fn a_revoked_token_is_noticed_and_a_rotated_one_taken_up() {
    let _turn = TURN.lock().await;
    let zou = ready();
    let mut studio = Studio::seed(&zou).await;
    let (bot, token) = zou.bot("admin").await;
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(file.path(), &token).expect("the token is written");
    let options = supervise::Options { probe: Duration::from_millis(500), ..Default::default() };
    let source = TokenSource::File(file.path().to_owned());
    let mirror = Mirror::start(&zou, source, Duration::from_secs(600), options).await;

    let rotated = zou.rotate(&bot).await;
    let noticed = mirror.reaches(State::Degraded, Duration::from_secs(20)).await;
    std::fs::write(file.path(), format!("{rotated}\n")).expect("the token is written");
    let live = mirror.reaches(State::Live, Duration::from_secs(20)).await;
    let change = studio.one_of_each().remove(0);
    change.make(&zou).await;
    mirror.flips(&change, Duration::from_secs(5)).await;
    studio.made(&change);
    print(&format!("token revoked: noticed after {noticed:?}, live {live:?} after the file was rewritten"));
    mirror.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs zou: run tests/run"]
async fn a_token_that_does_not_see_everything_is_refused_with_the_mend() {
    use stagedoor::tracker::{Source, SourceError};

    let zou = ready();
    let (_, manager) = zou.bot("manager").await;
    for (token, expected) in [
        (manager, "belongs to a manager"),
        ("no.such.token".into(), "does not accept the token"),
        (" ".into(), "is empty"),
    ] {
        let config =
            Config { url: zou.api.clone(), events_url: zou.events.clone(), token: TokenSource::Value(token.clone()) };
        let refused = Kitsu::new(config).expect("a good configuration").probe().await.expect_err("refused");
        let SourceError::Refused(why) = &refused else { panic!("{refused:?}") };
        assert!(why.contains(expected) && why.contains("admin"), "{why}");
        assert!(token.trim().is_empty() || !why.contains(&token), "the token is told");
    }
}
