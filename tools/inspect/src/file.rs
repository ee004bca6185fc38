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
    /// A record whose reserved bytes say that it is none.
    #[error("at byte {offset} no e2store record begins: the reserved bytes of its header are not zero")]
    NoRecord {
        /// Where the record should begin.
        offset: usize,
    },
    /// A slot index that is not of the file's records.
    #[error("the slot index at byte {offset} is wrong: {fault}")]
    Index {
        /// Where its record begins.
        offset: usize,
        /// What is wrong with it.
        fault: String,
    },
    /// An e2store file that holds nothing of the type.
    #[error("an e2store file without a {wanted}")]
    Lacks {
        /// The type.
        wanted: &'static str,
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

/// Opens a file that holds a value of a type; of an e2store file the first record of that type.
pub fn open_first(path: &Path, wanted: &'static str) -> Result<Opened, OpenError> {
    let Some(store) = Store::open(path)? else { return open(path, None) };
    let entry = store.entries().iter().find(|entry| entry.type_name() == Some(wanted));
    let entry = *entry.ok_or(OpenError::Lacks { wanted })?;
    let bytes = store.data(&entry)?;
    Ok(Opened { bytes, format: Format::E2store, entry: Some(entry), entries: store.entries })
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

    /// Holds each slot index against the records: how many slots it says, and whether each of its offsets leads to the
    /// beginning of a block or a state.
    pub fn check_indices(&self) -> Result<(), OpenError> {
        for entry in self.entries.iter().filter(|entry| entry.name() == "SlotIndex") {
            let begin = entry.offset - RECORD_HEADER;
            let index = &self.bytes[entry.offset..entry.offset + entry.length];
            self.check_index(begin, index).map_err(|fault| OpenError::Index { offset: begin, fault })?;
        }
        Ok(())
    }

    /// An index is the first slot, an offset from the index's beginning for each slot (0 where it is empty), and their
    /// count: numbers of eight bytes.
    fn check_index(&self, begin: usize, index: &[u8]) -> Result<(), String> {
        let numbers = index.chunks_exact(8);
        if !numbers.remainder().is_empty() || index.len() < 16 {
            return Err(format!(
                "its {} bytes are no list of numbers with a first slot and a count",
                index.len()
            ));
        }
        let numbers: Vec<i64> = numbers
            .map(|number| i64::from_le_bytes(number.try_into().expect("chunks of eight bytes")))
            .collect();
        let (first, offsets, count) =
            (numbers[0], &numbers[1..numbers.len() - 1], numbers[numbers.len() - 1]);
        if count != offsets.len() as i64 {
            return Err(format!("it counts {count} slots and has {}", offsets.len()));
        }
        for (slot, offset) in (first..).zip(offsets).filter(|(_, offset)| **offset != 0) {
            let place = (begin as i64).checked_add(*offset);
            let leads = |entry: &&Entry| {
                entry.type_name().is_some() && place == Some((entry.offset - RECORD_HEADER) as i64)
            };
            if !self.entries.iter().any(|entry| leads(&entry)) {
                return Err(format!("its offset {offset} of slot {slot} leads to no block or state"));
            }
        }
        Ok(())
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
        if header[6..] != [0, 0] {
            return Err(OpenError::NoRecord { offset: position });
        }
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
