//! `serve`: the configuration read, the app built and run.

use std::process::ExitCode;

use super::{Serve, output};
use crate::app::{self, shutdown};
use crate::config::{self, Environment};

pub(super) fn run(serve: &Serve, environment: &Environment) -> ExitCode {
    let config = match &serve.config {
        Some(file) => config::load(file, environment),
        None => config::demo(environment),
    };
    let config = match config {
        Ok(config) => config,
        Err(error) => return output::fail(&error),
    };
    let bound = match app::build(config) {
        Ok(bound) => bound,
        Err(error) => return output::fail(&error),
    };
    match bound.run(shutdown::signals()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::complain(&error);
            ExitCode::FAILURE
        }
    }
}
