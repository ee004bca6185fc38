//! The hashes of blobs that a payload's transactions name.

use types::{ExecutionPayload, FixedBytes, Root};

use crate::rlp::{self, Item};

/// The first byte of a transaction that carries blobs (EIP-4844).
const BLOB_TRANSACTION: u8 = 3;
/// The place of the versioned hashes among its fields.
const VERSIONED_HASHES_FIELD: usize = 10;

/// A blob transaction that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("transaction {at} says that it carries blobs but is none that does")]
pub struct InvalidBlobs {
    /// The transaction's place.
    pub at: usize,
}

/// The hashes that the transactions of a payload name, in their order. Signatures and all other fields are not looked at.
pub fn blob_versioned_hashes(payload: &ExecutionPayload) -> Result<Vec<Root>, InvalidBlobs> {
    let mut hashes = Vec::new();
    for (at, transaction) in payload.transactions.iter().enumerate() {
        if let [BLOB_TRANSACTION, body @ ..] = transaction.0.as_slice() {
            read_hashes(body, &mut hashes).ok_or(InvalidBlobs { at })?;
        }
    }
    Ok(hashes)
}

fn read_hashes(body: &[u8], hashes: &mut Vec<Root>) -> Option<()> {
    let (Item::List(mut fields), []) = rlp::split(body)? else { return None };
    for _ in 0..VERSIONED_HASHES_FIELD {
        fields = rlp::split(fields)?.1;
    }
    let (Item::List(mut list), _) = rlp::split(fields)? else { return None };
    while !list.is_empty() {
        let (Item::Bytes(hash), rest) = rlp::split(list)? else { return None };
        hashes.push(FixedBytes(hash.try_into().ok()?));
        list = rest;
    }
    Some(())
}

/// [`is_valid_versioned_hashes`](https://github.com/ethereum/consensus-specs/blob/master/specs/deneb/beacon-chain.md#is_valid_versioned_hashes):
/// whether the commitments of a block, by their hashes, are those of its payload's transactions.
pub fn is_valid_versioned_hashes(payload: &ExecutionPayload, versioned_hashes: &[Root]) -> bool {
    blob_versioned_hashes(payload).is_ok_and(|hashes| hashes == versioned_hashes)
}

#[cfg(test)]
mod tests {
    use types::Bytes;

    use super::*;

    fn transaction(hashes: &[[u8; 32]]) -> Bytes {
        let (mut fields, mut list) = (vec![0x80; VERSIONED_HASHES_FIELD], Vec::new());
        hashes.iter().for_each(|hash| rlp::bytes(&mut list, hash));
        rlp::list(&mut fields, &list);
        fields.extend([0x80; 3]);
        let mut out = vec![BLOB_TRANSACTION];
        rlp::list(&mut out, &fields);
        Bytes(out)
    }

    #[test]
    fn hashes_are_read_in_the_order_of_the_transactions() {
        let transactions =
            vec![transaction(&[[1; 32], [2; 32]]), Bytes(vec![2, 9, 9]), transaction(&[[3; 32]])];
        let payload = ExecutionPayload { transactions, ..ExecutionPayload::default() };
        let roots = |bytes: &[u8]| bytes.iter().map(|byte| Root::from([*byte; 32])).collect::<Vec<_>>();
        assert_eq!(blob_versioned_hashes(&payload), Ok(roots(&[1, 2, 3])));
        assert!(is_valid_versioned_hashes(&payload, &roots(&[1, 2, 3])));
        assert!(!is_valid_versioned_hashes(&payload, &roots(&[1, 3, 2])));
        assert!(!is_valid_versioned_hashes(&payload, &roots(&[1, 2])));
    }

    #[test]
    fn a_blob_transaction_that_cannot_be_read_is_named_by_its_place() {
        for broken in [vec![3], vec![3, 0xc0], vec![3, 0x80], transaction(&[[1; 32]]).0[..40].to_vec()] {
            let transactions = vec![Bytes(vec![1]), Bytes(broken)];
            let payload = ExecutionPayload { transactions, ..ExecutionPayload::default() };
            assert_eq!(blob_versioned_hashes(&payload), Err(InvalidBlobs { at: 1 }));
        }
    }
}
