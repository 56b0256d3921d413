//! Several servers, or one in several circumstances, measured in turn: rounds, and each one's ratio to the first.

use std::sync::Arc;

use hdrhistogram::Histogram;

use crate::ask::Asking;
use crate::callers::{Heard, Shape, call};
use crate::child::{Doing, Server};
use crate::peer::Peer;
use crate::{Effort, Failure};

/// One that is measured.
pub(crate) struct Contestant<'a> {
    pub(crate) name: String,
    pub(crate) peer: &'a dyn Peer,
    /// Whose processor time is known.
    pub(crate) server: Option<&'a Server>,
    /// What its background does meanwhile; `None`: it has none that can be told.
    pub(crate) doing: Option<Doing>,
    pub(crate) asking: Arc<Asking>,
}

/// What was measured of one in one round.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    /// Decisions a second.
    pub(crate) rate: f64,
    /// Answered calls a second.
    pub(crate) calls: f64,
    /// Microseconds of calls.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) p999: f64,
    /// Microseconds of the server's processor time for each decision.
    pub(crate) cpu: Option<f64>,
    /// The part of the answers that came from a cache.
    pub(crate) cached: f64,
    /// How often a second the background did what it was told.
    pub(crate) done: Option<f64>,
    pub(crate) times: Histogram<u64>,
}

/// All rounds of one row of a table.
pub(crate) struct Outcome {
    pub(crate) title: String,
    pub(crate) rate: Option<f64>,
    pub(crate) names: Vec<String>,
    /// Of each contestant, in each round.
    pub(crate) runs: Vec<Vec<Run>>,
}

/// A figure of a run.
pub(crate) type Figure = fn(&Run) -> f64;

// === impl Contestant ===

impl<'a> Contestant<'a> {
    pub(crate) fn child(server: &'a Server, asking: &Arc<Asking>) -> Self {
        let asking = Arc::clone(asking);
        Self { name: server.peer.name.to_owned(), peer: &server.peer, server: Some(server), doing: None, asking }
    }

    /// A studio with something going on beside.
    pub(crate) fn busy(server: &'a Server, name: &str, doing: Doing, asking: &Arc<Asking>) -> Self {
        Self { name: name.to_owned(), doing: Some(doing), ..Self::child(server, asking) }
    }

    async fn run(&self, shape: Shape, time: std::time::Duration) -> Result<Run, Failure> {
        if let (Some(server), Some(doing)) = (self.server, self.doing) {
            server.tell(doing)?;
        }
        let before = self.server.map(Server::cpu).transpose()?;
        let Heard { times, calls, answers, elapsed } = call(self.peer, shape, &self.asking, time).await?;
        let after = self.server.map(Server::cpu).transpose()?;
        let mut done = None;
        if let (Some(server), Some(_)) = (self.server, self.doing) {
            let (often, seconds) = server.tell(Doing::Nothing)?;
            done = Some(number(often) / seconds);
        }
        let decisions = number(u64::try_from(answers.allowed + answers.denied)?);
        let at = |quantile| number(times.value_at_quantile(quantile)) / 1e3;
        Ok(Run {
            rate: decisions / elapsed.as_secs_f64(),
            calls: number(u64::try_from(calls)?) / elapsed.as_secs_f64(),
            p50: at(0.5),
            p99: at(0.99),
            p999: at(0.999),
            cpu: before.zip(after).map(|(before, after)| (after - before).as_secs_f64() * 1e6 / decisions),
            cached: number(u64::try_from(answers.cached)?) / decisions,
            done,
            times,
        })
    }
}

/// Measures all of them, so many rounds; who is first changes from round to round.
pub(crate) async fn contest(
    title: String,
    all: &[Contestant<'_>],
    shape: Shape,
    effort: Effort,
) -> Result<Outcome, Failure> {
    for one in all {
        one.run(shape, effort.warm).await?;
    }
    let mut runs: Vec<Vec<Run>> = all.iter().map(|_| Vec::new()).collect();
    for round in 0..effort.rounds {
        let mut order: Vec<_> = all.iter().zip(&mut runs).collect();
        if round % 2 == 1 {
            order.reverse();
        }
        for (one, runs) in order {
            runs.push(one.run(shape, effort.time).await?);
        }
    }
    let names = all.iter().map(|one| one.name.clone()).collect();
    Ok(Outcome { title, rate: shape.rate, names, runs })
}

// === impl Outcome ===

impl Outcome {
    /// The median over the rounds of a figure of one.
    pub(crate) fn median(&self, of: usize, figure: Figure) -> f64 {
        median(self.runs.get(of).into_iter().flatten().map(figure))
    }

    /// The median over the rounds of the ratio to the first.
    pub(crate) fn ratio(&self, of: usize, figure: Figure) -> f64 {
        median(self.ratios(of, figure))
    }

    /// The ratio to the first in each round.
    pub(crate) fn ratios(&self, of: usize, figure: Figure) -> impl Iterator<Item = f64> {
        let (base, other) = (self.runs.first(), self.runs.get(of));
        let pairs = base.into_iter().flatten().zip(other.into_iter().flatten());
        pairs.map(move |(base, other)| figure(other) / figure(base))
    }
}

/// Numbers here are far below 2^53.
#[allow(clippy::cast_precision_loss, reason = "counts and nanoseconds of a few minutes")]
pub(crate) fn number(count: u64) -> f64 {
    count as f64
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
