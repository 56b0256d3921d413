//! Files that a configuration names: they must be readable, and secrets should be read by nobody else.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::yaml::{Node, Problems};

/// Reads names of files, relative to the configuration's directory.
pub(super) struct Files<'b> {
    base: &'b Path,
    pub(super) warnings: Vec<String>,
}

impl<'b> Files<'b> {
    pub(super) fn new(base: &'b Path) -> Self {
        Self { base, warnings: Vec::new() }
    }

    /// A path of a file that need not be there yet.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.base.join(name)
    }

    /// A path; complains where there is no file that can be read.
    pub(super) fn readable(&self, node: &Node, problems: &mut Problems) -> Option<PathBuf> {
        let path = self.base.join(node.text(problems)?);
        match std::fs::File::open(&path).and_then(|file| file.metadata()) {
            Ok(found) if found.is_file() => Some(path),
            Ok(_) => complain(node, &path, "is no file", problems),
            Err(error) => complain(node, &path, &format!("cannot be read: {}", plain(&error)), problems),
        }
    }

    /// The path of a secret; complains where it is empty, and warns where others on the machine can read it.
    pub(super) fn secret(&mut self, node: &Node, problems: &mut Problems) -> Option<PathBuf> {
        let path = self.readable(node, problems)?;
        match std::fs::read(&path) {
            Err(error) => return complain(node, &path, &format!("cannot be read: {}", plain(&error)), problems),
            Ok(content) if content.trim_ascii().is_empty() => {
                return complain(node, &path, "is empty; it must hold the secret and nothing else", problems);
            }
            Ok(_) => {}
        }
        if std::fs::metadata(&path).is_ok_and(|found| found.permissions().mode() & 0o004 != 0) {
            let path = path.display();
            self.warnings.push(format!("{path} can be read by everybody on this machine; `chmod 600 {path}`"));
        }
        Some(path)
    }
}

fn complain(node: &Node, path: &Path, what: &str, problems: &mut Problems) -> Option<PathBuf> {
    problems.add(node.place, format!("`{}` {what}", path.display()));
    None
}

fn plain(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "this user may not read it".to_owned(),
        _ => error.to_string(),
    }
}
