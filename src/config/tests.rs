//! Configurations, good and bad. Every error has its place and its mend, and all are told at once.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use tempfile::{TempDir, tempdir};

use super::*;
use crate::serve::listen::Address;
use crate::tracker::ingest::guard::Token;
use crate::tracker::secret::TokenSource;

/// A directory with a token, an empty file, a studio, a certificate and a key.
fn directory() -> TempDir {
    let directory = tempdir().unwrap();
    for (name, content) in [
        ("token", "s3cr3t\n"),
        ("empty", " \n"),
        ("studio.yaml", ""),
        ("cert.pem", "c"),
        ("key.pem", "k"),
        ("p.yaml", ""),
    ] {
        let path = directory.path().join(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    }
    directory
}

fn variables(list: &[(&str, &str)]) -> Environment {
    list.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn read(directory: &TempDir, text: &str, environment: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let path = directory.path().join("s.yaml");
    fs::write(&path, text).unwrap();
    load(&path, &variables(environment))
}

/// What is complained about, without the name of the directory.
fn complaints(text: &str, environment: &[(&str, &str)]) -> Vec<String> {
    let directory = directory();
    let name = format!("{}/", directory.path().display());
    let error = read(&directory, text, environment).expect_err(text);
    error.lines().iter().map(|line| line.replace(&name, "")).collect()
}

const KITSU: &str =
    "tracker: {kitsu: {url: \"https://k.studio/api\", events_url: \"https://k.studio\", token_file: token}}\n";
const FTRACK: &str = "tracker: {ftrack: {url: \"https://s.ftrackapp.com\", user: api, api_key_file: token}}\n";
const FLOW: &str =
    "tracker: {flow: {url: \"https://s.shotgrid.autodesk.com\", script_name: door, script_key_file: token}}\n";
const FILE: &str = "tracker: {file: {path: studio.yaml}}\n";

#[test]
fn defaults() {
    let directory = directory();
    let config = read(&directory, KITSU, &[]).unwrap();
    assert_eq!(config.serve.listen, ["127.0.0.1:7300".parse().unwrap()]);
    assert_eq!(config.serve.tls, None);
    assert_eq!(config.authorizer.max_staleness, Duration::from_secs(600));
    assert_eq!(config.reconcile, Duration::from_secs(300));
    assert_eq!(config.policy, None);
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
    let Tracker::Kitsu(kitsu) = config.tracker else { panic!("{:?}", config.tracker) };
    assert_eq!((kitsu.url.as_str(), kitsu.events_url.as_str()), ("https://k.studio/api", "https://k.studio"));
    assert!(matches!(kitsu.token, TokenSource::File(path) if path == directory.path().join("token")));
}

#[test]
fn an_ftrack_server() {
    let directory = directory();
    let Tracker::Ftrack(ftrack) = read(&directory, FTRACK, &[]).unwrap().tracker else { panic!("another tracker") };
    assert_eq!((ftrack.url.as_str(), ftrack.user.as_str()), ("https://s.ftrackapp.com", "api"));
    assert!(matches!(ftrack.api_key, TokenSource::File(path) if path == directory.path().join("token")));
    let environment = [("STAGEDOOR__TRACKER__FTRACK__API_KEY", "[k"), ("STAGEDOOR__TRACKER__FTRACK__API_KEY_FILE", "")];
    let config = read(&directory, FTRACK, &environment).unwrap();
    assert!(!format!("{config:?}").contains("[k"), "a key is not shown");
    let Tracker::Ftrack(ftrack) = config.tracker else { panic!("another tracker") };
    assert!(matches!(ftrack.api_key, TokenSource::Value(key) if key == "[k"));
}

/// A Flow site with one more key.
fn flow_with(key: &str) -> String {
    FLOW.replace("}}", &format!(", {key}}}}}"))
}

#[test]
fn a_flow_site() {
    let directory = directory();
    let flow = |text: &str, environment: &[(&str, &str)]| {
        let config = read(&directory, text, environment).unwrap();
        assert!(!format!("{config:?}").contains("[k"), "a key is not shown");
        let Tracker::Flow(flow) = config.tracker else { panic!("another tracker") };
        flow
    };
    let Flow { source, webhook } = flow(FLOW, &[]);
    assert_eq!((source.url.as_str(), source.script_name.as_str()), ("https://s.shotgrid.autodesk.com", "door"));
    assert!(matches!(source.script_key, TokenSource::File(path) if path == directory.path().join("token")));
    assert_eq!((source.poll_interval, webhook), (Duration::from_secs(1), None));
    for (text, length) in [("200ms", 200), ("60s", 60_000)] {
        let source = flow(&flow_with(&format!("poll_interval: {text}")), &[]).source;
        assert_eq!(source.poll_interval, Duration::from_millis(length));
    }
    let environment =
        [("STAGEDOOR__TRACKER__FLOW__SCRIPT_KEY", "[k"), ("STAGEDOOR__TRACKER__FLOW__SCRIPT_KEY_FILE", "")];
    assert!(matches!(flow(FLOW, &environment).source.script_key, TokenSource::Value(key) if key == "[k"));
    let webhook = |text: &str| flow(&flow_with(&format!("webhook: {text}")), &[]).webhook.unwrap();
    let told = webhook("{listen: \"0.0.0.0:7303\", token_file: token}");
    assert_eq!(told.listen, "0.0.0.0:7303".parse().unwrap());
    assert_eq!(told.token, Token::File(directory.path().join("token")));
    assert_eq!(webhook("{listen: \"unix:/run/hook\", token: \"[k\"}").token, Token::Value("[k".to_owned()));
}

#[test]
fn the_guard_is_off_and_then_dry() {
    let directory = directory();
    let guard = |text: &str| read(&directory, &format!("{text}{KITSU}"), &[]).unwrap().guard;
    assert_eq!(guard(""), None);
    assert_eq!(guard("guard: {}\n"), None);
    assert_eq!(guard("guard: {dry_run: false}\n"), None);
    assert_eq!(guard("guard: {enabled: true}\n"), Some(Guard { dry_run: true }));
    assert_eq!(guard("guard: {enabled: true, dry_run: false}\n"), Some(Guard { dry_run: false }));
    assert_eq!(read(&directory, &format!("guard: {{dry_run: true}}\n{FILE}"), &[]).unwrap().guard, None);
    let log =
        |path: &str| read(&directory, &format!("decision_log: {{path: {path}}}\n{KITSU}"), &[]).unwrap().decision_log;
    assert_eq!(log("\"-\""), Some(ledger::Place::Stdout));
    assert_eq!(log("logs/d.jsonl"), Some(ledger::Place::File(directory.path().join("logs/d.jsonl"))));
}

#[test]
fn everything_set() {
    let directory = directory();
    let text = format!(
        "listen: [\"0.0.0.0:7300\", \"unix:/run/s.sock\"]\n\
         tls: {{cert_file: cert.pem, key_file: key.pem, client_ca_file: cert.pem}}\n\
         max_staleness: 1h30m\nreconcile: 500ms\npolicy: p.yaml\n{FILE}"
    );
    let config = read(&directory, &text, &[]).unwrap();
    assert_eq!(config.serve.listen.len(), 2);
    let tls = config.serve.tls.unwrap();
    assert_eq!(tls.client_ca_file, Some(directory.path().join("cert.pem")));
    assert_eq!(config.authorizer.max_staleness, Duration::from_secs(5_400));
    assert_eq!(config.reconcile, Duration::from_millis(500));
    assert_eq!(config.policy, Some(directory.path().join("p.yaml")));
    assert!(matches!(config.tracker, Tracker::File(path) if path == directory.path().join("studio.yaml")));
}

#[test]
fn the_environment_overrides_the_file() {
    let directory = directory();
    let environment = [
        ("STAGEDOOR__LISTEN", "[\"127.0.0.1:1\", \"unix:/x.sock\"]"),
        ("STAGEDOOR__MAX_STALENESS", "30s"),
        ("STAGEDOOR__POLICY", ""),
        ("STAGEDOOR__TRACKER__KITSU__URL", "https://other.studio/api"),
        ("STAGEDOOR__TRACKER__KITSU__TOKEN", "[not: yaml"),
        ("STAGEDOOR__TRACKER__KITSU__TOKEN_FILE", ""),
    ];
    let config = read(&directory, &format!("policy: nowhere.yaml\nmax_staleness: 1m\n{KITSU}"), &environment).unwrap();
    assert_eq!(config.serve.listen.len(), 2);
    assert_eq!(config.authorizer.max_staleness, Duration::from_secs(30));
    assert_eq!(config.policy, None);
    let shown = format!("{:?}", config.tracker);
    assert!(!shown.contains("not: yaml"), "a token is not shown: {shown}");
    let Tracker::Kitsu(kitsu) = config.tracker else { panic!("{shown}") };
    assert_eq!(kitsu.url, "https://other.studio/api");
    assert!(matches!(kitsu.token, TokenSource::Value(token) if token == "[not: yaml"));
}

#[test]
fn the_demo_listens_where_the_environment_says() {
    for address in ["127.0.0.1:9", "[::1]:9"] {
        let config = demo(&variables(&[("STAGEDOOR__LISTEN", address)])).unwrap();
        assert_eq!(config.serve.listen, [address.parse::<Address>().unwrap()]);
    }
    assert!(matches!(demo(&variables(&[])).unwrap().tracker, Tracker::Demo));
    let error = demo(&variables(&[("STAGEDOOR__TRACKER__FILE__PATH", "x.yaml")])).unwrap_err();
    assert!(error.to_string().contains("`--demo` has its own studio"), "{error}");
}

#[test]
fn every_error_has_its_place_and_mend() {
    type Case<'c> = (String, &'c [(&'c str, &'c str)], &'c str);
    let cases: Vec<Case<'_>> = vec![
        (String::new(), &[], "s.yaml:1:1: `tracker:` is missing; name one, like `tracker: {kitsu: {url: ...}}`"),
        (
            "tracker: {}".into(),
            &[],
            "s.yaml:1:10: exactly one tracker is needed here, not 0: `kitsu:`, `ftrack:`, `flow:`, `limecraft:` or \
             `file:`",
        ),
        (
            format!("{}, {}}}\n", KITSU.trim_end().trim_end_matches('}'), "}, file: {path: studio.yaml}"),
            &[],
            "s.yaml:1:10: exactly one tracker is needed here, not 2: `kitsu:`, `ftrack:`, `flow:`, `limecraft:` or \
             `file:`",
        ),
        (
            FLOW.replace("https", "http"),
            &[],
            "s.yaml:1:23: `http://s.shotgrid.autodesk.com` sends the script key in clear text over the network; write \
             https://",
        ),
        (FLOW.replace("script_name: door, ", ""), &[], "s.yaml:1:17: `script_name:` is missing"),
        (
            FLOW.replace("door", "\" \""),
            &[],
            "s.yaml:1:71: `script_name` is empty; write the name of the script user in Flow",
        ),
        (
            FLOW.replace(", script_key_file: token", ""),
            &[],
            "s.yaml:1:17: `script_key_file:` is missing: a file that holds the key of a script user",
        ),
        (
            flow_with("poll_interval: 100ms"),
            &[],
            "s.yaml:1:116: `poll_interval` is less than 200ms: an answer of Flow takes longer than that, so its site would \
             only be loaded",
        ),
        (
            flow_with("poll_interval: 2m"),
            &[],
            "s.yaml:1:116: `poll_interval` is more than 60s: a change would be unknown for so long; for a site that must be \
             spared write 10s",
        ),
        (
            flow_with("poll_interval: often"),
            &[],
            "s.yaml:1:116: poll_interval: `often` is no length of time; write a number and a unit, like 500ms, 30s, 10m or \
             1h30m",
        ),
        (
            flow_with("webhook: {listen: \"0.0.0.0:7303\"}"),
            &[],
            "s.yaml:1:110: `token_file:` is missing: a file that holds the secret token of the webhook in Flow, with which \
             it signs what it sends",
        ),
        (flow_with("webhook: {token_file: token}"), &[], "s.yaml:1:110: `listen:` is missing"),
        (format!("listn: []\n{FILE}"), &[], "s.yaml:1:1: unknown key `listn`; did you mean `listen`?"),
        (format!("listen: []\n{FILE}"), &[], "s.yaml:1:9: `listen:` names no address"),
        (
            format!("listen: [x]\n{FILE}"),
            &[],
            "s.yaml:1:10: `x` is no address; write an IP address and a port (127.0.0.1:7300) or unix:/path",
        ),
        (
            format!("listen: [\"127.0.0.1:1\", \"127.0.0.1:1\"]\n{FILE}"),
            &[],
            "s.yaml:1:25: `127.0.0.1:1` is listened on already",
        ),
        (
            format!("listen: \"0.0.0.0:1\"\n{FILE}"),
            &[],
            "s.yaml:1:9: `0.0.0.0:1` can be reached from other machines, and without `tls:` anybody on the way reads and \
             changes answers; add `tls: {cert_file: ..., key_file: ...}` or listen on 127.0.0.1",
        ),
        (
            format!("listen: \"unix:/s\"\ntls: {{cert_file: cert.pem, key_file: key.pem}}\n{FILE}"),
            &[],
            "s.yaml:1:9: `tls:` guards TCP addresses, and none is listened on; leave one of the two out",
        ),
        (format!("tls: {{cert_file: cert.pem}}\n{FILE}"), &[], "s.yaml:1:6: `key_file:` is missing"),
        (
            format!("tls: {{cert_file: nowhere, key_file: key.pem}}\n{FILE}"),
            &[],
            "s.yaml:1:18: `nowhere` cannot be read: there is no such file",
        ),
        (
            format!("max_staleness: 10\n{FILE}"),
            &[],
            "s.yaml:1:16: max_staleness: `10` is no length of time; write a number and a unit, like 500ms, 30s, 10m or \
             1h30m",
        ),
        (
            format!("reconcile: 0s\n{FILE}"),
            &[],
            "s.yaml:1:12: reconcile: `0s` is no time at all; write more than nothing, like 30s or 10m",
        ),
        (format!("policy: nowhere\n{FILE}"), &[], "s.yaml:1:9: `nowhere` cannot be read: there is no such file"),
        ("tracker: {file: {path: .}}".into(), &[], "s.yaml:1:24: `.` is no file"),
        (
            format!("guard: {{enabled: true}}\n{FILE}"),
            &[],
            "s.yaml:1:8: the guard puts statuses back at the tracker, and this one cannot be written to: leave `guard:` \
             out, or use it with `tracker: {kitsu: ...}` or `tracker: {ftrack: ...}`",
        ),
        (format!("guard: {{enabled: 1}}\n{KITSU}"), &[], "s.yaml:1:18: `true` or `false` is needed here, not `1`"),
        (format!("guard: {{dryrun: true}}\n{KITSU}"), &[], "s.yaml:1:9: unknown key `dryrun`; did you mean `dry_run`?"),
        (format!("decision_log: {{}}\n{KITSU}"), &[], "s.yaml:1:15: `path:` is missing"),
        (
            format!("decision_log: {{path: \"\"}}\n{KITSU}"),
            &[],
            "s.yaml:1:22: `path` is empty; name a file, or `-` for standard output",
        ),
        (
            format!("decision_log: {{path: d.jsonl, sample: 0.1}}\n{KITSU}"),
            &[],
            "s.yaml:1:39: `sample` is not available in this version of stagedoor; leave it out",
        ),
        (
            KITSU.replace("https://k.studio/api", "http://k.studio/api"),
            &[],
            "s.yaml:1:24: `http://k.studio/api` sends the token in clear text over the network; write https://",
        ),
        (
            KITSU.replace("https://k.studio/api", "https://me:pw@k.studio"),
            &[],
            "s.yaml:1:24: an address must not hold a name or password; give the token in `token_file`",
        ),
        (
            KITSU.replace("https://k.studio/api", "k.studio"),
            &[],
            "s.yaml:1:24: `k.studio` is no web address; write one like https://kitsu.studio/api",
        ),
        (
            KITSU.replace("token_file: token", "token: a, token_file: token"),
            &[],
            "s.yaml:1:102: `token` and `token_file` are both given; keep one of them",
        ),
        (
            KITSU.replace(", token_file: token", ""),
            &[],
            "s.yaml:1:18: `token_file:` is missing: a file that holds the token of a Kitsu bot",
        ),
        (
            KITSU.replace("token_file: token", "token_file: empty"),
            &[],
            "s.yaml:1:92: `empty` is empty; it must hold the secret and nothing else",
        ),
        (
            FTRACK.replace("https", "http"),
            &[],
            "s.yaml:1:25: `http://s.ftrackapp.com` sends the API key in clear text over the network; write https://",
        ),
        (
            FTRACK.replace("//", "//ada:pw@"),
            &[],
            "s.yaml:1:25: an address must not hold a name or password; give the API key in `api_key_file`",
        ),
        (FTRACK.replace("user: api, ", ""), &[], "s.yaml:1:19: `user:` is missing"),
        (
            FTRACK.replace("user: api", "user: \" \""),
            &[],
            "s.yaml:1:58: `user` is empty; write the name of the user in whose name the API key acts",
        ),
        (
            FTRACK.replace(", api_key_file: token", ""),
            &[],
            "s.yaml:1:19: `api_key_file:` is missing: a file that holds an API key of ftrack",
        ),
        (
            FILE.into(),
            &[("STAGEDOOR__LISTN", "x")],
            "environment variable STAGEDOOR__LISTN: unknown key `listn`; did you mean `listen`?",
        ),
        (
            FILE.into(),
            &[("STAGEDOOR__MAX_STALENESS", "soon")],
            "environment variable STAGEDOOR__MAX_STALENESS: max_staleness: `soon` is no length of time; write a number \
             and a unit, like 500ms, 30s, 10m or 1h30m",
        ),
        (
            FILE.into(),
            &[("STAGEDOOR__LISTEN", "[\"127.0.0.1:1]")],
            "environment variable STAGEDOOR__LISTEN: looks like a list or map but is none that can be read; look at its \
             brackets and quotes",
        ),
        (
            FILE.into(),
            &[("STAGEDOOR__LISTEN__X", "1")],
            "environment variable STAGEDOOR__LISTEN__X: a text is needed here, not a map",
        ),
        (
            format!("listen: [\"127.0.0.1:1\"]\n{FILE}"),
            &[("STAGEDOOR__LISTEN__X", "1")],
            "environment variable STAGEDOOR__LISTEN__X: there is no `x` to set: what is above it is a list",
        ),
        (
            FILE.into(),
            &[("STAGEDOOR__Tls", "1")],
            "environment variable STAGEDOOR__Tls: is no name of a key; write STAGEDOOR__ and the keys in capitals, two \
             underscores between",
        ),
        (
            FILE.into(),
            &[("STAGEDOOR__TRACKER__KITSU__TOKEN", "")],
            "s.yaml:1:10: exactly one tracker is needed here, not 2: `kitsu:`, `ftrack:`, `flow:`, `limecraft:` or \
             `file:`",
        ),
    ];
    for (text, environment, told) in cases {
        let complaints = complaints(&text, environment);
        assert!(
            complaints.iter().any(|line| line == told),
            "{text}\n{environment:?}\nneeds {told}\nhas {complaints:#?}"
        );
    }
}

#[test]
fn all_errors_at_once_in_the_order_of_the_file() {
    let text =
        "listen: [a]\nmax_staleness: b\nadmin: c\nfoo: d\ntracker: {kitsu: {url: ftp://x, token_file: nowhere}}\n";
    let complaints = complaints(text, &[("STAGEDOOR__RECONCILE", "e")]);
    let starts: Vec<_> = complaints.iter().map(|line| line.split(": ").next().unwrap()).collect();
    let places =
        ["environment variable STAGEDOOR__RECONCILE", "s.yaml:1:10", "s.yaml:2:16", "s.yaml:3:8", "s.yaml:4:1"];
    assert_eq!(starts[..5], places);
    assert_eq!(complaints.len(), 8, "{complaints:#?}");
}

#[test]
fn a_secret_that_everybody_can_read_is_warned_of() {
    let directory = directory();
    fs::set_permissions(directory.path().join("token"), Permissions::from_mode(0o644)).unwrap();
    let config = read(&directory, KITSU, &[]).unwrap();
    assert_eq!(config.warnings.len(), 1);
    assert!(config.warnings[0].contains("token can be read by everybody on this machine; `chmod 600 "));
}

#[test]
fn a_file_that_is_not_there_or_no_yaml() {
    let error = load(Path::new("/nowhere/s.yaml"), &Environment::new()).unwrap_err();
    assert!(error.to_string().starts_with("/nowhere/s.yaml: the configuration cannot be read"), "{error}");
    let complaints = complaints("listen: [", &[]);
    assert!(complaints[0].starts_with("s.yaml:") && complaints[0].contains("not YAML"), "{complaints:?}");
}

#[test]
fn loopback_may_be_clear_text() {
    for host in ["127.0.0.1:5000", "localhost:5000", "[::1]:5000", "127.8.0.1"] {
        let text = KITSU.replace("https://k.studio", &format!("http://{host}"));
        assert!(read(&directory(), &text, &[]).is_ok(), "{host}");
    }
    for host in ["127.0.0.1.example.com", "localhost.studio", "10.0.0.1", "[::2]"] {
        let text = KITSU.replace("https://k.studio", &format!("http://{host}"));
        assert!(read(&directory(), &text, &[]).is_err(), "{host}");
    }
}

#[test]
fn limecraft_is_a_file_or_a_door_or_both() {
    let directory = directory();
    let limecraft = |text: &str, environment: &[(&str, &str)]| {
        let config = read(&directory, &format!("tracker: {{limecraft: {text}}}\n"), environment);
        match config.unwrap_or_else(|error| panic!("{text}: {error}")).tracker {
            Tracker::Limecraft(limecraft) => limecraft,
            other => panic!("{other:?}"),
        }
    };
    let both = limecraft("{snapshot: studio.yaml, push: {listen: \"127.0.0.1:7302\", token_file: token}}", &[]);
    assert_eq!(both.snapshot, Some(directory.path().join("studio.yaml")));
    let push = both.push.unwrap();
    assert_eq!(push.listen, "127.0.0.1:7302".parse().unwrap());
    assert_eq!((push.token, push.tls), (Some(Token::File(directory.path().join("token"))), None));
    assert!(limecraft("{snapshot: studio.yaml}", &[]).push.is_none());
    let token = &[("STAGEDOOR__TRACKER__LIMECRAFT__PUSH__TOKEN", "[abc]")];
    let push = limecraft("{push: {listen: \"127.0.0.1:7302\"}}", token).push.unwrap();
    assert_eq!(push.token, Some(Token::Value("[abc]".to_owned())));
    let tls = "tls: {cert_file: cert.pem, key_file: key.pem, client_ca_file: cert.pem}";
    let push = limecraft(&format!("{{push: {{listen: \"0.0.0.0:7302\", {tls}}}}}"), &[]).push.unwrap();
    assert!(push.token.is_none() && push.tls.unwrap().client_ca_file.is_some());
}

#[test]
fn a_door_that_is_open_to_anybody_is_refused() {
    for (text, expected) in [
        (
            "{}",
            "s.yaml:1:22: nothing tells of the studio; give `snapshot:` (a file), `push:` (an address to push to) or both",
        ),
        ("{snapshot: nowhere.json}", "s.yaml:1:33: `nowhere.json` cannot be read: there is no such file"),
        ("{push: {token_file: token}}", "s.yaml:1:29: `listen:` is missing"),
        (
            "{push: {listen: \"127.0.0.1:7302\"}}",
            "s.yaml:1:29: `token_file:` is missing: a file that holds the token that pushes must show; or `tls:` with a \
             `client_ca_file`",
        ),
        (
            "{push: {listen: \"127.0.0.1:7302\", tls: {cert_file: cert.pem, key_file: key.pem}}}",
            "s.yaml:1:29: `token_file:` is missing: a file that holds the token that pushes must show; or `tls:` with a \
             `client_ca_file`",
        ),
        (
            "{push: {listen: \"0.0.0.0:7302\", token_file: token}}",
            "s.yaml:1:38: `0.0.0.0:7302` can be reached from other machines, and without `tls:` anybody on the way reads \
             the token and pushes in its name; add `tls: {cert_file: ..., key_file: ...}` or listen on 127.0.0.1",
        ),
        (
            "{push: {listen: 7302, token_file: token}}",
            "s.yaml:1:38: `7302` is no address; write an IP address and a port (127.0.0.1:7300) or unix:/path",
        ),
        (
            "{push: {listen: \"127.0.0.1:7302\", token: a, token_file: token}}",
            "s.yaml:1:78: `token` and `token_file` are both given; keep one of them",
        ),
        (
            "{push: {listen: \"127.0.0.1:7302\", token: \"\"}}",
            "s.yaml:1:63: `token` is empty; write the push token, or the file that holds it in `token_file`",
        ),
        (
            "{push: {listen: \"127.0.0.1:7302\", token_file: empty}}",
            "s.yaml:1:68: `empty` is empty; it must hold the secret and nothing else",
        ),
        (
            "{snapshots: studio.yaml, snapshot: studio.yaml}",
            "s.yaml:1:23: unknown key `snapshots`; did you mean `snapshot`?",
        ),
    ] {
        assert_eq!(complaints(&format!("tracker: {{limecraft: {text}}}\n"), &[]), [expected], "{text}");
    }
}
