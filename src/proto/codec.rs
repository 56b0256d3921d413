//! Reads and writes messages: by `prost`, or as the bytes that they are.

use std::marker::PhantomData;

use bytes::{Buf as _, BufMut as _, Bytes};
use prost::{DecodeError, Message};
use tonic::Status;
use tonic::codec::{self, DecodeBuf, EncodeBuf};
use tonic_prost::ProstEncoder;

/// The codec of calls whose messages `prost` reads and writes: bytes that are no such message are the caller's fault (INVALID_ARGUMENT).
#[derive(Debug)]
pub struct Codec<T, U>(PhantomData<(T, U)>);

/// The decoder of [`Codec`].
#[derive(Debug)]
pub struct Strict<U>(PhantomData<U>);

/// The codec of calls that read and write their messages themselves.
#[derive(Clone, Copy, Debug, Default)]
pub struct Plain;

// === impl Codec ===

impl<T, U> Default for Codec<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T, U> codec::Codec for Codec<T, U>
where
    T: Message + Send + 'static,
    U: Message + Default + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = ProstEncoder<T>;
    type Decoder = Strict<U>;

    fn encoder(&mut self) -> Self::Encoder {
        ProstEncoder::default()
    }

    fn decoder(&mut self) -> Self::Decoder {
        Strict(PhantomData)
    }
}

impl<U: Message + Default> codec::Decoder for Strict<U> {
    type Item = U;
    type Error = Status;

    fn decode(&mut self, bytes: &mut DecodeBuf<'_>) -> Result<Option<U>, Status> {
        U::decode(bytes).map(Some).map_err(|error| Status::invalid_argument(problem(&error)))
    }
}

// === impl Plain ===

impl codec::Codec for Plain {
    type Encode = Vec<u8>;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl codec::Encoder for Plain {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, message: Vec<u8>, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put_slice(&message);
        Ok(())
    }
}

impl codec::Decoder for Plain {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}

/// What is wrong with bytes that are no message, for the caller.
pub fn problem(error: &DecodeError) -> String {
    format!("the request cannot be read: {error}; at most 100 messages may be nested in each other")
}
