//! The address at which a tracker's state is pushed.

use futures_util::FutureExt as _;
use tonic::service::Routes;

use super::source::Source;
use super::{RunError, StartError};
use crate::config::{self, Tracker};
use crate::serve::drain::Drain;
use crate::serve::listen::{Address, Listener};
use crate::serve::routes;
use crate::serve::tls::{self, Material};
use crate::tracker::ingest::guard::Guard;

/// A bound address and what is behind it.
#[derive(Debug)]
pub(super) struct PushDoor {
    listener: Listener,
    tls: Option<Material>,
    routes: Routes,
}

/// Where pushes are taken, for a tracker that is pushed or that calls.
pub(super) fn config(tracker: &Tracker) -> Option<config::Push> {
    match tracker {
        Tracker::Limecraft(config) => config.push.clone(),
        Tracker::Flow(config) => {
            let config::Webhook { listen, token } = config.webhook.clone()?;
            Some(config::Push { listen, token: Some(token), tls: None })
        }
        Tracker::Kitsu(_) | Tracker::Ftrack(_) | Tracker::File(_) | Tracker::Demo => None,
    }
}

// === impl PushDoor ===

impl PushDoor {
    /// Binds the address; nothing is accepted yet. `None` where the tracker takes no pushes.
    pub(super) fn bind(config: config::Push, source: &Source, drain: &Drain) -> Result<Option<Self>, StartError> {
        let config::Push { listen, token, tls } = config;
        let tls = tls.as_ref().map(tls::Config::read).transpose()?;
        let Some(routes) = source.door(Guard::new(token), drain.wait().boxed().shared()) else { return Ok(None) };
        let listener = Listener::bind(&listen)?;
        Ok(Some(Self { listener, tls, routes }))
    }

    /// Where it listens: with the port that was given where 0 was asked for.
    pub(super) fn address(&self) -> std::io::Result<Address> {
        self.listener.address()
    }

    /// Takes pushes until the drain.
    pub(super) async fn serve(self, drain: Drain) -> Result<(), RunError> {
        let Self { listener, tls, routes } = self;
        routes::serve(routes, listener, tls, &drain).await.map_err(RunError::from)
    }
}
