//! `check` and `explain`: one question from the arguments, its answer printed.

use std::process::ExitCode;

use prost_types::value::Kind;
use prost_types::{ListValue, Struct, Value};

use super::{Ask, client, output};
use crate::proto::v1;
use crate::proto::v1::authorization_client::AuthorizationClient;

/// One decision.
pub(super) fn check(ask: &Ask) -> ExitCode {
    let request = match request(ask) {
        Ok(request) => request,
        Err(problem) => return output::fail(&problem),
    };
    let answer = client::ask(&ask.addr, ask.timeout, async |channel| {
        Ok(AuthorizationClient::new(channel).check(request).await?.into_inner())
    });
    match answer {
        Ok(answer) => {
            if ask.json {
                output::say(output::answer_json(&answer));
            } else {
                output::say(output::answer(&answer));
            }
            output::exit_code(&answer)
        }
        Err(problem) => output::fail(&problem),
    }
}

/// One decision and why.
pub(super) fn explain(ask: &Ask) -> ExitCode {
    let request = match request(ask) {
        Ok(request) => request,
        Err(problem) => return output::fail(&problem),
    };
    let explanation = client::ask(&ask.addr, ask.timeout, async |channel| {
        Ok(AuthorizationClient::new(channel).explain(request).await?.into_inner())
    });
    match explanation {
        Ok(explanation) => {
            if ask.json {
                output::say(output::explanation_json(&explanation));
            } else {
                output::say(output::explanation(&explanation));
            }
            output::exit_code(&explanation.result.unwrap_or_default())
        }
        Err(problem) => output::fail(&problem),
    }
}

/// The question that the arguments ask.
pub(super) fn request(ask: &Ask) -> Result<v1::CheckRequest, String> {
    let Ask { subject, action, resource, field, value, project, properties, addr: _, json: _, timeout: _ } = ask;
    let (kind, id) = resource.split_once(':').ok_or_else(|| {
        format!("`{resource}` names no resource; write KIND:ID, like task:1234, or `KIND:` for what does not exist yet")
    })?;
    let properties = properties.as_deref().map(object).transpose()?;
    let value = value.clone().map(|text| Value { kind: Some(Kind::StringValue(text)) });
    Ok(v1::CheckRequest {
        subject: Some(self::subject(subject)),
        action: Some(v1::Action { name: action.clone(), field: field.clone(), value }),
        resource: Some(v1::Resource {
            r#type: kind.to_owned(),
            id: id.to_owned(),
            project: project.clone(),
            properties,
            complete: false,
        }),
        ..v1::CheckRequest::default()
    })
}

/// Who is meant.
pub(super) fn subject(text: &str) -> v1::Subject {
    let (kind, id) = match text.split_once(':') {
        Some((kind @ ("login" | "email" | "bot"), id)) => (kind, id),
        _ => ("person", text),
    };
    v1::Subject { r#type: kind.to_owned(), id: id.to_owned() }
}

fn object(text: &str) -> Result<Struct, String> {
    match serde_json::from_str(text) {
        Ok(serde_json::Value::Object(fields)) => Ok(to_struct(fields)),
        Ok(_) => Err(format!("--properties: `{text}` is no JSON object; write one like '{{\"for_client\": true}}'")),
        Err(error) => Err(format!("--properties: not JSON: {error}")),
    }
}

/// Attributes as they travel.
pub(super) fn to_struct(fields: serde_json::Map<String, serde_json::Value>) -> Struct {
    Struct { fields: fields.into_iter().map(|(name, value)| (name, to_value(value))).collect() }
}

/// A value as it travels.
pub(super) fn to_value(value: serde_json::Value) -> Value {
    let kind = match value {
        serde_json::Value::Null => Kind::NullValue(0),
        serde_json::Value::Bool(value) => Kind::BoolValue(value),
        serde_json::Value::Number(number) => Kind::NumberValue(number.as_f64().unwrap_or(f64::NAN)),
        serde_json::Value::String(text) => Kind::StringValue(text),
        serde_json::Value::Array(values) => {
            Kind::ListValue(ListValue { values: values.into_iter().map(to_value).collect() })
        }
        serde_json::Value::Object(fields) => Kind::StructValue(to_struct(fields)),
    };
    Value { kind: Some(kind) }
}
