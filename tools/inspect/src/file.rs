//! What files hold: SSZ plain or in snappy (block and framed), e2store and era files.

use std::io::Read;
use std::path::Path;

/// The most bytes that compressed data may become: above any state that a network of today's limits can have.
const DECOMPRESSED_MAX: usize = 2 << 30;

/// First bytes of framed snappy: the stream identifier.
const FRAMED: &[u8] = b"\xff\x06\x00\x00sNaPpY";
/// First bytes of an e2store file: the version record.
const E2STORE: &[u8] = b"e2\0\0\0\0\0\0";
/// Bytes before an e2store record's data: type (2), length (4), reserved (2).
const RECORD_HEADER: usize = 8;

/// How a file holds its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Plain SSZ.
    Plain,
    /// Snappy's block format, as the official vectors.
    SnappyBlock,
    /// Snappy's framed format, as the network's streams.
    SnappyFramed,
    /// A record of an e2store file, such as an era file.
    E2store,
    /// JSON of the Beacon API.
    Json,
    /// YAML of the official vectors.
    Yaml,
}

/// A record of an e2store file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The record's type, little endian, as in the e2store specification.
    pub kind: u16,
    /// Where its data begins in the file, in bytes.
    pub offset: usize,
    /// The size of its data, in bytes.
    pub length: usize,
}

impl Entry {
    /// What the record is, as far as its type is known.
    pub fn name(&self) -> &'static str {
        match self.kind {
            0x0000 => "Empty",
            0x0001 => "CompressedSignedBeaconBlock",
            0x0002 => "CompressedBeaconState",
            0x3265 => "Version",
            0x3269 => "SlotIndex",
            _ => "unknown",
        }
    }

    /// The type of the value in it, where it has one.
    pub fn type_name(&self) -> Option<&'static str> {
        match self.kind {
            0x0001 => Some("SignedBeaconBlock"),
            0x0002 => Some("BeaconState"),
            _ => None,
        }
    }
}

/// A file's bytes, decompressed, and what they were in.
#[derive(Clone, Debug)]
pub struct Opened {
    /// The value's bytes, or the text of JSON or YAML.
    pub bytes: Vec<u8>,
    /// What they were in.
    pub format: Format,
    /// Records of an e2store file.
    pub entries: Vec<Entry>,
    /// The record that was opened.
    pub entry: Option<Entry>,
}

/// Why a file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file system says no.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// Compressed data that is damaged or cut.
    #[error("the snappy data at byte {offset} is damaged: {fault}")]
    Snappy {
        /// Where the compressed data begins.
        offset: usize,
        /// What the decompressor says.
        fault: String,
    },
    /// It says that it becomes too large.
    #[error("the snappy data at byte {offset} becomes more than {DECOMPRESSED_MAX} bytes")]
    TooLarge {
        /// Where the compressed data begins.
        offset: usize,
    },
    /// An e2store record that ends behind the file's end.
    #[error("the e2store record at byte {offset} is cut: its {length} bytes end behind the file's end")]
    Cut {
        /// Where the record begins.
        offset: usize,
        /// What it says of its length.
        length: usize,
    },
    /// An e2store file without such a record.
    #[error("there is no block or state number {wanted} among the file's {found}")]
    NoEntry {
        /// The number asked for.
        wanted: usize,
        /// How many there are.
        found: usize,
    },
}

/// Opens a file and decompresses it. Of an e2store file, block or state number `entry` is taken, counted from 0 (the
/// first where none is asked for).
pub fn open(path: &Path, entry: Option<usize>) -> Result<Opened, OpenError> {
    let mut bytes = Vec::new();
    if path.as_os_str() == "-" {
        std::io::stdin().lock().read_to_end(&mut bytes)?;
    } else {
        bytes = std::fs::read(path)?;
    }
    let plain = |bytes, format| Ok(Opened { bytes, format, entries: Vec::new(), entry: None });
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    if bytes.starts_with(E2STORE) {
        return open_e2store(&bytes, entry.unwrap_or(0));
    }
    match extension {
        "json" => plain(bytes, Format::Json),
        "yaml" | "yml" => plain(bytes, Format::Yaml),
        _ if bytes.starts_with(FRAMED) => plain(unframed(&bytes, 0)?, Format::SnappyFramed),
        "ssz_snappy" | "snappy" => plain(unblocked(&bytes)?, Format::SnappyBlock),
        _ => plain(bytes, Format::Plain),
    }
}

/// An e2store file with its records, such as an era file.
#[derive(Clone, Debug)]
pub struct Store {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
}

impl Store {
    /// Reads a file and finds its records; none where it is no e2store file.
    pub fn open(path: &Path) -> Result<Option<Self>, OpenError> {
        let mut begin = [0; E2STORE.len()];
        let mut file = std::fs::File::open(path)?;
        let is_store = file.read_exact(&mut begin).is_ok() && begin == E2STORE;
        if !is_store {
            return Ok(None);
        }
        let bytes = std::fs::read(path)?;
        let entries = entries(&bytes)?;
        Ok(Some(Self { bytes, entries }))
    }

    /// The records, in the order of the file.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The data of a record of this file, decompressed where its type is a compressed one.
    pub fn data(&self, entry: &Entry) -> Result<Vec<u8>, OpenError> {
        let data = &self.bytes[entry.offset..entry.offset + entry.length];
        match entry.type_name() {
            Some(_) => unframed(data, entry.offset),
            None => Ok(data.to_vec()),
        }
    }
}

fn open_e2store(bytes: &[u8], wanted: usize) -> Result<Opened, OpenError> {
    let entries = entries(bytes)?;
    let values: Vec<&Entry> = entries.iter().filter(|entry| entry.type_name().is_some()).collect();
    let entry = **values.get(wanted).ok_or(OpenError::NoEntry { wanted, found: values.len() })?;
    let data = &bytes[entry.offset..entry.offset + entry.length];
    let bytes = unframed(data, entry.offset)?;
    Ok(Opened { bytes, format: Format::E2store, entry: Some(entry), entries })
}

fn entries(bytes: &[u8]) -> Result<Vec<Entry>, OpenError> {
    let mut entries = Vec::new();
    let mut position = 0;
    while position < bytes.len() {
        let cut = |length| OpenError::Cut { offset: position, length };
        let header = bytes.get(position..position + RECORD_HEADER).ok_or(cut(RECORD_HEADER))?;
        let kind = u16::from_le_bytes([header[0], header[1]]);
        let length = u32::from_le_bytes([header[2], header[3], header[4], header[5]]) as usize;
        let offset = position + RECORD_HEADER;
        if bytes.len() - offset < length {
            return Err(cut(length));
        }
        entries.push(Entry { kind, offset, length });
        position = offset + length;
    }
    Ok(entries)
}

fn unframed(bytes: &[u8], offset: usize) -> Result<Vec<u8>, OpenError> {
    let mut out = Vec::new();
    let mut reader = snap::read::FrameDecoder::new(bytes).take(DECOMPRESSED_MAX as u64 + 1);
    reader.read_to_end(&mut out).map_err(|fault| OpenError::Snappy { offset, fault: fault.to_string() })?;
    if out.len() > DECOMPRESSED_MAX {
        return Err(OpenError::TooLarge { offset });
    }
    Ok(out)
}

fn unblocked(bytes: &[u8]) -> Result<Vec<u8>, OpenError> {
    let fault = |fault: snap::Error| OpenError::Snappy { offset: 0, fault: fault.to_string() };
    if snap::raw::decompress_len(bytes).map_err(fault)? > DECOMPRESSED_MAX {
        return Err(OpenError::TooLarge { offset: 0 });
    }
    snap::raw::Decoder::new().decompress_vec(bytes).map_err(fault)
}
