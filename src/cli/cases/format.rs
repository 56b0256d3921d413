//! Reads a case file into single questions with the answer that each expects.

use crate::engine::value;
use crate::model::decision::Reason;
use crate::model::value::Value;
use crate::yaml::{Data, Fields, Node, Place, Problems, suggestion};

/// A case file.
#[derive(Debug)]
pub(super) struct CaseFile<'n> {
    pub studio: Studio<'n>,
    /// A policy overlay, by its path relative to the case file.
    pub policy: Option<(Place, &'n str)>,
    pub questions: Vec<Question>,
}

/// Where the studio comes from that the questions are about.
#[derive(Debug)]
pub(super) enum Studio<'n> {
    Inline(&'n Node),
    /// By its path relative to the case file.
    File(Place, &'n str),
    Demo,
}

/// One question and the answer it expects.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Question {
    pub place: Place,
    pub title: String,
    /// The words beside the subject: why this answer.
    pub because: String,
    pub subject: String,
    pub action: String,
    pub field: String,
    pub value: Option<Value>,
    pub kind: String,
    pub id: String,
    pub project: Option<String>,
    pub properties: Option<Value>,
    pub complete: bool,
    pub context: Option<Value>,
    pub expect: Expect,
}

/// The answer that is expected; what is `None` may be anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Expect {
    pub allow: bool,
    pub reason: Option<Reason>,
    pub rule: Option<String>,
}

/// A subject, where it stands, and the answer that it expects.
type Asker = (Place, String, String, Expect);

/// Reads a whole case file; complains about all that is wrong with it.
pub(super) fn read<'n>(root: &'n Node, problems: &mut Problems) -> Option<CaseFile<'n>> {
    let mut fields = root.map(problems)?;
    let studio = studio(&mut fields, problems);
    let policy = fields.take("policy").and_then(|node| Some((node.place, node.text(problems)?)));
    let mut questions = Vec::new();
    if let Some(cases) = fields.need("cases", problems) {
        for node in cases.list() {
            questions.extend(case(node, problems).unwrap_or_default());
        }
        if cases.list().is_empty() {
            problems.add(cases.place, "there is no case to ask");
        }
    }
    fields.finish(problems);
    Some(CaseFile { studio: studio?, policy, questions })
}

fn studio<'n>(fields: &mut Fields<'n>, problems: &mut Problems) -> Option<Studio<'n>> {
    let inline = fields.take("studio").map(Studio::Inline);
    let file = fields.take("studio_file").and_then(|node| Some(Studio::File(node.place, node.text(problems)?)));
    let demo = fields.take("demo").and_then(|node| node.bool(problems)).unwrap_or(false).then_some(Studio::Demo);
    let mut given = [inline, file, demo].into_iter().flatten();
    let first = given.next();
    if first.is_none() || given.next().is_some() {
        problems.add(fields.place, "one of `studio:`, `studio_file:` and `demo: true` is needed");
    }
    first
}

/// The questions of one case: each of its subjects asks each combination of its actions, fields, values and resources.
fn case(node: &Node, problems: &mut Problems) -> Option<Vec<Question>> {
    let mut fields = node.map(problems)?;
    let title = fields.need("title", problems).and_then(|node| node.text(problems)).unwrap_or_default();
    let actions = texts(fields.need("action", problems), problems);
    let fields_asked = texts(fields.take("field"), problems);
    let resources = texts(fields.need("resource", problems), problems);
    let values = fields.take("value").map(Node::list).unwrap_or_default();
    let values: Vec<_> = values.iter().map(|node| value::read(node, problems)).collect();
    let project = fields.take("project").and_then(|node| node.text(problems));
    let properties = fields.take("properties").and_then(|node| value::read(node, problems));
    let complete = fields.take("complete").and_then(|node| node.bool(problems)).unwrap_or(false);
    let context = fields.take("context").and_then(|node| value::read(node, problems));
    let askers = askers(&mut fields, problems);
    fields.finish(problems);
    let questions = askers.into_iter().map(|(place, subject, because, expect)| Question {
        place,
        title: title.to_owned(),
        because,
        subject,
        action: String::new(),
        field: String::new(),
        value: None,
        kind: String::new(),
        id: String::new(),
        project: project.map(str::to_owned),
        properties: properties.clone(),
        complete,
        context: context.clone(),
        expect,
    });
    let questions = spread(questions.collect(), &resources, |question, resource| {
        let (kind, id) = resource.split_once(':').unwrap_or((resource, ""));
        (question.kind, question.id) = (kind.to_owned(), id.to_owned());
    });
    let questions = spread(questions, &values, |question, value| question.value.clone_from(value));
    let questions = spread(questions, &fields_asked, |question, field| question.field.clone_from(field));
    Some(spread(questions, &actions, |question, action| question.action.clone_from(action)))
}

/// Each question once for each of the options; once as it is where there are none.
fn spread<T>(questions: Vec<Question>, options: &[T], set: impl Fn(&mut Question, &T)) -> Vec<Question> {
    if options.is_empty() {
        return questions;
    }
    let each = options.iter().flat_map(|option| questions.iter().cloned().map(move |question| (question, option)));
    each.map(|(mut question, option)| {
        set(&mut question, option);
        question
    })
    .collect()
}

/// Who asks: `allow:` and `deny:` tables, or one `subject:` with `expect:` and `reason:`.
fn askers(fields: &mut Fields<'_>, problems: &mut Problems) -> Vec<Asker> {
    let place = fields.place;
    let rule = fields.take("rule").and_then(|node| node.text(problems)).map(str::to_owned);
    let mut askers = Vec::new();
    if let Some(node) = fields.take("allow") {
        let expect = Expect { allow: true, reason: Some(Reason::Granted), rule: rule.clone() };
        named(node, &expect, problems, &mut askers);
    }
    if let Some(denied) = fields.take("deny").and_then(|node| node.map(problems)) {
        for (key, node) in denied.entries() {
            let Some(reason) = reason(&key.text, key.place, problems) else { continue };
            if reason == Reason::Granted {
                problems.add(key.place, "who is granted it stands under `allow:`");
            }
            named(node, &Expect { allow: false, reason: Some(reason), rule: rule.clone() }, problems, &mut askers);
        }
    }
    let subject = fields.take("subject");
    let expect = fields.take("expect").and_then(|node| Some((node.place, node.text(problems)?)));
    let why = fields.take("reason").and_then(|node| reason(node.text(problems)?, node.place, problems));
    match (subject, expect) {
        (Some(subject), Some((place, expect))) => match expect {
            "ALLOW" | "DENY" => {
                let allow = expect == "ALLOW";
                if why.is_some_and(|why| allow != (why == Reason::Granted)) {
                    problems.add(place, "only GRANTED allows, and it always does");
                }
                named(subject, &Expect { allow, reason: why, rule }, problems, &mut askers);
            }
            other => problems.add(place, format!("`expect: {other}`: write ALLOW or DENY")),
        },
        (None, None) if askers.is_empty() => {
            problems.add(place, "nobody asks: write `allow:`, `deny:`, or `subject:` with `expect:`");
        }
        (None, None) => {}
        _ => problems.add(place, "`subject:` and `expect:` belong together"),
    }
    twice(&askers, problems);
    askers
}

/// Subjects as a list, or as a map from each to the words that say why.
fn named(node: &Node, expect: &Expect, problems: &mut Problems, askers: &mut Vec<Asker>) {
    if let Data::Map(entries) = &node.data {
        for (key, because) in entries {
            let because = if because.is_null() { "" } else { because.text(problems).unwrap_or_default() };
            askers.push((key.place, key.text.clone(), because.to_owned(), expect.clone()));
        }
        return;
    }
    for subject in node.list() {
        if let Some(text) = subject.text(problems) {
            askers.push((subject.place, text.to_owned(), String::new(), expect.clone()));
        }
    }
}

fn twice(askers: &[Asker], problems: &mut Problems) {
    for (at, (place, subject, ..)) in askers.iter().enumerate() {
        if let Some((first, ..)) = askers.iter().take(at).find(|(_, earlier, ..)| earlier == subject) {
            problems.add(*place, format!("`{subject}` stands twice in this case; first in line {}", first.line));
        }
    }
}

fn reason(text: &str, place: Place, problems: &mut Problems) -> Option<Reason> {
    let found = Reason::ALL.into_iter().find(|reason| reason.name() == text);
    if found.is_none() {
        let hint = suggestion(text, Reason::ALL.map(Reason::name));
        problems.add(place, format!("there is no reason `{text}`{hint}"));
    }
    found
}

fn texts(node: Option<&Node>, problems: &mut Problems) -> Vec<String> {
    let nodes = node.map(Node::list).unwrap_or_default();
    nodes.iter().filter_map(|node| node.text(problems).map(str::to_owned)).collect()
}
