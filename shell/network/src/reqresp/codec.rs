//! The `ssz_snappy` encoding of requests and response chunks.
//!
//! `<varint SSZ length> <snappy frames>`. Every length is checked before memory is taken for it: the
//! length prefix against the bounds of the SSZ type, each frame against what the prefix still allows, and
//! the bytes read in total against `max_compressed_len`.
//!
//! <https://github.com/ethereum/consensus-specs/blob/master/specs/phase0/p2p-interface.md#ssz-snappy-encoding-strategy>

use std::io::{self, Read, Write};

use futures::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use thiserror::Error;

use super::protocol::Protocol;
use super::sizes::Bounds;
use crate::config::{RequestLimits, max_compressed_len};

/// Longest error message, bytes: `List[Byte, 256]`.
pub(crate) const ERROR_MESSAGE_MAX: usize = 256;
/// Largest frame body: a checksum and 65,536 bytes that snappy could not compress.
const FRAME_MAX: usize = 4 + 32 + 65_536 + 65_536 / 6;
const FRAME_PLAIN_MAX: usize = 65_536;

/// How the bytes of a peer broke the encoding.
#[derive(Debug, Error)]
pub(crate) enum CodecError {
    #[error("connection: {0}")]
    Io(io::Error),
    #[error("the length prefix is not a minimal varint of at most 10 bytes")]
    Varint,
    #[error("a length of {0} bytes is outside the bounds of the type")]
    Length(u64),
    #[error("more compressed bytes than the declared length can need")]
    TooManyBytes,
    #[error("frame: {0}")]
    Frame(&'static str),
    #[error("snappy: {0}")]
    Snappy(String),
    #[error("the stream ended inside a message")]
    EarlyEnd,
    #[error("bytes follow the message")]
    Trailing,
}

impl From<io::Error> for CodecError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::EarlyEnd,
            _ => Self::Io(error),
        }
    }
}

/// One response chunk.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Chunk {
    Success { context: Option<[u8; 4]>, ssz: Vec<u8> },
    Error { code: u8, message: String },
}

/// `ssz` with its length prefix and framed.
pub(crate) fn encode_payload(ssz: &[u8]) -> Vec<u8> {
    let mut prefix = unsigned_varint::encode::usize_buffer();
    let prefix = unsigned_varint::encode::usize(ssz.len(), &mut prefix);
    let mut frames = snap::write::FrameEncoder::new(prefix.to_vec());
    frames.write_all(ssz).expect("writing to memory cannot fail");
    frames.into_inner().unwrap_or_else(|_| unreachable!("writing to memory cannot fail"))
}

/// A successful response chunk.
pub(crate) fn encode_chunk(context: Option<[u8; 4]>, ssz: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0];
    bytes.extend(context.into_iter().flatten());
    bytes.extend(encode_payload(ssz));
    bytes
}

/// An error chunk; the message is cut to 256 bytes.
pub(crate) fn encode_error(code: u8, message: &str) -> Vec<u8> {
    let mut bytes = vec![code];
    bytes.extend(encode_payload(&message.as_bytes()[..message.len().min(ERROR_MESSAGE_MAX)]));
    bytes
}

/// Reads a whole request up to the end of the stream's write side.
pub(crate) async fn read_request<S>(
    stream: &mut S,
    protocol: Protocol,
    limits: &RequestLimits,
) -> Result<Vec<u8>, CodecError>
where
    S: AsyncRead + Unpin,
{
    let Some(bounds) = protocol.request_bounds(limits) else {
        // Without content there is nothing to wait for, not even for the peer to close its side.
        return Ok(Vec::new());
    };
    let ssz = read_payload(stream, bounds).await?;
    if stream.read(&mut [0]).await? != 0 {
        return Err(CodecError::Trailing);
    }
    Ok(ssz)
}

/// Writes a request and closes the write side.
pub(crate) async fn write_request<S>(stream: &mut S, protocol: Protocol, ssz: &[u8]) -> io::Result<()>
where
    S: AsyncWrite + Unpin,
{
    if !protocol.method.is_asked_without_content() {
        stream.write_all(&encode_payload(protocol.cut(ssz))).await?;
    }
    stream.close().await
}

/// Reads the next chunk; `None` at a clean end of the stream. `success` are the bounds of a successful one.
pub(crate) async fn read_chunk<S>(
    stream: &mut S,
    protocol: Protocol,
    success: Bounds,
) -> Result<Option<Chunk>, CodecError>
where
    S: AsyncRead + Unpin,
{
    let mut result = [0];
    if stream.read(&mut result).await? == 0 {
        return Ok(None);
    }
    if result[0] != 0 {
        let message = read_payload(stream, Bounds::up_to(ERROR_MESSAGE_MAX)).await?;
        let message = String::from_utf8_lossy(&message).into_owned();
        return Ok(Some(Chunk::Error { code: result[0], message }));
    }
    let mut context = None;
    if protocol.has_context() {
        let mut digest = [0; 4];
        stream.read_exact(&mut digest).await?;
        context = Some(digest);
    }
    let ssz = read_payload(stream, success).await?;
    Ok(Some(Chunk::Success { context, ssz }))
}

async fn read_length<S: AsyncRead + Unpin>(stream: &mut S) -> Result<u64, CodecError> {
    let mut buffer = unsigned_varint::encode::u64_buffer();
    for index in 0..buffer.len() {
        stream.read_exact(&mut buffer[index..=index]).await?;
        if buffer[index] & 0x80 == 0 {
            let decoded = unsigned_varint::decode::u64(&buffer[..=index]);
            return decoded.map(|(length, _)| length).map_err(|_| CodecError::Varint);
        }
    }
    Err(CodecError::Varint)
}

async fn read_payload<S>(stream: &mut S, bounds: Bounds) -> Result<Vec<u8>, CodecError>
where
    S: AsyncRead + Unpin,
{
    let length = read_length(stream).await?;
    if !bounds.allow(length) {
        return Err(CodecError::Length(length));
    }
    let length = usize::try_from(length).map_err(|_| CodecError::Length(length))?;
    if length == 0 {
        return Ok(Vec::new());
    }
    let frames = read_frames(stream, length).await?;
    let mut ssz = vec![0; length];
    let mut decoder = snap::read::FrameDecoder::new(frames.as_slice());
    decoder.read_exact(&mut ssz).map_err(|error| CodecError::Snappy(error.to_string()))?;
    Ok(ssz)
}

/// Collects frames until they hold `length` plain bytes. The buffer grows only with what has arrived, so
/// a peer cannot make us reserve more than it sends.
async fn read_frames<S>(stream: &mut S, length: usize) -> Result<Vec<u8>, CodecError>
where
    S: AsyncRead + Unpin,
{
    let budget = max_compressed_len(length);
    let mut frames = Vec::new();
    let mut plain = 0;
    while plain < length {
        let mut header = [0; 4];
        stream.read_exact(&mut header).await?;
        let kind = header[0];
        let body = usize::from(header[1]) | usize::from(header[2]) << 8 | usize::from(header[3]) << 16;
        if frames.len() + header.len() + body > budget {
            return Err(CodecError::TooManyBytes);
        }
        if matches!(kind, 0x00 | 0x01) && !(4..=FRAME_MAX).contains(&body) {
            return Err(CodecError::Frame("a data frame of impossible size"));
        }
        let start = frames.len() + header.len();
        frames.extend_from_slice(&header);
        frames.resize(start + body, 0);
        stream.read_exact(&mut frames[start..]).await?;
        let held = match kind {
            0x00 => snap::raw::decompress_len(&frames[start + 4..])
                .map_err(|error| CodecError::Snappy(error.to_string()))?,
            0x01 => body - 4,
            0x80..=0xff => 0,
            _ => return Err(CodecError::Frame("a reserved kind that must not be skipped")),
        };
        if held > FRAME_PLAIN_MAX {
            return Err(CodecError::Frame("more than 65,536 bytes in one frame"));
        }
        plain += held;
        if plain > length {
            return Err(CodecError::Frame("more bytes than the declared length"));
        }
    }
    Ok(frames)
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;
    use futures::io::Cursor;

    use super::*;
    use crate::reqresp::protocol::Method;

    const BLOCKS: Protocol = Protocol { method: Method::BlocksByRange, version: 2 };
    const PING: Protocol = Protocol { method: Method::Ping, version: 1 };
    const MAX: usize = 1 << 20;

    fn bounds(protocol: Protocol) -> Bounds {
        protocol.response_bounds(&RequestLimits::default(), MAX)
    }

    fn chunk(bytes: &[u8], protocol: Protocol) -> Result<Option<Chunk>, CodecError> {
        block_on(read_chunk(&mut Cursor::new(bytes), protocol, bounds(protocol)))
    }

    fn request(bytes: &[u8], protocol: Protocol) -> Result<Vec<u8>, CodecError> {
        block_on(read_request(&mut Cursor::new(bytes), protocol, &RequestLimits::default()))
    }

    fn noise(len: usize) -> Vec<u8> {
        let mut state = 1u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as u8
        };
        (0..len).map(|_| next()).collect()
    }

    #[test]
    fn chunks_of_every_size_come_back_one_after_another() {
        for len in [100, 65_535, 65_536, 65_537, 300_000, MAX] {
            for ssz in [vec![7; len], noise(len)] {
                let mut bytes = encode_chunk(Some([1, 2, 3, 4]), &ssz);
                bytes.extend(encode_error(3, "no more"));
                let mut stream = Cursor::new(bytes);
                let first = block_on(read_chunk(&mut stream, BLOCKS, bounds(BLOCKS))).unwrap();
                assert_eq!(first, Some(Chunk::Success { context: Some([1, 2, 3, 4]), ssz }));
                let second = block_on(read_chunk(&mut stream, BLOCKS, bounds(BLOCKS))).unwrap();
                assert_eq!(second, Some(Chunk::Error { code: 3, message: "no more".into() }));
                assert_eq!(block_on(read_chunk(&mut stream, BLOCKS, bounds(BLOCKS))).unwrap(), None);
            }
        }
    }

    #[test]
    fn chunks_of_several_forks_come_back_each_with_its_digest() {
        let schedule = crate::forks::tests::schedule();
        let mut sent = Vec::new();
        let mut bytes = Vec::new();
        for (index, period) in schedule.periods().iter().enumerate() {
            let ssz = noise(100 + 40_000 * index);
            bytes.extend(encode_chunk(Some(period.digest.0), &ssz));
            sent.push((period.fork, ssz));
        }
        let mut stream = Cursor::new(bytes);
        for (fork, expected) in sent {
            let read = block_on(read_chunk(&mut stream, BLOCKS, bounds(BLOCKS))).unwrap();
            let Some(Chunk::Success { context, ssz }) = read else { panic!("{read:?}") };
            assert_eq!((schedule.fork_of_chunk(BLOCKS, context), ssz), (Some(fork), expected));
        }
        assert_eq!(block_on(read_chunk(&mut stream, BLOCKS, bounds(BLOCKS))).unwrap(), None);
    }

    #[test]
    fn a_sidecar_has_its_exact_length_and_a_status_that_of_its_version() {
        let blobs = Protocol { method: Method::BlobsByRange, version: 1 };
        let sizes = RequestLimits::default().sizes;
        let whole = encode_chunk(Some([1; 4]), &noise(sizes.blob_sidecar_len));
        assert!(matches!(chunk(&whole, blobs), Ok(Some(Chunk::Success { .. }))));
        let longer = encode_chunk(Some([1; 4]), &noise(sizes.blob_sidecar_len + 1));
        assert!(matches!(chunk(&longer, blobs), Err(CodecError::Length(_))));
        let old = Protocol { method: Method::Status, version: 1 };
        let new = Protocol { method: Method::Status, version: 2 };
        assert!(matches!(chunk(&encode_chunk(None, &[5; 84]), new), Err(CodecError::Length(84))));
        assert!(chunk(&encode_chunk(None, &[5; 92]), new).is_ok());
        // The same request goes out under either version, each with its own fields.
        for (protocol, len) in [(old, 84), (new, 92)] {
            let mut stream = Cursor::new(Vec::new());
            block_on(write_request(&mut stream, protocol, &[5; 92])).unwrap();
            assert_eq!(request(&stream.into_inner(), protocol).unwrap(), vec![5; len]);
        }
    }

    #[test]
    fn a_length_bomb_is_refused_before_anything_is_read() {
        let mut prefix = unsigned_varint::encode::u64_buffer();
        for length in [MAX as u64 + 1, u64::MAX, 99] {
            let mut bytes = vec![0, 0, 0, 0, 0];
            bytes.extend(unsigned_varint::encode::u64(length, &mut prefix));
            assert!(matches!(chunk(&bytes, BLOCKS), Err(CodecError::Length(l)) if l == length));
        }
        let endless = [&[0, 0, 0, 0, 0][..], &[0xff; 11]].concat();
        assert!(matches!(chunk(&endless, BLOCKS), Err(CodecError::Varint)));
        let padded = [&[0, 0, 0, 0, 0][..], &[0x80, 0x00]].concat();
        assert!(matches!(chunk(&padded, BLOCKS), Err(CodecError::Varint)));
        let message = [&[2][..], &encode_payload(&[b'a'; 257])].concat();
        assert!(matches!(chunk(&message, BLOCKS), Err(CodecError::Length(257))));
    }

    #[test]
    fn frames_that_hold_more_than_declared_are_refused() {
        let mut bytes = vec![100];
        bytes.extend(&encode_payload(&[7; 1000])[2..]);
        let framed = [&[0, 0, 0, 0, 0][..], &bytes].concat();
        assert!(matches!(chunk(&framed, BLOCKS), Err(CodecError::Frame(_))));
        // Skippable padding may not exceed what the declared length can need.
        let padding = [&[0, 0, 0, 0, 0, 100][..], &[0xfe, 0, 1, 0], &[0; 256]].concat();
        assert!(matches!(chunk(&padding, BLOCKS), Err(CodecError::TooManyBytes)));
        let reserved = [&[0, 0, 0, 0, 0, 100][..], &[0x02, 1, 0, 0, 9]].concat();
        assert!(matches!(chunk(&reserved, BLOCKS), Err(CodecError::Frame(_))));
    }

    #[test]
    fn truncated_and_corrupted_frames_are_refused() {
        let whole = encode_chunk(Some([0; 4]), &noise(70_000));
        for cut in [1, 4, 5, 7, 12, 20, 60_000, whole.len() - 1] {
            assert!(matches!(chunk(&whole[..cut], BLOCKS), Err(CodecError::EarlyEnd)), "cut at {cut}");
        }
        let mut corrupted = whole.clone();
        *corrupted.last_mut().unwrap() ^= 1;
        assert!(matches!(chunk(&corrupted, BLOCKS), Err(CodecError::Snappy(_))));
        assert!(chunk(&whole, BLOCKS).is_ok());
    }

    #[test]
    fn requests_must_have_their_exact_size_and_end_there() {
        let ping = encode_payload(&9u64.to_le_bytes());
        assert_eq!(request(&ping, PING).unwrap(), 9u64.to_le_bytes());
        assert!(matches!(request(&encode_payload(&[0; 9]), PING), Err(CodecError::Length(9))));
        assert!(matches!(request(&[&ping[..], &[0]].concat(), PING), Err(CodecError::Trailing)));
        let roots = Protocol { method: Method::BlocksByRoot, version: 1 };
        assert!(matches!(request(&encode_payload(&[0; 33]), roots), Err(CodecError::Length(33))));
        assert_eq!(request(&encode_payload(&[5; 64]), roots).unwrap(), [5; 64]);
        assert!(request(&[], Protocol { method: Method::Metadata, version: 2 }).unwrap().is_empty());
    }

    #[test]
    fn random_bytes_never_panic_the_reader() {
        let bytes = noise(4096);
        for start in 0..2000 {
            let _ = chunk(&bytes[start..], BLOCKS);
            let _ = request(&bytes[start..], PING);
        }
        for protocol in Protocol::all() {
            for start in 2000..2100 {
                let _ = chunk(&bytes[start..], protocol);
                let _ = request(&bytes[start..], protocol);
                let items = protocol.method.items(&bytes[start..], &RequestLimits::default());
                assert!((1..=16_384).contains(&items));
            }
        }
    }
}
