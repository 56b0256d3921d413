//! The values that fields of a record, properties of a request and an action's new value can have.

use super::id::Str;

/// A value as the tracker or a caller gives it. Ids are texts here; the schema says which fields refer to objects.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Value {
    #[default]
    Null,
    Bool(bool),
    Number(f64),
    Text(Str),
    List(Vec<Value>),
    Map(Vec<(Str, Value)>),
}

impl Value {
    /// A text value.
    pub fn text(text: &str) -> Self {
        Self::Text(Str::from(text))
    }

    /// A list of texts.
    pub fn texts<'a>(texts: impl IntoIterator<Item = &'a str>) -> Self {
        Self::List(texts.into_iter().map(Self::text).collect())
    }

    /// A link to an object of the kind that the tracker calls so.
    pub fn link(type_name: &str, id: &str) -> Self {
        Self::Map(vec![(Str::const_new("type"), Self::text(type_name)), (Str::const_new("id"), Self::text(id))])
    }

    /// The type and id of a link; `None` where this is none. Other members are not looked at.
    pub fn as_link(&self) -> Option<(&str, &str)> {
        Some((self.get("type")?.as_text()?, self.get("id")?.as_text()?))
    }

    /// The member of a map; `None` where absent or where this is no map.
    pub fn get(&self, name: &str) -> Option<&Value> {
        match self {
            Self::Map(entries) => entries.iter().find(|(key, _)| key == name).map(|(_, value)| value),
            _ => None,
        }
    }

    /// The text, where this is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<Option<&str>> for Value {
    fn from(text: Option<&str>) -> Self {
        text.map_or(Self::Null, Self::text)
    }
}
