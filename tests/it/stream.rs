//! CheckStream: order, bad items, many requests.

use stagedoor::proto::v1;
use tokio_stream::StreamExt as _;

use crate::app::{App, malformed, named, no, yes};

#[tokio::test]
async fn answers_come_in_order_and_a_bad_item_fails_alone() {
    const COUNT: usize = 5_000;
    let app = App::demo().await;
    let requests = (0..COUNT).map(|at| {
        let request = match at % 3 {
            0 => yes(),
            1 => no(),
            _ => malformed(),
        };
        named(request, at)
    });
    let mut client = app.client().await;
    let mut answers = client.check_stream(tokio_stream::iter(requests)).await.unwrap().into_inner();
    for at in 0..COUNT {
        let answer = answers.message().await.unwrap().unwrap();
        assert_eq!(answer.correlation_id, at.to_string());
        assert_eq!(answer.decision() == v1::Decision::Allow, at % 3 == 0, "{at}");
        assert_eq!(answer.error.map(|error| error.code), (at % 3 == 2).then_some(3), "{at}");
        assert_eq!(answer.call_id.len(), 32);
    }
    assert_eq!(answers.message().await.unwrap(), None);
    drop(client);
    app.end().await;
}

#[tokio::test]
async fn an_idle_stream_does_not_hold_the_end_up() {
    let app = App::demo().await;
    let requests = tokio_stream::iter([yes()]).chain(tokio_stream::pending());
    let mut answers = app.client().await.check_stream(requests).await.unwrap().into_inner();
    assert!(answers.message().await.unwrap().is_some());
    let began = std::time::Instant::now();
    app.stop();
    let status = answers.message().await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::Unavailable);
    assert!(status.message().contains("shutting down"), "{status:?}");
    app.ended().await.unwrap();
    assert!(began.elapsed().as_secs() < 5);
}
