//! Tells how the answers came out: for people, or as JSON for scripts.

use std::io::{self, Write};

use serde_json::json;

use super::format::{Expect, Question};
use crate::model::decision::Reason;
use crate::model::value::Value;

/// What came of one case file.
#[derive(Debug)]
pub(super) struct FileReport {
    pub file: String,
    pub answers: Vec<Answered>,
    /// Why the file could not be asked at all.
    pub problems: Option<String>,
}

/// A question and its answer.
#[derive(Debug)]
pub(super) struct Answered {
    pub question: Question,
    pub answer: Got,
}

/// The answer that was given.
#[derive(Debug)]
pub(super) struct Got {
    pub reason: Reason,
    pub rule: String,
    pub text: String,
}

/// The numbers at the end.
#[derive(Debug, Default)]
struct Totals {
    answers: usize,
    differ: usize,
    unread: usize,
}

/// Writes every answer that differs, then the numbers.
pub(super) fn text(reports: &[FileReport], out: &mut dyn Write) -> io::Result<()> {
    for FileReport { file, answers, problems } in reports {
        if let Some(problems) = problems {
            writeln!(out, "{problems}")?;
        }
        for answered @ Answered { question, answer } in answers {
            if answered.good() {
                continue;
            }
            let place = question.place;
            writeln!(out, "{file}:{}:{}: {}: {}", place.line, place.column, question.title, question.words())?;
            let because = if question.because.is_empty() { String::new() } else { format!("  ({})", question.because) };
            writeln!(out, "    expected  {}{because}", question.expect.words())?;
            writeln!(out, "    got       {}", answer.words())?;
            writeln!(out, "    because   {}", answer.text)?;
        }
    }
    let Totals { answers, differ, unread } = totals(reports);
    write!(out, "{} in {}: ", count(answers, "answer"), count(reports.len(), "file"))?;
    match (differ, unread) {
        (0, 0) => writeln!(out, "all as expected"),
        (1, 0) => writeln!(out, "1 differs"),
        (_, 0) => writeln!(out, "{differ} differ"),
        _ => writeln!(out, "{differ} differ; files that could not be asked: {unread}"),
    }
}

/// Writes the same as one JSON object.
pub(super) fn json(reports: &[FileReport], out: &mut dyn Write) -> io::Result<()> {
    let mut differences = Vec::new();
    for FileReport { file, answers, .. } in reports {
        for answered @ Answered { question, answer } in answers {
            if !answered.good() {
                differences.push(json!({
                    "file": file,
                    "line": question.place.line,
                    "column": question.place.column,
                    "title": question.title,
                    "question": question.words(),
                    "because": question.because,
                    "expected": { "decision": decision(question.expect.allow), "reason": question.expect.reason.map(Reason::name),
                        "rule": question.expect.rule },
                    "got": { "decision": decision(answer.allowed()), "reason": answer.reason.name(), "rule": answer.rule,
                        "text": answer.text },
                }));
            }
        }
    }
    let unread: Vec<_> = reports
        .iter()
        .filter_map(|report| Some(json!({ "file": report.file, "problems": report.problems.as_ref()? })))
        .collect();
    let Totals { answers, differ, unread: _ } = totals(reports);
    let report = json!({
        "files": reports.len(), "answers": answers, "differ": differ, "unread": unread, "differences": differences,
    });
    serde_json::to_writer_pretty(&mut *out, &report)?;
    writeln!(out)
}

/// A value in a sentence.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => number.to_string(),
        Value::Text(text) => text.to_string(),
        Value::List(values) => format!("[{}]", values.iter().map(plain).collect::<Vec<_>>().join(", ")),
        Value::Map(entries) => {
            let entries: Vec<_> = entries.iter().map(|(key, value)| format!("{key}: {}", plain(value))).collect();
            format!("{{{}}}", entries.join(", "))
        }
    }
}

fn totals(reports: &[FileReport]) -> Totals {
    let mut totals = Totals::default();
    for report in reports {
        totals.answers += report.answers.len();
        totals.differ += report.answers.iter().filter(|answered| !answered.good()).count();
        totals.unread += usize::from(report.problems.is_some());
    }
    totals
}

fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

fn decision(allow: bool) -> &'static str {
    if allow { "ALLOW" } else { "DENY" }
}

// === impl FileReport, Answered, Expect, Got ===

impl FileReport {
    pub(super) fn good(&self) -> bool {
        self.problems.is_none() && self.answers.iter().all(Answered::good)
    }
}

impl Answered {
    fn good(&self) -> bool {
        let Expect { allow, reason, rule } = &self.question.expect;
        *allow == self.answer.allowed()
            && reason.is_none_or(|reason| reason == self.answer.reason)
            && rule.as_ref().is_none_or(|rule| *rule == self.answer.rule)
    }
}

impl Expect {
    fn words(&self) -> String {
        let reason = self.reason.map_or("for any reason", Reason::name);
        let rule = self.rule.as_ref().map(|rule| format!(" by {rule}")).unwrap_or_default();
        format!("{:5} {reason}{rule}", decision(self.allow))
    }
}

impl Got {
    fn allowed(&self) -> bool {
        self.reason == Reason::Granted
    }

    fn words(&self) -> String {
        let rule = if self.rule.is_empty() { String::new() } else { format!(" by {}", self.rule) };
        format!("{:5} {}{rule}", decision(self.allowed()), self.reason.name())
    }
}
