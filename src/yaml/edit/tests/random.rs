//! Random edits of random files: what comes out says what a plain model says, and every other byte is still there.

use proptest::prelude::*;

use super::*;

/// An entry with everything that may stand around it.
#[derive(Clone, Debug)]
struct Entry {
    before: Vec<Around>,
    key: String,
    quote: usize,
    value: Val,
    comment: bool,
}

/// A line between entries.
#[derive(Clone, Copy, Debug)]
enum Around {
    Blank,
    Comment,
    CommentAtTheMargin,
}

#[derive(Clone, Debug)]
enum Val {
    Nothing,
    Plain(String),
    Scalar(Vec<String>),
    Quoted(String),
    Flow(Vec<String>),
    Braces(String),
    List { items: Vec<String>, deeper: bool },
    Map { entries: Vec<Entry>, after: Vec<Around>, step: usize },
}

#[derive(Clone, Debug)]
enum Op {
    Append { at: Vec<prop::sample::Index>, key: String, value: Vec<(String, Vec<String>)> },
    Remove { at: Vec<prop::sample::Index> },
}

fn word() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["Lead", "a b", "x: y", "# z", "naïve", "grants", "yes", "q'\"q", "-", "日本 1"])
        .prop_map(str::to_owned)
}

fn plain() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["User", "Project Manager", "a#b", "x:y", "12"]).prop_map(str::to_owned)
}

fn around() -> impl Strategy<Value = Vec<Around>> {
    prop::collection::vec(prop::sample::select(vec![Around::Blank, Around::Comment, Around::CommentAtTheMargin]), 0..3)
}

fn entries(value: impl Strategy<Value = Val> + Clone) -> impl Strategy<Value = Vec<Entry>> {
    let entry = (around(), word(), 0..3_usize, value, any::<bool>());
    let entry = entry.prop_map(|(before, key, quote, value, comment)| Entry { before, key, quote, value, comment });
    prop::collection::vec(entry, 1..5).prop_map(|mut entries| {
        let mut seen = Vec::new();
        entries.retain(|entry| {
            !seen.contains(&entry.key) && {
                seen.push(entry.key.clone());
                true
            }
        });
        entries
    })
}

fn value() -> impl Strategy<Value = Val> + Clone {
    let leaf = prop_oneof![
        Just(Val::Nothing),
        plain().prop_map(Val::Plain),
        word().prop_map(Val::Quoted),
        prop::collection::vec(plain(), 1..4).prop_map(Val::Scalar),
        prop::collection::vec(plain(), 0..4).prop_map(Val::Flow),
        plain().prop_map(Val::Braces),
        (prop::collection::vec(plain(), 1..4), any::<bool>()).prop_map(|(items, deeper)| Val::List { items, deeper }),
    ];
    let map = |inner: BoxedStrategy<Val>| {
        (entries(inner), around(), 1..5_usize).prop_map(|(entries, after, step)| Val::Map { entries, after, step })
    };
    leaf.prop_recursive(3, 24, 4, move |inner| map(inner.boxed()).boxed()).boxed()
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let at = || prop::collection::vec(any::<prop::sample::Index>(), 1..4);
    let fields = prop::collection::vec((word(), prop::collection::vec(word(), 0..14)), 0..3);
    prop::collection::vec(
        prop_oneof![
            (at(), word(), fields).prop_map(|(at, key, value)| Op::Append { at, key, value }),
            at().prop_map(|at| Op::Remove { at }),
        ],
        1..6,
    )
}

/// Writes a map; every comment says in which entry it stands.
fn write_map(entries: &[Entry], after: &[Around], indent: usize, inside: &str, out: &mut Vec<String>) {
    let around = |list: &[Around], out: &mut Vec<String>| {
        for line in list {
            out.push(match line {
                Around::Blank => String::new(),
                Around::Comment => format!("{}# in {inside};\there", " ".repeat(indent)),
                Around::CommentAtTheMargin => format!("# in {inside};"),
            });
        }
    };
    for Entry { before, key, quote, value, comment } in entries {
        around(before, out);
        let here = format!("{inside}|{key}");
        let pad = " ".repeat(indent);
        let key = match quote {
            0 => format!("'{}'", key.replace('\'', "''")),
            _ => write::scalar(key),
        };
        let put = |rest: &str, out: &mut Vec<String>| {
            let behind = if *comment { format!("  # in {here};") } else { String::new() };
            out.push(format!("{pad}{key}:{rest}{behind}"));
        };
        match value {
            Val::Nothing => put("", out),
            Val::Plain(text) => put(&format!(" {text}"), out),
            Val::Quoted(text) => put(&format!(" {}", write::scalar(text)), out),
            Val::Flow(texts) => put(&format!(" [{}]", texts.join(", ")), out),
            Val::Braces(text) => put(&format!(" {{a: {text}}}"), out),
            Val::Scalar(texts) => {
                put(" |", out);
                out.extend(texts.iter().map(|text| format!("{pad}  # {text}")));
            }
            Val::List { items, deeper } => {
                put("", out);
                let more = if *deeper { "  " } else { "" };
                out.extend(items.iter().map(|text| format!("{pad}{more}- {text}")));
            }
            Val::Map { entries, after, step } => {
                put("", out);
                write_map(entries, after, indent + step, &here, out);
            }
        }
    }
    around(after, out);
}

/// What an entry's value says.
fn data(value: &Val) -> Node {
    let scalar =
        |text: &str, quoted| Node { place: Place::default(), data: Data::Scalar { text: text.to_owned(), quoted } };
    let list = |texts: &[String]| Node {
        place: Place::default(),
        data: Data::List(texts.iter().map(|text| scalar(text, false)).collect()),
    };
    match value {
        Val::Nothing => scalar("", false),
        Val::Plain(text) => scalar(text, false),
        Val::Quoted(text) => scalar(text, write::scalar(text) != *text),
        Val::Scalar(texts) => scalar(&texts.iter().map(|text| format!("# {text}\n")).collect::<String>(), true),
        Val::Flow(texts) | Val::List { items: texts, .. } => list(texts),
        Val::Braces(text) => map_node(vec![("a".to_owned(), scalar(text, false))]),
        Val::Map { entries, .. } => {
            map_node(entries.iter().map(|entry| (entry.key.clone(), data(&entry.value))).collect())
        }
    }
}

fn map_node(entries: Vec<(String, Node)>) -> Node {
    let key = |text| Key { place: Place::default(), text, quoted: false };
    Node {
        place: Place::default(),
        data: Data::Map(entries.into_iter().map(|(text, node)| (key(text), node)).collect()),
    }
}

/// Names on the way to a value, as the indices choose them.
fn choose(node: &Node, at: &[prop::sample::Index]) -> Vec<String> {
    match (&node.data, at) {
        (Data::Map(entries), [first, rest @ ..]) if !entries.is_empty() => {
            let (key, below) = first.get(entries);
            [vec![key.text.clone()], choose(below, rest)].concat()
        }
        _ => Vec::new(),
    }
}

fn below<'n>(node: &'n mut Node, path: &[String]) -> &'n mut Node {
    path.iter().fold(node, |node, name| match &mut node.data {
        Data::Map(entries) => &mut entries.iter_mut().find(|(key, _)| key.text == *name).unwrap().1,
        _ => panic!(),
    })
}

/// Whether the path leads through braces, into which nothing is written.
fn through_braces(entries: &[Entry], path: &[String]) -> bool {
    let Some((first, rest)) = path.split_first() else { return false };
    match entries.iter().find(|entry| entry.key == *first).map(|entry| &entry.value) {
        Some(Val::Braces(_)) => true,
        Some(Val::Map { entries, .. }) => through_braces(entries, rest),
        _ => false,
    }
}

/// Whether `new` is `old` with one run of bytes more.
fn is_insertion(old: &str, new: &str) -> bool {
    let (old, new) = (old.as_bytes(), new.as_bytes());
    let same = old.iter().zip(new).take_while(|(old, new)| old == new).count();
    new.len() >= old.len() && (0..=same).any(|at| new.ends_with(&old[at..]))
}

/// The comments that stand in no entry under `path`.
fn comments_outside(text: &str, path: &[String]) -> Vec<String> {
    let within = path.iter().map(|name| format!("|{name}")).collect::<String>();
    let owners = text.split("# in ").skip(1).map(|rest| rest.split(';').next().unwrap());
    let inside = |owner: &str| owner.strip_prefix(&within).is_some_and(|rest| rest.is_empty() || rest.starts_with('|'));
    owners.filter(|owner| !inside(owner)).map(str::to_owned).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_edits_of_random_files(entries in entries(value()), after in around(), ops in ops(), crlf: bool, ends: bool) {
        let mut lines = Vec::new();
        write_map(&entries, &after, 0, "", &mut lines);
        let eol = if crlf { "\r\n" } else { "\n" };
        let mut text = lines.join(eol);
        if ends { text.push_str(eol); }
        let mut model = data(&Val::Map { entries: entries.clone(), after: Vec::new(), step: 0 });
        prop_assert!(alike(&parse("f", &text).unwrap(), &model), "{text}");
        for op in ops {
            match op {
                Op::Remove { at } => {
                    let path = choose(&model, &at);
                    let Some((key, map)) = path.split_last() else { continue };
                    let names: Vec<&str> = map.iter().map(String::as_str).collect();
                    match remove("f", &text, &names, key) {
                        Err(problems) => prop_assert!(through_braces(&entries, map), "{problems} {path:?}\n{text}"),
                        Ok(new) => {
                            let node = below(&mut model, map);
                            let Data::Map(list) = &mut node.data else { panic!() };
                            list.retain(|(known, _)| known.text != *key);
                            if list.is_empty() { *node = Node::null(Place::default()); }
                            prop_assert!(is_insertion(&new, &text), "{path:?}\n{text}\n{new}");
                            prop_assert_eq!(comments_outside(&new, &path), comments_outside(&text, &path));
                            text = new;
                        }
                    }
                }
                Op::Append { at, key, value } => {
                    let path = choose(&model, &at);
                    let names: Vec<&str> = path.iter().map(String::as_str).collect();
                    let mut fields: Vec<(String, Value)> = Vec::new();
                    for (name, texts) in value {
                        if fields.iter().all(|(known, _)| *known != name) { fields.push((name, Value::List(texts))); }
                    }
                    let value = Value::Map(fields);
                    let node = below(&mut model, &path);
                    let free = match &node.data {
                        Data::Map(list) => list.iter().all(|(known, _)| known.text != key),
                        Data::Scalar { text, quoted } => text.is_empty() && !quoted,
                        Data::List(_) => false,
                    };
                    match append("f", &text, &names, &key, &value) {
                        Err(problems) => prop_assert!(!free || through_braces(&entries, &path), "{problems} {path:?}\n{text}"),
                        Ok(new) => {
                            prop_assert!(free, "{path:?} {key}\n{text}");
                            add(&mut model, &names, &key, &value);
                            prop_assert!(is_insertion(&text, &new), "{path:?}\n{text}\n{new}");
                            text = new;
                        }
                    }
                }
            }
            prop_assert!(alike(&parse("f", &text).unwrap(), &model), "{text}");
        }
    }

    #[test]
    fn no_text_breaks_an_edit(text in "([ \t]{0,3}|[a-c]: ?|- |\\? |[{}\\[\\],#|>&*!\"'%]|\r?\n|\\.\\.\\.|---|~){0,24}", key in "[a-c]") {
        let results = [
            append("f", &text, &[], &key, &lead()),
            append("f", &text, &["a"], &key, &lead()),
            remove("f", &text, &[], &key),
        ];
        for new in results.into_iter().flatten() {
            prop_assert!(is_insertion(&text, &new) || is_insertion(&new, &text), "{text:?} {new:?}");
            prop_assert!(parse("f", &new).is_ok(), "{new:?}");
        }
    }
}
