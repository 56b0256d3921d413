//! The two sides asked: stagedoor in batches, the tracker one question after the other.

use std::future::Future;
use std::pin::pin;
use std::process::ExitCode;
use std::time::Duration;

use tonic::Status;
use tonic::transport::Channel;

use super::super::{ask, client, output};
use super::report::{Finding, Report};
use crate::model::id::ObjectRef;
use crate::model::query::Subject;
use crate::proto::v1::authorization_client::AuthorizationClient;
use crate::proto::v1::{self, ReasonCode};
use crate::tracker::probe::{Asked, Pace, Probe, Question, Verdict};

/// A server that takes longer for a batch does not answer.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Never more questions in one batch, whatever the server takes.
const BATCH: usize = 100;
/// An answer that differs may be older than the tracker's: stagedoor is asked again after this.
const SETTLE: Duration = Duration::from_millis(500);

/// What the user wants to know.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    pub(super) person: &'a str,
    pub(super) objects: Vec<ObjectRef>,
    pub(super) each: usize,
    pub(super) address: &'a str,
    pub(super) json: bool,
}

/// Stagedoor's side.
struct Server<'a> {
    address: &'a str,
    client: AuthorizationClient<Channel>,
    subject: v1::Subject,
    batch: usize,
}

/// Asks both sides and prints what was found.
pub(super) async fn audit<P: Probe>(prober: &P, tracker: &str, rate: f64, plan: &Plan<'_>) -> Result<ExitCode, String> {
    let mut server = Server::meet(plan.address, tracker, ask::subject(plan.person)).await?;
    let subject = ask::subject(plan.person);
    let met = prober.meet(self::subject(&subject)).await.map_err(|error| error.to_string())?;
    output::complain(&format_args!("as {} ({}): looking for what to ask about", met.name, met.id));
    let asked = prober.questions(&met, &plan.objects, plan.each).await.map_err(|error| error.to_string())?;
    let ours = server.answers(&asked).await?;
    let mut report = Report::new(met, prober.unasked(), asked.len());
    let takes = Pace::new(rate).takes(asked.len()).as_secs().max(1);
    output::complain(&format_args!(
        "{} questions to {tracker}, {rate} a second: about {takes} s; Ctrl-C ends it with what was found until then",
        asked.len()
    ));
    let mut stop = pin!(tokio::signal::ctrl_c());
    for (asked, ours) in asked.into_iter().zip(ours) {
        let answer = tokio::select! {
            _ = &mut stop => break,
            answer = one(prober, &mut server, asked, ours) => answer,
        };
        match answer {
            Ok(finding) => report.add(finding),
            Err(why) => {
                report.broke(why);
                break;
            }
        }
    }
    if plan.json {
        output::say(format_args!("{:#}", report.json()))
    } else {
        output::say(&report)
    }
    Ok(report.exit_code())
}

/// Asks the tracker, and stagedoor once more where it differs: something may have changed in between.
async fn one<P: Probe>(
    prober: &P,
    server: &mut Server<'_>,
    asked: Asked<P::Request>,
    ours: v1::CheckResponse,
) -> Result<Finding, String> {
    let Asked { question, request } = asked;
    let theirs = prober.ask(&request).await.map_err(|error| error.to_string())?;
    let ours = match theirs {
        Verdict::Inconclusive(_) => ours,
        Verdict::Allowed | Verdict::Refused(_) if output::allowed(&ours) == (theirs == Verdict::Allowed) => ours,
        Verdict::Allowed | Verdict::Refused(_) => {
            tokio::time::sleep(SETTLE).await;
            server.answer(&question).await?
        }
    };
    Ok(Finding { question, ours, theirs })
}

/// The same person as the tracker's side needs it.
fn subject(subject: &v1::Subject) -> Subject<'_> {
    match subject.r#type.as_str() {
        "login" => Subject::Login(&subject.id),
        "email" => Subject::Email(&subject.id),
        "bot" => Subject::Bot(&subject.id),
        _ => Subject::Person(&subject.id),
    }
}

// === impl Server ===

impl<'a> Server<'a> {
    /// The server at the address, which must mirror this tracker.
    async fn meet(address: &'a str, tracker: &str, subject: v1::Subject) -> Result<Self, String> {
        let mut client = AuthorizationClient::new(exchange(address, async { client::connect(address).await }).await?);
        let info = said(address, client.get_server_info(v1::GetServerInfoRequest {})).await?.into_inner();
        if info.tracker != tracker {
            return Err(format!(
                "the stagedoor at {address} mirrors {}, the configuration names {tracker}: give the server that runs with \
                 this configuration in --addr",
                info.tracker
            ));
        }
        let most = info.limits.map_or(BATCH, |limits| usize::try_from(limits.batch_items).unwrap_or(BATCH));
        Ok(Self { address, client, subject, batch: most.clamp(1, BATCH) })
    }

    /// Its answers to all questions.
    async fn answers<R>(&mut self, asked: &[Asked<R>]) -> Result<Vec<v1::CheckResponse>, String> {
        let mut answers = Vec::with_capacity(asked.len());
        for chunk in asked.chunks(self.batch) {
            let items = chunk.iter().map(|asked| check(&self.subject, &asked.question)).collect();
            let request = v1::BatchCheckRequest { items, ..v1::BatchCheckRequest::default() };
            let results = said(self.address, self.client.batch_check(request)).await?.into_inner().results;
            if results.len() != chunk.len() {
                return Err(format!("{} answered {} of {} questions", self.address, results.len(), chunk.len()));
            }
            answers.extend(results);
        }
        let stranger = |answer: &v1::CheckResponse| {
            answer.reason.as_ref().is_some_and(|reason| reason.code() == ReasonCode::SubjectUnknown)
        };
        if !answers.is_empty() && answers.iter().all(stranger) {
            return Err(format!(
                "the stagedoor at {} does not know the person: give the server that runs with this configuration in --addr",
                self.address
            ));
        }
        Ok(answers)
    }

    async fn answer(&mut self, question: &Question) -> Result<v1::CheckResponse, String> {
        let request = check(&self.subject, question);
        Ok(said(self.address, self.client.check(request)).await?.into_inner())
    }
}

async fn exchange<T>(address: &str, exchange: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    client::in_time(address, TIMEOUT, exchange).await
}

async fn said<T>(address: &str, call: impl Future<Output = Result<T, Status>>) -> Result<T, String> {
    exchange(address, async { call.await.map_err(|status| client::refused(address, &status)) }).await
}

/// The question in the words of the API.
fn check(subject: &v1::Subject, question: &Question) -> v1::CheckRequest {
    let Question { action, field, value, kind, id, project, properties, name: _ } = question.clone();
    let properties = (!properties.is_empty()).then(|| ask::to_struct(properties));
    v1::CheckRequest {
        subject: Some(subject.clone()),
        action: Some(v1::Action { name: action, field, value: value.map(ask::to_value) }),
        resource: Some(v1::Resource { r#type: kind, id, project, properties, complete: false }),
        ..v1::CheckRequest::default()
    }
}
