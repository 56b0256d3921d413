//! A table of one's own: each combination of what the flags list is a row.

use std::sync::Arc;

use crate::ask::{Answer, Asking, Case, Novelty};
use crate::callers::Shape;
use crate::child::{Doing, Nursery, Server};
use crate::common::Studio;
use crate::contest::{Contestant, contest};
use crate::openfga::OpenFga;
use crate::peer::Peer;
use crate::report::Report;
use crate::{Effort, Failure, Over, Table};

/// How large a studio is that is needed, where nothing is said.
const TASKS: usize = 200_000;

/// A row, but for how it is reached and what is answered.
#[derive(Clone, Copy, Debug)]
struct Row {
    shape: Shape,
    novelty: Novelty,
}

pub(crate) async fn measure(
    table: &Table,
    effort: Effort,
    cores: Option<usize>,
    report: &mut Report,
) -> Result<(), Failure> {
    let rows = rows(table);
    let new = rows.iter().any(|row| row.novelty == Novelty::Miss);
    let tasks = table.tasks.or((new || table.is_busy()).then_some(TASKS));
    let nursery = Nursery::new(cores)?;
    let peers = peers(&table.peer).await?;
    if table.rate.is_some_and(|rate| rate.is_nan() || rate < 1.0) || table.writes == Some(0) || tasks == Some(0) {
        return Err("--rate, --writes and --tasks are one at least".into());
    }
    if !peers.is_empty() && tasks.is_some() {
        return Err(
            "peers hold the demo's questions only: leave --tasks, --writes, --reload and --asks miss away".into()
        );
    }
    for over in or(&table.over, Over::Tcp) {
        let stagedoor = nursery.stagedoor(over, tasks).await?;
        for answer in or(&table.answer, Answer::Allow) {
            let asking = |novelty, case| Asking::new(tasks.map(Studio::large), novelty, answer, case);
            let samples = [Case::Batch1, Case::Batch50, Case::Batch1000].map(|case| asking(Novelty::Hit, case));
            let floor = nursery.floor(over, &stagedoor, &samples).await?;
            for Row { shape, novelty } in &rows {
                let asked = Arc::new(asking(*novelty, shape.case));
                let mut all = Vec::new();
                if table.is_busy() {
                    all.extend(busy(table, &stagedoor, &asked));
                } else {
                    all.extend([&floor, &stagedoor].map(|server| Contestant::child(server, &asked)));
                    all.extend(peers.iter().filter(|peer| over == Over::Tcp && peer.can(shape.case)).map(|peer| {
                        let (name, asking) = (peer.name().to_owned(), Arc::clone(&asked));
                        Contestant { name, peer: peer.as_ref(), server: None, doing: None, asking }
                    }));
                }
                report.tell(&contest(title(*shape, over, *novelty, answer, tasks), &all, *shape, effort).await?)?;
            }
        }
    }
    Ok(())
}

/// What a flag lists, or what stands for nothing said.
fn or<T: Copy>(listed: &[T], default: T) -> Vec<T> {
    if listed.is_empty() { vec![default] } else { listed.to_vec() }
}

fn rows(table: &Table) -> Vec<Row> {
    let mut rows = Vec::new();
    for case in or(&table.case, Case::Check) {
        for connections in or(&table.connections, 2) {
            // A stream's case says how much is in flight.
            let in_flight = if case.piped().is_some() { vec![1] } else { or(&table.in_flight, 8) };
            for in_flight in in_flight {
                for novelty in or(&table.asks, Novelty::Hit) {
                    rows.push(Row { shape: Shape { case, connections, in_flight, rate: table.rate }, novelty });
                }
            }
        }
    }
    rows
}

/// The same server idle, and in each of the circumstances that are asked for.
fn busy<'a>(table: &Table, stagedoor: &'a Server, asking: &Arc<Asking>) -> Vec<Contestant<'a>> {
    let mut all = vec![Contestant::busy(stagedoor, "idle", Doing::Nothing, asking)];
    if let Some(rate) = table.writes {
        all.push(Contestant::busy(stagedoor, "writes", Doing::Writes(rate), asking));
    }
    if table.reload {
        all.push(Contestant::busy(stagedoor, "reload", Doing::Reload, asking));
        all.push(Contestant::busy(stagedoor, "reload, a tenth new", Doing::ReloadTenth, asking));
    }
    all
}

async fn peers(flags: &[String]) -> Result<Vec<Box<dyn Peer>>, Failure> {
    let mut peers: Vec<Box<dyn Peer>> = Vec::new();
    for flag in flags {
        match flag.split_once('=') {
            Some(("openfga", address)) => peers.push(Box::new(OpenFga::set_up(address).await?)),
            _ => return Err(format!("`{flag}`: the peer that is known is openfga=ADDRESS:PORT").into()),
        }
    }
    Ok(peers)
}

fn title(shape: Shape, over: Over, novelty: Novelty, answer: Answer, tasks: Option<usize>) -> String {
    let Shape { case, connections, in_flight, rate } = shape;
    let flow = match (rate, case.piped()) {
        (Some(rate), _) => format!(", {rate} calls a second due"),
        (None, Some(_)) => String::new(),
        (None, None) => format!(", {in_flight} in flight"),
    };
    let over = if over == Over::Tcp { "TCP" } else { "Unix socket" };
    let novelty = if novelty == Novelty::Hit { "the same question" } else { "new questions" };
    let answer = if answer == Answer::Allow { "allowed" } else { "denied" };
    let studio = tasks.map_or_else(|| "demo".to_owned(), |tasks| format!("{tasks} tasks"));
    format!("{}{flow}, {connections} connections, {over}; {novelty}, {answer}, {studio}", case.name())
}

// === impl Table ===

impl Table {
    /// Whether stagedoor alone is measured, idle and busy.
    fn is_busy(&self) -> bool {
        self.writes.is_some() || self.reload
    }
}
