//! The one table from what is wrong with a call to the status that it gets.

use prost::DecodeError;
use tonic::{Code, Status};

use super::MAX_MESSAGE_BYTES;
use crate::proto::codec;

/// Why a call, or one item of it, is not answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A field of the request is not as it must be.
    #[error("{field}: {problem}")]
    Field { field: &'static str, problem: String },
    /// A field of the request is over a limit.
    #[error("{field}: {found} {unit}; at most {limit} are accepted")]
    Limit { field: &'static str, found: usize, limit: usize, unit: &'static str },
    /// The bytes are no message of the API.
    #[error("{0}")]
    Unreadable(String),
    /// The message as a whole is too large.
    #[error("the request message is over the limit `message_bytes`: at most {limit} bytes are read; send fewer items")]
    MessageBytes { limit: usize },
    /// The call's time ran out.
    #[error("{0}")]
    Deadline(&'static str),
    /// The server is about to end.
    #[error("the server is shutting down; ask again elsewhere or a little later")]
    Draining,
    /// What the transport says about a stream of requests.
    #[error("{message}")]
    Wire { code: Code, message: String },
    /// An answer is missing that must be there.
    #[error("an answer was lost in the server; this is a bug of stagedoor, please report it")]
    Lost,
    /// The API has this call, this version does not.
    #[error("{0} is not available in this version of stagedoor")]
    NotYet(&'static str),
}

impl Refusal {
    /// The table.
    pub fn code(&self) -> Code {
        match self {
            Self::Field { .. } | Self::Limit { .. } | Self::Unreadable(_) => Code::InvalidArgument,
            Self::MessageBytes { .. } => Code::ResourceExhausted,
            Self::Deadline(_) => Code::DeadlineExceeded,
            Self::Draining => Code::Unavailable,
            Self::Wire { code, .. } => *code,
            Self::Lost => Code::Internal,
            Self::NotYet(_) => Code::Unimplemented,
        }
    }

    /// What ended a stream of requests.
    pub fn from_wire(status: &Status) -> Self {
        match status.code() {
            // The transport's word for a message over the limit.
            Code::OutOfRange => Self::MessageBytes { limit: MAX_MESSAGE_BYTES },
            code => Self::Wire { code, message: status.message().to_owned() },
        }
    }
}

impl From<DecodeError> for Refusal {
    fn from(error: DecodeError) -> Self {
        Self::Unreadable(codec::problem(&error))
    }
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        Self::new(refusal.code(), refusal.to_string())
    }
}
