//! The studio's policy file: loaded at the start, loaded again when it changes.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::StartError;
use crate::authorizer::Authorizer;
use crate::engine::policy::Policy;

/// How often the file is looked at.
const POLL: Duration = Duration::from_millis(500);

/// A policy file that is in force.
#[derive(Debug)]
pub(super) struct PolicyFile {
    pack: String,
    path: PathBuf,
    /// What was tried last, whether it could be put in force or not.
    tried: String,
    /// What the last look found and the one before did not: perhaps half a file, that is still being written.
    unsettled: Option<String>,
    unreadable: bool,
}

/// Loads the pack, overlaid by the file where there is one.
pub(super) fn load(pack: &str, path: Option<PathBuf>) -> Result<(Policy, Option<PolicyFile>), StartError> {
    let Some(path) = path else {
        return Ok((Policy::load(pack, None).map_err(StartError::Policy)?, None));
    };
    let name = path.display().to_string();
    let text = std::fs::read_to_string(&path).map_err(|error| StartError::Unreadable { path: name.clone(), error })?;
    let policy = Policy::load(pack, Some((&name, &text))).map_err(StartError::Policy)?;
    warn_of(&policy);
    let file = PolicyFile { pack: pack.to_owned(), path, tried: text, unsettled: None, unreadable: false };
    Ok((policy, Some(file)))
}

fn warn_of(policy: &Policy) {
    if !policy.warnings.is_empty() {
        tracing::warn!("{}", policy.warnings);
    }
}

// === impl PolicyFile ===

impl PolicyFile {
    /// Puts each good change of the file in force, for ever; after a bad one the policy stays as it was.
    pub(super) async fn follow(mut self, authorizer: Arc<Authorizer>) {
        loop {
            tokio::time::sleep(POLL).await;
            // Read whole each time: a file's date and length do not tell every change of it.
            let read = tokio::fs::read_to_string(&self.path).await;
            let Some(text) = self.settled(read) else { continue };
            let file = self.path.display().to_string();
            match Policy::load_over(&self.pack, Some((&file, &text)), &authorizer.schema()) {
                Ok(policy) => {
                    warn_of(&policy);
                    let digest = policy.digest.clone();
                    match authorizer.set_policy(policy) {
                        Ok(()) => tracing::info!(file, digest, "the policy changed and is in force"),
                        Err(why) => tracing::error!(
                            file,
                            "the policy changed and is not in force: {why}; restart stagedoor to read that too. The old \
                             one stays in force"
                        ),
                    }
                }
                Err(problems) => {
                    tracing::error!(file, "the policy changed and is wrong; the old one stays in force:\n{problems}");
                }
            }
            self.tried = text;
        }
    }

    /// The text of the file, if it is new and two looks in a row found it.
    fn settled(&mut self, read: io::Result<String>) -> Option<String> {
        let text = match read {
            Ok(text) => text,
            Err(error) => {
                if !std::mem::replace(&mut self.unreadable, true) {
                    let file = self.path.display();
                    tracing::error!(%file, %error, "the policy file cannot be read; the policy stays in force");
                }
                return None;
            }
        };
        self.unreadable = false;
        if text == self.tried {
            self.unsettled = None;
            return None;
        }
        if self.unsettled.as_ref() == Some(&text) {
            self.unsettled = None;
            return Some(text);
        }
        self.unsettled = Some(text);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_file_is_not_a_policy() {
        let tried = "restrictions: [a, b]".to_owned();
        let mut file =
            PolicyFile { pack: "kitsu".into(), path: "p.yaml".into(), tried, unsettled: None, unreadable: false };
        let mut look = |text: &str| file.settled(Ok(text.to_owned()));
        assert_eq!(look("restrictions: [a, b]"), None);
        assert_eq!(look("restri"), None);
        assert_eq!(look("restrictions: [a]"), None);
        assert_eq!(look("restrictions: [a]").as_deref(), Some("restrictions: [a]"));
        assert_eq!(look("restrictions: [a, b]"), None);
    }

    #[test]
    fn a_file_that_is_gone_changes_nothing() {
        let mut file = PolicyFile {
            pack: "kitsu".into(),
            path: "p.yaml".into(),
            tried: "a".into(),
            unsettled: None,
            unreadable: false,
        };
        assert_eq!(file.settled(Err(io::ErrorKind::NotFound.into())), None);
        assert!(file.unreadable);
        assert_eq!(file.settled(Ok("a".into())), None);
        assert!(!file.unreadable);
    }
}
