//! Asks a running zou what it would answer the person of a question.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::Value;
use tokio::task::JoinSet;

use super::{
    questions::{Question, Sign},
    studio::Studio,
    zou::{Reply, Zou},
};

/// What zou said.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) verdict: Verdict,
    pub(crate) status: u16,
    pub(crate) excerpt: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Allowed,
    Denied,
    /// Neither a yes nor a no: the question was badly put.
    Inconclusive,
}

/// Asks one question as its person, and puts back what a yes has changed.
pub(crate) async fn ask(zou: &Zou, studio: &Studio, question: &Question) -> Answer {
    let asked = &question.asked;
    let reply = zou.send(&studio.person(&question.subject).token, &asked.call).await;
    let verdict = verdict(&reply, &asked.sign);
    if verdict == Verdict::Allowed {
        let id = reply.body["id"].as_str().unwrap_or_default();
        for call in &asked.undo {
            zou.admin(call.about(id)).await;
        }
    }
    Answer { verdict, status: reply.status, excerpt: reply.excerpt() }
}

fn verdict(reply: &Reply, sign: &Sign) -> Verdict {
    let yes = match (reply.status, sign) {
        (401 | 403, _) | (400, Sign::StatusOr400) => false,
        (status, _) if !(200..300).contains(&status) => return Verdict::Inconclusive,
        (_, Sign::Status | Sign::StatusOr400) => true,
        (_, Sign::Listed(id)) => is_listed(&reply.body, id),
        (_, Sign::Kept(key, value)) => reply.body[key] == *value,
    };
    if yes { Verdict::Allowed } else { Verdict::Denied }
}

/// A list of ids or of objects.
fn is_listed(body: &Value, id: &str) -> bool {
    body.as_array().is_some_and(|rows| rows.iter().any(|row| row == id || row["id"] == id))
}

/// Asks them all; the answers are in the questions' order. What only reads is asked side by side, then what
/// changes something, one after the other within a project, and last what changes people.
pub(crate) async fn ask_all(zou: &Zou, studio: &Studio, questions: &[Question]) -> Vec<Answer> {
    let mut waves: [BTreeMap<String, Vec<usize>>; 3] = Default::default();
    for (place, question) in questions.iter().enumerate() {
        if question.asked.call.method == Method::GET {
            waves[0].entry((place % 8).to_string()).or_default().push(place);
        } else if question.row == "person.update" {
            waves[2].entry(String::new()).or_default().push(place);
        } else {
            waves[1].entry(question.asked.lane.clone()).or_default().push(place);
        }
    }
    let mut answers: Vec<Option<Answer>> = vec![None; questions.len()];
    for wave in waves {
        for (place, answer) in ask_wave(zou, studio, questions, wave).await {
            answers[place] = Some(answer);
        }
    }
    answers.into_iter().map(|answer| answer.expect("each question is in a wave")).collect()
}

async fn ask_wave(
    zou: &Zou,
    studio: &Studio,
    questions: &[Question],
    lanes: BTreeMap<String, Vec<usize>>,
) -> Vec<(usize, Answer)> {
    let mut running = JoinSet::new();
    for lane in lanes.into_values() {
        let lane: Vec<_> = lane.into_iter().map(|place| (place, questions[place].clone())).collect();
        let (zou, tokens) = (zou.clone(), studio.clone());
        running.spawn(async move {
            let mut answers = Vec::new();
            for (place, question) in lane {
                answers.push((place, ask(&zou, &tokens, &question).await));
            }
            answers
        });
    }
    running.join_all().await.into_iter().flatten().collect()
}
