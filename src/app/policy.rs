//! The studio's policy file: loaded at the start, loaded again when it changes.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::StartError;
use crate::authorizer::Authorizer;
use crate::engine::policy::Policy;
use crate::yaml::Problems;

/// How often the file is looked at.
const POLL: Duration = Duration::from_millis(500);

/// A policy file that is in force.
#[derive(Debug)]
pub(super) struct PolicyFile {
    pack: String,
    path: PathBuf,
    seen: Option<Stamp>,
    text: String,
}

/// What tells cheaply that a file may have changed.
#[derive(Debug, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    length: u64,
}

/// Loads the pack, overlaid by the file where there is one.
pub(super) fn load(pack: &str, path: Option<PathBuf>) -> Result<(Policy, Option<PolicyFile>), StartError> {
    let Some(path) = path else {
        return Ok((Policy::load(pack, None).map_err(StartError::Policy)?, None));
    };
    let name = path.display().to_string();
    // The stamp is taken first: a change in between is then seen as one.
    let seen = stamp(&path).ok();
    let text = std::fs::read_to_string(&path).map_err(|error| StartError::Unreadable { path: name.clone(), error })?;
    let policy = Policy::load(pack, Some((&name, &text))).map_err(StartError::Policy)?;
    Ok((policy, Some(PolicyFile { pack: pack.to_owned(), path, seen, text })))
}

// === impl PolicyFile ===

impl PolicyFile {
    /// Puts each good change of the file in force, for ever; after a bad one the policy stays as it was.
    pub(super) async fn follow(mut self, authorizer: Arc<Authorizer>) {
        loop {
            tokio::time::sleep(POLL).await;
            match self.look() {
                None => {}
                Some(Ok(policy)) => {
                    tracing::info!(file = %self.path.display(), digest = %policy.digest, "the policy changed");
                    authorizer.set_policy(policy);
                }
                Some(Err(Complaint::Unreadable(error))) => {
                    tracing::error!(file = %self.path.display(), %error, "the policy file cannot be read; the old policy stays in force");
                }
                Some(Err(Complaint::Wrong(problems))) => {
                    tracing::error!(file = %self.path.display(), "the policy file is wrong; the old policy stays in force:\n{problems}");
                }
            }
        }
    }

    /// `None` where nothing changed since the last look.
    fn look(&mut self) -> Option<Result<Policy, Complaint>> {
        let stamp = match stamp(&self.path) {
            Ok(stamp) => Some(stamp),
            Err(error) => {
                // Told once: the missing stamp is remembered.
                return self.seen.take().map(|_| Err(Complaint::Unreadable(error)));
            }
        };
        if stamp == self.seen {
            return None;
        }
        let text = match std::fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) => return self.seen.take().map(|_| Err(Complaint::Unreadable(error))),
        };
        self.seen = stamp;
        if text == self.text {
            return None;
        }
        self.text = text;
        let name = self.path.display().to_string();
        Some(Policy::load(&self.pack, Some((&name, &self.text))).map_err(Complaint::Wrong))
    }
}

/// Why a change of the file is not put in force.
#[derive(Debug)]
enum Complaint {
    Unreadable(std::io::Error),
    Wrong(Problems),
}

fn stamp(path: &std::path::Path) -> std::io::Result<Stamp> {
    let found = std::fs::metadata(path)?;
    Ok(Stamp { modified: found.modified().ok(), length: found.len() })
}
