//! Whether the script sees what it must. Lists tell a script of fewer rights less, without a word: what they leave out
//! would pass for gone.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use futures_util::try_join;
use parking_lot::RwLock;
use serde_json::{Value as Json, json};
use tokio::sync::Mutex;

use super::answer::{self, Row};
use super::client::{Client, Failure, MEND_ROLE};
use super::search::Search;
use crate::model::id::Str;
use crate::tracker::SourceError;

/// How long what was found out about the script's rights counts for those who ask every few seconds. Each load looks anew,
/// and so does a re-read that misses something.
const COUNTS: Duration = Duration::from_secs(300);
/// How long it counts for re-reads that miss something.
const SHARED: Duration = Duration::from_secs(3);
/// How old the last answer of the site may be, for it to prove that the site answers.
const RECENT: Duration = Duration::from_secs(5);
/// How many projects of a script are looked at.
const PROJECTS: usize = 500;
/// How many templates a site has at most, and how many people are asked whether there is anything else.
const MOST: u32 = 5000;
const PEOPLE: u32 = 500;

/// What is known of the site and of what it shows.
#[derive(Debug, Default)]
pub(super) struct Sight {
    seen: RwLock<Option<Seen>>,
    /// Held by the one that looks for all who miss something.
    looking: Mutex<()>,
}

#[derive(Clone, Debug)]
struct Seen {
    version: Str,
    at: Instant,
}

// === impl Sight ===

impl Sight {
    /// The site's version, if it answers and shows what it must. Asks nothing where the log of events is read all the time
    /// and says so already, and little where nothing has failed.
    pub(super) async fn probe(&self, client: &Client) -> Result<Str, SourceError> {
        let seen = self.seen.read().clone().filter(|seen| seen.at.elapsed() < COUNTS);
        match (seen, client.answered()) {
            (Some(seen), Some(answered)) if answered.elapsed() < RECENT => Ok(seen.version),
            (Some(_), Some(_)) => Ok(version(client).await?),
            _ => self.check(client).await,
        }
    }

    /// The same, asked, or asked a moment ago: re-reads that miss something come by the thousand after a load.
    pub(super) async fn check_for_all(&self, client: &Client) -> Result<Str, SourceError> {
        let _one = self.looking.lock().await;
        let seen = self.seen.read().clone().filter(|seen| seen.at.elapsed() < SHARED);
        match seen {
            Some(seen) => Ok(seen.version),
            None => self.check(client).await,
        }
    }

    /// The same, asked.
    pub(super) async fn check(&self, client: &Client) -> Result<Str, SourceError> {
        let at = Instant::now();
        let looked = try_join!(version(client), look(client));
        if looked.is_err() {
            *self.seen.write() = None;
        }
        let (version, ()) = looked?;
        let known = self.seen.write().replace(Seen { version: version.clone(), at });
        if known.is_none_or(|known| known.version != version) {
            tracing::debug!(version = version.as_str(), "Flow site");
        }
        Ok(version)
    }
}

async fn version(client: &Client) -> Result<Str, Failure> {
    let answer = client.greet().await?;
    let data = answer.get("data").unwrap_or(&answer);
    let version = data.get("shotgun_version").and_then(Json::as_str).filter(|version| version.len() <= 80);
    version.map(Str::from).ok_or_else(|| {
        Failure::Malformed("the server at tracker.flow.url does not say its version: is it a Flow site?".into())
    })
}

/// Whether the script sees people, scripts, roles and the log, and all projects.
async fn look(client: &Client) -> Result<(), Failure> {
    let one = |kind: &'static str| async move {
        let rows = client.search(&Search::of(kind, ["id"]).sized(1)).await;
        rows.map_err(|failure| unseen(kind, failure))
    };
    let script = async {
        let search = Search::of("ApiUser", ["firstname", "projects"]).with("firstname", "is", client.script());
        client.search(&search.sized(10)).await.map_err(|failure| unseen("ApiUser", failure))
    };
    let (people, roles, _, scripts) =
        try_join!(one("HumanUser"), one("PermissionRuleSet"), one("EventLogEntry"), script)?;
    for (kind, rows) in [("HumanUser", &people), ("PermissionRuleSet", &roles)] {
        if rows.is_empty() {
            return Err(Failure::Refused(format!("Flow shows no {kind} to the script; {MEND_ROLE}")));
        }
    }
    // Flow compares names without case.
    let own = client.script().to_lowercase();
    let own = scripts.iter().find(|row| row.text("firstname").is_some_and(|name| name.to_lowercase() == own));
    match own {
        Some(own) => all_projects(client, own).await,
        None => Err(Failure::Refused(format!("Flow does not show the script's own row (ApiUser) to it; {MEND_ROLE}"))),
    }
}

fn unseen(kind: &str, failure: Failure) -> Failure {
    match failure {
        failure if failure.is_about_the_type() => {
            Failure::Refused(format!("Flow does not show the entity type {kind} to the script: {failure}"))
        }
        failure => failure,
    }
}

/// A script may be restricted to the projects that its row names ("See Assigned Projects Only"), be it none; whether it
/// is, its role does not tell. So it must see another one, which is not a template: those are shown to everybody.
async fn all_projects(client: &Client, own: &Row) -> Result<(), Failure> {
    let assigned = own.value("projects").and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut search = Search::of("Project", ["id"]).sized(1).with("is_template", "is_not", true);
    for (_, id) in assigned.iter().filter_map(answer::link).take(PROJECTS) {
        search = search.with("id", "is_not", json!(id));
    }
    let others = client.search(&search).await.map_err(|failure| unseen("Project", failure))?;
    if others.is_empty() && (!assigned.is_empty() || are_there_others(client).await?) {
        return Err(Failure::Refused(format!(
            "the script {} is assigned to {} projects and sees no other: where its role has \"See Assigned Projects Only\", \
             all the rest would pass for gone. Take all projects off the script user in Flow, and give it a role without \
             that permission, for example API Admin",
            client.script(),
            assigned.len()
        )));
    }
    Ok(())
}

/// Whether somebody is in a project that is no template, as far as the script sees: a new site has none.
async fn are_there_others(client: &Client) -> Result<bool, Failure> {
    let templates = Search::of("Project", ["id"]).sized(MOST).with("is_template", "is", true);
    let people = Search::of("HumanUser", ["projects"]).sized(PEOPLE).with("projects", "is_not", Json::Null);
    let (templates, people) = try_join!(client.search(&templates), client.search(&people))?;
    let templates: HashSet<u64> = templates.iter().map(|row| row.id).collect();
    let is_elsewhere = |row: &Row| {
        let shown = row.value("projects").and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
        // A list that is not empty, of which nothing is shown, names what the script does not see.
        shown.is_empty() || shown.iter().filter_map(answer::link).any(|(_, id)| !templates.contains(&id))
    };
    Ok(people.iter().any(is_elsewhere))
}
