//! Requests of peers for blocks and their data, read from their bytes and held to their limits.

use data_availability::blobs::compute_max_request_blob_sidecars;
use data_availability::columns::compute_max_request_data_column_sidecars;
use network::{Method, code};
use types::{Epoch, ForkName, Root, Slot, Spec};

/// Why a request gets an error for an answer: code and text of the error chunk.
pub type Refusal = (u8, &'static str);

/// Bytes of a `BlobIdentifier`.
const BLOB_IDENTIFIER: usize = 40;
/// Bytes of a request for columns by range before the columns, and of a `DataColumnsByRootIdentifier` before its.
const COLUMN_RANGE: usize = 20;
const COLUMN_IDENTIFIER: usize = 36;

/// What a peer asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Blocks of these slots, `start` to before `end`, and at most so many.
    BlocksByRange(Slot, Slot, u64),
    /// Single blocks.
    BlocksByRoot(Vec<Root>),
    /// A block and so many of its ancestors, itself included.
    BlocksByHead(Root, u64),
    /// Blobs of these slots, `start` to before `end`.
    BlobsByRange(Slot, Slot),
    /// Single blobs.
    BlobsByRoot(Vec<(Root, u64)>),
    /// These columns of these slots, `start` to before `end`.
    ColumnsByRange(Slot, Slot, Vec<u64>),
    /// Columns of single blocks.
    ColumnsByRoot(Vec<(Root, Vec<u64>)>),
}

const fn invalid(text: &'static str) -> Refusal {
    (code::INVALID_REQUEST, text)
}

/// The most blocks that a request may ask for in an epoch.
fn blocks_max(spec: &Spec, epoch: Epoch) -> u64 {
    let config = &spec.config;
    match spec.fork_name_at_epoch(epoch) >= ForkName::Deneb {
        true => config.max_request_blocks_deneb,
        false => config.max_request_blocks,
    }
}

/// What a request asks for; `epoch` is the present one, which decides the limits.
pub fn read(spec: &Spec, epoch: Epoch, method: Method, request: &[u8]) -> Result<Asked, Refusal> {
    match method {
        Method::BlocksByRange => blocks_by_range(spec, epoch, request),
        Method::BlocksByRoot => {
            let limit = blocks_max(spec, epoch);
            if !request.len().is_multiple_of(32) || request.len() as u64 / 32 > limit {
                return Err(invalid("not a list of roots, or too many"));
            }
            Ok(Asked::BlocksByRoot(request.chunks_exact(32).map(root).collect()))
        }
        Method::BlocksByHead => match number(request, 32) {
            Some(count) if request.len() == 40 && count > 0 => {
                let count = count.min(spec.config.max_request_blocks_deneb);
                Ok(Asked::BlocksByHead(root(&request[..32]), count))
            }
            _ => Err(invalid("a request is a root and a count above 0")),
        },
        Method::BlobsByRange => {
            let (start, end) = range(spec, request).filter(|_| request.len() == 16).ok_or(BAD_RANGE)?;
            Ok(Asked::BlobsByRange(start, end))
        }
        Method::BlobsByRoot => {
            let max = compute_max_request_blob_sidecars(spec, spec.fork_name_at_epoch(epoch));
            if !request.len().is_multiple_of(BLOB_IDENTIFIER)
                || (request.len() / BLOB_IDENTIFIER) as u64 > max
            {
                return Err(invalid("not a list of blob identifiers, or too many"));
            }
            let one = |bytes: &[u8]| (root(&bytes[..32]), number(bytes, 32).unwrap_or_default());
            Ok(Asked::BlobsByRoot(request.chunks_exact(BLOB_IDENTIFIER).map(one).collect()))
        }
        Method::ColumnsByRange => {
            let (start, end) = range(spec, request).ok_or(BAD_RANGE)?;
            let columns = columns(spec, request, 16, COLUMN_RANGE)?;
            Ok(Asked::ColumnsByRange(start, end, columns))
        }
        Method::ColumnsByRoot => columns_by_root(spec, request),
        _ => Err(invalid("not a request for blocks or their data")),
    }
}

const BAD_RANGE: Refusal = invalid("a request begins with a slot and a count above 0");

fn number(bytes: &[u8], at: usize) -> Option<u64> {
    let bytes = bytes.get(at..at + 8)?;
    Some(u64::from_le_bytes(bytes.try_into().expect("8 bytes")))
}

fn root(bytes: &[u8]) -> Root {
    Root::try_from(bytes).expect("32 bytes")
}

/// The slots of a request for data.
fn range(spec: &Spec, request: &[u8]) -> Option<(Slot, Slot)> {
    let (start, count) = (number(request, 0)?, number(request, 8)?);
    let count = count.min(spec.config.max_request_blocks_deneb);
    (count > 0).then(|| (Slot(start), Slot(start.saturating_add(count))))
}

fn blocks_by_range(spec: &Spec, epoch: Epoch, request: &[u8]) -> Result<Asked, Refusal> {
    let numbers = (number(request, 0), number(request, 8), number(request, 16), request.len());
    let (Some(start), Some(count), Some(step), 24) = numbers else {
        return Err(invalid("a request has 24 bytes"));
    };
    if count == 0 || step == 0 {
        return Err(invalid("count and step must not be 0"));
    }
    let limit = blocks_max(spec, epoch);
    // Steps are deprecated: a single block is the answer then.
    let blocks_max = if step > 1 { 1 } else { limit };
    Ok(Asked::BlocksByRange(Slot(start), Slot(start.saturating_add(count.min(limit))), blocks_max))
}

/// The list of columns at the end of a container, whose offset stands at `at` and is `len`.
fn columns(spec: &Spec, bytes: &[u8], at: usize, len: usize) -> Result<Vec<u64>, Refusal> {
    let offset = bytes.get(at..at + 4).map(|bytes| u32::from_le_bytes(bytes.try_into().expect("4 bytes")));
    let list = bytes.get(len..).filter(|list| offset == Some(len as u32) && list.len().is_multiple_of(8));
    let list = list.ok_or(invalid("not a list of columns"))?;
    let columns: Vec<u64> = list.chunks_exact(8).filter_map(|bytes| number(bytes, 0)).collect();
    let limit = spec.preset.number_of_columns;
    if columns.len() as u64 > limit || columns.iter().any(|column| *column >= limit) {
        return Err(invalid("a column that does not exist, or too many"));
    }
    Ok(columns)
}

fn columns_by_root(spec: &Spec, request: &[u8]) -> Result<Asked, Refusal> {
    const BAD: Refusal = invalid("not a list of roots with columns, or too many");
    let offset = |at: usize| -> Option<usize> {
        let bytes = request.get(at..at + 4)?;
        Some(u32::from_le_bytes(bytes.try_into().expect("4 bytes")) as usize)
    };
    if request.is_empty() {
        return Ok(Asked::ColumnsByRoot(Vec::new()));
    }
    let first = offset(0).ok_or(BAD)?;
    let count = first / 4;
    if !first.is_multiple_of(4) || count == 0 || count as u64 > spec.config.max_request_blocks_deneb {
        return Err(BAD);
    }
    let mut asked = Vec::with_capacity(count);
    let mut total = 0;
    for place in 0..count {
        let start = offset(4 * place).ok_or(BAD)?;
        let end = if place + 1 < count { offset(4 * place + 4).ok_or(BAD)? } else { request.len() };
        let item = request.get(start..end).filter(|item| item.len() >= COLUMN_IDENTIFIER).ok_or(BAD)?;
        let columns = columns(spec, item, 32, COLUMN_IDENTIFIER)?;
        total += columns.len() as u64;
        asked.push((root(&item[..32]), columns));
    }
    if total > compute_max_request_data_column_sidecars(spec) {
        return Err(BAD);
    }
    Ok(Asked::ColumnsByRoot(asked))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::requests::encode_request;
    use sync::Request;

    fn fulu() -> &'static Spec {
        let forks = ["ALTAIR", "BELLATRIX", "CAPELLA", "DENEB", "ELECTRA", "FULU"];
        let epochs: String = forks.iter().map(|fork| format!("{fork}_FORK_EPOCH: 4\n")).collect();
        Spec::from_yaml(&format!("PRESET_BASE: 'minimal'\n{epochs}"), None).unwrap()
    }

    fn code_of(method: Method, request: &[u8]) -> Option<u8> {
        read(fulu(), Epoch(9), method, request).err().map(|(code, _)| code)
    }

    #[test]
    fn what_sync_asks_is_read_as_it_was_meant() {
        let roots = [[1; 32], [2; 32], [3; 32]].map(Root::from);
        let by_root = vec![(roots[0], vec![0, 127]), (roots[1], vec![]), (roots[2], vec![5])];
        let cases = [
            (
                Request::BlocksByRange { start: Slot(258), count: 64 },
                Asked::BlocksByRange(Slot(258), Slot(322), 128),
            ),
            (Request::BlocksByRoot(roots.to_vec()), Asked::BlocksByRoot(roots.to_vec())),
            (Request::BlobsByRange { start: Slot(9), count: 3 }, Asked::BlobsByRange(Slot(9), Slot(12))),
            (
                Request::BlobsByRoot(vec![(roots[0], 7), (roots[1], 0)]),
                Asked::BlobsByRoot(vec![(roots[0], 7), (roots[1], 0)]),
            ),
            (
                Request::ColumnsByRange { start: Slot(9), count: 1000, columns: vec![1, 5, 127] },
                Asked::ColumnsByRange(Slot(9), Slot(137), vec![1, 5, 127]),
            ),
            (Request::ColumnsByRoot(by_root.clone()), Asked::ColumnsByRoot(by_root)),
            (Request::ColumnsByRoot(vec![]), Asked::ColumnsByRoot(vec![])),
        ];
        for (request, asked) in cases {
            let (method, ssz) = encode_request(&request);
            assert_eq!(read(fulu(), Epoch(9), method, &ssz), Ok(asked));
        }
    }

    #[test]
    fn requests_that_are_too_long_or_no_requests_are_refused() {
        let refused = Some(code::INVALID_REQUEST);
        for len in [0, 15, 17, 24] {
            assert_eq!(code_of(Method::BlobsByRange, &vec![1; len]), refused);
        }
        assert_eq!(code_of(Method::BlobsByRange, &[0; 16]), refused, "no slots at all");
        assert_eq!(code_of(Method::BlobsByRoot, &[0; 39]), refused);
        assert_eq!(code_of(Method::BlobsByRoot, &vec![0; 40 * 1153]), refused);
        assert_eq!(code_of(Method::BlobsByRoot, &vec![0; 40 * 1152]), None);
        assert_eq!(code_of(Method::BlocksByHead, &[1; 39]), refused);
        let column = |column: u64| {
            let columns = vec![column];
            encode_request(&Request::ColumnsByRange { start: Slot(1), count: 1, columns }).1
        };
        assert_eq!(code_of(Method::ColumnsByRange, &column(127)), None);
        assert_eq!(code_of(Method::ColumnsByRange, &column(128)), refused);
        assert_eq!(code_of(Method::ColumnsByRange, &column(1)[..27]), refused);
        let roots = |count: usize| {
            let blocks = vec![(Root::ZERO, vec![1]); count];
            encode_request(&Request::ColumnsByRoot(blocks)).1
        };
        assert_eq!(code_of(Method::ColumnsByRoot, &roots(128)), None);
        assert_eq!(code_of(Method::ColumnsByRoot, &roots(129)), refused);
    }

    #[test]
    fn no_bytes_panic_the_reader() {
        let good = encode_request(&Request::ColumnsByRoot(vec![(Root::ZERO, vec![1, 2]); 3])).1;
        for cut in 0..good.len() {
            // Only whole columns of the last block can be cut off unseen.
            let is_whole = cut == 0 || good.len() - cut <= 16 && (good.len() - cut).is_multiple_of(8);
            assert_eq!(
                read(fulu(), Epoch(9), Method::ColumnsByRoot, &good[..cut]).is_ok(),
                is_whole,
                "{cut}"
            );
            for value in [0, 4, 0x7f, 0xff] {
                let mut bad = good.clone();
                bad[cut] = value;
                // Whatever it is read as, it is within the limits.
                if let Ok(Asked::ColumnsByRoot(asked)) = read(fulu(), Epoch(9), Method::ColumnsByRoot, &bad) {
                    assert!(asked.len() <= 128);
                }
            }
        }
    }

    #[test]
    fn fewer_blocks_may_be_asked_for_from_deneb_on() {
        let asked = |epoch, count: u64| {
            let request = [1, count, 1].map(u64::to_le_bytes).concat();
            read(fulu(), Epoch(epoch), Method::BlocksByRange, &request)
        };
        assert_eq!(asked(3, 2000), Ok(Asked::BlocksByRange(Slot(1), Slot(1025), 1024)));
        assert_eq!(asked(4, 2000), Ok(Asked::BlocksByRange(Slot(1), Slot(129), 128)));
        let by_root =
            |epoch, count: usize| read(fulu(), Epoch(epoch), Method::BlocksByRoot, &vec![0; 32 * count]);
        assert!(by_root(3, 129).is_ok() && by_root(4, 129).is_err() && by_root(4, 128).is_ok());
    }
}
