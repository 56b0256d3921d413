//! Rules: alternatives, what must hold besides, or steps.

use super::{BodySource, Named, RuleSource, StepSource, ValueSource, each, name, text, texts};
use crate::model::decision::Reason;
use crate::model::id::Str;
use crate::yaml::{Data, Fields, Node, Problems};

pub(super) fn rule(key: Named<Str>, node: &Node, problems: &mut Problems) -> Option<RuleSource> {
    let key = Named { what: key.what.to_string(), place: key.place };
    if !matches!(node.data, Data::Map(_)) {
        let body = alternatives(&key, node, problems);
        return Some(RuleSource { key, scope: None, body, fields: Vec::new() });
    }
    let mut map = node.map(problems)?;
    let scope = map.take("scope").map(|node| name(node, problems));
    let fields = each(map.take("fields"), problems, |field, node, problems| {
        let field = Named { what: field.what.to_string(), place: field.place };
        if !matches!(node.data, Data::Map(_)) {
            let body = alternatives(&field, node, problems);
            return Some((field, body));
        }
        let mut map = node.map(problems)?;
        let body = body(&mut map, problems);
        map.finish(problems);
        Some((field, body))
    });
    let body = body(&mut map, problems);
    map.finish(problems);
    Some(RuleSource { key, scope, body, fields })
}

/// A rule that is a bare list. Nothing at all is a rule half written, not one for nobody.
fn alternatives(name: &Named<String>, node: &Node, problems: &mut Problems) -> BodySource {
    if node.is_null() {
        let missing = "has nothing behind its colon: write the alternatives that allow (`[]` for nobody)";
        problems.add(name.place, format!("`{}` {missing}", name.what));
    }
    BodySource { place: name.place, any: texts(node, problems), ..BodySource::default() }
}

fn body(map: &mut Fields<'_>, problems: &mut Problems) -> BodySource {
    let place = map.place;
    // `any: []` says that nobody may; leaving `any` out says nothing, and is refused.
    let any = map.entries().iter().any(|(key, _)| key.text == "any");
    let steps = map.take("steps").map(|node| steps(node, problems)).unwrap_or_default();
    if !any && steps.is_empty() {
        problems.add(place, "`any:` is missing: the alternatives that allow (`any: []` for nobody)");
    }
    let value = map.take("value").and_then(|node| value(node, problems));
    let any = map.take("any").map(|node| texts(node, problems)).unwrap_or_default();
    let all = map.take("all").map(|node| texts(node, problems)).unwrap_or_default();
    BodySource { place, value, any, all, steps }
}

fn steps(node: &Node, problems: &mut Problems) -> Vec<StepSource> {
    let mut steps = Vec::new();
    for node in node.list() {
        if matches!(node.data, Data::Scalar { .. }) {
            steps.extend(text(node, problems).map(|text| StepSource {
                any: vec![text],
                says: None,
                otherwise: Reason::NoGrant,
            }));
            continue;
        }
        let Some(mut map) = node.map(problems) else { continue };
        let any = map.need("any", problems).map(|node| texts(node, problems)).unwrap_or_default();
        let reason = map.need("else", problems);
        let otherwise = reason.and_then(|node| {
            let word = node.text(problems)?;
            let found = Reason::ALL.into_iter().find(|reason| reason.name() == word);
            if found.is_none() {
                problems.add(node.place, format!("there is no reason `{word}`"));
            }
            found
        });
        let says = map.take("says").and_then(|node| node.text(problems)).map(Str::from);
        map.finish(problems);
        steps.extend(otherwise.map(|otherwise| StepSource { any, says, otherwise }));
    }
    steps
}

fn value(node: &Node, problems: &mut Problems) -> Option<ValueSource> {
    if matches!(node.data, Data::Scalar { .. }) {
        return Some(ValueSource { kind: name(node, problems), default: None });
    }
    let mut map = node.map(problems)?;
    let kind = map.need("kind", problems).map(|node| name(node, problems));
    let default = map.take("default").and_then(|node| text(node, problems));
    map.finish(problems);
    Some(ValueSource { kind: kind?, default })
}
