//! `healthcheck`: one question to the standard health service.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use super::{HealthService, Healthcheck, client, output};
use crate::config::{self, Environment};
use crate::serve::listen::Address;

/// A probe that waits longer than this is no use.
const TIMEOUT: Duration = Duration::from_secs(3);

pub(super) fn run(check: &Healthcheck, environment: &Environment) -> ExitCode {
    let address = match &check.config {
        Some(file) => configured(file, environment),
        None => Ok(check.addr.clone()),
    };
    let service = match check.service {
        None => "",
        Some(HealthService::Loaded) => "loaded",
        Some(HealthService::Fresh) => "fresh",
    };
    let status = address.and_then(|address| {
        client::ask(&address, TIMEOUT, async |channel| {
            let request = HealthCheckRequest { service: service.to_owned() };
            Ok(HealthClient::new(channel).check(request).await?.into_inner().status())
        })
    });
    match status {
        Ok(ServingStatus::Serving) => {
            output::say("SERVING");
            ExitCode::SUCCESS
        }
        Ok(status) => {
            output::say(status.as_str_name());
            ExitCode::FAILURE
        }
        Err(problem) => {
            output::complain(&problem);
            ExitCode::FAILURE
        }
    }
}

/// The address to ask at, of those that the configuration listens on.
fn configured(file: &Path, environment: &Environment) -> Result<String, String> {
    let config = config::load(file, environment).map_err(|error| error.to_string())?;
    let listen = &config.serve.listen;
    let unix = listen.iter().find(|address| matches!(address, Address::Unix(_)));
    match unix.or(listen.first()) {
        Some(Address::Tcp(_)) if config.serve.tls.is_some() => {
            Err("only TLS addresses are listened on; add a `unix:` address to `listen:` for probes".to_owned())
        }
        Some(Address::Unix(path)) => Ok(format!("unix:{}", path.display())),
        Some(Address::Tcp(address)) => Ok(address.to_string()),
        None => Err("the configuration listens on no address".to_owned()),
    }
}
