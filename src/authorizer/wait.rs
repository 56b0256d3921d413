//! The read path: decide now where possible, else wait for what is under way and decide then.

use std::time::{Duration, Instant};

use super::answer::{Actions, Answer, Explanation, Freshness};
use super::freshness::Moment;
use super::{Authorizer, Mirror};
use crate::engine::{Explained, Resolved, Said, decide, explain, named, resolve, resolve_told, unknown};
use crate::model::change::Dep;
use crate::model::decision::{Decision, Reason};
use crate::model::id::ObjectRef;
use crate::model::query::Query;

/// How often whoever waits looks again, besides being told.
const TICK: Duration = Duration::from_millis(5);

/// How often records may turn out to be missing before the question counts as undecidable.
const ROUNDS: usize = 6;

/// A decision as it came out of one look at the mirror.
struct Look {
    decision: Decision,
    cached: bool,
    /// To be read from the tracker before this can be decided.
    missing: Vec<ObjectRef>,
    under_way: UnderWay,
}

/// What is under way that bears on an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum UnderWay {
    Nothing,
    /// Something it rests on has changed at the tracker and is not applied yet.
    Change,
}

/// What a question may still wait for.
#[derive(Default)]
struct Patience {
    rounds: usize,
    /// What is missing could not be read: no second try.
    unreadable: bool,
    /// Until when changes that are under way are waited for; set when the first is met.
    until: Option<Instant>,
}

impl Authorizer {
    /// Decides one question. Waits only for what the question asks for or cannot be decided without.
    pub async fn check(&self, query: &Query<'_>) -> Answer {
        // What can be answered at once is: no await, no allocation on that way.
        if let Some(answer) = self.check_now(query) {
            return answer;
        }
        let answers = self.check_batch(std::slice::from_ref(query)).await;
        answers.into_iter().next().unwrap_or_else(|| self.refusal(Reason::Indeterminate))
    }

    /// Decides one question if nothing has to be waited for.
    pub fn check_now(&self, query: &Query<'_>) -> Option<Answer> {
        let consistency = &query.consistency;
        if consistency.refresh {
            return None;
        }
        let mirror = self.mirror.read();
        if consistency.at_least_revision > mirror.directory.revision() {
            return None;
        }
        let look = self.look(&mirror, query, false);
        if look.under_way > UnderWay::Nothing || !look.missing.is_empty() {
            return None;
        }
        Some(self.answer(&mirror, &look, query))
    }

    /// Decides many questions from one revision of the mirror, in their order.
    pub async fn check_batch(&self, queries: &[Query<'_>]) -> Vec<Answer> {
        self.prepare(queries).await;
        let mut patience = Patience::default();
        loop {
            let (answers, missing, under_way) = self.look_at_all(queries, patience.unreadable);
            if !self.wait(missing, under_way, &mut patience).await {
                return answers;
            }
        }
    }

    /// Decides about every action that applies to the resource of a question, whatever its own action. `None` where
    /// the policy has no such kind.
    pub async fn list_actions(&self, query: &Query<'_>) -> Option<Actions> {
        self.prepare(std::slice::from_ref(query)).await;
        let mut patience = Patience::default();
        loop {
            let (actions, missing, under_way) = self.look_at_list(query, patience.unreadable)?;
            if !self.wait(missing, under_way, &mut patience).await {
                return Some(actions);
            }
        }
    }

    /// Decides one question and says why.
    pub async fn explain(&self, query: &Query<'_>) -> Explanation {
        self.prepare(std::slice::from_ref(query)).await;
        let mut patience = Patience::default();
        loop {
            let (explanation, missing, under_way) = self.look_closely(query, patience.unreadable);
            if !self.wait(missing, under_way, &mut patience).await {
                return explanation;
            }
        }
    }

    /// Waits for the revision that a question asks for, and re-reads what it wants refreshed.
    async fn prepare(&self, queries: &[Query<'_>]) {
        let revision = queries.iter().map(|query| query.consistency.at_least_revision).max().unwrap_or_default();
        loop {
            let applied = self.applied.notified();
            tokio::pin!(applied);
            applied.as_mut().enable();
            if self.mirror.read().directory.revision() >= revision {
                break;
            }
            applied.await;
        }
        for query in queries.iter().filter(|query| query.consistency.refresh) {
            let objects = self.rests_on(query);
            // Where the tracker cannot be read, the answer is given as old as it is, and its age says so.
            let _unread = self.read(objects).await;
        }
    }

    /// Reads what is missing, or waits for what is under way. False: no more waiting, the answer stands as it is.
    async fn wait(&self, missing: Vec<ObjectRef>, under_way: UnderWay, patience: &mut Patience) -> bool {
        if !missing.is_empty() && !patience.unreadable {
            patience.rounds += 1;
            patience.unreadable = patience.rounds > ROUNDS || !self.read(missing).await;
            // Some of it may have been read: what can be decided now is.
            return true;
        }
        if under_way == UnderWay::Nothing {
            return false;
        }
        let until = *patience.until.get_or_insert_with(|| Instant::now() + self.options.pending_wait);
        let left = until.saturating_duration_since(Instant::now());
        !left.is_zero() && tokio::time::timeout(left.min(TICK), self.applied.notified()).await.is_ok()
            || Instant::now() < until
    }

    pub(super) async fn read(&self, objects: Vec<ObjectRef>) -> bool {
        let reader = self.reader.read().clone();
        match reader {
            Some(reader) if !objects.is_empty() => reader.read(objects).await.is_ok(),
            _ => false,
        }
    }

    /// The list and its answers, from one look at the mirror.
    fn look_at_list(&self, query: &Query<'_>, told: bool) -> Option<(Actions, Vec<ObjectRef>, UnderWay)> {
        let mirror = self.mirror.read();
        let listed = mirror.policy.list(mirror.directory.view(), query)?;
        let queries: Vec<_> = listed.iter().map(|listed| query.about(&listed.action, &listed.field)).collect();
        let (answers, missing, under_way) = self.look_at_each(&mirror, &queries, told);
        drop(queries);
        let freshness = self.freshness(mirror.directory.revision(), self.age.moment());
        Some((Actions { answers: listed.into_iter().zip(answers).collect(), freshness }, missing, under_way))
    }

    fn look_at_all(&self, queries: &[Query<'_>], told: bool) -> (Vec<Answer>, Vec<ObjectRef>, UnderWay) {
        self.look_at_each(&self.mirror.read(), queries, told)
    }

    fn look_at_each(
        &self,
        mirror: &Mirror,
        queries: &[Query<'_>],
        told: bool,
    ) -> (Vec<Answer>, Vec<ObjectRef>, UnderWay) {
        let mut missing = Vec::new();
        let mut under_way = UnderWay::Nothing;
        let answers = queries.iter().map(|query| {
            let mut look = self.look(mirror, query, told);
            under_way = under_way.max(look.under_way);
            missing.append(&mut look.missing);
            self.answer(mirror, &look, query)
        });
        let answers = answers.collect();
        missing.sort_unstable();
        missing.dedup();
        (answers, missing, under_way)
    }

    /// `told`: the tracker could not be read, so that what the caller tells stands for the record.
    fn look(&self, mirror: &Mirror, query: &Query<'_>, told: bool) -> Look {
        let view = mirror.directory.view();
        let policy = &mirror.policy;
        let under_way = |deps: &[Dep]| match () {
            () if !self.pending.is_empty() && self.pending.concerns(deps, &named(policy, query), view) => {
                UnderWay::Change
            }
            () => UnderWay::Nothing,
        };
        let resolve = if told { resolve_told } else { resolve };
        match resolve(policy, view, query) {
            Resolved::Decided { decision, reads } => {
                Look { decision, cached: false, missing: Vec::new(), under_way: under_way(&reads) }
            }
            Resolved::Missing(object) => Look {
                decision: Decision::deny(Reason::Indeterminate),
                cached: false,
                missing: vec![object],
                under_way: under_way(&[]),
            },
            Resolved::Case(case) => {
                let key = case.key(view);
                if let Some(entry) = key.as_ref().and_then(|key| self.cache.get(key)) {
                    return Look {
                        decision: entry.decision,
                        cached: true,
                        missing: Vec::new(),
                        under_way: under_way(&entry.deps),
                    };
                }
                let outcome = decide(view, &case);
                let under_way = under_way(&outcome.reads);
                if let Some(key) = key.filter(|_| outcome.cacheable) {
                    self.cache.put(key, outcome.decision, &outcome.reads);
                }
                Look { decision: outcome.decision, cached: false, missing: outcome.missing.into_vec(), under_way }
            }
        }
    }

    fn look_closely(&self, query: &Query<'_>, told: bool) -> (Explanation, Vec<ObjectRef>, UnderWay) {
        let mirror = self.mirror.read();
        let view = mirror.directory.view();
        let policy = &mirror.policy;
        let mut look = self.look(&mirror, query, told);
        let resolve = if told { resolve_told } else { resolve };
        let (steps, would_allow) = match resolve(policy, view, query) {
            Resolved::Case(case) => {
                let Explained { steps, would_allow, outcome } = explain(policy, view, &case);
                // Every alternative is told, so every record that any of them needs is read.
                look.missing.extend(outcome.missing);
                (steps, would_allow)
            }
            Resolved::Decided { decision, .. } => (unknown(policy, view, query, decision.code), Vec::new()),
            Resolved::Missing(_) => (Vec::new(), Vec::new()),
        };
        let answer = self.answer(&mirror, &look, query);
        (Explanation { answer, steps, would_allow }, look.missing, look.under_way)
    }

    /// Everything that a question's decision looks at, as the tracker's side names it.
    fn rests_on(&self, query: &Query<'_>) -> Vec<ObjectRef> {
        let mirror = self.mirror.read();
        let view = mirror.directory.view();
        let mut keys = Vec::new();
        let mut objects = Vec::new();
        match resolve(&mirror.policy, view, query) {
            Resolved::Case(case) => {
                let outcome = decide(view, &case);
                keys.extend(outcome.reads.iter().flat_map(Dep::objects).flatten());
                keys.push(case.subject());
                objects.extend(outcome.missing);
            }
            Resolved::Decided { reads, .. } => keys.extend(reads.iter().flat_map(Dep::objects).flatten()),
            Resolved::Missing(object) => objects.push(object),
        }
        if !query.id.is_empty() {
            objects.push(ObjectRef { kind: query.kind.into(), id: query.id.clone() });
        }
        keys.sort_unstable();
        keys.dedup();
        objects.extend(keys.into_iter().filter_map(|key| view.object(key)));
        objects.sort_unstable();
        objects.dedup();
        objects
    }

    fn answer(&self, mirror: &Mirror, look: &Look, query: &Query<'_>) -> Answer {
        let moment = self.age.moment();
        let bound = self.age.bound(query.consistency.max_staleness);
        // What is under way is newer than what was decided from: the answer is as old as the mirror says, and may be
        // too old for this caller.
        let fresh = moment.age.is_some_and(|age| age <= bound);
        let decision = if fresh { look.decision } else { Decision::deny(Reason::Stale) };
        Answer {
            decision,
            said: mirror.policy.said(decision),
            freshness: self.freshness(mirror.directory.revision(), moment),
            cached: look.cached && fresh,
        }
    }

    fn refusal(&self, code: Reason) -> Answer {
        let revision = self.mirror.read().directory.revision();
        Answer {
            decision: Decision::deny(code),
            said: Said::of(code),
            freshness: self.freshness(revision, self.age.moment()),
            cached: false,
        }
    }

    fn freshness(&self, revision: u64, moment: Moment) -> Freshness {
        Freshness { revision, as_of: moment.as_of, age: moment.age.unwrap_or_default(), cursor: self.age.cursor() }
    }
}
