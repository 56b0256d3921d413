//! What people are to be told: gathered for a moment, so that one action of theirs makes one message.

use rustc_hash::FxHashMap;

use crate::model::id::{Id, ObjectRef, Str};

/// How many objects a message names; of more, how many there are.
const NAMED: usize = 20;

/// A message to one person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) person: Id,
    pub(super) text: String,
    pub(super) objects: Vec<ObjectRef>,
}

/// What is being gathered: (person, the restriction's text) -> objects and their names.
#[derive(Debug, Default)]
pub(super) struct Gathering(FxHashMap<(Id, Str), Vec<(ObjectRef, Str)>>);

// === impl Gathering ===

impl Gathering {
    /// Adds an object; whether it begins a message.
    pub(super) fn add(&mut self, person: &Id, text: &Str, object: &ObjectRef, name: &Str) -> bool {
        let objects = self.0.entry((person.clone(), text.clone())).or_default();
        objects.push((object.clone(), name.clone()));
        objects.len() == 1
    }

    /// The message to this person with this text.
    pub(super) fn take(&mut self, person: Id, text: Str) -> Option<Message> {
        let gathered = self.0.remove(&(person.clone(), text.clone()))?;
        let names: Vec<_> = gathered.iter().map(|(_, name)| name.as_str()).filter(|name| !name.is_empty()).collect();
        let mut text = text.to_string();
        if !names.is_empty() {
            text = format!("{text} ({})", names.iter().take(NAMED).copied().collect::<Vec<_>>().join(", "));
        }
        if names.len() > NAMED {
            text = format!("{text} and {} more", names.len() - NAMED);
        }
        Some(Message { person, text, objects: gathered.into_iter().map(|(object, _)| object).collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_names_its_objects() {
        let mut gathering = Gathering::default();
        let (ada, text) = (Id::from("ada"), Str::from("Only leads approve"));
        let object = |number: usize| ObjectRef::new("task", &number.to_string());
        assert!(gathering.add(&ada, &text, &object(0), &"sh010".into()));
        assert!(!gathering.add(&ada, &text, &object(1), &"sh020".into()));
        assert!(gathering.add(&ada, &"Other".into(), &object(2), &Str::default()));
        let message = gathering.take(ada.clone(), text.clone()).unwrap();
        assert_eq!(message.text, "Only leads approve (sh010, sh020)");
        assert_eq!(message.objects, [object(0), object(1)]);
        assert_eq!(gathering.take(ada.clone(), text.clone()), None);
        assert_eq!(gathering.take(ada.clone(), "Other".into()).unwrap().text, "Other");
        for number in 0..25 {
            gathering.add(&ada, &text, &object(number), &"x".into());
        }
        let message = gathering.take(ada, text).unwrap();
        assert!(message.text.ends_with("x) and 5 more"), "{}", message.text);
        assert!(gathering.0.is_empty());
    }
}
