//! What the ledger keeps and what its log says.

use std::fs;
use std::time::Duration;

use super::*;

fn entry(number: usize) -> Entry {
    Entry {
        object: Some(ObjectRef::new("task", &format!("t{number}"))),
        name: "sh010 \"animation\"\n".into(),
        person: Some(Id::from("ada")),
        from: Some(Id::from("approved")),
        to: Some(Id::from("wip")),
        ..Entry::new(Outcome::Reverted)
    }
}

fn mark(at: SystemTime) -> Entry {
    Entry { at, ..Entry::new(Outcome::Watched) }
}

#[test]
fn the_last_entries_are_kept_and_marks_are_not_shown() {
    let ledger = Ledger::open(None).unwrap();
    (0..KEPT + 5).for_each(|number| ledger.record(entry(number)));
    ledger.record(mark(SystemTime::now()));
    let last = ledger.last(usize::MAX);
    assert_eq!(last.len(), KEPT);
    assert_eq!(last[0].object, Some(ObjectRef::new("task", "t5")));
    assert_eq!(ledger.last(2).len(), 2);
    assert_eq!(ledger.last(2)[1], last[KEPT - 1]);
}

#[test]
fn the_log_is_appended_to_and_says_where_the_guard_stood() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("decisions.jsonl");
    let open = || Ledger::open(Some(Place::File(path.clone()))).unwrap();
    let ledger = open();
    assert_eq!(ledger.watched(), None);
    let first = SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_500);
    ledger.record(Entry { at: first, ..entry(1) });
    ledger.record(entry(2));
    assert_eq!(open().watched(), Some(first), "without a mark, nothing before the oldest entry is known");
    let marked = first + Duration::from_secs(60);
    ledger.record(mark(marked));
    ledger.record(entry(3));
    assert_eq!(open().watched(), Some(marked));

    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    assert_eq!(lines.len(), 4);
    assert_eq!(lines[0]["at"], "2023-11-14T22:13:20.500Z");
    assert_eq!((&lines[1]["type"], &lines[1]["result"]), (&json!("guard"), &json!("reverted")));
    assert_eq!((&lines[1]["id"], &lines[1]["person"], &lines[1]["to"]), (&json!("t2"), &json!("ada"), &json!("wip")));
    assert_eq!(lines[2], json!({"type": "guard", "result": "watched", "at": "2023-11-14T22:14:20.500Z"}));
}

#[test]
fn other_lines_and_half_a_line_do_no_harm() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let filler = "{\"type\": \"check\"}\n".repeat(100_000);
    fs::write(&path, format!("{filler}{{\"type\": \"guard\", \"result\": \"watched\", \"at\": \"2026-01-02T03:04:05Z\"}}\nnot json\n{{\"type\": \"gua")).unwrap();
    let ledger = Ledger::open(Some(Place::File(path.clone()))).unwrap();
    assert_eq!(ledger.watched().map(|at| Timestamp::from(at).to_string()).as_deref(), Some("2026-01-02T03:04:05Z"));
    ledger.record(mark(SystemTime::UNIX_EPOCH));
    let again = Ledger::open(Some(Place::File(path.clone()))).unwrap();
    assert_eq!(again.watched(), Some(SystemTime::UNIX_EPOCH));
    fs::rename(&path, dir.path().join("moved")).unwrap();
    again.record(entry(1));
    assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 1, "a log that is moved away begins anew");
}

#[test]
fn a_log_that_cannot_be_written_is_told_at_the_start() {
    let dir = tempfile::tempdir().unwrap();
    assert!(Ledger::open(Some(Place::File(dir.path().join("no/such/place")))).is_err());
    assert!(Ledger::open(Some(Place::File(dir.path().to_path_buf()))).is_err());
}

#[test]
fn the_log_says_what_was_put_back_or_tried() {
    let dir = tempfile::tempdir().unwrap();
    let open = || Ledger::open(Some(Place::File(dir.path().join("log")))).unwrap();
    let ledger = open();
    for (number, outcome) in
        [Outcome::Reverted, Outcome::Failed, Outcome::Parked, Outcome::DryRun, Outcome::Held].into_iter().enumerate()
    {
        ledger.record(Entry { outcome, change: Some(Id::from("m")), ..entry(number) });
    }
    ledger.record(Entry { to: None, change: Some(Id::from("m")), outcome: Outcome::Parked, ..entry(9) });
    ledger.record(mark(SystemTime::now()));
    let written = |number: usize| PutBack {
        object: ObjectRef::new("task", &format!("t{number}")),
        from: Id::from("approved"),
        to: Id::from("wip"),
        change: Id::from("m"),
    };
    assert_eq!(open().put_back(), [written(0), written(1), written(2)]);
}
