//! `snapshot`: the mirror loaded once and written to the disk.

use std::process::ExitCode;

use super::{Snapshot, output};
use crate::app::once::{self, OnceError};
use crate::config::{self, Environment};

pub(super) fn run(snapshot: &Snapshot, environment: &Environment) -> ExitCode {
    let config = match config::load(&snapshot.config, environment) {
        Ok(config) => config,
        Err(error) => return output::fail(&error),
    };
    match once::snapshot(config) {
        Ok((file, written)) => {
            let (file, revision) = (file.display(), written.taken.revision);
            output::say(format_args!("{file}: revision {revision}, {} bytes", written.bytes));
            ExitCode::SUCCESS
        }
        Err(error @ (OnceError::NoDirectory | OnceError::Start(_))) => output::fail(&error),
        Err(error @ (OnceError::Load(_) | OnceError::Write(_))) => {
            output::complain(&error);
            ExitCode::FAILURE
        }
    }
}
