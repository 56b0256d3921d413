//! Reads and writes protobuf messages, and says what is wrong with bytes that are none.

use std::marker::PhantomData;

use bytes::Buf as _;
use prost::{DecodeError, Message};
use tonic::Status;
use tonic::codec::{self, DecodeBuf};
use tonic_prost::ProstEncoder;

/// The codec of all calls: bytes that are no such message are the caller's fault (INVALID_ARGUMENT).
#[derive(Debug)]
pub struct Codec<T, U>(PhantomData<(T, U)>);

/// The decoder of [`Codec`].
#[derive(Debug)]
pub struct Strict<U>(PhantomData<U>);

/// A codec for request streams: bytes that are no such message spoil only their own item.
#[derive(Debug)]
pub struct LenientCodec<T, U>(PhantomData<(T, U)>);

/// The decoder of [`LenientCodec`].
#[derive(Debug)]
pub struct Lenient<U>(PhantomData<U>);

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

// === impl LenientCodec ===

impl<T, U> Default for LenientCodec<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T, U> codec::Codec for LenientCodec<T, U>
where
    T: Message + Send + 'static,
    U: Message + Default + Send + 'static,
{
    type Encode = T;
    type Decode = Result<U, DecodeError>;
    type Encoder = ProstEncoder<T>;
    type Decoder = Lenient<U>;

    fn encoder(&mut self) -> Self::Encoder {
        ProstEncoder::default()
    }

    fn decoder(&mut self) -> Self::Decoder {
        Lenient(PhantomData)
    }
}

impl<U: Message + Default> codec::Decoder for Lenient<U> {
    type Item = Result<U, DecodeError>;
    type Error = Status;

    fn decode(&mut self, bytes: &mut DecodeBuf<'_>) -> Result<Option<Self::Item>, Status> {
        let item = U::decode(&mut *bytes);
        // What a failed read left over belongs to this item: the next one begins behind it.
        bytes.advance(bytes.remaining());
        Ok(Some(item))
    }
}

/// What is wrong with bytes that are no message, for the caller.
pub fn problem(error: &DecodeError) -> String {
    format!("the request cannot be read: {error}; at most 100 messages may be nested in each other")
}
