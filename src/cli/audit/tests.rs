//! Answers compared, and what is printed of it.

use super::report::{Finding, Report};
use super::*;
use crate::proto::v1::{self, Decision, ReasonCode};
use crate::tracker::probe::{Met, Question, Unasked, Verdict};

fn finding(allowed: bool, code: ReasonCode, theirs: Verdict) -> Finding {
    let decision = if allowed { Decision::Allow } else { Decision::Deny };
    let reason = v1::Reason { code: code.into(), text: "in the team".into(), rule: "studio/task.update#1".into() };
    let question = Question {
        action: "update".into(),
        field: "name".into(),
        kind: "task".into(),
        id: "t1".into(),
        name: "main".into(),
        ..Question::default()
    };
    let ours = v1::CheckResponse { decision: decision.into(), reason: Some(reason), ..v1::CheckResponse::default() };
    Finding { question, ours, theirs }
}

fn report(planned: usize, findings: Vec<Finding>) -> Report {
    let met = Met { id: "p1".into(), name: "Ada".into() };
    let unasked = vec![Unasked { action: "task.delete".into(), why: "it would be gone".into() }];
    let mut report = Report::new(met, unasked, planned);
    findings.into_iter().for_each(|finding| report.add(finding));
    report
}

fn refused() -> Verdict {
    Verdict::Refused("403 no".into())
}

#[test]
fn wrong_allows_stand_first() {
    use ReasonCode::{Granted, NoGrant};
    let report = report(
        4,
        vec![
            finding(true, Granted, Verdict::Allowed),
            finding(false, NoGrant, Verdict::Allowed),
            finding(true, Granted, refused()),
            finding(false, NoGrant, refused()),
        ],
    );
    assert_eq!(report.exit_code(), ExitCode::FAILURE);
    assert_eq!(
        report.to_string(),
        "WRONG ALLOWS: stagedoor allows what the tracker refuses
  task.update[name] task:t1 (main)
    stagedoor  ALLOW GRANTED: in the team  [studio/task.update#1]
    tracker    refuses it: 403 no

STRICTER: stagedoor refuses what the tracker allows
  task.update[name] task:t1 (main)
    stagedoor  DENY NO_GRANT: in the team  [studio/task.update#1]
    tracker    allows it

Not asked:
  task.delete: it would be gone

as Ada (p1): asked 4 of 4, agreed 2, differ 2 (wrong allows 1), inconclusive 0"
    );
    let json = report.json();
    let kinds: Vec<_> = json["differences"].as_array().unwrap().iter().map(|one| one["difference"].clone()).collect();
    assert_eq!(kinds, ["wrong_allow", "stricter"]);
    assert_eq!(json["differences"][0]["tracker"], serde_json::json!({"answer": "refused", "words": "403 no"}));
    assert_eq!(json["differences"][0]["stagedoor"]["decision"], "ALLOW");
    assert_eq!((&json["agreed"], &json["not_asked"][0]["action"]), (&2.into(), &"task.delete".into()));
}

#[test]
fn what_says_nothing_counts_for_nothing() {
    use ReasonCode::{Granted, NoGrant, Stale};
    let gone = || Verdict::Inconclusive("404 gone".into());
    let mut erred = finding(false, ReasonCode::Unspecified, Verdict::Allowed);
    erred.ours.error = Some(v1::ItemError { code: 3, message: "no such thing".into() });
    let all = vec![finding(true, Granted, gone()), finding(false, Stale, Verdict::Allowed), erred];
    let none = report(3, all);
    assert_eq!(none.exit_code(), ExitCode::from(output::FAILED));
    let text = none.to_string();
    for part in ["the tracker: 404 gone", "stagedoor: in the team", "stagedoor: no such thing", "inconclusive 3"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let all = report(1, vec![finding(false, NoGrant, refused())]);
    assert_eq!(all.exit_code(), ExitCode::SUCCESS);
    let mut half = report(2, vec![finding(false, NoGrant, refused())]);
    half.broke("zou cannot be reached".into());
    assert_eq!(half.exit_code(), ExitCode::from(output::FAILED));
    assert!(half.to_string().ends_with(
        "asked 1 of 2, agreed 1, differ 0 (wrong allows 0), inconclusive 0\nbroke off: zou cannot be reached"
    ));
}

#[test]
fn arguments() {
    assert_eq!(object("task:a:b").unwrap().id.to_string(), "a:b");
    for bad in ["task", "task:", ":x", ""] {
        assert!(object(bad).unwrap_err().contains("write KIND:ID"), "{bad}");
    }
    assert_eq!(rate("0.5"), Ok(0.5));
    for bad in ["0", "-1", "51", "inf", "NaN", "x"] {
        assert!(rate(bad).is_err(), "{bad}");
    }
    let told = consent(false, "ada", 2.0, "https://kitsu.studio/api").unwrap_err();
    for part in ["https://kitsu.studio/api", "as ada", "up to 2 requests a second", "add --probe"] {
        assert!(told.contains(part), "{part} in {told}");
    }
    assert_eq!(consent(true, "ada", 2.0, ""), Ok(()));
}
