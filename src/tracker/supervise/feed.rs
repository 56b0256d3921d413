//! The event stream: connecting, losing it, catching up with what was missed; and whether the tracker answers at all.

use std::time::SystemTime;

use futures_util::stream::BoxStream;

use super::large::Why;
use super::{CatchUp, Done, Moment, Scope, Signal, Source, SourceError, Supervisor, Timer, within};
use crate::authorizer::Feed;
use crate::model::id::Str;

impl<S: Source> Supervisor<S> {
    pub(super) fn connect(&self) {
        let source = std::sync::Arc::clone(&self.source);
        let patience = self.options.patience;
        self.job(async move {
            let connecting = async {
                let version = within(patience, source.probe()).await?;
                Ok((version, source.events().await?))
            };
            Done::Connected(connecting.await)
        });
    }

    pub(super) fn connected(&mut self, outcome: Result<(Str, BoxStream<'static, Signal>), SourceError>) {
        match outcome {
            Ok((version, stream)) => {
                self.authorizer.set_tracker_version(&version);
                tracing::info!(
                    tracker = self.source.name(),
                    version = version.as_str(),
                    "the event stream is connected"
                );
                self.stream = Some(stream);
                self.audit.begin();
                self.mute = None;
                if self.loaded {
                    self.stats.reconnects.add(1);
                    self.catch_up(self.heard.since());
                } else {
                    // What was read before anything was announced may have changed.
                    self.forget_lazy();
                    self.want(Scope::All, Why::Gap);
                    self.load();
                }
                self.heard = Moment::now();
            }
            Err(error) => {
                self.complain("connecting", &error);
                // Better a mirror that ages than none.
                if !self.loaded && self.wanted.is_none() {
                    self.want(Scope::All, Why::Gap);
                    self.load();
                }
                let delay = self.connecting.delay();
                self.at(delay, Timer::Connect);
            }
        }
    }

    pub(super) fn signal(&mut self, signal: Signal) {
        if !matches!(signal, Signal::Lost(_)) {
            self.heard = Moment::now();
        }
        let mut position = None;
        match signal {
            Signal::Changed { objects, cursor } => {
                self.stats.events.add(1);
                self.hint(&objects);
                position = cursor;
            }
            Signal::Reload { scope, objects } => {
                self.stats.events.add(1);
                self.hint(&objects);
                if scope == Scope::All {
                    // Loads leave out what is read on first use.
                    self.forget_lazy();
                }
                self.audit.reload(scope);
                self.announced(scope);
            }
            Signal::Hanging { on, field } => self.hangs(on, field),
            Signal::RulesChanged { objects, said } => {
                self.stats.events.add(1);
                self.hint(&objects);
                self.authorizer.note_rules_changed();
                tracing::warn!(
                    tracker = self.source.name(),
                    said,
                    "the rules of a role were changed at the tracker, which does not tell them: the role as it is configured \
                     here may be out of date; compare it and mend the policy"
                );
            }
            Signal::Told { changes, cursor, receipt } => return self.told(changes, cursor, receipt),
            Signal::Heartbeat => {}
            Signal::Lost(why) => return self.lost(&why),
        }
        if self.state == Feed::Live {
            self.equal(position.as_deref());
        }
    }

    fn lost(&mut self, why: &str) {
        self.stream = None;
        self.stats.lost.add(1);
        tracing::warn!(tracker = self.source.name(), why, "the event stream is lost");
        let delay = self.connecting.delay();
        self.at(delay, Timer::Connect);
    }

    /// Reads in the tracker's log what happened since then.
    pub(super) fn catch_up(&mut self, since: SystemTime) {
        self.catching_up += 1;
        self.ask_log(since);
    }

    pub(super) fn ask_log(&self, since: SystemTime) {
        let source = std::sync::Arc::clone(&self.source);
        let patience = self.options.patience.saturating_mul(12);
        self.job(async move { Done::CaughtUp { since, found: within(patience, source.catch_up(since)).await } });
    }

    pub(super) fn caught_up(&mut self, since: SystemTime, found: Result<Option<CatchUp>, SourceError>) {
        match found {
            Ok(Some(CatchUp { objects, reload, cursor })) => {
                tracing::info!(objects = objects.len(), "caught up with the tracker's log; re-reading what it names");
                self.catching_up -= 1;
                // Not everything that a lazily read record rests on is in a log.
                self.forget_lazy();
                self.hint(&objects);
                self.seen.gap(since);
                self.recovering = objects.into_iter().filter(|object| !self.is_lazy(object)).collect();
                if let Some(scope) = reload {
                    self.want(scope, Why::Gap);
                    self.load();
                }
                if let Some(cursor) = cursor {
                    self.equal(Some(&cursor));
                }
            }
            Ok(None) => {
                tracing::info!("the tracker's log does not tell what was missed: loading everything");
                self.catching_up -= 1;
                self.forget_lazy();
                self.want(Scope::All, Why::Gap);
                self.load();
            }
            Err(error) => {
                self.complain("catching up", &error);
                let delay = self.connecting.delay();
                self.at(delay, Timer::CatchUp(since));
            }
        }
    }

    pub(super) fn probe(&self) {
        let source = std::sync::Arc::clone(&self.source);
        let patience = self.options.patience;
        self.job(async move { Done::Probed(within(patience, source.probe()).await) });
    }

    pub(super) fn probed(&mut self, outcome: Result<Str, SourceError>) {
        match outcome {
            Ok(version) => {
                self.authorizer.set_tracker_version(&version);
                if let Some(since) = self.mute.take() {
                    tracing::info!(tracker = self.source.name(), "the tracker answers again");
                    if self.stream.is_some() && self.loaded {
                        self.catch_up(since.since());
                    }
                } else if self.stream.is_some() {
                    // It has held for a while: the next loss is a new one.
                    self.connecting.reset();
                }
            }
            Err(error) => {
                // Whatever the stream says, the mirror cannot follow.
                self.complain("asking whether the tracker answers", &error);
                self.mute.get_or_insert(self.heard);
            }
        }
    }
}
