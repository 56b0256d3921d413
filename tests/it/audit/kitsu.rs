//! Kitsu, asked with the person's own token.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use stagedoor::config::Tracker;
use stagedoor::tracker::kitsu::Config;
use tempfile::TempDir;
use tokio::sync::OnceCell;
use tonic_health::pb::health_check_response::ServingStatus;

use super::{RATE, Said, audit};
use crate::app::App;
use crate::differential::studio::{self, Person, Studio};
use crate::differential::zou::Zou;
use crate::kitsu_events::{TURN, ready};

static STUDIO: OnceCell<Studio> = OnceCell::const_new();

/// A zou with a random studio, and a configuration that names it.
struct Kitsu {
    studio: Studio,
    directory: TempDir,
    config: Config,
}

impl Kitsu {
    async fn new() -> Self {
        let dir = PathBuf::from(std::env::var_os("STAGEDOOR_TEST_DIR").expect("tests/run sets STAGEDOOR_TEST_DIR"));
        let zou = Zou::running(&dir, &Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/zou/ctl"));
        // Nothing changes it, so one does for all.
        let studio = STUDIO.get_or_init(async || studio::build(&zou, 11).await).await.clone();
        let running = ready();
        let config = Config { url: running.api.clone(), events_url: running.events.clone(), token: running.token() };
        let directory = tempfile::tempdir().unwrap();
        let kitsu = Self { studio, directory, config };
        kitsu.write("admin.token", &zou.admin_token);
        kitsu.configure("kitsu.yaml", &kitsu.config.url);
        kitsu
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn configure(&self, name: &str, url: &str) -> String {
        let events = &self.config.events_url;
        self.write(
            name,
            &format!("tracker: {{kitsu: {{url: {url}, events_url: {events}, token_file: admin.token}}}}\n"),
        )
    }

    fn path(&self, name: &str) -> String {
        self.directory.path().join(name).to_str().unwrap().to_owned()
    }

    /// A stagedoor that mirrors it, with an overlay where one is given.
    async fn stagedoor(&self, overlay: Option<&str>) -> App {
        let policy = overlay.map(|text| PathBuf::from(self.write("policy.yaml", text)));
        let tracker = Tracker::Kitsu(self.config.clone());
        let app = App::start(move |config| {
            config.tracker = tracker;
            config.policy = policy;
        });
        let app = app.await;
        // Other tests may have left much in this zou.
        let began = Instant::now();
        while app.health("fresh").await.ok() != Some(ServingStatus::Serving) {
            assert!(began.elapsed() < Duration::from_secs(60), "no mirror of zou within a minute");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        app
    }

    /// The first active person of a role, people rather than bots.
    fn person(&self, role: &str, departments: usize) -> &Person {
        let fits = |person: &&Person| {
            person.role == role && person.active && !person.is_bot && person.departments.len() == departments
        };
        self.studio.people.iter().find(fits).unwrap()
    }

    /// Asks as that person, with the own token.
    async fn audit(&self, app: &App, person: &Person, more: &[&str]) -> Said {
        let token = self.write("person.token", &person.token);
        let (config, addr) = (self.path("kitsu.yaml"), format!("unix:{}", app.unix.display()));
        let mut arguments = vec!["--config", &config, "--as", &person.id, "--token-file", &token, "--addr", &addr];
        arguments.extend(["--rate", RATE]);
        arguments.extend(more);
        audit(&arguments).await
    }
}

/// Everything that is in zou's database.
fn everything() -> Vec<String> {
    let url = std::env::var("ZOU_DATABASE_URL").expect("tests/run sets ZOU_DATABASE_URL");
    let dump = Command::new("pg_dump").arg(url).output().expect("pg_dump runs");
    assert!(dump.status.success(), "{}", String::from_utf8_lossy(&dump.stderr));
    let text = String::from_utf8(dump.stdout).unwrap();
    // It marks its own beginning and end with a word that is new each time.
    text.lines()
        .filter(|line| !line.starts_with("\\restrict") && !line.starts_with("\\unrestrict"))
        .map(str::to_owned)
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs zou: run tests/run"]
async fn nothing_differs_and_nothing_changes_in_kitsu() {
    let _turn = TURN.lock().await;
    let kitsu = Kitsu::new().await;
    let app = kitsu.stagedoor(None).await;
    let before = everything();
    let people = [
        kitsu.person("admin", 0),
        kitsu.person("manager", 1),
        kitsu.person("supervisor", 0),
        kitsu.person("supervisor", 1),
        kitsu.person("user", 1),
        kitsu.person("user", 2),
        kitsu.person("client", 0),
        kitsu.person("vendor", 1),
    ];
    let (mut asked, mut inconclusive) = (0, 0);
    for person in people {
        let said = kitsu.audit(&app, person, &["--probe", "--sample", "2", "--json"]).await;
        let found = said.json();
        println!(
            "{} {}: asked {}, agreed {}, inconclusive {}",
            person.role, person.name, found["asked"], found["agreed"], found["inconclusive"]
        );
        assert_eq!(found["differences"], serde_json::json!([]), "as {person:?}");
        assert_eq!(said.code, Some(0), "{said:?}");
        asked += found["asked"].as_u64().unwrap();
        inconclusive += found["inconclusive"].as_array().unwrap().len();
    }
    let after = everything();
    let changed: Vec<_> = after.iter().filter(|line| !before.contains(line)).take(5).collect();
    assert!(before == after, "{} lines before, {} after; new: {changed:?}", before.len(), after.len());
    println!("{asked} questions, {inconclusive} inconclusive");
    assert!(asked > 1_000 && inconclusive == 0, "{asked} questions, {inconclusive} inconclusive");
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs zou: run tests/run"]
async fn a_broken_rule_of_an_overlay_is_found_in_kitsu() {
    let _turn = TURN.lock().await;
    let kitsu = Kitsu::new().await;
    let app = kitsu.stagedoor(Some("extends: kitsu\nrules:\n  task.update: [access]\n  shot.read: [admin]\n")).await;
    let artist = kitsu.person("user", 1);
    let said = kitsu.audit(&app, artist, &["--probe"]).await;
    assert_eq!(said.code, Some(1), "{said:?}");
    println!("{}\n{}", said.err, said.out);
    let first = said.out.lines().take(4).collect::<Vec<_>>().join("\n");
    for part in [
        "WRONG ALLOWS: stagedoor allows what the tracker refuses\n  task.update[name] task:",
        "\n    stagedoor  ALLOW GRANTED: ",
        "[kitsu/task.update#1]",
        "\n    tracker    refuses it: 403 You don't have the permission",
    ] {
        assert!(first.contains(part), "{part} in {first}");
    }
    let wrong: Vec<_> = said.out.lines().take_while(|line| !line.starts_with("STRICTER")).collect();
    let stray = wrong
        .iter()
        .find(|line| line.starts_with("  ") && !line.starts_with("    ") && !line.starts_with("  task.update["));
    assert_eq!(stray, None);
    assert!(
        said.out.contains("STRICTER: stagedoor refuses what the tracker allows\n  shot.read shot:"),
        "{}",
        said.out
    );
    assert!(said.out.contains("  *.delete: "), "{}", said.out);
    assert!(said.err.contains(&format!("as {}", artist.name.split(' ').next().unwrap())), "{}", said.err);
    assert!(said.err.contains("questions to kitsu, 50 a second: about "), "{}", said.err);

    let task = &kitsu.studio.projects[0].tasks[0].id;
    let named = kitsu.audit(&app, artist, &["--probe", "--json", &format!("task:{task}")]).await.json();
    let kinds: Vec<_> = named["differences"].as_array().unwrap().iter().map(|one| &one["question"]["id"]).collect();
    assert!(kinds.iter().all(|id| *id == task), "{named}");
    app.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs zou: run tests/run"]
async fn what_cannot_be_asked_of_kitsu_is_told() {
    let _turn = TURN.lock().await;
    let kitsu = Kitsu::new().await;
    let app = kitsu.stagedoor(None).await;
    let before = everything();
    let (ada, bo) = (kitsu.person("user", 1), kitsu.person("manager", 1));
    let told = async |more: &[&str], parts: &[&str]| {
        let said = kitsu.audit(&app, ada, more).await;
        assert_eq!((said.code, said.out.as_str()), (Some(2), ""), "{said:?}");
        for part in parts {
            assert!(said.err.contains(part), "{part} in {}", said.err);
        }
    };
    told(&[], &["nothing was asked: ", &kitsu.config.url, &ada.id, "50 requests a second", "add --probe"]).await;
    let bo_is_not_ada = format!("the token is not that of {}, but of ", bo.id);
    let said = {
        let token = kitsu.write("ada.token", &ada.token);
        let (config, addr) = (kitsu.path("kitsu.yaml"), format!("unix:{}", app.unix.display()));
        let who = ["--config", &config, "--as", &bo.id, "--token-file", &token, "--addr", &addr];
        audit(&[&who[..], &["--probe", "--rate", RATE]].concat()).await
    };
    assert_eq!(said.code, Some(2));
    assert!(said.err.contains(&bo_is_not_ada) && said.err.contains(&ada.id), "{}", said.err);
    told(&["--probe", "task:no-id"], &["task:no-id: is no id of Kitsu's"]).await;
    told(&["--probe", "spaceship:x"], &["spaceship:x: "]).await;
    let asset = kitsu.studio.projects[0].entities.iter().find(|entity| entity.kind == "asset").unwrap();
    let (asset, shot) = (format!("asset:{}", asset.id), format!("shot:{}", asset.id));
    told(&["--probe", &shot], &[&format!("{shot}: is not of this kind, but {asset}")]).await;
    told(&["--probe", "--addr", "127.0.0.1:1"], &["cannot be used multiple times"]).await;

    let (config, token) = (kitsu.path("kitsu.yaml"), kitsu.write("bad.token", "no.token.at-all"));
    let addr = format!("unix:{}", app.unix.display());
    let run = async |config: &str, token: &str, addr: &str| {
        let who = ["--config", config, "--as", &ada.id, "--token-file", token, "--addr", addr];
        audit(&[&who[..], &["--probe", "--rate", RATE]].concat()).await
    };
    let said = run(&config, &token, &addr).await;
    assert!(said.code == Some(2) && said.err.contains("zou does not accept the person's token"), "{said:?}");
    let down = kitsu.configure("down.yaml", "http://127.0.0.1:1");
    let token = kitsu.write("ada.token", &ada.token);
    let said = run(&down, &token, &addr).await;
    assert!(said.code == Some(2) && said.err.contains("zou cannot be reached"), "{said:?}");
    let said = run(&config, &token, "127.0.0.1:1").await;
    assert!(said.code == Some(2) && said.err.contains("cannot reach a stagedoor at 127.0.0.1:1"), "{said:?}");
    assert!(before == everything());
    app.end().await;

    let demo = App::demo().await;
    let said = run(&config, &token, &format!("unix:{}", demo.unix.display())).await;
    assert!(said.code == Some(2) && said.err.contains("does not know the person"), "{said:?}");
    demo.end().await;
}
