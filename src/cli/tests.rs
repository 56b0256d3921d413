//! Arguments: what they ask, and what is wrong with them.

use clap::CommandFactory as _;

use super::*;

fn ask(arguments: &[&str]) -> Ask {
    let all = ["stagedoor", "check"].iter().chain(arguments);
    match Cli::try_parse_from(all).unwrap().command {
        Command::Check(ask) => ask,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_arguments_fit_together() {
    Cli::command().debug_assert();
}

#[test]
fn subjects_and_resources_as_people_write_them() {
    for (text, kind, id) in [
        ("ada", "person", "ada"),
        ("login:ada", "login", "ada"),
        ("email:ada@x.org", "email", "ada@x.org"),
        ("bot:b1", "bot", "b1"),
        ("urn:x:ada", "person", "urn:x:ada"),
    ] {
        let request = ask::request(&ask(&[text, "read", "task:t"])).unwrap();
        let subject = request.subject.unwrap();
        assert_eq!((subject.r#type.as_str(), subject.id.as_str()), (kind, id), "{text}");
    }
    for (text, kind, id) in [("task:t", "task", "t"), ("task:", "task", ""), ("task:a:b", "task", "a:b")] {
        let resource = ask::request(&ask(&["ada", "read", text])).unwrap().resource.unwrap();
        assert_eq!((resource.r#type.as_str(), resource.id.as_str()), (kind, id), "{text}");
    }
}

#[test]
fn a_whole_question() {
    let properties = r#"{"a": [1, "x", null, true], "b": {"c": 2.5}}"#;
    let ask = ask(&[
        "ada",
        "update",
        "task:t",
        "--field",
        "f",
        "--value",
        "v",
        "--project",
        "p",
        "--properties",
        properties,
        "--timeout",
        "1m",
    ]);
    assert_eq!(ask.timeout, Duration::from_secs(60));
    let request = ask::request(&ask).unwrap();
    let action = request.action.unwrap();
    assert_eq!((action.name.as_str(), action.field.as_str()), ("update", "f"));
    assert_eq!(format!("{:?}", action.value.unwrap().kind.unwrap()), "StringValue(\"v\")");
    let resource = request.resource.unwrap();
    assert_eq!(resource.project, "p");
    assert_eq!(resource.properties.unwrap().fields.len(), 2);
}

#[test]
fn wrong_arguments_are_told() {
    for (arguments, told) in [
        (&["serve"][..], "--config"),
        (&["serve", "--demo", "--config", "x"], "cannot be used with"),
        (&["check", "ada"], "<ACTION>"),
        (&["check", "a", "b", "c:d", "--timeout", "5"], "is no length of time"),
        (&["healthcheck", "--service", "ready"], "loaded"),
        (&["healthcheck", "--addr", "a:1", "--config", "x"], "cannot be used with"),
        (&["validate"], "FILE"),
    ] {
        let all = ["stagedoor"].iter().chain(arguments);
        let error = Cli::try_parse_from(all).unwrap_err();
        assert!(error.to_string().contains(told), "{arguments:?}: {error}");
        assert_eq!(error.exit_code(), 2);
    }
}

#[test]
fn of_the_environment_only_what_is_ours() {
    let variables =
        [("STAGEDOOR__LISTEN", "x"), ("STAGEDOOR_LOG", "debug"), ("STAGEDOOR_TEST_DIR", "y"), ("PATH", "z")];
    let surroundings = surroundings(variables.map(|(name, value)| (name.into(), value.into()))).unwrap();
    assert_eq!(surroundings.environment.keys().collect::<Vec<_>>(), ["STAGEDOOR__LISTEN"]);
    assert_eq!(surroundings.log.as_deref(), Some("debug"));
}
