//! Requests of sync as the network sends them, and what a bad answer costs a peer.

use network::{Method, ResponseFailure};
use sync::{Offence, Request, RequestError};

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
    }
}

/// What an offence costs of a score that bans at -100, and why.
pub fn charge(offence: Offence) -> (f64, &'static str) {
    match offence {
        Offence::InvalidBlock => (-60.0, "it sent an invalid block"),
        Offence::BadAnswer => (-25.0, "it sent blocks that were not asked for"),
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
    use types::{Root, Slot};

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
