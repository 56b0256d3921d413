//! The policy file of a running server: a good change takes effect, a bad one does not.

use std::fs;
use std::time::Duration;

use stagedoor::proto::v1;

use crate::app::{App, question};

const STRICT: &str = "extends: kitsu\nrules:\n  task.read: [admin]\n";
const LAX: &str = "extends: kitsu\n";

async fn becomes(app: &App, decision: v1::Decision) {
    let mut client = app.client().await;
    for _ in 0..200 {
        let answer = client.check(question("bo", "read", "task:sh010-animation")).await.unwrap().into_inner();
        if answer.decision() == decision {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("it does not become {decision:?}");
}

#[tokio::test]
async fn a_good_change_takes_effect_and_a_bad_one_does_not() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("policy.yaml");
    fs::write(&path, LAX).unwrap();
    let policy = path.clone();
    let app = App::boot(move |config| config.policy = Some(policy)).await;
    becomes(&app, v1::Decision::Allow).await;
    fs::write(&path, STRICT).unwrap();
    becomes(&app, v1::Decision::Deny).await;
    for bad in ["extends: kitsu\nrulez: {}\n", "extends: [", ""] {
        fs::write(&path, bad).unwrap();
        tokio::time::sleep(Duration::from_millis(1_300)).await;
        becomes(&app, v1::Decision::Deny).await;
    }
    fs::remove_file(&path).unwrap();
    tokio::time::sleep(Duration::from_millis(700)).await;
    becomes(&app, v1::Decision::Deny).await;
    fs::write(&path, LAX).unwrap();
    becomes(&app, v1::Decision::Allow).await;
    app.end().await;
}
