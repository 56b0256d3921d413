//! The file: what it is, of which tracker and moment, and the bytes of the mirror, every one of them under a checksum.
//!
//! ```text
//! magic · format · length of the head · head · checksum of all before · the mirror's bytes (their checksum is in the head)
//! ```

use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use rustc_hash::FxHashSet;
use twox_hash::XxHash3_64;

use crate::authorizer::Taken;
use crate::directory::Damaged;
use crate::model::schema::Schema;

/// What every snapshot begins with.
const MAGIC: [u8; 8] = *b"\x89SDMIR\r\n";
/// The form of everything after it. One more too where a connector begins to fill a field otherwise: what was written before
/// then means something else.
const FORMAT: u32 = 1;
/// Before the head: magic, format, length.
const BEFORE: usize = 16;
/// Seconds before 1970 are nobody's `as_of`.
const EPOCH: SystemTime = SystemTime::UNIX_EPOCH;
/// How many fields are named where a snapshot has others.
const NAMED: usize = 5;

/// Of what, and of when, a snapshot is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The tracker: its pack and where it is.
    pub of: String,
    /// Of all there is to the schema.
    schema: u64,
    /// Its kinds and fields, for people: a line each.
    names: String,
    pub revision: u64,
    pub as_of: SystemTime,
}

/// Why a file is not used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    #[error("it is no snapshot of stagedoor; it is replaced after the load")]
    Magic,
    #[error(
        "it has format {0} and this version reads {FORMAT}: another version wrote it; it is replaced after the load"
    )]
    Format(u32),
    #[error("it is cut short or has too much: {has} bytes where {needs} belong; it is replaced after the load")]
    Length { has: usize, needs: usize },
    #[error("its checksum is wrong: the disk or something else has changed it; it is replaced after the load")]
    Checksum,
    #[error(
        "its head cannot be read although its checksum is right; please report this; it is replaced after the load"
    )]
    Head,
    #[error(
        "its content cannot be read although its checksum is right ({0}); please report this; it is replaced after the load"
    )]
    Content(Damaged),
    #[error("it is of another tracker, `{0}`; give each its own `snapshot_dir`; it is replaced after the load")]
    Tracker(String),
    #[error("it was written for another policy or version: {0}; it is replaced after the load")]
    Schema(String),
    #[error("it is as of a time to come: the machine's clock was set; it is replaced after the load")]
    Future,
    #[error("it is older than a year; it is replaced after the load")]
    Old,
}

/// What comes before the mirror's bytes in the file.
pub fn seal(head: &Head, body: &[u8]) -> Vec<u8> {
    let Head { of, schema, names, revision, as_of } = head;
    let micros = as_of.duration_since(EPOCH).map_or(0, |since| u64::try_from(since.as_micros()).unwrap_or(u64::MAX));
    let mut inner = Vec::new();
    for text in [of, names] {
        inner.extend(length(text.len()).to_le_bytes());
        inner.extend(text.as_bytes());
    }
    for number in [*schema, *revision, micros, length(body.len()), XxHash3_64::oneshot(body)] {
        inner.extend(number.to_le_bytes());
    }
    let mut sealed = Vec::with_capacity(BEFORE + inner.len() + 8);
    sealed.extend(MAGIC);
    sealed.extend(FORMAT.to_le_bytes());
    // A head is a few thousand bytes long.
    sealed.extend(u32::try_from(inner.len()).unwrap_or(u32::MAX).to_le_bytes());
    sealed.extend(inner);
    let checksum = XxHash3_64::oneshot(&sealed);
    sealed.extend(checksum.to_le_bytes());
    sealed
}

/// The head and the mirror's bytes of a whole file.
///
/// # Errors
/// Where it is not one, as far as that can be told without knowing what it should be of.
pub fn open(bytes: &[u8]) -> Result<(Head, &[u8]), Wrong> {
    let mut rest = Rest(bytes);
    if !MAGIC.starts_with(bytes.get(..MAGIC.len()).unwrap_or(bytes)) || bytes.is_empty() {
        return Err(Wrong::Magic);
    }
    let short = |needs| Wrong::Length { has: bytes.len(), needs };
    rest.take(MAGIC.len()).ok_or(short(BEFORE))?;
    let format = rest.word().ok_or(short(BEFORE))?;
    if format != FORMAT {
        return Err(Wrong::Format(format));
    }
    let inner = usize::try_from(rest.word().ok_or(short(BEFORE))?).map_err(|_| Wrong::Head)?;
    let sealed = BEFORE.saturating_add(inner);
    let mut head = Rest(rest.take(inner).ok_or(short(sealed.saturating_add(8)))?);
    let checksum = rest.number().ok_or(short(sealed.saturating_add(8)))?;
    if bytes.get(..sealed).map(XxHash3_64::oneshot) != Some(checksum) {
        return Err(Wrong::Checksum);
    }
    let (read, size, checksum) = head.head().filter(|_| head.0.is_empty()).ok_or(Wrong::Head)?;
    let Rest(body) = rest;
    let size = usize::try_from(size).map_err(|_| Wrong::Head)?;
    if body.len() != size {
        return Err(short(sealed.saturating_add(8).saturating_add(size)));
    }
    if XxHash3_64::oneshot(body) != checksum {
        return Err(Wrong::Checksum);
    }
    Ok((read, body))
}

// === impl Head ===

impl Head {
    /// The head of a snapshot that is taken now.
    pub fn new(of: &str, schema: &Schema, taken: Taken) -> Self {
        let Taken { revision, as_of, .. } = taken;
        Self { of: of.to_owned(), schema: digest(schema), names: names(schema), revision, as_of }
    }

    /// Whether it is of this tracker and of a mirror that is made so.
    ///
    /// # Errors
    /// Where it is not, with what differs.
    pub fn fits(&self, of: &str, schema: &Schema) -> Result<(), Wrong> {
        if self.of != of {
            return Err(Wrong::Tracker(self.of.clone()));
        }
        if self.schema == digest(schema) {
            return Ok(());
        }
        let now = names(schema);
        let (then, now): (FxHashSet<_>, FxHashSet<_>) = (self.names.lines().collect(), now.lines().collect());
        let only = |these: &FxHashSet<&str>, those: &FxHashSet<&str>| {
            let mut only: Vec<_> = these.difference(those).copied().collect();
            only.sort_unstable();
            let more = only.len().saturating_sub(NAMED);
            only.truncate(NAMED);
            let mut text = only.join(", ");
            if more > 0 {
                let _written = write!(text, " and {more} more");
            }
            text
        };
        Err(Wrong::Schema(match (only(&now, &then), only(&then, &now)) {
            (lacks, _) if !lacks.is_empty() => format!("it lacks {lacks}"),
            (_, has) if !has.is_empty() => format!("it has {has}, which is not mirrored now"),
            _ => "its fields refer to each other otherwise".to_owned(),
        }))
    }
}

/// Every part of a schema bears on what a mirror's bytes mean.
fn digest(schema: &Schema) -> u64 {
    XxHash3_64::oneshot(format!("{schema:?}").as_bytes())
}

fn names(schema: &Schema) -> String {
    let mut names = String::new();
    for kind in &schema.kinds {
        let fields = kind.fields.iter().map(|field| format!("{}.{}\n", kind.name, field.name));
        names.push_str(&format!("{}\n", kind.name));
        names.extend(fields);
    }
    names
}

fn length(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

/// What was not read yet.
struct Rest<'b>(&'b [u8]);

impl<'b> Rest<'b> {
    fn take(&mut self, len: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    fn word(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    fn number(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }

    fn text(&mut self) -> Option<String> {
        let len = usize::try_from(self.number()?).ok()?;
        Some(std::str::from_utf8(self.take(len)?).ok()?.to_owned())
    }

    /// The head, and length and checksum of what comes after it.
    fn head(&mut self) -> Option<(Head, u64, u64)> {
        let (of, names) = (self.text()?, self.text()?);
        let (schema, revision) = (self.number()?, self.number()?);
        let as_of = EPOCH.checked_add(Duration::from_micros(self.number()?))?;
        Some((Head { of, schema, names, revision, as_of }, self.number()?, self.number()?))
    }
}
