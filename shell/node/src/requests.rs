//! Requests of sync as the network sends them, and what a bad answer costs a peer.

use network::{Method, ResponseFailure};
use sync::{Offence, Request, RequestError};
use types::{Root, Slot};

/// Method and SSZ of a request.
pub fn encode_request(request: &Request) -> (Method, Vec<u8>) {
    match request {
        Request::BlocksByRange { start, count } => {
            let step = 1u64;
            let numbers = [start.0, *count, step].map(u64::to_le_bytes);
            (Method::BlocksByRange, numbers.concat())
        }
        Request::BlocksByRoot(roots) => {
            (Method::BlocksByRoot, roots.iter().flat_map(|root| root.0).collect())
        }
        Request::BlobsByRange { start, count } => (Method::BlobsByRange, range(*start, *count)),
        Request::BlobsByRoot(blobs) => {
            let one = |(root, index): &(Root, u64)| [&root.0[..], &index.to_le_bytes()].concat();
            (Method::BlobsByRoot, blobs.iter().flat_map(one).collect())
        }
        Request::ColumnsByRange { start, count, columns } => {
            // A list in a container stands at its end, and its place before it.
            let bytes = [range(*start, *count), 20u32.to_le_bytes().to_vec(), numbers(columns)];
            (Method::ColumnsByRange, bytes.concat())
        }
        Request::ColumnsByRoot(blocks) => {
            let one = |(root, columns): &(Root, Vec<u64>)| {
                [&root.0[..], &36u32.to_le_bytes(), &numbers(columns)].concat()
            };
            (Method::ColumnsByRoot, list(&blocks.iter().map(one).collect::<Vec<_>>()))
        }
    }
}

fn range(start: Slot, count: u64) -> Vec<u8> {
    [start.0, count].map(u64::to_le_bytes).concat()
}

fn numbers(numbers: &[u64]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

/// SSZ of a list of containers of varying length: their places, then they themselves.
fn list(items: &[Vec<u8>]) -> Vec<u8> {
    let mut place = 4 * items.len();
    let mut bytes = Vec::with_capacity(place + items.iter().map(Vec::len).sum::<usize>());
    for item in items {
        bytes.extend_from_slice(&(place as u32).to_le_bytes());
        place += item.len();
    }
    bytes.extend(items.iter().flatten());
    bytes
}

/// What an offence costs of a score that bans at -100, and why.
pub fn charge(offence: Offence) -> (f64, &'static str) {
    match offence {
        Offence::InvalidBlock => (-60.0, "it sent an invalid block"),
        Offence::InvalidSidecar => (-60.0, "it sent an invalid blob or column"),
        Offence::BadAnswer => (-25.0, "it sent what was not asked for"),
        Offence::NoAnswer => (-5.0, "it did not answer"),
    }
}

/// A failed request as sync counts it.
pub fn request_error(failure: &ResponseFailure) -> RequestError {
    match failure {
        ResponseFailure::Timeout => RequestError::Timeout,
        ResponseFailure::Refused { .. } | ResponseFailure::Unsupported | ResponseFailure::Overloaded => {
            RequestError::Refused
        }
        ResponseFailure::InvalidData(_) => RequestError::Malformed,
        ResponseFailure::Disconnected => RequestError::Disconnected,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_three_numbers_and_roots_stand_side_by_side() {
        let (method, ssz) = encode_request(&Request::BlocksByRange { start: Slot(258), count: 64 });
        assert_eq!(method, Method::BlocksByRange);
        assert_eq!(ssz[..8], [2, 1, 0, 0, 0, 0, 0, 0]);
        assert_eq!((ssz[8], ssz[16], ssz.len()), (64, 1, 24));
        let roots = vec![Root::from([1; 32]), Root::from([2; 32])];
        let (_, ssz) = encode_request(&Request::BlocksByRoot(roots));
        assert_eq!((ssz.len(), ssz[31], ssz[32]), (64, 1, 2));
    }
}
