//! TLS on the TCP address: who is let in, and with what.

use std::path::{Path, PathBuf};

use stagedoor::app::{self, StartError};
use stagedoor::proto::v1;
use stagedoor::proto::v1::authorization_client::AuthorizationClient;
use stagedoor::serve::tls;
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Identity};

use crate::app::{App, config, yes};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tls").join(name)
}

fn files(client_ca: bool) -> tls::Config {
    tls::Config {
        cert_file: fixture("server.pem"),
        key_file: fixture("server.key"),
        client_ca_file: client_ca.then(|| fixture("ca.pem")),
    }
}

fn caller(identity: bool) -> ClientTlsConfig {
    let read = |name: &str| std::fs::read(fixture(name)).unwrap();
    let config = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(read("ca.pem"))).domain_name("localhost");
    if identity { config.identity(Identity::from_pem(read("caller.pem"), read("caller.key"))) } else { config }
}

/// One call over TLS.
async fn ask(app: &App, tls: ClientTlsConfig) -> Result<v1::Decision, String> {
    let endpoint = Endpoint::from_shared(format!("https://{}", app.tcp)).unwrap().tls_config(tls).unwrap();
    let channel = endpoint.connect().await.map_err(|error| format!("{error:?}"))?;
    let answer = AuthorizationClient::new(channel).check(yes()).await.map_err(|status| format!("{status:?}"))?;
    Ok(answer.into_inner().decision())
}

#[tokio::test]
async fn tls_lets_in_who_speaks_it() {
    let app = App::boot(|config| config.serve.tls = Some(files(false))).await;
    assert_eq!(ask(&app, caller(false)).await, Ok(v1::Decision::Allow));
    // In clear text there is no answer; on the socket there is, as before.
    let clear = Endpoint::from_shared(format!("http://{}", app.tcp)).unwrap().connect().await;
    let refused = match clear {
        Ok(channel) => AuthorizationClient::new(channel).check(yes()).await.is_err(),
        Err(_) => true,
    };
    assert!(refused);
    let mut unix = AuthorizationClient::new(app.unix_channel().await);
    assert_eq!(unix.check(yes()).await.unwrap().into_inner().decision(), v1::Decision::Allow);
    drop(unix);
    app.end().await;
}

#[tokio::test]
async fn mutual_tls_asks_every_caller_for_a_certificate() {
    let app = App::boot(|config| config.serve.tls = Some(files(true))).await;
    assert_eq!(ask(&app, caller(true)).await, Ok(v1::Decision::Allow));
    let refused = ask(&app, caller(false)).await;
    assert!(refused.is_err(), "{refused:?}");
    app.end().await;
}

#[test]
fn certificates_that_do_not_fit_stop_the_start() {
    let directory = tempfile::tempdir().unwrap();
    let start = |tls: tls::Config| {
        let mut config = config(&directory);
        config.serve.tls = Some(tls);
        app::build(config).map(drop).unwrap_err()
    };
    let error = start(tls::Config { key_file: fixture("caller.key"), ..files(false) });
    assert!(matches!(error, StartError::Tls(_)), "{error:?}");
    assert!(error.to_string().contains("server.pem") && error.to_string().contains("caller.key"), "{error}");
    let error = start(tls::Config { cert_file: fixture("make"), ..files(false) });
    assert!(error.to_string().contains("make"), "{error}");
    let error = start(tls::Config { cert_file: fixture("nowhere.pem"), ..files(false) });
    assert!(error.to_string().starts_with("cannot read "), "{error}");
    let error = start(tls::Config { client_ca_file: Some(fixture("make")), ..files(false) });
    let told = error.to_string();
    assert!(told.contains("fixtures/tls/make: no certificate in PEM stands there"), "{told}");
}
