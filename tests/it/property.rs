//! Cached = uncached = a plain model, while events come late, twice, in another order or not at all.
//!
//! A made-up tracker changes at random. Three authorizers hear of it what the connector would tell them: one with a large
//! cache, one whose cache is always full, one without. After every step all of them are asked the same questions, and the
//! plain model is asked them about what was told so far.

mod studio;
mod world;

use parking_lot::Mutex;
use proptest::prelude::*;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;

use crate::model::{Question, Verdict};
use stagedoor::model::decision::{Decision, Reason};
use studio::{question, random_studio};
use world::World;

/// What a step does; the number is the seed of its chances.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// The tracker changes; a hint is on its way.
    Change(u32),
    /// The tracker changes and tells nobody.
    ChangeSilently(u32),
    /// Any of the hints on their way arrives.
    Arrive(u32),
    /// A hint arrives and arrives once more later.
    ArriveTwice(u32),
    /// A hint is lost.
    Lose(u32),
    /// Several hints arrive as one batch.
    ArriveTogether(u32),
    /// A record arrives that nobody understands.
    Quarantine(u32),
    /// Everything begins to be read.
    BeginReconcile(u32),
    /// What was read is applied.
    EndReconcile(u32),
    /// Everything is read and applied at one moment.
    Reconcile(u32),
    /// Records that were read on first use are dropped.
    Forget(u32),
    /// The policy is put in force once more.
    Reload(u32),
    /// Nothing happens; more is asked.
    Rest(u32),
}

fn step() -> impl Strategy<Value = Step> {
    let seed = any::<u32>();
    prop_oneof![
        6 => seed.prop_map(Step::Change),
        1 => seed.prop_map(Step::ChangeSilently),
        6 => seed.prop_map(Step::Arrive),
        2 => seed.prop_map(Step::ArriveTwice),
        1 => seed.prop_map(Step::Lose),
        1 => seed.prop_map(Step::ArriveTogether),
        1 => seed.prop_map(Step::Quarantine),
        1 => seed.prop_map(Step::BeginReconcile),
        1 => seed.prop_map(Step::EndReconcile),
        1 => seed.prop_map(Step::Reconcile),
        1 => seed.prop_map(Step::Forget),
        1 => seed.prop_map(Step::Reload),
        3 => seed.prop_map(Step::Rest),
    ]
}

/// How many questions follow each step, out of so many that are asked again and again.
const QUESTIONS: usize = 12;
const POOL: usize = 40;

fn config() -> ProptestConfig {
    // PROPTEST_CASES asks for more.
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { ProptestConfig::default().cases } else { 48 };
    ProptestConfig { cases, failure_persistence: None, max_shrink_iters: 2_000, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn cached_uncached_and_plain_agree(seed in any::<u64>(), steps in proptest::collection::vec(step(), 1..120)) {
        run(seed, &steps)?;
    }
}

fn run(seed: u64, steps: &[Step]) -> Result<(), TestCaseError> {
    let mut chance = StdRng::seed_from_u64(seed);
    let world = World::start(random_studio(&mut chance));
    let mut pool: Vec<_> = (0..POOL).map(|_| question(&world.lock().truth, &mut chance)).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("builds");
    for step in steps {
        world.lock().take(*step);
        let seed = step.seed();
        let chance = &mut StdRng::seed_from_u64(u64::from(seed) ^ 0x5eed);
        pool[chance.random_range(0..POOL)] = question(&world.lock().truth, chance);
        let questions: Vec<_> = pool.sample(chance, QUESTIONS).collect();
        runtime
            .block_on(ask(&world, &questions, chance))
            .map_err(|complaint| TestCaseError::fail(format!("after {step:?}: {complaint}")))?;
    }
    Ok(())
}

impl Step {
    fn seed(self) -> u32 {
        match self {
            Self::Change(seed)
            | Self::ChangeSilently(seed)
            | Self::Arrive(seed)
            | Self::ArriveTwice(seed)
            | Self::Lose(seed)
            | Self::ArriveTogether(seed)
            | Self::Quarantine(seed)
            | Self::BeginReconcile(seed)
            | Self::EndReconcile(seed)
            | Self::Reconcile(seed)
            | Self::Forget(seed)
            | Self::Reload(seed)
            | Self::Rest(seed) => seed,
        }
    }
}

/// Asks everybody the same, one by one or as a batch.
async fn ask(world: &Mutex<World>, questions: &[&Question], chance: &mut StdRng) -> Result<(), String> {
    let authorizers = world.lock().authorizers.clone();
    let queries: Vec<_> = questions.iter().map(|question| world::query(question)).collect();
    if chance.random_bool(0.1) {
        let mut fresh = queries[0].clone();
        fresh.consistency.refresh = true;
        let decision = authorizers[chance.random_range(0..authorizers.len())].check(&fresh).await.decision;
        let verdict = world.lock().applied.answer(questions[0]);
        if !agree(decision.code, verdict) {
            return Err(format!("{:?}, read anew: {:?}, but the model says {verdict:?}", questions[0], decision.code));
        }
    }
    let at_once = chance.random_bool(0.3);
    let mut answers = Vec::new();
    for authorizer in &authorizers {
        let mut decisions = Vec::new();
        if at_once {
            decisions.extend(authorizer.check_batch(&queries).await.verdicts.iter().map(|verdict| verdict.decision));
        } else {
            for query in &queries {
                decisions.push(authorizer.check(query).await.decision);
            }
        }
        answers.push(decisions);
    }
    let explain = chance.random_range(0..QUESTIONS);
    let explained = authorizers[0].explain(&queries[explain]).await.answer.decision;
    let world = world.lock();
    for (at, question) in questions.iter().enumerate() {
        let decisions: Vec<Decision> = answers.iter().map(|decisions| decisions[at]).collect();
        if decisions.iter().any(|decision| *decision != decisions[0]) {
            return Err(format!("{question:?}: large cache, full cache, none: {decisions:?}"));
        }
        let verdict = world.applied.answer(question);
        if !agree(decisions[0].code, verdict) {
            return Err(format!("{question:?}: {:?}, but the model says {verdict:?}", decisions[0].code));
        }
    }
    if explained != answers[0][explain] {
        return Err(format!("{:?}: {:?}, explained as {explained:?}", questions[explain], answers[0][explain]));
    }
    Ok(())
}

fn agree(code: Reason, verdict: Verdict) -> bool {
    match verdict {
        Verdict::Allow => code == Reason::Granted,
        Verdict::Deny => matches!(
            code,
            Reason::NoGrant | Reason::NotMember | Reason::Restricted | Reason::Indeterminate | Reason::Quarantined
        ),
        Verdict::NoSubject => code == Reason::SubjectUnknown,
        Verdict::Inactive => code == Reason::SubjectInactive,
        // A value that is not understood is no value that is known not to be there.
        Verdict::NoResource => matches!(code, Reason::ResourceUnknown | Reason::Quarantined),
        Verdict::Quarantined => code == Reason::Quarantined,
    }
}

/// A task outlives its project in the mirror while the event on it is on its way: what is asked there is asked nowhere.
#[test]
fn a_task_whose_project_is_gone() {
    let steps = [
        Step::Rest(802_071_242),
        Step::ChangeSilently(576_809_805),
        Step::Change(1_506_328_886),
        Step::Change(1_064_290_735),
        Step::Arrive(3_339_398_978),
    ];
    run(2_571_904_282_406_192_912, &steps).unwrap();
}
