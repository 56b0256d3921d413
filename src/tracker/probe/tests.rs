//! How questions read, and how far requests are apart.

use serde_json::json;

use super::*;

#[test]
fn a_question_in_one_line() {
    let question = Question { action: "update".into(), kind: "task".into(), id: "7".into(), ..Question::default() };
    assert_eq!(question.to_string(), "task.update task:7");
    let of_field = Question { field: "name".into(), name: "main".into(), value: Some("x".into()), ..question.clone() };
    assert_eq!(of_field.to_string(), "task.update[name]=x task:7 (main)");
    assert_eq!(Question { value: Some(json!(null)), ..question }.to_string(), "task.update=null task:7");
    let made = Question { action: "create".into(), kind: "shot".into(), project: "p".into(), ..Question::default() };
    assert_eq!(made.to_string(), "shot.create in project:p");
    let site = Question { action: "create".into(), kind: "project".into(), ..Question::default() };
    assert_eq!(site.to_string(), "project.create");
    let long = Question { value: Some(json!(["x".repeat(200)])), ..site };
    assert!(long.to_string().chars().count() < 80, "{long}");
}

#[tokio::test]
async fn requests_are_kept_apart() {
    let pace = Pace::new(50.0);
    let began = Instant::now();
    for _ in 0..5 {
        pace.turn().await;
    }
    assert!(began.elapsed() >= Duration::from_millis(80), "{:?}", began.elapsed());
    // Time that nobody asked in is not made up for.
    tokio::time::sleep(Duration::from_millis(100)).await;
    let began = Instant::now();
    pace.turn().await;
    pace.turn().await;
    assert!(began.elapsed() >= Duration::from_millis(20), "{:?}", began.elapsed());
    assert_eq!(pace.takes(10), Duration::from_millis(200));
}
