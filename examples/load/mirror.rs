//! The children that are stagedoor: the program itself over the demo's studio, or its parts over a generated one.
//!
//! ```text
//! check runtime (a thread per core)     background (this thread)
//!   listener, connections, checks         lines from the caller ─► Authorizer::apply
//! ```
//!
//! The parts are the app's own: services, listener, transport, runtime and allocator. What is missing is the tracker's
//! connector and its supervisor; this thread applies in their stead, as the app's background thread does.

use std::io::{BufRead as _, Write as _};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError, channel};
use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, stream};
use stagedoor::authorizer::{Authorizer, Clock, Feed, Options};
use stagedoor::model::change::{Batch, Change, Snapshot};
use stagedoor::serve::Services;
use stagedoor::serve::drain::Drain;
use stagedoor::serve::health::health;
use stagedoor::serve::listen::Listener;
use stagedoor::{app, config};
use tokio::runtime::{Builder, Runtime};

use crate::Failure;
use crate::common::{SUPERVISOR, Studio, policy};

/// How many changes are applied at once while the studio is made.
const PART: usize = 50_000;
/// Each so many-th pair of changes is of the task that is asked about again and again.
const ASKED: u64 = 50;
/// Each so many-th task differs between the two studios of a reload with changes.
const TENTH: usize = 10;

/// The runtime of connections and checks, as the app has it.
pub(crate) fn check_runtime() -> Result<Runtime, Failure> {
    Ok(Builder::new_multi_thread().thread_name("stagedoor-check").enable_all().build()?)
}

/// Says that it serves, and hands each line of the caller's to `take`. With the caller ends the process.
pub(crate) fn ready(mut take: impl FnMut(String) + Send + 'static) -> Result<(), Failure> {
    say("ready")?;
    std::thread::Builder::new().name("lines".to_owned()).spawn(move || {
        std::io::stdin().lock().lines().map_while(Result::ok).for_each(&mut take);
        std::process::exit(0);
    })?;
    Ok(())
}

fn say(line: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout();
    writeln!(out, "{line}")?;
    out.flush()?;
    Ok(())
}

/// What `stagedoor serve --demo` is.
pub(crate) fn demo(at: &str) -> Result<(), Failure> {
    let environment = [("STAGEDOOR__LISTEN".to_owned(), at.to_owned())].into();
    let bound = app::build(config::demo(&environment)?)?;
    ready(drop)?;
    bound.run(stream::pending().boxed())?;
    Ok(())
}

/// A studio of so many tasks, and a background that does as it is told.
pub(crate) fn studio(at: &str, tasks: usize) -> Result<(), Failure> {
    let studio = Studio::large(tasks);
    let authorizer = Authorizer::new(policy(), Options::default(), Clock::system());
    for part in studio.parts(PART) {
        authorizer.apply(Batch::Delta(part));
    }
    authorizer.known_equal(Instant::now());
    authorizer.feed(Feed::Live);

    let check = check_runtime()?;
    let entered = check.enter();
    let listener = Listener::bind(&at.parse()?)?;
    drop(entered);
    let (_reporter, health) = health();
    let services = Services::new(Arc::clone(&authorizer), None, health, Drain::new(Duration::ZERO));
    // The one task of this runtime; it ends with the process.
    let _serving = check.spawn(services.serve(listener, None));
    let (sender, lines) = channel();
    // Nothing takes lines any more once the background has failed, and that ends the process.
    ready(move |line| drop(sender.send(line)))?;
    Background { studio, authorizer, lines }.run()
}

/// What is done beside the checks.
struct Background {
    studio: Studio,
    authorizer: Arc<Authorizer>,
    lines: Receiver<String>,
}

enum Doing {
    Nothing,
    Writes {
        pause: Duration,
    },
    /// The studios that are reloaded in turn.
    Reload(Vec<Snapshot>),
}

/// The studio as a connector hands it over: made record by record while checks go on.
fn as_read(studio: &Snapshot) -> Snapshot {
    let mut read = Snapshot { changes: Vec::with_capacity(studio.changes.len()), ..Snapshot::default() };
    read.complete.clone_from(&studio.complete);
    read.teams = studio.teams;
    for some in studio.changes.chunks(128) {
        std::thread::yield_now();
        read.changes.extend_from_slice(some);
    }
    read
}

// === impl Background ===

impl Background {
    fn run(self) -> Result<(), Failure> {
        let (mut doing, mut done, mut began) = (Doing::Nothing, 0_u64, Instant::now());
        while let Some(line) = self.next(&doing, done, began)? {
            if let Some(line) = line {
                let took = began.elapsed().as_secs_f64();
                doing = self.doing(&line)?;
                say(&format!("{done} {took}"))?;
                (done, began) = (0, Instant::now());
                continue;
            }
            match &doing {
                Doing::Nothing => {}
                Doing::Writes { .. } => {
                    self.authorizer.apply(Batch::Delta(vec![self.flip(done)]));
                    done += 1;
                }
                Doing::Reload(studios) => {
                    let turn = usize::try_from(done)? % studios.len();
                    if let Some(studio) = studios.get(turn) {
                        self.authorizer.apply(Batch::Snapshot(as_read(studio)));
                    }
                    done += 1;
                }
            }
            // As a heartbeat of the tracker's would.
            self.authorizer.heard(None);
        }
        Ok(())
    }

    /// Waits until something is to be done: for a line (`Some`), or the next change. `None`: the caller is gone.
    fn next(&self, doing: &Doing, done: u64, began: Instant) -> Result<Option<Option<String>>, Failure> {
        let wait = match doing {
            Doing::Nothing => Duration::from_secs(1),
            // A change that came late is made up for: the pace is that of the whole.
            Doing::Writes { pause } => {
                (began + *pause * u32::try_from(done)?).saturating_duration_since(Instant::now())
            }
            Doing::Reload(_) => Duration::ZERO,
        };
        if wait.is_zero() {
            return Ok(match self.lines.try_recv() {
                Ok(line) => Some(Some(line)),
                Err(TryRecvError::Empty) => Some(None),
                Err(TryRecvError::Disconnected) => None,
            });
        }
        Ok(match self.lines.recv_timeout(wait) {
            Ok(line) => Some(Some(line)),
            Err(RecvTimeoutError::Timeout) => Some(None),
            Err(RecvTimeoutError::Disconnected) => None,
        })
    }

    fn doing(&self, line: &str) -> Result<Doing, Failure> {
        let (what, number) = line.split_once(' ').ok_or("a line without a number")?;
        Ok(match (what, number.parse::<u32>()?) {
            ("nothing", _) => Doing::Nothing,
            ("writes", rate @ 1..) => Doing::Writes { pause: Duration::from_secs(1) / rate },
            ("reload", 0) => Doing::Reload(vec![self.whole(false)]),
            ("reload", _) => Doing::Reload(vec![self.whole(true), self.whole(false)]),
            _ => return Err(format!("`{line}` is nothing to do").into()),
        })
    }

    /// The n-th change: a supervisor is assigned to a task beside its artist, and with the next change no longer. What is
    /// asked is decided anew and answered as before.
    fn flip(&self, n: u64) -> Change {
        let turn = n / 2;
        let tasks = u64::try_from(self.studio.tasks).unwrap_or(u64::MAX);
        // Far apart, as changes of many people's are.
        let task = if turn.is_multiple_of(ASKED) { 0 } else { (turn * 7_919) % tasks };
        self.task(usize::try_from(task).unwrap_or_default(), n.is_multiple_of(2))
    }

    fn task(&self, task: usize, more: bool) -> Change {
        let supervisor = self.studio.in_charge(self.studio.project_of(task), SUPERVISOR);
        let assignees = self.studio.assignees(task).chain(more.then_some(supervisor));
        Change::Upsert(self.studio.task_record(task, assignees))
    }

    /// Everything there is; `changed`: with a supervisor assigned to each tenth task.
    fn whole(&self, changed: bool) -> Snapshot {
        let kinds = ["project_status", "task_status", "department", "task_type", "project", "person", "shot", "task"];
        let rest =
            self.studio.changes().filter(|change| !matches!(change, Change::Upsert(record) if record.kind == "task"));
        let tasks = (0..self.studio.tasks).map(|task| self.task(task, changed && task % TENTH == 0));
        let changes = rest.chain(tasks).collect();
        Snapshot { complete: kinds.map(Into::into).to_vec(), teams: true, changes, ..Snapshot::default() }
    }
}
