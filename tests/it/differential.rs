//! The same questions to a real Kitsu server and to stagedoor: no wrong allow, and next to no wrong deny.

mod ask;
pub(crate) mod dice;
#[expect(clippy::explicit_auto_deref, reason = "the types are not inferred without it")]
mod questions;
pub(crate) mod studio;
pub(crate) mod zou;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use stagedoor::model::id::Id;
use stagedoor::model::query::{Query, Subject};
use stagedoor::model::value::Value;
use stagedoor::tracker::supervise::Options;

use self::ask::Verdict;
use self::questions::Question;
use crate::kitsu_events::{Mirror, TURN, ready};

/// How many questions are asked at least; over every row of the table of actions.
const QUESTIONS: usize = 2_500;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs zou: run tests/run"]
async fn stagedoor_answers_what_zou_answers() {
    let _turn = TURN.lock().await;
    let seed = std::env::var("STAGEDOOR_TEST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(7);
    let dir = PathBuf::from(std::env::var_os("STAGEDOOR_TEST_DIR").expect("tests/run sets STAGEDOOR_TEST_DIR"));
    let ctl = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/zou/ctl");
    let zou = zou::Zou::running(&dir, &ctl);
    let studio = studio::build(&zou, seed).await;
    let questions = questions::generate(&zou, &studio, seed, QUESTIONS).await;
    assert!(questions.len() >= 2_000);

    // All of stagedoor's answers first: asking zou changes it.
    let running = ready();
    let mirror = Mirror::start(&running, running.token(), Duration::from_secs(600), Options::default()).await;
    let mut ours = Vec::new();
    for question in &questions {
        let asked = mirror.authorizer.check(&query(question)).await;
        let why = mirror.authorizer.explain(&query(question)).await;
        assert_eq!(asked.decision.code, why.answer.decision.code, "Check and Explain disagree about {question:?}");
        ours.push(asked);
    }
    mirror.stop().await;
    let theirs = ask::ask_all(&zou, &studio, &questions).await;

    let mut rows: BTreeMap<&str, [usize; 4]> = BTreeMap::new();
    let (mut wrong_allows, mut wrong_denies, mut inconclusive) = (Vec::new(), Vec::new(), 0);
    for ((question, ours), theirs) in questions.iter().zip(&ours).zip(&theirs) {
        let row = rows.entry(question.row).or_default();
        row[0] += 1;
        let expected = match theirs.verdict {
            Verdict::Inconclusive => {
                inconclusive += 1;
                continue;
            }
            verdict => verdict == Verdict::Allowed && !question.hole,
        };
        let allowed = ours.decision.allowed();
        row[if allowed { 1 } else { 2 }] += 1;
        if allowed != expected {
            row[3] += 1;
            let line = format!(
                "{} field {:?} value {:?} properties {:?}: stagedoor {:?} ({}), zou {} {}; person {}, {} {}",
                question.row,
                question.field,
                question.value,
                question.properties,
                ours.decision.code,
                ours.said.text,
                theirs.status,
                theirs.excerpt,
                question.subject,
                question.kind,
                question.id
            );
            if allowed { &mut wrong_allows } else { &mut wrong_denies }.push(line);
        }
    }
    println!("seed {seed}: {} questions over {} rows", questions.len(), rows.len());
    for (row, [asked, allowed, denied, differ]) in &rows {
        println!("{row:<30} asked {asked:>4} allowed {allowed:>4} denied {denied:>4} differ {differ:>3}");
        let sided = *allowed > 0 && *denied > 0;
        assert!(sided || *asked < 10, "{row} shows one side only");
    }
    let equal = questions.len() - inconclusive - wrong_allows.len() - wrong_denies.len();
    println!(
        "equal {equal}, wrong allows {}, wrong denies {}, inconclusive {inconclusive}",
        wrong_allows.len(),
        wrong_denies.len()
    );
    for line in wrong_allows.iter().chain(&wrong_denies) {
        println!("DIFFERS {line}");
    }
    assert!(wrong_allows.is_empty(), "wrong allows");
    assert!(equal * 1_000 >= (questions.len() - inconclusive) * 995, "less than 99.5 % equal");
    assert!(inconclusive * 100 <= questions.len(), "more than 1 % inconclusive");
}

fn query(question: &Question) -> Query<'_> {
    let mut query = Query::new(Subject::Person(&question.subject), &question.action, &question.kind, &question.id);
    query.field = question.field.as_deref().unwrap_or_default();
    query.value = question.value.as_ref().map(|value| Cow::Owned(plain(value)));
    query.project = question.project.as_deref().map(Id::from);
    if !question.properties.is_empty() {
        let properties = question.properties.iter().map(|(name, value)| (name.as_str().into(), plain(value)));
        query.properties = Some(Cow::Owned(Value::Map(properties.collect())));
    }
    query
}

fn plain(json: &serde_json::Value) -> Value {
    match json {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(value) => Value::Bool(*value),
        serde_json::Value::Number(number) => Value::Number(number.as_f64().expect("a number that fits")),
        serde_json::Value::String(text) => Value::text(text),
        serde_json::Value::Array(values) => Value::List(values.iter().map(plain).collect()),
        serde_json::Value::Object(entries) => {
            Value::Map(entries.iter().map(|(name, value)| (name.as_str().into(), plain(value))).collect())
        }
    }
}
