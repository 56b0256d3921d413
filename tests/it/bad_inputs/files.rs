//! Files, variables and arguments: what `validate` and `serve` say of them. Nothing half-read is served.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use tempfile::TempDir;

use super::Table;
use super::program::{Serving, run};

/// Stands for the addresses of a good Kitsu.
const URLS: &str = "url: https://kitsu.studio/api, events_url: https://kitsu.studio";
/// What a configuration ends with that says nothing of a tracker.
const TRACKER: &str = "\ntracker: {file: {path: studio.yaml}}";

/// Configurations.
const CONFIGURATIONS: [(&str, &str, &str); 39] = [
    (
        "a misspelt key",
        "max_stalenes: 5m",
        "stagedoor.yaml:1:1: unknown key `max_stalenes`; did you mean `max_staleness`?",
    ),
    (
        "a key of a later version",
        "listen: [\"127.0.0.1:0\"]\notlp: {endpoint: x}",
        "stagedoor.yaml:2:7: `otlp` is not available in this version of stagedoor; leave it out",
    ),
    (
        "a snapshot directory without a name",
        "snapshot_dir: \"\"",
        "stagedoor.yaml:1:15: `snapshot_dir` is empty; name a directory, or leave it out",
    ),
    (
        "no tracker",
        "tracker:",
        "stagedoor.yaml:1:1: `tracker:` is missing; name one, like `tracker: {kitsu: {url: ...}}`",
    ),
    (
        "an empty tracker",
        "tracker: {}",
        "stagedoor.yaml:1:10: exactly one tracker is needed here, not 0: `kitsu:`, `ftrack:`, `flow:`, `limecraft:` or `file:`",
    ),
    (
        "two trackers",
        "tracker: {file: {path: studio.yaml}, kitsu: {URLS, token_file: token}}",
        "stagedoor.yaml:1:10: exactly one tracker is needed here, not 2: `kitsu:`, `ftrack:`, `flow:`, `limecraft:` or `file:`",
    ),
    (
        "a misspelt tracker",
        "tracker: {kitsus: {URLS}}",
        "stagedoor.yaml:1:11: unknown key `kitsus`; did you mean `kitsu`?",
    ),
    (
        "a tracker without its script",
        "tracker: {flow: {url: \"https://studio.shotgrid.autodesk.com\"}}",
        "stagedoor.yaml:1:17: `script_key_file:` is missing: a file that holds the key of a script user\nstagedoor.yaml:1:17: `script_name:` is missing",
    ),
    (
        "a tracker by name only",
        "tracker: kitsu",
        "stagedoor.yaml:1:10: `name: value` lines are needed here, not `kitsu`",
    ),
    (
        "no address of a tracker",
        "tracker: {kitsu: {events_url: \"https://kitsu.studio\", token_file: token}}",
        "stagedoor.yaml:1:18: `url:` is missing",
    ),
    (
        "no token",
        "tracker:\n  kitsu: {URLS}",
        "stagedoor.yaml:2:10: `token_file:` is missing: a file that holds the token of a Kitsu bot",
    ),
    (
        "a token and a file of one",
        "tracker: {kitsu: {URLS, token: abc, token_file: token}}",
        "stagedoor.yaml:1:108: `token` and `token_file` are both given; keep one of them",
    ),
    (
        "an empty token",
        "tracker: {kitsu: {URLS, token: ''}}",
        "stagedoor.yaml:1:91: `token` is empty; write the bot's token, or the file that holds it in `token_file`",
    ),
    (
        "an empty file of a token",
        "tracker: {kitsu: {URLS, token_file: empty}}",
        "stagedoor.yaml:1:96: `empty` is empty; it must hold the secret and nothing else",
    ),
    (
        "a file of a token that there is not",
        "tracker: {kitsu: {URLS, token_file: nowhere}}",
        "stagedoor.yaml:1:96: `nowhere` cannot be read: there is no such file",
    ),
    (
        "a directory for a token",
        "tracker: {kitsu: {URLS, token_file: directory}}",
        "stagedoor.yaml:1:96: `directory` is no file",
    ),
    (
        "a token in clear text over the network",
        "tracker: {kitsu: {url: \"http://kitsu.studio/api\", events_url: \"http://localhost:1\", token_file: token}}",
        "stagedoor.yaml:1:24: `http://kitsu.studio/api` sends the token in clear text over the network; write https://",
    ),
    (
        "an address without a scheme",
        "tracker: {kitsu: {url: kitsu.studio/api, events_url: \"https://kitsu.studio\", token_file: token}}",
        "stagedoor.yaml:1:24: `kitsu.studio/api` is no web address; write one like https://kitsu.studio/api",
    ),
    (
        "a password in an address",
        "tracker: {kitsu: {url: \"https://bot:secret@kitsu.studio\", events_url: \"https://kitsu.studio\", token_file: token}}",
        "stagedoor.yaml:1:24: an address must not hold a name or password; give the token in `token_file`",
    ),
    (
        "a studio file that there is not",
        "tracker: {file: {path: nowhere.yaml}}",
        "stagedoor.yaml:1:24: `nowhere.yaml` cannot be read: there is no such file",
    ),
    (
        "a length of time without a unit",
        "max_staleness: 600",
        "stagedoor.yaml:1:16: max_staleness: `600` is no length of time; write a number and a unit, like 500ms, 30s, 10m or \
         1h30m",
    ),
    (
        "no time at all",
        "reconcile: 0s",
        "stagedoor.yaml:1:12: reconcile: `0s` is no time at all; write more than nothing, like 30s or 10m",
    ),
    ("a list for a length of time", "max_staleness: [5m]", "stagedoor.yaml:1:16: a text is needed here, not a list"),
    (
        "a host name to listen on",
        "listen: [\"localhost:7300\"]",
        "stagedoor.yaml:1:10: `localhost:7300` is no address; write an IP address and a port (127.0.0.1:7300) or unix:/path",
    ),
    (
        "a port that there is not",
        "listen: [\"127.0.0.1:73000\"]",
        "stagedoor.yaml:1:10: `127.0.0.1:73000` is no address; write an IP address and a port (127.0.0.1:7300) or unix:/path",
    ),
    (
        "half a path of a socket",
        "listen: [\"unix:stagedoor.sock\"]",
        "stagedoor.yaml:1:10: `unix:stagedoor.sock` needs the whole path of the socket, like unix:/run/stagedoor.sock",
    ),
    (
        "open to the network without TLS",
        "listen: [\"0.0.0.0:7300\"]",
        "stagedoor.yaml:1:10: `0.0.0.0:7300` can be reached from other machines, and without `tls:` anybody on the way reads \
         and changes answers; add `tls: {cert_file: ..., key_file: ...}` or listen on 127.0.0.1",
    ),
    (
        "one address twice",
        "listen: [\"127.0.0.1:7300\", \"127.0.0.1:7300\"]",
        "stagedoor.yaml:1:28: `127.0.0.1:7300` is listened on already",
    ),
    ("nowhere to listen", "listen: []", "stagedoor.yaml:1:9: `listen:` names no address"),
    ("a certificate without a key", "tls: {cert_file: token}", "stagedoor.yaml:1:6: `key_file:` is missing"),
    (
        "a certificate that is none",
        "tls: {cert_file: studio.yaml, key_file: token}",
        "tls: studio.yaml and token are no certificate and key in PEM that belong together: Error parsing TLS private key - no \
         RSA or PKCS8-encoded keys found.",
    ),
    (
        "a policy that there is not",
        "policy: nowhere.yaml",
        "stagedoor.yaml:1:9: `nowhere.yaml` cannot be read: there is no such file",
    ),
    (
        "a bracket that stays open",
        "tracker: {file: {path: studio.yaml}",
        "stagedoor.yaml:2:1: not YAML: while parsing a flow mapping, did not find expected ',' or '}'",
    ),
    (
        "a key twice",
        "reconcile: 5m\nmax_staleness: 5m\nreconcile: 10m",
        "stagedoor.yaml:3:1: `reconcile` stands twice; first in line 1",
    ),
    ("a value that repeats itself", "listen: &a [*a]", "stagedoor.yaml:1:13: this repeats the value that it stands in"),
    ("a tag", "max_staleness: !!str 5m", "stagedoor.yaml:1:16: tags are not read here; write the value out"),
    (
        "two documents",
        "max_staleness: 5m\n---\nreconcile: 5m",
        "stagedoor.yaml:2:1: a second document begins; one is read per file",
    ),
    ("lists without end", "listen: LISTS", "stagedoor.yaml:1:72: nested deeper than 64 levels"),
    (
        "all at once",
        "listen: [a]\nmax_staleness: b\nadmin: c\nfoo: d\ntracker: {kitsu: {url: e, token_file: f}}",
        "stagedoor.yaml:1:10: `a` is no address; write an IP address and a port (127.0.0.1:7300) or unix:/path\n\
         stagedoor.yaml:2:16: max_staleness: `b` is no length of time; write a number and a unit, like 500ms, 30s, 10m or \
         1h30m\n\
         stagedoor.yaml:3:8: `admin` is not available in this version of stagedoor; leave it out\n\
         stagedoor.yaml:4:1: unknown key `foo`; known here: admin, decision_log, guard, listen, max_staleness, policy, reconcile, snapshot_dir, tls, tracker\n\
         stagedoor.yaml:5:18: `events_url:` is missing\n\
         stagedoor.yaml:5:24: `e` is no web address; write one like https://kitsu.studio/api\n\
         stagedoor.yaml:5:39: `f` cannot be read: there is no such file",
    ),
];

/// Variables beside a good configuration.
const VARIABLES: [(&str, (&str, &str), &str); 7] = [
    (
        "a misspelt key",
        ("STAGEDOOR__MAX_STALENES", "5m"),
        "STAGEDOOR__MAX_STALENES: unknown key `max_stalenes`; did you mean `max_staleness`?",
    ),
    (
        "a length of time without a unit",
        ("STAGEDOOR__RECONCILE", "300"),
        "STAGEDOOR__RECONCILE: reconcile: `300` is no length of time; write a number and a unit, like 500ms, 30s, 10m or 1h30m",
    ),
    (
        "small letters",
        ("STAGEDOOR__max_staleness", "5m"),
        "STAGEDOOR__max_staleness: is no name of a key; write STAGEDOOR__ and the keys in capitals, two underscores between",
    ),
    (
        "half a list",
        ("STAGEDOOR__LISTEN", "[\"127.0.0.1:7300]"),
        "STAGEDOOR__LISTEN: looks like a list or map but is none that can be read; look at its brackets and quotes",
    ),
    (
        "open to the network without TLS",
        ("STAGEDOOR__LISTEN", "[::]:7300"),
        "STAGEDOOR__LISTEN: `[::]:7300` can be reached from other machines, and without `tls:` anybody on the way reads and \
         changes answers; add `tls: {cert_file: ..., key_file: ...}` or listen on 127.0.0.1",
    ),
    (
        "a key below a value",
        ("STAGEDOOR__TRACKER__FILE__PATH__X", "1"),
        "STAGEDOOR__TRACKER__FILE__PATH__X: there is no `x` to set: what is above it is `studio.yaml`",
    ),
    (
        "a file that there is not",
        ("STAGEDOOR__POLICY", "nowhere.yaml"),
        "STAGEDOOR__POLICY: `nowhere.yaml` cannot be read: there is no such file",
    ),
];

/// Overlays of the pack, below `extends: kitsu` where they extend nothing.
const POLICIES: [(&str, &str, &str); 31] = [
    ("no pack", "extends:\nrules: {}", "policy.yaml:1:1: `extends:` is missing"),
    (
        "a misspelt pack",
        "extends: kitsuu",
        "policy.yaml:1:10: there is no built-in pack `kitsuu`; did you mean `kitsu`?",
    ),
    (
        "a pack of a later version",
        "extends: shotgrid",
        "policy.yaml:1:10: there is no built-in pack `shotgrid`; known here: flow, ftrack, kitsu, limecraft",
    ),
    ("two packs", "extends: [kitsu, flow]", "policy.yaml:1:10: a text is needed here, not a list"),
    ("a misspelt key", "rulez:\n  task.read: [team]", "policy.yaml:2:1: unknown key `rulez`; did you mean `rules`?"),
    (
        "what is the pack's alone",
        "roles: {lead: Lead}\nrules: {}",
        "policy.yaml:2:15: `name: value` lines are needed here, not `Lead`",
    ),
    (
        "a misspelt atom",
        "rules:\n  task.comment: [team + asigned]",
        "policy.yaml:3:18: there is no atom or term `asigned`; did you mean `assigned`?",
    ),
    (
        "a misspelt role",
        "rules:\n  task.comment: [team + role:supervizor]",
        "policy.yaml:3:18: there is no role `supervizor`; did you mean `supervisor`?",
    ),
    (
        "a misspelt kind",
        "rules:\n  tsk.comment: [team]",
        "policy.yaml:3:3: there is no kind `tsk`; did you mean `task`?",
    ),
    (
        "a misspelt action",
        "rules:\n  task.delet: []",
        "policy.yaml:3:3: the pack has no `task.delet`; did you mean `delete`? An action of your own needs a name less like it",
    ),
    (
        "a misspelt field",
        "atoms:\n  lead: {says: leads, when: subject in task.asignees}\nrules: {task.read: [lead]}",
        "policy.yaml:3:29: `task.asignees`: kind `task` has no field `asignees`; did you mean `assignees`?",
    ),
    (
        "a misspelt path",
        "atoms:\n  lead: {says: leads, when: subjct is resource.created_by}\nrules: {shot.read: [lead]}",
        "policy.yaml:3:29: `subjct`: no path begins with `subjct`; did you mean `subject`? (a text stands in quotes)",
    ),
    (
        "a sentence that is no condition",
        "atoms:\n  lead: {says: leads, when: subject equals task.assignees}\nrules: {task.read: [lead]}",
        "policy.yaml:3:29: `subject equals task.assignees` is no condition: write `PATH is VALUE`, `PATH in PATH`, `PATH within \
         PATH` or `PATH is empty` (or `not`)",
    ),
    (
        "a term that was to replace another",
        "terms:\n  supervise_tsk: [team + role:supervisor]",
        "policy.yaml:3:3: no rule or term names `supervise_tsk`; did you mean to replace the pack's `supervise_task`?",
    ),
    (
        "an atom without words",
        "atoms:\n  lead: {when: subject in task.assignees}",
        "policy.yaml:3:3: atom `lead` needs `says:`, a few words for people",
    ),
    ("an atom without condition", "atoms:\n  lead: {says: leads}", "policy.yaml:3:9: `when:` is missing"),
    ("no action", "rules:\n  task: [team]", "policy.yaml:3:3: `task`: a rule is named `kind.action`"),
    (
        "no alternatives",
        "rules:\n  task.comment: {all: [team]}",
        "policy.yaml:3:17: `any:` is missing: the alternatives that allow (`any: []` for nobody)",
    ),
    (
        "half a rule",
        "rules:\n  task.comment:",
        "policy.yaml:3:3: `task.comment` has nothing behind its colon: write the alternatives that allow (`[]` for nobody)",
    ),
    (
        "half an alternative",
        "rules:\n  task.comment: [team +]",
        "policy.yaml:3:18: a word is missing here: `+` stands between two words, `!` before one",
    ),
    (
        "another word for +",
        "rules:\n  task.comment: [team and assigned]",
        "policy.yaml:3:18: `team and assigned`: words are joined by `+`, alternatives are items of the list",
    ),
    (
        "a negated term",
        "rules:\n  task.comment: [team + !manage]",
        "policy.yaml:3:18: `!manage`: a term cannot be negated, only an atom",
    ),
    (
        "terms in a circle",
        "terms:\n  a: [b]\n  b: [a]\nrules: {task.read: [a]}",
        "policy.yaml:5:21: term `a` leads back to itself, or too deep",
    ),
    (
        "a word with a meaning of its own",
        "terms:\n  team: [admin]",
        "policy.yaml:3:3: `team` has a meaning of its own and cannot be defined",
    ),
    (
        "two rules for one action",
        "rules:\n  task.read: [team]\n  'shot, task.read': [admin]",
        "policy.yaml:4:3: `task.read` has a rule already",
    ),
    (
        "a rule twice",
        "rules:\n  task.read: [team]\n  task.read: [admin]",
        "policy.yaml:4:3: `task.read` stands twice; first in line 3",
    ),
    (
        "a scope that there is not",
        "rules:\n  shot.create: {scope: prject, any: [manage]}",
        "policy.yaml:3:24: `scope:` is `project`, `site` or `studio`, not `prject`; without it a resource is named",
    ),
    (
        "an atom that says nothing here",
        "rules:\n  project.read: [assigned]",
        "policy.yaml:3:18: `assigned` cannot be used here: path `task` says nothing for kind `project`",
    ),
    ("rules as a list", "rules: [task.read]", "policy.yaml:2:8: `name: value` lines are needed here, not a list"),
    (
        "an alias without its anchor",
        "rules: {task.read: [*a]}",
        "policy.yaml:2:21: not YAML: while parsing node, found unknown anchor",
    ),
    (
        "a quote that stays open",
        "rules: {task.read: [\"team]}",
        "policy.yaml:2:21: not YAML: while scanning a quoted scalar, found unexpected end of stream",
    ),
];

/// Studio files.
const STUDIOS: [(&str, &str, &str); 14] = [
    ("nothing", "", "studio.yaml:1:1: there is no studio here; begin with `person:`"),
    ("a list", "- ada", "studio.yaml:1:1: `name: value` lines are needed here, not a list"),
    (
        "another pack",
        "pack: shotgrid\nperson: []",
        "studio.yaml:1:7: there is no built-in pack `shotgrid`; known here: flow, ftrack, kitsu, limecraft",
    ),
    (
        "a misspelt section",
        "persn: [{id: ada, role: admin}]",
        "studio.yaml:1:1: there is no kind `persn`; did you mean `person`?",
    ),
    (
        "a misspelt field",
        "person: [{id: ada, rle: admin}]",
        "studio.yaml:1:10: every person needs a `role:`\n\
         studio.yaml:1:20: no person has a field `rle`; did you mean `role`?",
    ),
    (
        "a misspelt role",
        "person: [{id: ada, role: admn}]",
        "studio.yaml:1:26: there is no role `admn`; did you mean `admin`?",
    ),
    ("nobody's id", "person: [{name: Ada, role: admin}]", "studio.yaml:1:10: every person needs an `id:`"),
    (
        "one id twice",
        "person:\n  - {id: ada, role: admin}\n  - {id: ada, role: user}",
        "studio.yaml:3:10: `ada` stands twice; first in line 2",
    ),
    (
        "an id that is not given",
        "person: [{id: ada, role: admin}]\nproject: [{id: atlas, team: [adda]}]",
        "studio.yaml:2:30: there is no person `adda`; did you mean `ada`?",
    ),
    (
        "a word that could be true",
        "person: [{id: ada, role: admin, active: yes}]",
        "studio.yaml:1:41: `true` or `false` is needed here, not `yes`",
    ),
    (
        "the studio's role in a project",
        "person: [{id: ada, role: user}]\nproject: [{id: atlas, team: {ada: admin}}]",
        "studio.yaml:2:35: `admin` is a role of the whole studio: give it to the person",
    ),
    (
        "a shot in no project",
        "person: [{id: ada, role: user}]\nproject: [atlas]\nshot: [{id: sh010, project: atlas}, sh020]",
        "studio.yaml:3:37: the shot `sh020` needs a `project:`",
    ),
    ("an entry that is none", "person: [[ada]]", "studio.yaml:1:10: `{id: ..., ...}` is needed here, not a list"),
    (
        "a key twice",
        "person: [{id: ada, role: user, role: admin}]",
        "studio.yaml:1:32: `role` stands twice; first in line 1",
    ),
];

/// Case files, and what `stagedoor test` prints first.
const CASES: [(&str, &str, &str); 8] = [
    (
        "no studio",
        "cases: [{title: t, action: read, resource: 'task:t', allow: [bo]}]",
        "cases.yaml:1:1: one of `studio:`, `studio_file:` and `demo: true` is needed",
    ),
    ("no cases", "demo: true\ncases: []", "cases.yaml:2:8: there is no case to ask"),
    (
        "a misspelt key",
        "demo: true\ncases:\n  - {title: t, acton: read, action: read, resource: 'task:t', allow: [bo]}",
        "cases.yaml:3:16: unknown key `acton`; did you mean `action`?",
    ),
    (
        "nobody who asks",
        "demo: true\ncases: [{title: t, action: read, resource: 'task:t'}]",
        "cases.yaml:2:9: nobody asks: write `allow:`, `deny:`, or `subject:` with `expect:`",
    ),
    (
        "a misspelt reason",
        "demo: true\ncases: [{title: t, action: read, resource: 'task:t', allow: [ada], deny: {NO_GRNT: [bo]}}]",
        "cases.yaml:2:75: there is no reason `NO_GRNT`; did you mean `NO_GRANT`?",
    ),
    (
        "a studio file that there is not",
        "studio_file: nowhere.yaml\ncases: [{title: t, action: read, resource: 'task:t', allow: [bo]}]",
        "cases.yaml:1:14: nowhere.yaml: No such file or directory (os error 2)",
    ),
    (
        "a policy that is wrong",
        "demo: true\npolicy: policy.yaml\ncases: [{title: t, action: read, resource: 'task:t', allow: [bo]}]",
        "policy.yaml:2:21: there is no atom or term `acess`; did you mean `access`?",
    ),
    (
        "not what is expected",
        "demo: true\ncases: [{title: t, action: comment, resource: 'task:sh010-animation', allow: [lin]}]",
        "cases.yaml:2:79: t: may lin comment task sh010-animation?",
    ),
];

/// Arguments, and what is printed first.
const ARGUMENTS: [(&str, &[&str], &str); 15] = [
    ("a misspelt command", &["srve"], "error: unrecognized subcommand 'srve'"),
    ("nothing to serve", &["serve"], "error: the following required arguments were not provided:"),
    (
        "two things to serve",
        &["serve", "--demo", "--config", "stagedoor.yaml"],
        "error: the argument '--demo' cannot be used with '--config <FILE>'",
    ),
    (
        "a configuration that there is not",
        &["serve", "--config", "nowhere.yaml"],
        "nowhere.yaml: the configuration cannot be read: No such file or directory (os error 2)",
    ),
    (
        "a configuration in another encoding",
        &["serve", "--config", "latin.yaml"],
        "latin.yaml: the configuration cannot be read: stream did not contain valid UTF-8",
    ),
    (
        "a filter that is none",
        &["serve", "--demo", "--log-level", "loud"],
        "`loud` is no log filter: `loud` is no level; write a level (error, warn, info, debug, trace) or module=level pairs",
    ),
    ("nothing asked", &["check", "bo"], "error: the following required arguments were not provided:"),
    (
        "a resource without kind",
        &["check", "bo", "comment", "sh010"],
        "`sh010` names no resource; write KIND:ID, like task:1234, or `KIND:` for what does not exist yet",
    ),
    (
        "an address that is none",
        &["check", "bo", "comment", "task:t", "--addr", "localhost"],
        "`localhost` is no address; write HOST:PORT, like 127.0.0.1:7300, or unix:/path",
    ),
    (
        "a server that is not there",
        &["check", "bo", "comment", "task:t", "--addr", "unix:/nowhere/stagedoor.sock"],
        "cannot reach a stagedoor at unix:/nowhere/stagedoor.sock: No such file or directory (os error 2); is it running there? \
         (`--addr` says where)",
    ),
    (
        "a timeout without a unit",
        &["check", "bo", "comment", "task:t", "--timeout", "5"],
        "error: invalid value '5' for '--timeout <TIMEOUT>': `5` is no length of time; write a number and a unit, like 500ms, \
         30s, 10m or 1h30m",
    ),
    (
        "properties that are no JSON",
        &["explain", "bo", "comment", "task:t", "--properties", "{for_client}"],
        "--properties: not JSON: key must be a string at line 1 column 2",
    ),
    (
        "a service that there is not",
        &["healthcheck", "--service", "live"],
        "error: invalid value 'live' for '--service <SERVICE>'",
    ),
    (
        "a file that is nothing of ours",
        &["validate", "other.yaml"],
        "other.yaml: neither a configuration nor a policy nor a studio: a configuration has `tracker:`, a policy `extends:`, a \
         studio `person:`",
    ),
    (
        "cases to validate",
        &["validate", "cases.yaml"],
        "cases.yaml: these are cases: run them with `stagedoor test cases.yaml`",
    ),
];

#[test]
fn configurations() {
    let directory = directory();
    let mut table = Table::default();
    for (what, text, told) in CONFIGURATIONS {
        let lists = format!("{}{}", "[".repeat(70), "]".repeat(70));
        let text = text.replace("URLS", URLS).replace("LISTS", &lists);
        write(&directory, "stagedoor.yaml", &if text.contains("tracker") { text } else { text + TRACKER });
        both(&mut table, &directory, what, &[], told);
    }
    table.end(2 * CONFIGURATIONS.len());
}

#[test]
fn variables() {
    let directory = directory();
    write(&directory, "stagedoor.yaml", TRACKER);
    let mut table = Table::default();
    for (what, variable, told) in VARIABLES {
        both(&mut table, &directory, what, &[variable], &format!("environment variable {told}"));
    }
    table.end(2 * VARIABLES.len());
}

#[test]
fn policies() {
    let directory = directory();
    write(&directory, "stagedoor.yaml", &format!("policy: policy.yaml{TRACKER}"));
    let mut table = Table::default();
    for (what, text, told) in POLICIES {
        let extends = if text.starts_with("extends") { "" } else { "extends: kitsu\n" };
        write(&directory, "policy.yaml", &format!("{extends}{text}\n"));
        let ended = run(directory.path(), &["validate", "policy.yaml"], &[]);
        table.row(what, &format!("2 {told}"), &format!("{} {}", ended.code, ended.err.trim_end()));
        let ended = run(directory.path(), &["validate", "stagedoor.yaml"], &[]);
        table.row(
            &format!("{what}, by its configuration"),
            &format!("2 {told}"),
            &format!("{} {}", ended.code, ended.err.trim_end()),
        );
        let ended = run(directory.path(), &["serve", "--config", "stagedoor.yaml"], &[]);
        // Which pack it must be, the tracker says.
        if !what.contains("pack") {
            let told = format!("2 the policy cannot be used:\n{told}");
            table.row(&format!("{what}, served"), &told, &format!("{} {}", ended.code, ended.err.trim_end()));
        }
    }
    let packs = POLICIES.iter().filter(|(what, ..)| what.contains("pack")).count();
    table.end(3 * POLICIES.len() - packs);
}

#[test]
fn studios() {
    let directory = directory();
    let socket = directory.path().join("stagedoor.sock");
    write(&directory, "stagedoor.yaml", &format!("listen: \"unix:{}\"{TRACKER}", socket.display()));
    let mut table = Table::default();
    for (what, text, told) in STUDIOS {
        write(&directory, "studio.yaml", text);
        let ended = run(directory.path(), &["validate", "stagedoor.yaml"], &[]);
        table.row(what, &format!("2 {told}"), &format!("{} {}", ended.code, ended.err.trim_end()));
    }
    table.end(STUDIOS.len());

    // It may be mended at any time: the program waits for that, and says so.
    write(&directory, "studio.yaml", STUDIOS[5].1);
    let mut serving = Serving::start(directory.path());
    let waiting = "the studio file cannot be applied, and nothing is known until it is mended:\n";
    let said = serving.hear(|line| line["message"].as_str()?.strip_prefix(waiting).map(str::to_owned));
    assert_eq!(said.as_deref(), Ok(STUDIOS[5].2));
}

#[test]
fn cases() {
    let directory = directory();
    write(&directory, "policy.yaml", "extends: kitsu\nrules: {task.read: [acess]}\n");
    let mut table = Table::default();
    for (what, text, told) in CASES {
        write(&directory, "cases.yaml", text);
        let ended = run(directory.path(), &["test", "cases.yaml"], &[]);
        table.row(what, &format!("1 {told}"), &format!("{} {}", ended.code, first_line(&ended.out)));
    }
    table.end(CASES.len());
}

#[test]
fn arguments() {
    let directory = directory();
    write(&directory, "cases.yaml", "demo: true\ncases: []\n");
    write(&directory, "other.yaml", "- 1\n");
    fs::write(directory.path().join("latin.yaml"), b"# f\xfcr alle\n").unwrap();
    let mut table = Table::default();
    for (what, arguments, told) in ARGUMENTS {
        let ended = run(directory.path(), arguments, &[]);
        table.row(what, &format!("2 {told}"), &format!("{} {}", ended.code, first_line(&ended.err)));
    }
    table.end(ARGUMENTS.len());
}

/// What `validate` says of the configuration, `serve` says too, and does not start.
fn both(table: &mut Table, directory: &TempDir, what: &str, environment: &[(&str, &str)], told: &str) {
    for arguments in [&["validate", "stagedoor.yaml"][..], &["serve", "--config", "stagedoor.yaml"]] {
        let ended = run(directory.path(), arguments, environment);
        let what = format!("{what}, to {}", arguments[0]);
        table.row(&what, &format!("2 {told}"), &format!("{} {}", ended.code, ended.err.trim_end()));
    }
}

/// A directory with a good studio, a token, an empty file, and a directory.
fn directory() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    write(&directory, "studio.yaml", "person: [{id: ada, role: admin}]\n");
    write(&directory, "token", "abc\n");
    fs::set_permissions(directory.path().join("token"), fs::Permissions::from_mode(0o600)).unwrap();
    write(&directory, "empty", " \n");
    fs::create_dir(directory.path().join("directory")).unwrap();
    directory
}

fn write(directory: &TempDir, name: &str, text: &str) {
    fs::write(Path::new(directory.path()).join(name), text).unwrap();
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}
