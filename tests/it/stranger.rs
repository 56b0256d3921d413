//! gRPC's own Python client, which learns everything by reflection, on both kinds of address.

use std::path::Path;
use std::process::Command;

use crate::app::App;

#[tokio::test]
#[ignore = "needs the Python environment that tests/zou/install makes"]
async fn a_client_that_knows_only_the_address() {
    let app = App::demo().await;
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = match std::env::var_os("STAGEDOOR_TEST_DIR") {
        Some(directory) => Path::new(&directory).join("venv/bin/python"),
        None => here.join("target/test-env/venv/bin/python"),
    };
    let mut client = Command::new(python);
    client.arg(here.join("tests/stranger/client.py")).arg(&app.tcp).arg(format!("unix:{}", app.unix.display()));
    let output = tokio::task::spawn_blocking(move || client.output().unwrap()).await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    app.end().await;
}
