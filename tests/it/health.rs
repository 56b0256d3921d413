//! The standard health service: process, loaded, fresh; each change told to who watches.

use std::time::Duration;

use stagedoor::config::Tracker;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::app::App;

#[tokio::test]
async fn three_services_and_no_other() {
    let app = App::demo().await;
    for service in ["", "loaded", "fresh"] {
        assert_eq!(app.health(service).await.unwrap(), ServingStatus::Serving, "{service}");
    }
    let status = app.health("other").await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
    assert!(status.message().contains("\"fresh\""), "{}", status.message());
    app.end().await;
}

#[tokio::test]
async fn who_watches_is_told_of_the_end_and_let_go() {
    let app = App::demo().await;
    let mut client = HealthClient::new(app.channel().await);
    let mut watches = Vec::new();
    for service in ["", "fresh", "other"] {
        let request = HealthCheckRequest { service: service.to_owned() };
        let mut watch = client.watch(request).await.unwrap().into_inner();
        let first = watch.message().await.unwrap().unwrap().status();
        assert_eq!(first, if service == "other" { ServingStatus::ServiceUnknown } else { ServingStatus::Serving });
        watches.push((service, watch));
    }
    app.stop();
    for (service, mut watch) in watches {
        if service != "other" {
            assert_eq!(watch.message().await.unwrap().unwrap().status(), ServingStatus::NotServing);
        }
        assert_eq!(watch.message().await.unwrap(), None, "{service}");
    }
    app.ended().await.unwrap();
}

#[tokio::test]
async fn a_mirror_older_than_the_bound_is_loaded_but_not_fresh() {
    let directory = tempfile::tempdir().unwrap();
    let studio = directory.path().join("studio.yaml");
    std::fs::write(&studio, stagedoor::tracker::file::DEMO).unwrap();
    let file = studio.clone();
    let app = App::boot(move |config| {
        config.tracker = Tracker::File(file);
        config.authorizer.max_staleness = Duration::from_secs(2);
    })
    .await;
    std::fs::remove_file(&studio).unwrap();
    app.wait_for("fresh", ServingStatus::NotServing).await;
    assert_eq!(app.health("loaded").await.unwrap(), ServingStatus::Serving);
    assert_eq!(app.health("").await.unwrap(), ServingStatus::Serving);
    std::fs::write(&studio, stagedoor::tracker::file::DEMO).unwrap();
    app.wait_for("fresh", ServingStatus::Serving).await;
    app.end().await;
}
