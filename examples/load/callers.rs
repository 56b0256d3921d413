//! The callers: a closed loop (each waits for its answer before it asks again) or an open one (calls are due at a fixed
//! pace, whatever the answers do).
//!
//! Invariant: in the open loop a call's time counts from when it was due. A server that stalls is charged for every call
//! that was due meanwhile, and not only for those that it let through.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use hdrhistogram::Histogram;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::Failure;
use crate::ask::{Asking, Case, Question};
use crate::peer::{Answers, Connection, Peer};

/// The most calls of an open loop that are under way on one connection; what is due beyond that waits, and that counts.
const MOST_UNDER_WAY: usize = 1_000;
/// How long the last answers of an open loop are waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// How a server is called.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) case: Case,
    pub(crate) connections: usize,
    /// Calls under way on each connection, for Check and BatchCheck in the closed loop.
    pub(crate) in_flight: usize,
    /// Calls a second in all, in the open loop.
    pub(crate) rate: Option<f64>,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Heard {
    /// Nanoseconds of each call that was made or due.
    pub(crate) times: Histogram<u64>,
    /// How many calls were answered.
    pub(crate) calls: usize,
    pub(crate) answers: Answers,
    pub(crate) elapsed: Duration,
}

/// What one caller heard.
#[derive(Debug, Default)]
struct Part {
    times: Vec<u64>,
    answers: Answers,
    /// Of the times, those of calls that were due and never made: at least so long.
    unmade: usize,
}

/// Calls a server for a time.
pub(crate) async fn call(
    peer: &dyn Peer,
    shape: Shape,
    asking: &Arc<Asking>,
    time: Duration,
) -> Result<Heard, Failure> {
    let mut connections = Vec::new();
    for _ in 0..shape.connections.max(1) {
        connections.push(peer.connect().await?);
    }
    let began = Instant::now();
    let until = began + time;
    let parts = match (shape.rate, shape.case.piped()) {
        (Some(_), Some(_)) => return Err("a stream is measured in the closed loop only".into()),
        (Some(rate), None) => open(connections, shape.case, asking, rate, until).await?,
        (None, piped) => {
            let mut callers = JoinSet::new();
            for connection in connections {
                if let Some(piped) = piped {
                    callers.spawn(self::piped(connection, piped, Arc::clone(asking), until));
                    continue;
                }
                for _ in 0..shape.in_flight.max(1) {
                    callers.spawn(closed(connection.share(), shape.case, Arc::clone(asking), until));
                }
            }
            let mut parts = Vec::new();
            while let Some(ended) = callers.join_next().await {
                parts.push(ended??);
            }
            parts
        }
    };
    let elapsed = began.elapsed();
    let mut heard = Heard { times: Histogram::new(3)?, calls: 0, answers: Answers::default(), elapsed };
    for part in &parts {
        heard.calls += part.times.len() - part.unmade;
        for time in &part.times {
            heard.times.record(*time)?;
        }
    }
    heard.answers = parts.iter().map(|part| part.answers).sum();
    let Answers { allowed, denied, cached: _ } = heard.answers;
    let wrong = if asking.is_allow() { denied } else { allowed };
    if wrong > 0 {
        return Err(format!("{} answered {wrong} of {} questions wrongly", peer.name(), allowed + denied).into());
    }
    if heard.calls == 0 {
        return Err(format!("{} answered nothing in {time:?}", peer.name()).into());
    }
    Ok(heard)
}

async fn once(connection: &mut dyn Connection, case: Case, asking: &Asking) -> Result<Answers, Failure> {
    let questions = asking.next();
    match (case, &*questions) {
        (Case::Check, [question, ..]) => connection.check(question).await,
        _ => connection.batch(&questions).await,
    }
}

/// One call after the other.
async fn closed(
    mut connection: Box<dyn Connection>,
    case: Case,
    asking: Arc<Asking>,
    until: Instant,
) -> Result<Part, Failure> {
    let mut part = Part::default();
    let mut began = Instant::now();
    loop {
        let answers = once(&mut *connection, case, &asking).await?;
        part.note(began, answers);
        began = Instant::now();
        if began >= until {
            return Ok(part);
        }
    }
}

/// So many requests under way at once on one stream.
async fn piped(
    mut connection: Box<dyn Connection>,
    in_flight: usize,
    asking: Arc<Asking>,
    until: Instant,
) -> Result<Part, Failure> {
    let next = || asking.next().first().cloned().ok_or("nothing is asked");
    let (sender, receiver) = mpsc::channel::<Question>(in_flight);
    let mut begun = VecDeque::new();
    for _ in 0..in_flight {
        begun.push_back(Instant::now());
        sender.send(next()?).await?;
    }
    let mut answers = connection.stream(receiver).await?;
    let mut part = Part::default();
    while let Some(answer) = answers.next().await {
        part.note(begun.pop_front().ok_or("more answers than questions")?, answer?);
        let now = Instant::now();
        if now >= until {
            return Ok(part);
        }
        begun.push_back(now);
        sender.send(next()?).await?;
    }
    Err("the stream ended before it was told to".into())
}

/// Calls when they are due, on each connection in turn.
async fn open(
    connections: Vec<Box<dyn Connection>>,
    case: Case,
    asking: &Arc<Asking>,
    rate: f64,
    until: Instant,
) -> Result<Vec<Part>, Failure> {
    let began = Instant::now();
    let (mut calls, mut part) = (JoinSet::new(), Part::default());
    let most = MOST_UNDER_WAY * connections.len();
    let mut turns = connections.iter().cycle();
    let mut made = 0_u32;
    let nth_due = |n: u32| began + Duration::from_secs_f64(f64::from(n) / rate);
    let mut due = began;
    loop {
        let now = Instant::now();
        while due <= now && now < until && calls.len() < most {
            let Some(mut connection) = turns.next().map(|connection| connection.share()) else { break };
            let asking = Arc::clone(asking);
            let was_due = due;
            calls.spawn(async move {
                let answers = once(&mut *connection, case, &asking).await?;
                Ok::<_, Failure>((was_due.elapsed(), answers))
            });
            made += 1;
            due = nth_due(made);
        }
        while let Some(ended) = calls.try_join_next() {
            let (took, answers) = ended??;
            part.add(took, answers);
        }
        if now >= until && (calls.is_empty() || now >= until + PATIENCE) {
            break;
        }
        // Timers are too coarse for this: the callers have a core of their own, and look again and again.
        tokio::task::yield_now().await;
    }
    // What is still under way now is left alone, and counts as what was never made.
    let left = std::iter::repeat_n(until, calls.len());
    let unmade = (made..).map(nth_due).take_while(|due| *due < until);
    for due in left.chain(unmade) {
        part.unmade += 1;
        part.times.push(nanoseconds(due.elapsed()));
    }
    Ok(vec![part])
}

// === impl Part ===

impl Part {
    fn note(&mut self, began: Instant, answers: Answers) {
        self.add(began.elapsed(), answers);
    }

    fn add(&mut self, took: Duration, answers: Answers) {
        self.times.push(nanoseconds(took));
        self.answers = [self.answers, answers].into_iter().sum();
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
