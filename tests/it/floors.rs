//! The floors of the house: a room imports only lower ones, says what it holds, and stays small.

use std::fs;
use std::path::{Path, PathBuf};

/// Every room and its floor.
const ROOMS: [(&str, u8); 19] = [
    ("model", 0),
    ("yaml", 0),
    ("directory", 1),
    ("cache", 1),
    ("telemetry", 1),
    ("ledger", 1),
    ("engine", 2),
    ("authorizer", 3),
    ("watch", 3),
    ("serve", 4),
    ("tracker", 4),
    ("guard", 4),
    ("snapshot", 4),
    ("proto", 4),
    ("main", WIRING),
    ("lib", WIRING),
    ("cli", WIRING),
    ("config", WIRING),
    ("app", WIRING),
];

/// The floor whose rooms may know everything, each other too.
const WIRING: u8 = 5;

/// Siblings that may be imported nevertheless: the generated code has a floor only because it needs tonic, and the guard
/// needs the trackers' contract, not the trackers.
const SIBLINGS: [(&str, &str); 3] = [("serve", "proto"), ("tracker/ingest", "proto"), ("guard", "tracker")];

/// What a room must not know of the world outside the package.
const STRANGERS: [(&str, &[&str]); 9] = [
    ("model", &["serde", "serde_json", "tonic", "tokio", "prost"]),
    ("yaml", &["tonic", "tokio", "std::fs"]),
    ("directory", &["tonic", "tokio", "reqwest", "std::fs", "Instant::now", "SystemTime::now"]),
    ("cache", &["tonic", "tokio", "reqwest", "std::fs"]),
    ("engine", &["tonic", "tokio", "reqwest", "std::fs", "parking_lot", "Instant", "SystemTime", "async fn", ".await"]),
    ("ledger", &["tonic", "tokio", "reqwest"]),
    ("guard", &["tonic", "prost", "reqwest", "http", "std::fs", "kitsu", "ftrack"]),
    ("snapshot", &["tonic", "prost", "reqwest", "http"]),
    ("authorizer", &["tonic", "prost", "reqwest", "http", "std::fs", "tokio::net", "tokio::fs"]),
];

const MAX_LINES: usize = 500;

#[test]
fn every_room_stands_on_lower_floors_only() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    rust_files(&src, &mut files);
    assert!(files.len() > 30, "only {} files found under {}", files.len(), src.display());
    let mut complaints = Vec::new();
    for file in files {
        let name = file.strip_prefix(&src).expect("lies under src").to_string_lossy().replace('\\', "/");
        check(&name, &fs::read_to_string(&file).expect("is readable"), &mut complaints);
    }
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

#[test]
fn the_checker_sees_what_is_wrong() {
    let told = |name: &str, text: &str| {
        let mut complaints = Vec::new();
        check(name, text, &mut complaints);
        complaints
    };
    let one = |name: &str, text: &str, expected: &str| {
        let complaints = told(name, text);
        assert_eq!(complaints.len(), 1, "{name}: {complaints:?}");
        assert!(complaints[0].starts_with(expected), "{} is not {expected}", complaints[0]);
    };
    one("engine/walk.rs", "//! W.\n\nuse crate::cache::Cache;\nuse crate::authorizer::X;\n", "src/engine/walk.rs:4: ");
    one(
        "cache.rs",
        "//! C.\nfn f() { crate::directory::View::new(); }\n",
        "src/cache.rs:2: cache (floor 1) imports directory",
    );
    one("tracker/kitsu/client.rs", "//! C.\nuse crate::proto::pb;\n", "src/tracker/kitsu/client.rs:2: ");
    one("yaml.rs", "//! Y.\nuse super::model::id::Id;\n", "src/yaml.rs:2: yaml (floor 0) imports model");
    one("yaml/read.rs", "//! Y.\nuse super::super::model::id::Id;\n", "src/yaml/read.rs:2: ");
    one(
        "serve/grpc.rs",
        "//! G.\nuse crate::{\n    authorizer::Authorizer,\n    tracker::{kitsu, file},\n};\n",
        "src/serve/grpc.rs:4: ",
    );
    one(
        "serve/grpc.rs",
        "//! G.\nuse crate::{authorizer::{A, B}, guard::G};\n",
        "src/serve/grpc.rs:2: serve (floor 4) imports guard",
    );
    one("serve/grpc.rs", "//! G.\nuse crate::attic::G;\n", "src/serve/grpc.rs:2: there is no room `attic`");
    one("attic.rs", "//! G.\n", "src/attic.rs:1: room `attic` has no floor");
    one("model/id.rs", "// not a head\nfn f() {}\n", "src/model/id.rs:1: ");
    one("model/id.rs", "//! I.\nuse serde::Serialize;\n", "src/model/id.rs:2: model must not know serde");
    one("engine.rs", "//! E.\nlet at = std::time::Instant::now();\n", "src/engine.rs:2: engine must not know Instant");
    let long = |tests_from: usize| {
        (1..=600).fold("//! L.\n".to_owned(), |text, line| {
            text + if line == tests_from { "#[cfg(test)]\nmod tests {\n" } else { "fn f() {}\n" }
        })
    };
    one("engine/long.rs", &long(0), "src/engine/long.rs:501: 601 lines");
    one("engine/long.rs", &long(501), "src/engine/long.rs:501: 501 lines");

    for (name, text) in [
        ("engine/long.rs", long(500).as_str()),
        ("engine/tests.rs", long(0).as_str()),
        (
            "engine/walk.rs",
            "//! W: as `crate::authorizer` says.\nuse crate::model::id::{Id, Key}; // not crate::cache\n",
        ),
        (
            "serve/grpc.rs",
            "//! G.\nuse crate::proto::pb;\nuse super::convert;\nuse super::super::authorizer::Authorizer;\n",
        ),
        ("app.rs", "//! A.\nuse crate::{cli, serve, tracker};\nuse crate::config::Config;\n"),
        (
            "cache.rs",
            "//! C.\n#[cfg(test)]\nmod tests {\n    use super::Entry;\n    use super::super::model::id::Id;\n}\n",
        ),
    ] {
        assert_eq!(told(name, text), Vec::<String>::new(), "{name}");
    }
}

fn rust_files(dir: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("is a readable directory") {
        let path = entry.expect("is readable").path();
        if path.is_dir() {
            rust_files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
}

fn check(name: &str, text: &str, complaints: &mut Vec<String>) {
    let mut complain = |line: usize, what: String| complaints.push(format!("src/{name}:{line}: {what}"));
    let modules: Vec<&str> = name.trim_end_matches(".rs").split('/').collect();
    let room = modules[0];
    let Some(floor) = floor(room) else {
        return complain(1, format!("room `{room}` has no floor in tests/it/floors.rs"));
    };
    if !text.starts_with("//! ") {
        complain(1, "the file must open with `//!` and what it holds".to_owned());
    }
    let is_test = modules.contains(&"tests");
    let lines = lines_without_tests(text);
    if !is_test && lines > MAX_LINES {
        complain(MAX_LINES + 1, format!("{lines} lines without tests; at most {MAX_LINES}"));
    }
    for import in imports(text, modules.len()) {
        let Import { line, room: other, surely_a_room } = import;
        match self::floor(&other) {
            None if surely_a_room => complain(line, format!("there is no room `{other}`")),
            None => {}
            Some(below) if other == room || below < floor || floor == WIRING => {}
            Some(_) if may_import(name, &other) => {}
            Some(above) => complain(line, format!("{room} (floor {floor}) imports {other} (floor {above})")),
        }
    }
    let strangers = STRANGERS.iter().find(|(known, _)| *known == room).map_or(&[][..], |(_, strangers)| strangers);
    for (line, code) in (1..).zip(text.lines().map(code)).take(if is_test { 0 } else { lines }) {
        if let Some(stranger) = strangers.iter().find(|stranger| names(code, stranger)) {
            complain(line, format!("{room} must not know {stranger}"));
        }
    }
}

/// Whether the file lies where a sibling may be imported.
fn may_import(name: &str, other: &str) -> bool {
    let lies_in =
        |place: &str| name.strip_prefix(place).is_some_and(|rest| rest.starts_with('/') || rest.starts_with('.'));
    SIBLINGS.iter().any(|(place, sibling)| *sibling == other && lies_in(place))
}

fn floor(room: &str) -> Option<u8> {
    ROOMS.iter().find(|(known, _)| *known == room).map(|(_, floor)| *floor)
}

struct Import {
    line: usize,
    room: String,
    /// It stands behind `crate::`; behind `super::` it may be an item of an inline module as well.
    surely_a_room: bool,
}

/// What stands behind `crate::`, and behind as many `super::` as lead out of a module that lies `depth` deep.
fn imports(text: &str, depth: usize) -> Vec<Import> {
    let text = text.lines().map(code).collect::<Vec<_>>().join("\n");
    let mut imports = Vec::new();
    let mut add = |at: usize, surely_a_room: bool| {
        for (at, room) in rooms(&text, at) {
            imports.push(Import { line: 1 + text[..at].matches('\n').count(), room, surely_a_room });
        }
    };
    let begins_a_word = |at: usize| !text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
    for (at, word) in text.match_indices("crate::").filter(|(at, _)| begins_a_word(*at)) {
        add(at + word.len(), true);
    }
    let begins_a_chain = |at: usize| begins_a_word(at) && !text[..at].ends_with("::");
    for (at, _) in text.match_indices("super::").filter(|(at, _)| begins_a_chain(*at)) {
        let mut end = at;
        let mut supers = 0;
        while text[end..].starts_with("super::") {
            end += "super::".len();
            supers += 1;
        }
        if supers >= depth {
            add(end, false);
        }
    }
    imports.sort_by_key(|import| import.line);
    imports
}

/// The names at the head of a path, or of each path of a group in braces, and where they stand.
fn rooms(text: &str, at: usize) -> Vec<(usize, String)> {
    let word = |at: usize| {
        let end = text[at..].find(|c: char| !c.is_alphanumeric() && c != '_').map_or(text.len(), |end| at + end);
        (at, text[at..end].to_owned())
    };
    if !text[at..].starts_with('{') {
        return vec![word(at)];
    }
    let mut rooms = Vec::new();
    let mut open = 0;
    let mut expecting = false;
    for (offset, c) in text[at..].char_indices() {
        match c {
            '{' => {
                open += 1;
                expecting = open == 1;
            }
            '}' => open -= 1,
            ',' => expecting = open == 1,
            c if c.is_whitespace() => {}
            _ if expecting => {
                rooms.push(word(at + offset));
                expecting = false;
            }
            _ => {}
        }
        if open == 0 {
            break;
        }
    }
    rooms
}

/// A line without its comment.
fn code(line: &str) -> &str {
    let comment = line.match_indices("//").find(|(at, _)| line[..*at].is_empty() || line[..*at].ends_with(' '));
    comment.map_or(line, |(at, _)| &line[..at])
}

fn names(code: &str, stranger: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(stranger).any(|(at, _)| {
        let after = &code[at + stranger.len()..];
        !code[..at].ends_with(part) && !after.starts_with(part)
    })
}

/// Inline tests stand last, in `mod tests`.
fn lines_without_tests(text: &str) -> usize {
    let lines: Vec<&str> = text.lines().collect();
    let tests = lines.windows(2).position(|two| two[0] == "#[cfg(test)]" && two[1].ends_with('{'));
    tests.unwrap_or(lines.len())
}
