//! Whether conditions compare a field with what it can hold. What does not fit is no error of the grammar: the relation
//! then never holds, and its negation always.

use super::filter::{Against, kind_of, parts};
use crate::engine::parse::{Filter, Operand, Relation};
use crate::model::schema::KindNo;

/// What fields of a data type hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holds {
    Links,
    Numbers,
    Booleans,
    Dates,
    Texts,
}

impl Holds {
    /// `None` for data types of which nothing is known.
    fn of(data_type: &str) -> Option<Self> {
        match data_type {
            "entity" | "multi_entity" | "addressing" => Some(Self::Links),
            "number" | "float" | "percent" | "duration" | "currency" | "timecode" => Some(Self::Numbers),
            "checkbox" => Some(Self::Booleans),
            "date" | "date_time" => Some(Self::Dates),
            "text" | "list" | "status_list" | "entity_type" | "uuid" | "color" | "tag_list" => Some(Self::Texts),
            _ => None,
        }
    }

    fn takes(self, relation: Relation, value: &Operand) -> bool {
        let ordered = matches!(relation, Relation::GreaterThan | Relation::LessThan | Relation::Between);
        let of_type = matches!(relation, Relation::TypeIs | Relation::TypeIsNot);
        match (self, value) {
            (Self::Links, Operand::Text(_)) => of_type,
            (_, Operand::Null) if matches!(relation, Relation::In | Relation::NotIn) => false,
            (Self::Booleans, Operand::Null) => false,
            (_, Operand::Null) | (Self::Links, Operand::Link { .. } | Operand::Me) => true,
            (Self::Booleans, Operand::Bool(_)) | (Self::Numbers, Operand::Number(_)) => true,
            (Self::Dates, Operand::Text(_)) => !of_type,
            (Self::Texts, Operand::Text(_)) => !ordered && !of_type,
            _ => false,
        }
    }
}

impl Against<'_> {
    /// What of a condition, for objects of a kind, can never be as it says.
    pub(super) fn misfits(&self, filter: &Filter, kind: KindNo) -> Vec<String> {
        match filter {
            Filter::All(list) | Filter::Any(list) => {
                list.iter().flat_map(|filter| self.misfits(filter, kind)).collect()
            }
            Filter::Leaf { path, relation, values, .. } => {
                let mut at = kind;
                let mut last = "";
                for (field, type_name) in parts(path).unwrap_or_default() {
                    last = field;
                    let Some(next) = type_name.map(|name| kind_of(self.schema, name)) else { break };
                    let Some(next) = next else { return Vec::new() };
                    at = next;
                }
                let data_type = match last {
                    "id" => "number",
                    last => self.site.and_then(|site| site.data_type(at, last)).map_or("", |name| name.as_str()),
                };
                match Holds::of(data_type) {
                    Some(holds) if !values.iter().all(|value| holds.takes(*relation, value)) => vec![format!(
                        "`{}` is of data type {data_type}, which `{}` of such a value never finds",
                        path.what,
                        relation.word()
                    )],
                    _ => Vec::new(),
                }
            }
        }
    }
}
