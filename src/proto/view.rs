//! Requests that are read where they lie: texts are borrowed from the bytes of the message, all else is as `prost` has it.
//!
//! ```text
//! bytes ─► prost: keys, lengths, nesting, unknown fields ─► Fields: which field goes where
//! ```
//!
//! Invariant: what `prost` reads from the same bytes is what is read here, and what it refuses is refused.

#[cfg(test)]
mod tests;

use bytes::{Buf, BufMut};
use prost::encoding::{self, DecodeContext, WireType, message, string};
use prost::{DecodeError, Message};
use prost_types::{Struct, Value};

use super::v1::Consistency;

/// The most items of a batch that are kept: a few bytes each on the wire, some hundred in memory.
pub const MOST_ITEMS: usize = 10_000;

/// See [`v1::Subject`](super::v1::Subject).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Subject<'a> {
    pub r#type: &'a str,
    pub id: &'a str,
}

/// See [`v1::Action`](super::v1::Action).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Action<'a> {
    pub name: &'a str,
    pub field: &'a str,
    pub value: Option<Value>,
}

/// See [`v1::Resource`](super::v1::Resource).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Resource<'a> {
    pub r#type: &'a str,
    pub id: &'a str,
    pub project: &'a str,
    pub properties: Option<Struct>,
    pub complete: bool,
}

/// See [`v1::CheckRequest`](super::v1::CheckRequest).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CheckRequest<'a> {
    pub subject: Option<Subject<'a>>,
    pub action: Option<Action<'a>>,
    pub resource: Option<Resource<'a>>,
    pub context: Option<Struct>,
    pub consistency: Option<Consistency>,
    pub correlation_id: &'a str,
}

/// See [`v1::BatchCheckRequest`](super::v1::BatchCheckRequest).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BatchCheckRequest<'a> {
    pub subject: Option<Subject<'a>>,
    pub action: Option<Action<'a>>,
    pub resource: Option<Resource<'a>>,
    pub context: Option<Struct>,
    pub consistency: Option<Consistency>,
    pub items: Vec<CheckRequest<'a>>,
    /// Items beyond [`MOST_ITEMS`]: they were read like the others, and not kept.
    pub more_items: usize,
}

/// See [`v1::ListActionsRequest`](super::v1::ListActionsRequest).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ListActionsRequest<'a> {
    pub subject: Option<Subject<'a>>,
    pub resource: Option<Resource<'a>>,
    pub context: Option<Struct>,
    pub include_denied: bool,
}

/// A message whose texts are borrowed.
pub trait View<'a>: Fields<'a> + Default {
    /// Reads a whole message.
    ///
    /// # Errors
    /// Where the bytes are no such message.
    fn read(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut message = Self::default();
        Reading { message: &mut message, bytes }.merge(bytes)?;
        Ok(message)
    }
}

impl<'a, T: Fields<'a> + Default> View<'a> for T {}

/// Which field goes where.
pub trait Fields<'a>: Send + Sync {
    /// Takes one field in.
    ///
    /// # Errors
    /// Where it is not as its type must be.
    fn take<B: Buf>(&mut self, field: Field<'a, '_, B>) -> Result<(), DecodeError>;
}

/// One field of a message, its key read and its content not.
#[derive(Debug)]
pub struct Field<'a, 'b, B> {
    /// The whole message, of which `buf` is what is left.
    bytes: &'a [u8],
    tag: u32,
    wire_type: WireType,
    buf: &'b mut B,
    context: DecodeContext,
}

/// A message as `prost` may fill it.
struct Reading<'m, 'a, M> {
    message: &'m mut M,
    bytes: &'a [u8],
}

// === the messages ===

impl<'a> Fields<'a> for Subject<'a> {
    fn take<B: Buf>(&mut self, field: Field<'a, '_, B>) -> Result<(), DecodeError> {
        match field.tag {
            1 => field.text(&mut self.r#type).map_err(within("Subject", "r#type")),
            2 => field.text(&mut self.id).map_err(within("Subject", "id")),
            _ => field.skip(),
        }
    }
}

impl<'a> Fields<'a> for Action<'a> {
    fn take<B: Buf>(&mut self, field: Field<'a, '_, B>) -> Result<(), DecodeError> {
        match field.tag {
            1 => field.text(&mut self.name).map_err(within("Action", "name")),
            2 => field.text(&mut self.field).map_err(within("Action", "field")),
            3 => field.owned(&mut self.value).map_err(within("Action", "value")),
            _ => field.skip(),
        }
    }
}

impl<'a> Fields<'a> for Resource<'a> {
    fn take<B: Buf>(&mut self, field: Field<'a, '_, B>) -> Result<(), DecodeError> {
        match field.tag {
            1 => field.text(&mut self.r#type).map_err(within("Resource", "r#type")),
            2 => field.text(&mut self.id).map_err(within("Resource", "id")),
            3 => field.text(&mut self.project).map_err(within("Resource", "project")),
            4 => field.owned(&mut self.properties).map_err(within("Resource", "properties")),
            5 => field.flag(&mut self.complete).map_err(within("Resource", "complete")),
            _ => field.skip(),
        }
    }
}

impl<'a> Fields<'a> for CheckRequest<'a> {
    fn take<B: Buf>(&mut self, field: Field<'a, '_, B>) -> Result<(), DecodeError> {
        match field.tag {
            1 => field.view(&mut self.subject).map_err(within("CheckRequest", "subject")),
            2 => field.view(&mut self.action).map_err(within("CheckRequest", "action")),
            3 => field.view(&mut self.resource).map_err(within("CheckRequest", "resource")),
            4 => field.owned(&mut self.context).map_err(within("CheckRequest", "context")),
            5 => field.owned(&mut self.consistency).map_err(within("CheckRequest", "consistency")),
            6 => field.text(&mut self.correlation_id).map_err(within("CheckRequest", "correlation_id")),
            _ => field.skip(),
        }
    }
}

impl<'a> Fields<'a> for BatchCheckRequest<'a> {
    fn take<B: Buf>(&mut self, field: Field<'a, '_, B>) -> Result<(), DecodeError> {
        match field.tag {
            1 => field.view(&mut self.subject).map_err(within("BatchCheckRequest", "subject")),
            2 => field.view(&mut self.action).map_err(within("BatchCheckRequest", "action")),
            3 => field.view(&mut self.resource).map_err(within("BatchCheckRequest", "resource")),
            4 => field.owned(&mut self.context).map_err(within("BatchCheckRequest", "context")),
            5 => field.owned(&mut self.consistency).map_err(within("BatchCheckRequest", "consistency")),
            6 if self.items.len() == MOST_ITEMS => {
                self.more_items += 1;
                field.merge_into(&mut CheckRequest::default()).map_err(within("BatchCheckRequest", "items"))
            }
            6 => field.views(&mut self.items).map_err(within("BatchCheckRequest", "items")),
            _ => field.skip(),
        }
    }
}

impl<'a> Fields<'a> for ListActionsRequest<'a> {
    fn take<B: Buf>(&mut self, field: Field<'a, '_, B>) -> Result<(), DecodeError> {
        match field.tag {
            1 => field.view(&mut self.subject).map_err(within("ListActionsRequest", "subject")),
            2 => field.view(&mut self.resource).map_err(within("ListActionsRequest", "resource")),
            3 => field.owned(&mut self.context).map_err(within("ListActionsRequest", "context")),
            4 => field.flag(&mut self.include_denied).map_err(within("ListActionsRequest", "include_denied")),
            _ => field.skip(),
        }
    }
}

/// Says where the error is.
fn within(message: &'static str, field: &'static str) -> impl FnOnce(DecodeError) -> DecodeError {
    move |mut error| {
        error.push(message, field);
        error
    }
}

// === impl Field ===

impl<'a, B: Buf> Field<'a, '_, B> {
    fn text(self, to: &mut &'a str) -> Result<(), DecodeError> {
        encoding::check_wire_type(WireType::LengthDelimited, self.wire_type)?;
        let rest = self.rest();
        encoding::skip_field(self.wire_type, self.tag, self.buf, self.context.clone())?;
        let mut whole = rest.get(..rest.len().saturating_sub(self.buf.remaining())).unwrap_or_default();
        let mut content = whole;
        encoding::decode_varint(&mut content)?;
        match std::str::from_utf8(content) {
            Ok(text) => *to = text,
            // It is for `prost` to say what is wrong.
            Err(_) => string::merge(self.wire_type, &mut String::new(), &mut whole, self.context)?,
        }
        Ok(())
    }

    /// A message that is given twice is merged: what the second leaves out stays.
    fn view<M: Fields<'a> + Default>(self, to: &mut Option<M>) -> Result<(), DecodeError> {
        let message = to.get_or_insert_default();
        self.merge_into(message)
    }

    fn views<M: Fields<'a> + Default>(self, to: &mut Vec<M>) -> Result<(), DecodeError> {
        if to.is_empty() {
            // About as many as follow, if they are as short as a short question.
            to.reserve((self.buf.remaining() / 32).clamp(1, 256));
        }
        to.push(M::default());
        match to.last_mut() {
            Some(message) => self.merge_into(message),
            None => Ok(()),
        }
    }

    fn merge_into<M: Fields<'a>>(self, message: &mut M) -> Result<(), DecodeError> {
        let mut message = Reading { message, bytes: self.bytes };
        message::merge(self.wire_type, &mut message, self.buf, self.context)
    }

    fn owned<M: Message + Default>(self, to: &mut Option<M>) -> Result<(), DecodeError> {
        message::merge(self.wire_type, to.get_or_insert_default(), self.buf, self.context)
    }

    fn flag(self, to: &mut bool) -> Result<(), DecodeError> {
        encoding::bool::merge(self.wire_type, to, self.buf, self.context)
    }

    fn skip(self) -> Result<(), DecodeError> {
        encoding::skip_field(self.wire_type, self.tag, self.buf, self.context)
    }

    /// What is left of the message.
    fn rest(&self) -> &'a [u8] {
        let read = self.bytes.len().saturating_sub(self.buf.remaining());
        self.bytes.get(read..).unwrap_or_default()
    }
}

// === impl Reading ===

impl<'a, M: Fields<'a>> Message for Reading<'_, 'a, M> {
    fn merge_field(
        &mut self,
        tag: u32,
        wire_type: WireType,
        buf: &mut impl Buf,
        context: DecodeContext,
    ) -> Result<(), DecodeError> {
        self.message.take(Field { bytes: self.bytes, tag, wire_type, buf, context })
    }

    // The rest of the trait is for what is written; this is only read.

    fn encode_raw(&self, _: &mut impl BufMut) {}

    fn encoded_len(&self) -> usize {
        0
    }

    fn clear(&mut self) {}
}
