//! What people are to be told: gathered for a moment, so that one action of theirs makes one message.

use std::time::Instant;

use rustc_hash::FxHashMap;

use crate::model::id::{Id, ObjectRef, Str};

/// A message to one person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) person: Id,
    pub(super) text: Str,
    pub(super) objects: Vec<ObjectRef>,
}

/// What is being gathered: (person, the restriction's text) -> since when, and the objects.
#[derive(Debug, Default)]
pub(super) struct Gathering(FxHashMap<(Id, Str), (Instant, Vec<ObjectRef>)>);

// === impl Gathering ===

impl Gathering {
    /// Adds an object; whether it begins a message.
    pub(super) fn add(&mut self, person: &Id, text: &Str, object: &ObjectRef) -> bool {
        let begin = || (Instant::now(), Vec::new());
        let (_, objects) = self.0.entry((person.clone(), text.clone())).or_insert_with(begin);
        objects.push(object.clone());
        objects.len() == 1
    }

    /// The message to this person with this text.
    pub(super) fn take(&mut self, person: Id, text: Str) -> Option<Message> {
        let (_, objects) = self.0.remove(&(person.clone(), text.clone()))?;
        Some(Message { person, text, objects })
    }

    /// Since when the message is gathered.
    pub(super) fn began(&self, person: &Id, text: &Str) -> Option<Instant> {
        self.0.get(&(person.clone(), text.clone())).map(|(began, _)| *began)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_message_is_about_all_that_was_gathered() {
        let mut gathering = Gathering::default();
        let (ada, text) = (Id::from("ada"), Str::from("Only leads approve"));
        let object = |number: usize| ObjectRef::new("task", &number.to_string());
        assert!(gathering.add(&ada, &text, &object(0)));
        assert!(!gathering.add(&ada, &text, &object(1)));
        assert!(gathering.add(&ada, &"Other".into(), &object(2)));
        assert!(gathering.began(&ada, &text).is_some() && gathering.began(&Id::from("bo"), &text).is_none());
        let message = gathering.take(ada.clone(), text.clone()).unwrap();
        assert_eq!((message.text, message.objects), (text.clone(), vec![object(0), object(1)]));
        assert_eq!(gathering.take(ada.clone(), text), None);
        assert!(!gathering.is_empty());
        assert_eq!(gathering.take(ada, "Other".into()).unwrap().objects, [object(2)]);
        assert!(gathering.is_empty());
    }
}
