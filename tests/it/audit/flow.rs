//! Flow, asked by a script that acts as the person.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value as Json;
use stagedoor::config::{self, Tracker};
use stagedoor::tracker::flow;
use stagedoor::tracker::secret::TokenSource;
use tempfile::TempDir;

use super::{RATE, Said, audit};
use crate::app::App;
use crate::flow_load::double::Double;

const ROLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/flow/roles.yaml");
/// The types of the seed, join rows among them.
const TYPES: [&str; 20] = [
    "Project",
    "Sequence",
    "Shot",
    "Asset",
    "Task",
    "Version",
    "PublishedFile",
    "Note",
    "Reply",
    "TimeLog",
    "Playlist",
    "Ticket",
    "HumanUser",
    "ApiUser",
    "Group",
    "Department",
    "PermissionRuleSet",
    "Status",
    "Step",
    "CustomEntity07",
];

/// A site, a stagedoor that mirrors it by these roles, and the configuration of both.
struct Site {
    double: Double,
    app: App,
    directory: TempDir,
}

impl Site {
    async fn new(roles: &str) -> Self {
        let double = Double::start(&[]);
        let directory = tempfile::tempdir().unwrap();
        let policy = directory.path().join("roles.yaml");
        std::fs::write(&policy, roles).unwrap();
        let source = flow::Config {
            url: double.address.clone(),
            script_name: "auditor".to_owned(),
            script_key: TokenSource::Value("auditor-key".to_owned()),
            poll_interval: Duration::from_secs(1),
        };
        let file = policy.clone();
        let app = App::boot(move |config| {
            config.tracker = Tracker::Flow(config::Flow { source, webhook: None });
            config.policy = Some(file);
        })
        .await;
        let site = Self { double, app, directory };
        site.configure("auditor", &site.double.address);
        site
    }

    fn configure(&self, script: &str, url: &str) -> String {
        let path = |name: &str| self.directory.path().join(name);
        std::fs::write(path("key"), format!("{script}-key")).unwrap();
        let tracker = format!("{{url: \"{url}\", script_name: {script}, script_key_file: key}}");
        std::fs::write(path("flow.yaml"), format!("policy: roles.yaml\ntracker: {{flow: {tracker}}}\n")).unwrap();
        path("flow.yaml").to_str().unwrap().to_owned()
    }

    async fn audit(&self, person: &str, more: &[&str]) -> Said {
        let config = self.directory.path().join("flow.yaml");
        let addr = format!("unix:{}", self.app.unix.display());
        let who = ["--config", config.to_str().unwrap(), "--as", person, "--addr", &addr, "--rate", RATE];
        audit(&[&who[..], more].concat()).await
    }

    /// Everything that a write would leave behind.
    async fn everything(&self) -> Vec<Json> {
        let mut all = vec![self.double.get("events").await["next"].clone()];
        for name in TYPES {
            for retired in ["", "&retired=1"] {
                all.push(self.double.get(&format!("query?type={name}{retired}")).await);
            }
        }
        all
    }
}

/// The site's own roles, and a field that its schema shows to nobody as editable: `audit` is how a studio learns of it.
fn roles() -> String {
    let roles = std::fs::read_to_string(PathBuf::from(ROLES)).unwrap();
    assert_eq!(roles.matches("read_only:\n").count(), 1);
    roles.replace("read_only:\n", "read_only:\n  Status: [system]\n")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the double of Flow: run tests/run"]
async fn nothing_differs_and_nothing_changes_in_flow() {
    let site = Site::new(&roles()).await;
    let before = site.everything().await;
    let (mut asked, mut inconclusive) = (0, 0);
    for login in ["ada", "max", "ann", "art", "lia", "cora", "vic", "vera", "nora", "rhea"] {
        let said = site.audit(&format!("login:{login}"), &["--probe", "--sample", "3", "--json"]).await;
        let found = said.json();
        println!(
            "{login}: asked {}, agreed {}, inconclusive {}",
            found["asked"],
            found["agreed"],
            found["inconclusive"].as_array().unwrap().len()
        );
        for one in found["inconclusive"].as_array().unwrap() {
            println!("  {} {}", one["question"], one["why"]);
        }
        for one in found["differences"].as_array().unwrap() {
            println!("  DIFFERS {} {} {}", one["question"], one["stagedoor"]["reason"], one["tracker"]);
        }
        assert_eq!(found["differences"], serde_json::json!([]), "as {login}");
        assert_eq!(said.code, Some(0), "{}", said.err);
        asked += found["asked"].as_u64().unwrap();
        inconclusive += found["inconclusive"].as_array().unwrap().len();
    }
    assert!(before == site.everything().await, "the site is not as it was");
    println!("{asked} questions, {inconclusive} inconclusive");
    assert!(asked > 4_000 && inconclusive * 100 < 2 * asked as usize, "{asked} questions, {inconclusive} inconclusive");
    site.app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the double of Flow: run tests/run"]
async fn a_broken_rule_of_the_roles_is_found_in_flow() {
    let whole = "          \"*\": {edit: no}\n          sg_status_list: {edit: assigned_or_reviewing}\n";
    let broken = "          \"*\": {edit: no}\n          content: {edit: yes}\n          sg_status_list: {edit: no}\n";
    assert_eq!(roles().matches(whole).count(), 1);
    let site = Site::new(&roles().replace(whole, broken)).await;
    let before = site.everything().await;
    let said = site.audit("login:ann", &["--probe", "--sample", "5"]).await;
    println!("{}\n{}", said.err, said.out);
    assert_eq!(said.code, Some(1), "{said:?}");
    let start = "WRONG ALLOWS: stagedoor allows what the tracker refuses\n  task.update[content]=";
    assert!(said.out.starts_with(start), "{}", said.out);
    assert!(said.out.contains("    tracker    refuses it: 400 "), "{}", said.out);
    assert!(said.out.contains("The field is not editable for this user: [Task.content]."), "{}", said.out);
    let stricter = "STRICTER: stagedoor refuses what the tracker allows\n  task.update[sg_status_list]=";
    assert!(said.out.contains(stricter), "{}", said.out);
    assert!(said.err.contains("as Ann Artist (3)"), "{}", said.err);
    let one = site.audit("3", &["--probe", "--json", "task:1"]).await.json();
    let ids: Vec<_> = one["differences"].as_array().unwrap().iter().map(|one| one["question"]["id"].clone()).collect();
    assert!(!ids.is_empty() && ids.iter().all(|id| *id == "1"), "{one}");
    assert!(before == site.everything().await, "the site is not as it was");
    site.app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the double of Flow: run tests/run"]
async fn what_was_found_until_then_is_told_on_ctrl_c() {
    let site = Site::new(&roles()).await;
    let config = site.directory.path().join("flow.yaml");
    let mut child = Command::new(env!("CARGO_BIN_EXE_stagedoor"))
        .args(["audit", "--as", "login:ann", "--probe", "--rate", "4", "note:1", "note:2", "task:1", "task:2"])
        .args(["--config", config.to_str().unwrap(), "--addr", &format!("unix:{}", site.app.unix.display())])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let told = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let begun = tokio::task::spawn_blocking(move || told.take(2).collect::<Vec<_>>()).await.unwrap();
    assert!(begun[1].contains("questions to flow, 4 a second: about "), "{begun:?}");
    tokio::time::sleep(Duration::from_secs(2)).await;
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
    let output = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap()).await.unwrap();
    let out = String::from_utf8(output.stdout).unwrap();
    let last = out.lines().last().unwrap();
    let (asked, planned) = last.strip_prefix("as Ann Artist (3): asked ").unwrap().split_once(" of ").unwrap();
    let (asked, planned): (usize, usize) =
        (asked.parse().unwrap(), planned.split(',').next().unwrap().parse().unwrap());
    assert!(asked > 3 && asked < planned, "{last}");
    assert_eq!(output.status.code(), Some(2), "{last}");
    site.app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the double of Flow: run tests/run"]
async fn what_cannot_be_asked_of_flow_is_told() {
    let site = Site::new(&roles()).await;
    let told = async |person: &str, more: &[&str], part: &str| {
        let said = site.audit(person, more).await;
        assert_eq!((said.code, said.out.as_str()), (Some(2), ""), "{said:?}");
        assert!(said.err.contains(part), "{part} in {}", said.err);
    };
    told("login:ann", &[], "nothing was asked: ").await;
    told("login:ann", &["--probe", "--token-file", "x"], "--token-file is for Kitsu").await;
    told("login:Ann", &["--probe"], "Flow has no person with the login Ann").await;
    told("email:shared@studio.example", &["--probe"], "several people in Flow have the email").await;
    told("bot:1", &["--probe"], "nobody can act as a script").await;
    told("ann", &["--probe"], "`ann` is no id of Flow's").await;
    told("login:dan", &["--probe"], "inactive user account").await;
    told("login:ines", &["--probe"], "'can_impersonate_this_user' turned off").await;
    told("login:ann", &["--probe", "task:x"], "task:x: is no id of Flow's").await;
    told("login:ann", &["--probe", "task:17"], "task:17: there is no such row, or it is in the trash").await;
    told("login:ann", &["--probe", "spaceship:1"], "spaceship:1: there is nothing that could be asked").await;
    site.configure("stagedoor", &site.double.address);
    told("login:ann", &["--probe"], "act as another user").await;
    site.configure("auditor", "http://127.0.0.1:1");
    told("login:ann", &["--probe"], "the site cannot be reached").await;
    site.app.end().await;
}
