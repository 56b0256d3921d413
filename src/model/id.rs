//! Ids as the tracker writes them, and the dense handles that the mirror gives them.

use std::fmt;

use compact_str::CompactString;

/// A short piece of text: stored in place up to 24 bytes.
pub type Str = CompactString;

/// An opaque id of the tracker. Two ids are equal when their text is equal, byte for byte.
///
/// A lower-case, hyphenated UUID is held as its 16 bytes; every other text as it stands.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id(Repr);

#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Repr {
    Uuid([u8; 16]),
    Text(Str),
}

/// The two ways in which an id is held, for whoever writes it down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdForm<'a> {
    /// The bytes of a lower-case, hyphenated UUID.
    Uuid(&'a [u8; 16]),
    Text(&'a str),
}

/// A person, project, task or other object of the tracker: its kind and its id.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectRef {
    pub kind: Str,
    pub id: Id,
}

/// The dense handle of one object within one directory. Never leaves the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(pub u32);

// === impl Id ===

impl Id {
    /// The id of no object: what a request carries when it names none.
    pub const EMPTY: Self = Self(Repr::Text(Str::const_new("")));

    /// Whether this is the empty text.
    pub fn is_empty(&self) -> bool {
        matches!(&self.0, Repr::Text(text) if text.is_empty())
    }

    /// The number that the id is, where it is written as one.
    pub fn number(&self) -> Option<f64> {
        match &self.0 {
            Repr::Text(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok(),
            _ => None,
        }
    }

    /// How it is held.
    pub fn form(&self) -> IdForm<'_> {
        match &self.0 {
            Repr::Uuid(bytes) => IdForm::Uuid(bytes),
            Repr::Text(text) => IdForm::Text(text),
        }
    }

    /// Compares with a text without building an id.
    pub fn is(&self, text: &str) -> bool {
        *self == Self::from(text)
    }
}

impl From<&str> for Id {
    fn from(text: &str) -> Self {
        match uuid_bytes(text.as_bytes()) {
            Some(bytes) => Self(Repr::Uuid(bytes)),
            None => Self(Repr::Text(Str::from(text))),
        }
    }
}

impl From<IdForm<'_>> for Id {
    fn from(form: IdForm<'_>) -> Self {
        match form {
            IdForm::Uuid(bytes) => Self(Repr::Uuid(*bytes)),
            IdForm::Text(text) => Self::from(text),
        }
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Repr::Text(text) => f.write_str(text),
            Repr::Uuid(bytes) => {
                for (at, byte) in bytes.iter().enumerate() {
                    if matches!(at, 4 | 6 | 8 | 10) {
                        f.write_str("-")?;
                    }
                    write!(f, "{byte:02x}")?;
                }
                Ok(())
            }
        }
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl ObjectRef {
    /// An object by kind and id text.
    pub fn new(kind: &str, id: &str) -> Self {
        Self { kind: Str::from(kind), id: Id::from(id) }
    }
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.id)
    }
}

/// The 16 bytes of a canonical UUID; `None` for any other spelling, so that equality stays byte for byte.
fn uuid_bytes(text: &[u8]) -> Option<[u8; 16]> {
    /// Where the pairs of digits begin, between the hyphens.
    const PAIRS: [usize; 16] = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];
    let text: &[u8; 36] = text.try_into().ok()?;
    if [text[8], text[13], text[18], text[23]] != [b'-'; 4] {
        return None;
    }
    let mut bytes = [0; 16];
    let mut all = 0;
    for (byte, at) in bytes.iter_mut().zip(PAIRS) {
        let (high, low) = (nibble(*text.get(at)?), nibble(*text.get(at + 1)?));
        all |= high | low;
        *byte = (high << 4) | low;
    }
    // One test for all digits: every check of a request passes here.
    (all < 16).then_some(bytes)
}

/// The value of a lower-case hexadecimal digit; more than 15 for any other byte.
fn nibble(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => u8::MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_survives_the_round_trip_byte_for_byte() {
        for text in [
            "",
            "ada",
            "0",
            "a24a6ea4-ce75-4665-a070-57453082c256",
            "A24A6EA4-CE75-4665-A070-57453082C256",
            "a24a6ea4-ce75-4665-a070-57453082c25",
            "a24a6ea4xce75-4665-a070-57453082c256",
            "{a24a6ea4-ce75-4665-a070-57453082c2}",
            "ünïcödé-ünïcödé-ünïcödé-ünïcödé",
        ] {
            assert_eq!(Id::from(text).to_string(), text);
            assert!(Id::from(text).is(text));
            assert_eq!(Id::from(Id::from(text).form()), Id::from(text));
        }
    }

    #[test]
    fn upper_case_uuid_is_another_id() {
        assert_ne!(Id::from("a24a6ea4-ce75-4665-a070-57453082c256"), Id::from("A24A6EA4-CE75-4665-A070-57453082C256"));
    }

    #[test]
    fn an_id_is_small() {
        assert!(size_of::<Id>() <= 24, "{}", size_of::<Id>());
    }
}
