//! Lets clients in that send a socket's path as `:authority`.
//!
//! Over a Unix socket gRPC for C++, Python, Java and Swift names the server by the socket's path (`tmp%2Fs.sock`). That is
//! no authority of HTTP/2, and the transport refuses the call (hyperium/h2#487). Nothing here looks at the authority, so
//! in it, and nowhere else, `%` and `/` are read as `-`, before the transport sees them. Lengths stay as they are.
//!
//! ```text
//! preface ─► frame header ─► HEADERS, CONTINUATION: fields ─► value of :authority: mended
//!                       └──► all else: passed over
//! ```

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tonic::transport::server::Connected;

/// What a client says before its first frame, in bytes.
const PREFACE: usize = 24;
const FRAME_HEADER: usize = 9;
const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;
const PADDED: u8 = 0x8;
const PRIORITY: u8 = 0x20;
const NAME: &[u8] = b":authority";
/// Its number in the table that all HTTP/2 shares.
const AUTHORITY: usize = 1;

/// A connection whose authority is mended.
#[derive(Debug)]
pub struct Mended<S> {
    stream: S,
    scanner: Scanner,
}

/// Follows the frames of a client, however they are cut into pieces.
#[derive(Debug)]
struct Scanner {
    /// So many bytes are passed over before the next frame header.
    skip: usize,
    header: [u8; FRAME_HEADER],
    /// How much of the frame header has come.
    have: usize,
    frame: Option<Frame>,
    field: Field,
}

/// What is left of a frame that carries fields.
#[derive(Clone, Copy, Debug)]
struct Frame {
    /// The length of the padding comes first.
    padded: bool,
    /// Then so many bytes that are no fields.
    before: usize,
    /// Then so many bytes of fields.
    fields: usize,
    /// Then so much padding.
    padding: usize,
}

/// Where in a field the next byte stands. Fields may go on in the next frame.
#[derive(Clone, Copy, Debug)]
enum Field {
    Start,
    /// The number of an indexed field or of a table's size goes on.
    Number,
    /// The number of the field's name goes on.
    Name(Integer),
    /// The length of the name is next, or goes on.
    NameLength(Option<Integer>),
    /// So much of the name is left; so far it is the beginning of `:authority`, or it is not.
    NameText {
        left: usize,
        same: bool,
    },
    /// The length of the value is next, or goes on.
    ValueLength {
        authority: bool,
        plain: bool,
        length: Option<Integer>,
    },
    Value {
        mend: bool,
        left: usize,
    },
}

/// A number that did not fit into the first byte.
#[derive(Clone, Copy, Debug)]
struct Integer {
    value: usize,
    shift: u32,
}

// === impl Mended ===

impl<S> Mended<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, scanner: Scanner::new() }
    }
}

impl<S: Connected> Connected for Mended<S> {
    type ConnectInfo = S::ConnectInfo;

    fn connect_info(&self) -> S::ConnectInfo {
        self.stream.connect_info()
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Mended<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        self.scanner.scan(buf.filled_mut().get_mut(before..).unwrap_or_default());
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Mended<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

// === impl Scanner ===

impl Scanner {
    fn new() -> Self {
        Self { skip: PREFACE, header: [0; FRAME_HEADER], have: 0, frame: None, field: Field::Start }
    }

    /// Reads on, and mends in place.
    fn scan(&mut self, mut bytes: &mut [u8]) {
        while !bytes.is_empty() {
            let read = if self.skip > 0 {
                let passed = self.skip.min(bytes.len());
                self.skip -= passed;
                passed
            } else {
                if let Some(byte) = bytes.first_mut() {
                    self.byte(byte);
                }
                1
            };
            bytes = std::mem::take(&mut bytes).get_mut(read..).unwrap_or_default();
        }
    }

    fn byte(&mut self, byte: &mut u8) {
        let Some(frame) = &mut self.frame else { return self.frame_header(*byte) };
        if frame.padded {
            frame.padded = false;
            frame.padding = usize::from(*byte);
            frame.fields = frame.fields.saturating_sub(frame.padding);
        } else if frame.before > 0 {
            frame.before -= 1;
        } else if frame.fields > 0 {
            frame.fields -= 1;
            self.field = self.field.next(byte);
        }
        if let Some(Frame { padded: false, before: 0, fields: 0, padding }) = self.frame {
            self.skip = padding;
            self.frame = None;
        }
    }

    fn frame_header(&mut self, byte: u8) {
        if let Some(place) = self.header.get_mut(self.have) {
            *place = byte;
        }
        self.have += 1;
        if self.have < FRAME_HEADER {
            return;
        }
        self.have = 0;
        let [high, middle, low, kind, flags, ..] = self.header;
        let length = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
        if !matches!(kind, HEADERS | CONTINUATION) || length == 0 {
            self.skip = length;
            return;
        }
        if kind == HEADERS {
            self.field = Field::Start;
        }
        let padded = kind == HEADERS && flags & PADDED != 0;
        let before = if kind == HEADERS && flags & PRIORITY != 0 { 5 } else { 0 };
        let fields = length.saturating_sub(before + usize::from(padded));
        self.frame = Some(Frame { padded, before, fields, padding: 0 });
    }
}

// === impl Field ===

impl Field {
    /// Reads one byte of a field, mending it if it is the authority's.
    fn next(self, byte: &mut u8) -> Self {
        let read = *byte;
        match self {
            Self::Start if read & 0x80 != 0 => Self::indexed(read, 0x7f),
            Self::Start if read & 0xe0 == 0x20 => Self::indexed(read, 0x1f),
            Self::Start => {
                let most = if read & 0x40 != 0 { 0x3f } else { 0x0f };
                match Integer::begin(read, most) {
                    Ok(name) => Self::named(name),
                    Err(name) => Self::Name(name),
                }
            }
            Self::Number if read & 0x80 != 0 => Self::Number,
            Self::Number => Self::Start,
            Self::Name(name) => name.go_on(read).map_or_else(Self::Name, Self::named),
            // A packed name has the high bit here, and is not looked at: nobody packs only the name.
            Self::NameLength(None) => match Integer::begin(read, 0x7f) {
                Ok(length) => Self::name_text(length, usize::from(read) == NAME.len()),
                Err(rest) => Self::NameLength(Some(rest)),
            },
            Self::NameLength(Some(length)) => match length.go_on(read) {
                Ok(length) => Self::name_text(length, false),
                Err(rest) => Self::NameLength(Some(rest)),
            },
            Self::NameText { left, same } => {
                let wanted = NAME.len().checked_sub(left).and_then(|at| NAME.get(at));
                Self::name_text(left - 1, same && wanted == Some(&read))
            }
            Self::ValueLength { authority, length: None, .. } => {
                let plain = read & 0x80 == 0;
                Self::value_length(authority, plain, Integer::begin(read, 0x7f))
            }
            Self::ValueLength { authority, plain, length: Some(length) } => {
                Self::value_length(authority, plain, length.go_on(read))
            }
            Self::Value { mend, left } => {
                if mend && matches!(read, b'%' | b'/') {
                    *byte = b'-';
                }
                Self::value(mend, left - 1)
            }
        }
    }

    fn indexed(byte: u8, most: u8) -> Self {
        if byte & most == most { Self::Number } else { Self::Start }
    }

    fn named(number: usize) -> Self {
        match number {
            0 => Self::NameLength(None),
            number => Self::ValueLength { authority: number == AUTHORITY, plain: false, length: None },
        }
    }

    fn name_text(left: usize, same: bool) -> Self {
        match left {
            0 => Self::ValueLength { authority: same, plain: false, length: None },
            left => Self::NameText { left, same },
        }
    }

    fn value_length(authority: bool, plain: bool, length: Result<usize, Integer>) -> Self {
        match length {
            Ok(length) => Self::value(authority && plain, length),
            Err(rest) => Self::ValueLength { authority, plain, length: Some(rest) },
        }
    }

    fn value(mend: bool, left: usize) -> Self {
        if left == 0 { Self::Start } else { Self::Value { mend, left } }
    }
}

// === impl Integer ===

impl Integer {
    /// The number that begins in the low bits of a byte; `Err` where it goes on.
    fn begin(byte: u8, most: u8) -> Result<usize, Self> {
        let value = usize::from(byte & most);
        if byte & most == most { Err(Self { value, shift: 0 }) } else { Ok(value) }
    }

    fn go_on(self, byte: u8) -> Result<usize, Self> {
        // What overflows is refused by the transport; here it only must not panic.
        let more = usize::from(byte & 0x7f).checked_shl(self.shift).unwrap_or_default();
        let value = self.value.saturating_add(more);
        if byte & 0x80 == 0 { Ok(value) } else { Err(Self { value, shift: self.shift.saturating_add(7) }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Mends a client's bytes, cut into pieces of this length.
    fn mended(client: &[u8], piece: usize) -> Vec<u8> {
        let mut bytes = client.to_vec();
        let mut scanner = Scanner::new();
        bytes.chunks_mut(piece).for_each(|piece| scanner.scan(piece));
        bytes
    }

    fn frame(kind: u8, flags: u8, content: &[u8]) -> Vec<u8> {
        let length = u32::try_from(content.len()).unwrap().to_be_bytes();
        [&length[1..], &[kind, flags, 0, 0, 0, 1], content].concat()
    }

    /// A field without a place in the table, or with one.
    fn literal(first: u8, name: &[u8], value: &[u8]) -> Vec<u8> {
        let length = |text: &[u8]| vec![u8::try_from(text.len()).unwrap()];
        let name = if name.is_empty() { Vec::new() } else { [&length(name), name].concat() };
        [&[first], &name[..], &length(value), value].concat()
    }

    fn client(frames: &[Vec<u8>]) -> Vec<u8> {
        [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".as_slice(), &frames.concat()].concat()
    }

    #[test]
    fn only_the_authority_is_mended_however_the_bytes_come() {
        let path = literal(0x44, b"", b"/a%2F/b");
        let other = literal(0x40, b"x-path", b"/%/");
        let never = literal(0x11, b"", b"%2Frun%2Fs.sock");
        let frames = |authority: &[u8]| {
            let fields =
                [&[0x83, 0x86, 0x3f, 0xe1, 0x1f], &path[..], authority, &other[..], &[0xff, 0x80, 0x00]].concat();
            let padded = [&[2], &fields[..], b"%/"].concat();
            let ranked = [&[0, 0, 0, b'/', b'%'], &fields[..]].concat();
            let (begin, end) = fields.split_at(17);
            client(&[
                frame(4, 0, b"/%/%/%"),
                frame(1, 4, &fields),
                frame(0, 1, b"/%data%/"),
                frame(1, 4 | PADDED, &padded),
                frame(1, 4 | PRIORITY, &ranked),
                frame(1, 0, begin),
                frame(9, 4, end),
                frame(1, 4, &never),
                frame(1, 4, &[]),
            ])
        };
        let before = frames(&literal(0x41, b"", b"tmp%2Fwt/s.sock"));
        let after = frames(&literal(0x41, b"", b"tmp-2Fwt-s.sock"));
        let last = before.len() - 9 - 15;
        for piece in [1, 2, 3, 7, 64, before.len()] {
            let found = mended(&before, piece);
            assert_eq!(found[..last], after[..last], "in pieces of {piece}");
            assert_eq!(&found[last..last + 15], b"-2Frun-2Fs.sock");
        }
    }

    #[test]
    fn the_name_may_be_written_out() {
        let fields = |path: &[u8]| {
            [
                literal(0x40, b":authoritx", b"%/"),
                literal(0x40, b":path", b"/%/"),
                literal(0x40, b":authority", path),
                literal(0x40, b":authority2", b"%/"),
                literal(0x40, b"te", b"%/"),
            ]
        };
        let before = client(&[frame(1, 4, &fields(b"tmp%2Fs").concat())]);
        let after = client(&[frame(1, 4, &fields(b"tmp-2Fs").concat())]);
        for piece in [1, 4, before.len()] {
            assert_eq!(mended(&before, piece), after);
        }
    }

    #[test]
    fn what_is_right_already_or_packed_stays() {
        let right = client(&[frame(1, 4, &literal(0x41, b"", b"localhost:7300"))]);
        assert_eq!(mended(&right, 5), right);
        // The high bit of the length says that the text is packed.
        let packed = client(&[frame(1, 4, &[0x41, 0x83, b'%', b'/', b'%'])]);
        assert_eq!(mended(&packed, 5), packed);
        let long = [vec![0x41, 0x7f, 0x81, 0x01], vec![b'/'; 256], vec![0x82]].concat();
        let found = mended(&client(&[frame(1, 4, &long)]), 11);
        assert_eq!(found.iter().filter(|byte| **byte == b'-').count(), 256);
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_passed_on(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..2_000), piece in 1_usize..100) {
            let found = mended(&bytes, piece);
            proptest::prop_assert_eq!(found.len(), bytes.len());
            for (after, before) in found.iter().zip(&bytes) {
                proptest::prop_assert!(after == before || (*after == b'-' && matches!(before, b'%' | b'/')));
            }
        }
    }
}
