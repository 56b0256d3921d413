//! What was found: answers compared, counted, and put in words.

use std::fmt;
use std::process::ExitCode;

use serde_json::{Value, json};

use super::super::output;
use crate::proto::v1::{self, ReasonCode};
use crate::tracker::probe::{Met, Question, Unasked, Verdict};

/// One question and both answers.
#[derive(Debug)]
pub(super) struct Finding {
    pub(super) question: Question,
    pub(super) ours: v1::CheckResponse,
    pub(super) theirs: Verdict,
}

/// How two answers compare.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Compared {
    Agreed,
    /// Stagedoor allows what the tracker refuses.
    WrongAllow,
    /// Stagedoor refuses what the tracker allows.
    Stricter,
    Inconclusive(String),
}

/// All that was found.
#[derive(Debug)]
pub(super) struct Report {
    person: Met,
    unasked: Vec<Unasked>,
    planned: usize,
    agreed: usize,
    wrong_allows: Vec<Finding>,
    stricter: Vec<Finding>,
    inconclusive: Vec<(Finding, String)>,
    broke: Option<String>,
}

// === impl Finding ===

impl Finding {
    fn compared(&self) -> Compared {
        if let Some(error) = &self.ours.error {
            return Compared::Inconclusive(format!("stagedoor: {}", error.message));
        }
        if self.reason().code() == ReasonCode::Stale {
            return Compared::Inconclusive(format!("stagedoor: {}", self.reason().text));
        }
        match (output::allowed(&self.ours), &self.theirs) {
            (_, Verdict::Inconclusive(words)) => Compared::Inconclusive(format!("the tracker: {words}")),
            (true, Verdict::Allowed) | (false, Verdict::Refused(_)) => Compared::Agreed,
            (true, Verdict::Refused(_)) => Compared::WrongAllow,
            (false, Verdict::Allowed) => Compared::Stricter,
        }
    }

    fn reason(&self) -> v1::Reason {
        self.ours.reason.clone().unwrap_or_default()
    }

    fn json(&self) -> Value {
        let Question { action, field, value, kind, id, project, properties, name } = &self.question;
        let (answer, words) = match &self.theirs {
            Verdict::Allowed => ("allowed", ""),
            Verdict::Refused(words) => ("refused", words.as_str()),
            Verdict::Inconclusive(words) => ("inconclusive", words.as_str()),
        };
        json!({
            "question": {
                "action": action, "field": field, "value": value, "kind": kind, "id": id, "project": project,
                "properties": properties, "name": name,
            },
            "stagedoor": output::answer_json(&self.ours),
            "tracker": {"answer": answer, "words": words},
        })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reason = self.reason();
        let rule = if reason.rule.is_empty() { String::new() } else { format!("  [{}]", reason.rule) };
        writeln!(f, "  {}", self.question)?;
        writeln!(
            f,
            "    stagedoor  {} {}: {}{rule}",
            output::decision(&self.ours),
            output::code(&reason),
            reason.text
        )?;
        match &self.theirs {
            Verdict::Allowed => writeln!(f, "    tracker    allows it"),
            Verdict::Refused(words) => writeln!(f, "    tracker    refuses it: {words}"),
            Verdict::Inconclusive(words) => writeln!(f, "    tracker    {words}"),
        }
    }
}

// === impl Report ===

impl Report {
    pub(super) fn new(person: Met, unasked: Vec<Unasked>, planned: usize) -> Self {
        Self {
            person,
            unasked,
            planned,
            agreed: 0,
            wrong_allows: Vec::new(),
            stricter: Vec::new(),
            inconclusive: Vec::new(),
            broke: None,
        }
    }

    pub(super) fn add(&mut self, finding: Finding) {
        match finding.compared() {
            Compared::Agreed => self.agreed += 1,
            Compared::WrongAllow => self.wrong_allows.push(finding),
            Compared::Stricter => self.stricter.push(finding),
            Compared::Inconclusive(why) => self.inconclusive.push((finding, why)),
        }
    }

    /// Nothing more could be asked.
    pub(super) fn broke(&mut self, why: String) {
        self.broke = Some(why);
    }

    fn differ(&self) -> usize {
        self.wrong_allows.len() + self.stricter.len()
    }

    fn asked(&self) -> usize {
        self.agreed + self.differ() + self.inconclusive.len()
    }

    pub(super) fn exit_code(&self) -> ExitCode {
        if self.differ() > 0 {
            ExitCode::FAILURE
        } else if self.agreed > 0 && self.asked() == self.planned {
            ExitCode::SUCCESS
        } else {
            ExitCode::from(output::FAILED)
        }
    }

    pub(super) fn json(&self) -> Value {
        let findings = |kind: &'static str, list: &[Finding]| -> Vec<Value> {
            list.iter().map(|finding| with(finding.json(), "difference", kind)).collect()
        };
        let differences = [findings("wrong_allow", &self.wrong_allows), findings("stricter", &self.stricter)].concat();
        let inconclusive: Vec<_> =
            self.inconclusive.iter().map(|(finding, why)| with(finding.json(), "why", why)).collect();
        let unasked: Vec<_> =
            self.unasked.iter().map(|Unasked { action, why }| json!({"action": action, "why": why})).collect();
        json!({
            "person": {"id": self.person.id, "name": self.person.name},
            "planned": self.planned,
            "asked": self.asked(),
            "agreed": self.agreed,
            "differ": self.differ(),
            "differences": differences,
            "inconclusive": inconclusive,
            "not_asked": unasked,
            "broke_off": self.broke,
        })
    }
}

fn with(mut finding: Value, name: &str, value: &str) -> Value {
    if let Value::Object(fields) = &mut finding {
        fields.insert(name.to_owned(), value.into());
    }
    finding
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (heading, list) in [
            ("WRONG ALLOWS: stagedoor allows what the tracker refuses", &self.wrong_allows),
            ("STRICTER: stagedoor refuses what the tracker allows", &self.stricter),
        ] {
            if !list.is_empty() {
                writeln!(f, "{heading}")?;
                list.iter().try_for_each(|finding| write!(f, "{finding}"))?;
                writeln!(f)?;
            }
        }
        if !self.inconclusive.is_empty() {
            writeln!(f, "INCONCLUSIVE")?;
            for (finding, why) in &self.inconclusive {
                writeln!(f, "  {}\n    {why}", finding.question)?;
            }
            writeln!(f)?;
        }
        if !self.unasked.is_empty() {
            writeln!(f, "Not asked:")?;
            for Unasked { action, why } in &self.unasked {
                writeln!(f, "  {action}: {why}")?;
            }
            writeln!(f)?;
        }
        write!(
            f,
            "as {} ({}): asked {} of {}, agreed {}, differ {} (wrong allows {}), inconclusive {}",
            self.person.name,
            self.person.id,
            self.asked(),
            self.planned,
            self.agreed,
            self.differ(),
            self.wrong_allows.len(),
            self.inconclusive.len()
        )?;
        match &self.broke {
            Some(why) => write!(f, "\nbroke off: {why}"),
            None => Ok(()),
        }
    }
}
