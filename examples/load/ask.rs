//! What is asked: of the demo's studio, or of one that is generated; the same again and again, or never twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use clap::ValueEnum;

use crate::common::{ADMIN, MANAGER, Studio, VENDOR, person, task};

/// Which call, and of how much.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Case {
    Check,
    Batch1,
    Batch50,
    Batch1000,
    Stream8,
    Stream64,
}

/// Whether a question was asked before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Novelty {
    Hit,
    Miss,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Answer {
    Allow,
    Deny,
}

/// May this person do that to this task?
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Question {
    pub(crate) person: String,
    pub(crate) action: &'static str,
    pub(crate) task: String,
}

/// A source of questions that all have the same answer.
#[derive(Debug)]
pub(crate) struct Asking {
    studio: Option<Studio>,
    answer: Answer,
    /// What is asked at once when nothing is new; its length is how much is asked at once in any case.
    fixed: Arc<[Question]>,
    /// Where questions are new: how many were asked.
    asked: Option<AtomicUsize>,
}

/// Actions that are decided without a task's comments, which are read on first use.
const ALLOWED: [&str; 4] = ["publish", "read", "read_comments", "set_main_preview"];
/// To an artist of the project's who is not assigned to the task.
const DENIED: [&str; 3] = ["publish", "set_priority", "delete"];

// === impl Case ===

impl Case {
    /// How many questions a call has.
    pub(crate) const fn many(self) -> usize {
        match self {
            Self::Check | Self::Batch1 | Self::Stream8 | Self::Stream64 => 1,
            Self::Batch50 => 50,
            Self::Batch1000 => 1_000,
        }
    }

    /// How many questions are under way on a stream.
    pub(crate) const fn piped(self) -> Option<usize> {
        match self {
            Self::Stream8 => Some(8),
            Self::Stream64 => Some(64),
            Self::Check | Self::Batch1 | Self::Batch50 | Self::Batch1000 => None,
        }
    }

    pub(crate) fn name(self) -> String {
        match (self, self.piped()) {
            (Self::Check, _) => "Check".to_owned(),
            (_, Some(piped)) => format!("CheckStream, {piped} in flight"),
            _ => format!("BatchCheck of {}", self.many()),
        }
    }
}

// === impl Asking ===

impl Asking {
    /// Questions of `studio` (none: the demo's) that are answered with `answer`, as many at once as `case` has.
    pub(crate) fn new(studio: Option<Studio>, novelty: Novelty, answer: Answer, case: Case) -> Self {
        let asked = (novelty == Novelty::Miss).then(AtomicUsize::default);
        let mut asking = Self { studio, answer, fixed: Arc::default(), asked };
        asking.fixed = std::iter::repeat_n(asking.question(0), case.many()).collect();
        asking
    }

    pub(crate) fn is_allow(&self) -> bool {
        self.answer == Answer::Allow
    }

    /// The next questions to be asked at once.
    pub(crate) fn next(&self) -> Arc<[Question]> {
        let Some(asked) = &self.asked else { return Arc::clone(&self.fixed) };
        let many = self.fixed.len();
        let from = asked.fetch_add(many, Ordering::Relaxed);
        (from..from + many).map(|n| self.question(n)).collect()
    }

    fn question(&self, n: usize) -> Question {
        let Some(studio) = self.studio else { return demo(self.answer) };
        // Each task in turn, and then each again by another person or for another action.
        let (at, turn) = (n % studio.tasks, n / studio.tasks);
        let actions: &[_] = if self.answer == Answer::Allow { &ALLOWED } else { &DENIED };
        let action = actions.get(turn % actions.len()).copied().unwrap_or_default();
        let (who, project) = (turn / actions.len(), studio.project_of(at));
        let someone = match self.answer {
            Answer::Allow => match who % 3 {
                0 => studio.assignees(at).next(),
                1 => Some(studio.in_charge(project, ADMIN)),
                _ => Some(studio.in_charge(project, MANAGER)),
            },
            Answer::Deny => {
                let assigned = studio.assignees(at).next();
                let artists = studio.team(project).skip(VENDOR + 1).filter(|artist| Some(*artist) != assigned);
                let artists: Vec<_> = artists.collect();
                artists.get(who % artists.len().max(1)).copied()
            }
        };
        Question { person: person(someone.unwrap_or_default()), action, task: task(at) }
    }
}

/// Bo is assigned to the task; Lin supervises another department.
fn demo(answer: Answer) -> Question {
    let person = if answer == Answer::Allow { "bo" } else { "lin" };
    Question { person: person.to_owned(), action: "comment", task: "sh010-animation".to_owned() }
}
