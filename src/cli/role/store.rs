//! A policy file, opened to be read or edited. What is written back has been compiled before, and is written whole or
//! not at all.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, chown};
use std::path::{Path, PathBuf};

use crate::engine::policy::Policy;

/// A policy file whose roles can be edited.
pub(super) struct Opened {
    path: PathBuf,
    /// The file as complaints name it.
    pub(super) name: String,
    pub(super) text: String,
    /// The built-in pack that it extends.
    pub(super) pack: &'static str,
    pub(super) policy: Policy,
}

impl Opened {
    /// Reads and compiles the file.
    ///
    /// # Errors
    /// Where it cannot be read, is no good policy, or extends a pack whose roles stand elsewhere.
    pub(super) fn at(path: &Path) -> Result<Self, String> {
        let name = path.display().to_string();
        let text = fs::read_to_string(path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => {
                format!("{name}: there is no such file; a policy begins with a line like `extends: ftrack`")
            }
            _ => format!("{name}: cannot be read: {error}"),
        })?;
        let pack = Policy::extended_pack(&name, &text).map_err(|problems| problems.to_string())?;
        let policy = compile(&name, &text, pack)?;
        if policy.grantable().is_empty() {
            let fixed: Vec<&str> = policy.roles().collect();
            return Err(match fixed.is_empty() {
                true => format!(
                    "{name}: with `extends: {pack}`, what roles grant stands in the tracker itself; change it there"
                ),
                false => format!(
                    "{name}: the roles of `{pack}` are fixed ({}); what they may do is changed by `rules:` and `terms:`",
                    fixed.join(", ")
                ),
            });
        }
        Ok(Self { path: path.to_owned(), name, text, pack, policy })
    }

    /// Puts `text` in the place of what was read, and hands back the policy that it is.
    ///
    /// # Errors
    /// Where it is no good policy, where somebody else has changed the file meanwhile, or where it cannot be written;
    /// the file is then as it was.
    pub(super) fn write(&self, text: &str) -> Result<Policy, String> {
        let policy = compile(&self.name, text, self.pack)
            .map_err(|problems| format!("{problems}\n{} is left as it was", self.name))?;
        replace(&self.path, &self.text, text)
            .map_err(|error| format!("{}: {error}; it is left as it was", self.name))?;
        Ok(policy)
    }
}

fn compile(name: &str, text: &str, pack: &str) -> Result<Policy, String> {
    Policy::load(pack, Some((name, text))).map_err(|problems| problems.to_string())
}

/// Puts `new` in the place of a file that holds `old`, whole or not at all. Links are followed; mode and owner stay.
fn replace(path: &Path, old: &str, new: &str) -> Result<(), String> {
    let plain = |error: io::Error| format!("cannot be written: {error}");
    let path = fs::canonicalize(path).map_err(plain)?;
    let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else {
        return Err("cannot be written: it lies in no directory".to_owned());
    };
    let found = fs::metadata(&path).map_err(plain)?;
    let beside = directory.join(format!(".{}.{}.new", name.to_string_lossy(), std::process::id()));
    let written = fill(&beside, new, &found).map_err(plain).and_then(|()| {
        if fs::read_to_string(&path).is_ok_and(|text| text == old) {
            fs::rename(&beside, &path).map_err(plain)
        } else {
            Err("was changed by somebody else meanwhile; ask again".to_owned())
        }
    });
    if written.is_err() {
        // What cannot be tidied up is hidden and harmless.
        let _ = fs::remove_file(&beside);
    }
    written?;
    // The new name is in the directory; only its survival of a power cut is left to chance where this fails.
    let _ = File::open(directory).and_then(|directory| directory.sync_all());
    Ok(())
}

fn fill(path: &Path, text: &str, like: &fs::Metadata) -> io::Result<()> {
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    let made = file.metadata()?;
    if (made.uid(), made.gid()) != (like.uid(), like.gid()) {
        chown(path, Some(like.uid()), Some(like.gid()))?;
    }
    file.set_permissions(like.permissions())?;
    file.sync_all()
}
