//! `role audit` and `validate` against the double of ftrack: what differs is told, and nobody stays spoken for.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::ftrack_events::double::Double;

/// A configuration for a double, with a policy that says of every role what the double's seed says.
struct Studio {
    directory: TempDir,
    double: Double,
}

impl Studio {
    fn new() -> Self {
        let double = Double::start(&[]);
        let directory = tempfile::tempdir().unwrap();
        let studio = Self { directory, double };
        studio.key("service", "service-key");
        let seed = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/ftrack/seed.json")).unwrap();
        let seed: Value = serde_json::from_str(&seed).unwrap();
        let mut policy = "extends: ftrack\nroles:\n".to_owned();
        for role in seed["SecurityRole"].as_array().unwrap() {
            policy += &format!("  {}:\n    grants: {}\n", role["name"].as_str().unwrap(), role["permissions"]);
        }
        studio.write("policy.yaml", &policy);
        studio
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.directory.path().join(name), text).unwrap();
    }

    /// Lets the configuration ask with this key.
    fn key(&self, user: &str, key: &str) {
        let url = &self.double.address;
        self.write("key", key);
        fs::set_permissions(self.directory.path().join("key"), fs::Permissions::from_mode(0o600)).unwrap();
        self.write(
            "stagedoor.yaml",
            &format!("policy: policy.yaml\ntracker:\n  ftrack: {{url: \"{url}\", user: {user}, api_key_file: key}}\n"),
        );
    }

    /// The exit code, what is answered, what is complained about.
    fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        let mut program = Command::new(env!("CARGO_BIN_EXE_stagedoor"));
        program.args(arguments).current_dir(&self.directory).env_remove("STAGEDOOR_LOG");
        let output = program.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }

    fn audit(&self) -> (i32, String, String) {
        self.run(&["role", "audit", "--config", "stagedoor.yaml"])
    }

    fn edit(&self, from: &str, to: &str) {
        let text = fs::read_to_string(self.directory.path().join("policy.yaml")).unwrap();
        assert!(text.contains(from), "{from} in {text}");
        self.write("policy.yaml", &text.replacen(from, to, 1));
    }
}

#[tokio::test]
#[ignore = "needs the double of ftrack: run tests/run"]
async fn what_the_tracker_tells_is_compared_with_the_policy() {
    let studio = Studio::new();
    let (code, out, err) = studio.audit();
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert!(out.contains("\nRestricted User      ASSIGNED  2\n"), "{out}");
    assert!(out.ends_with("\nNothing that the tracker tells differs from the policy\n"), "{out}");

    studio.edit("\"manage_team\",", "");
    studio.edit("[\"can_access_my_tasks\",", "[\"read_bid\",\"can_access_my_tasks\",");
    let role =
        json!([["create", "SecurityRole", "role-new", {"id": "role-new", "name": "Head of FX", "type": "PROJECT"}]]);
    studio.double.mutate(&role).await;
    let (code, out, _) = studio.audit();
    assert_eq!(code, 1);
    for part in [
        "\nHead of FX           PROJECT   none listed\n",
        "\n  - role `Head of FX` stands at the tracker and has no permissions here: it grants nothing; `stagedoor role \
         create policy.yaml 'Head of FX' --grant ...` gives it some\n",
        " (Project Manager) has at the tracker and not here: `manage_team`\n",
        " (Restricted User) has here and not at the tracker: `read_bid`\n",
    ] {
        assert!(out.contains(part), "{part} in {out}");
    }
    let (code, out, err) = studio.run(&["validate", "stagedoor.yaml"]);
    assert_eq!((code, out.as_str()), (0, "stagedoor.yaml: a good configuration\n"));
    assert!(err.starts_with("warning: role `Head of FX` stands at the tracker") && err.lines().count() == 1, "{err}");
    let (code, out, _) = studio.run(&["role", "audit", "--config", "stagedoor.yaml", "--json"]);
    let told: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, told["differences"].as_array().unwrap().len(), &told["unknown"]), (1, 3, &json!([])), "{out}");
    assert!(studio.run(&["role", "create", "policy.yaml", "Head of FX"]).0 == 0);
    assert_eq!(studio.run(&["validate", "stagedoor.yaml"]).2, "");
}

#[tokio::test]
#[ignore = "needs the double of ftrack: run tests/run"]
async fn whoever_is_spoken_for_is_left_again() {
    let studio = Studio::new();
    assert_eq!(studio.audit().0, 0);
    let record = studio.double.get("record?kind=write").await;
    let acts: Vec<&str> = record.as_array().unwrap().iter().map(|act| act["action"].as_str().unwrap()).collect();
    assert_eq!(acts, ["assume_user", "un_assume_user"].repeat(4), "one for each role that people hold, one by one");
    assert!(record.as_array().unwrap().iter().step_by(2).all(|act| act["data"]["read_only"] == true), "{record}");

    // An answer that is lost once is asked for again; a server that does not let go is told of.
    studio.double.post("faults", json!({"action": "un_assume_user", "times": 1, "error": "500"})).await;
    let (code, out, _) = studio.audit();
    assert!(code == 0 && !out.contains("Not told"), "{out}");
    studio.double.post("faults", json!({"action": "un_assume_user", "times": 2, "error": "500"})).await;
    let (code, out, _) = studio.audit();
    assert!(code == 0 && out.contains("the session in a user's name could not be left: "), "{out}");

    // A failure in between leaves nobody spoken for either.
    studio.double.post("reset", json!({})).await;
    studio
        .double
        .post("faults", json!({"action": "query_server_information", "times": 9, "error": "ValidationError"}))
        .await;
    let (code, _, err) = studio.audit();
    assert!(code == 2 && err.contains("ValidationError"), "{err}");

    for (user, key, name) in
        [("uma", "uma-key", "uma (User)"), ("service", "global-key", "the API key of service (API)")]
    {
        studio.double.post("reset", json!({})).await;
        studio.key(user, key);
        let (code, out, _) = studio.audit();
        assert!(code == 0 && out.contains("is not told: ftrack refuses this to the API key: PermissionError"), "{out}");
        studio.edit("roles:\n", "roles:\n  Visitor: {grants: []}\n");
        let (code, out, _) = studio.audit();
        assert!(code == 1 && out.contains("role `Visitor` stands here, and the tracker has none"), "{out}");
        assert!(!out.contains(name), "what {name} may do is the same: {out}");
        studio.edit("  Visitor: {grants: []}\n", "");
    }
}

#[tokio::test]
#[ignore = "needs the double of ftrack: run tests/run"]
async fn a_tracker_that_does_not_answer_keeps_nobody_waiting() {
    let studio = Studio::new();
    for (mode, told) in [("down", "are not compared with the policy: "), ("hang", "did not answer within 5s")] {
        studio.double.post("api", json!({"mode": mode})).await;
        let started = Instant::now();
        let (code, out, err) = studio.run(&["validate", "stagedoor.yaml"]);
        assert!(started.elapsed() < Duration::from_secs(8), "{mode}: {:?}", started.elapsed());
        assert_eq!((code, out.as_str()), (0, "stagedoor.yaml: a good configuration\n"), "{mode}");
        assert!(err.starts_with("warning: ") && err.contains(told) && err.lines().count() == 1, "{mode}: {err}");
    }
    studio.double.post("api", json!({"mode": "ok"})).await;
    studio.key("service", "wrong");
    let (code, _, err) = studio.audit();
    assert!(code == 2 && err.contains("does not accept the API key"), "{err}");
    assert!(studio.run(&["validate", "stagedoor.yaml"]).2.contains("does not accept the API key"));
    studio.write("stagedoor.yaml", "tracker: {file: {path: studio.yaml}}\n");
    studio.write("studio.yaml", "person: [{id: ada, role: admin}]\n");
    let (code, _, err) = studio.audit();
    assert!(code == 2 && err.contains("its tracker tells nothing of roles"), "{err}");
}
