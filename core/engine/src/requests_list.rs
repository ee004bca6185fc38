//! Execution requests as bytes, in the form of [EIP-7685](https://eips.ethereum.org/EIPS/eip-7685): one element a type,
//! its first byte the type, the rest all requests of that type in SSZ, types ascending, empty types left out.

use crypto::hash;
use types::constants::{CONSOLIDATION_REQUEST_TYPE, DEPOSIT_REQUEST_TYPE, WITHDRAWAL_REQUEST_TYPE};
use types::{
    Bytes, ConsolidationRequest, DepositRequest, ExecutionAddress, ExecutionRequests, FixedBytes, Gwei, Root,
    WithdrawalRequest,
};

/// Why a list of bytes is no list of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRequests {
    /// An element without a type, or with a type and nothing else.
    #[error("element {at} of the execution requests is empty")]
    Empty {
        /// The element's place.
        at: usize,
    },
    /// A type that no fork up to Fulu has.
    #[error("execution requests of the unknown type {kind}")]
    UnknownType {
        /// The type.
        kind: u8,
    },
    /// A type that does not come after the one before it.
    #[error("execution requests of type {kind} come after those of type {before}")]
    Order {
        /// The type before.
        before: u8,
        /// The type.
        kind: u8,
    },
    /// A length that is no multiple of a request's.
    #[error("{bytes} bytes of execution requests of type {kind}, which have {each} bytes each")]
    Length {
        /// The type.
        kind: u8,
        /// The bytes that came.
        bytes: usize,
        /// The bytes of one request.
        each: usize,
    },
}

const DEPOSIT_BYTES: usize = 48 + 32 + 8 + 96 + 8;
const WITHDRAWAL_BYTES: usize = 20 + 48 + 8;
const CONSOLIDATION_BYTES: usize = 20 + 48 + 48;

/// [`get_execution_requests_list`](https://github.com/ethereum/consensus-specs/blob/master/specs/electra/beacon-chain.md#new-get_execution_requests_list).
pub fn get_execution_requests_list(requests: &ExecutionRequests) -> Vec<Bytes> {
    let mut deposits = vec![DEPOSIT_REQUEST_TYPE];
    for deposit in &requests.deposits {
        deposits.extend(deposit.pubkey.0);
        deposits.extend(deposit.withdrawal_credentials.0);
        deposits.extend(deposit.amount.0.to_le_bytes());
        deposits.extend(deposit.signature.0);
        deposits.extend(deposit.index.to_le_bytes());
    }
    let mut withdrawals = vec![WITHDRAWAL_REQUEST_TYPE];
    for withdrawal in &requests.withdrawals {
        withdrawals.extend(withdrawal.source_address.0);
        withdrawals.extend(withdrawal.validator_pubkey.0);
        withdrawals.extend(withdrawal.amount.0.to_le_bytes());
    }
    let mut consolidations = vec![CONSOLIDATION_REQUEST_TYPE];
    for consolidation in &requests.consolidations {
        consolidations.extend(consolidation.source_address.0);
        consolidations.extend(consolidation.source_pubkey.0);
        consolidations.extend(consolidation.target_pubkey.0);
    }
    [deposits, withdrawals, consolidations].into_iter().filter(|list| list.len() > 1).map(Bytes).collect()
}

/// [`get_execution_requests`](https://github.com/ethereum/consensus-specs/blob/master/specs/electra/validator.md#execution-requests):
/// the requests of a list; an error that names the rule it breaks. How many there may be is the preset's matter.
pub fn get_execution_requests(list: &[Bytes]) -> Result<ExecutionRequests, InvalidRequests> {
    let mut requests = ExecutionRequests::default();
    let mut before = None;
    for (at, Bytes(element)) in list.iter().enumerate() {
        let [kind, data @ ..] = element.as_slice() else { return Err(InvalidRequests::Empty { at }) };
        if data.is_empty() {
            return Err(InvalidRequests::Empty { at });
        }
        if let Some(before) = before.replace(*kind).filter(|before| before >= kind) {
            return Err(InvalidRequests::Order { before, kind: *kind });
        }
        match *kind {
            DEPOSIT_REQUEST_TYPE => requests.deposits = each(*kind, data, DEPOSIT_BYTES, deposit)?,
            WITHDRAWAL_REQUEST_TYPE => {
                requests.withdrawals = each(*kind, data, WITHDRAWAL_BYTES, withdrawal)?;
            }
            CONSOLIDATION_REQUEST_TYPE => {
                requests.consolidations = each(*kind, data, CONSOLIDATION_BYTES, consolidation)?;
            }
            kind => return Err(InvalidRequests::UnknownType { kind }),
        }
    }
    Ok(requests)
}

/// The `requestsHash` of a header: SHA-256 of the SHA-256 of each element.
pub fn compute_requests_hash(list: &[Bytes]) -> Root {
    let hashes: Vec<u8> = list.iter().flat_map(|element| hash(&element.0)).collect();
    Root::from(hash(&hashes))
}

fn each<T>(
    kind: u8,
    data: &[u8],
    length: usize,
    read: fn(&mut Fields<'_>) -> T,
) -> Result<Vec<T>, InvalidRequests> {
    if !data.len().is_multiple_of(length) {
        return Err(InvalidRequests::Length { kind, bytes: data.len(), each: length });
    }
    Ok(data.chunks_exact(length).map(|chunk| read(&mut Fields(chunk))).collect())
}

/// The rest of one request, whose length was checked.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn fixed<const N: usize>(&mut self) -> FixedBytes<N> {
        let (field, rest) = self.0.split_first_chunk::<N>().expect("the request has its whole length");
        self.0 = rest;
        FixedBytes(*field)
    }

    fn number(&mut self) -> u64 {
        u64::from_le_bytes(self.fixed::<8>().0)
    }
}

fn deposit(fields: &mut Fields<'_>) -> DepositRequest {
    DepositRequest {
        pubkey: fields.fixed(),
        withdrawal_credentials: fields.fixed(),
        amount: Gwei(fields.number()),
        signature: fields.fixed(),
        index: fields.number(),
    }
}

fn withdrawal(fields: &mut Fields<'_>) -> WithdrawalRequest {
    let source_address: ExecutionAddress = fields.fixed();
    WithdrawalRequest { source_address, validator_pubkey: fields.fixed(), amount: Gwei(fields.number()) }
}

fn consolidation(fields: &mut Fields<'_>) -> ConsolidationRequest {
    ConsolidationRequest {
        source_address: fields.fixed(),
        source_pubkey: fields.fixed(),
        target_pubkey: fields.fixed(),
    }
}

#[cfg(test)]
mod tests {
    use types::{ForkName, Spec, SszExt};

    use super::*;

    fn some() -> ExecutionRequests {
        let deposit = |index| DepositRequest {
            pubkey: FixedBytes([index as u8; 48]),
            withdrawal_credentials: Root::from([2; 32]),
            amount: Gwei(32_000_000_000),
            signature: FixedBytes([3; 96]),
            index,
        };
        ExecutionRequests {
            deposits: vec![deposit(1), deposit(2)],
            withdrawals: vec![WithdrawalRequest { amount: Gwei(7), ..WithdrawalRequest::default() }],
            consolidations: vec![ConsolidationRequest {
                target_pubkey: FixedBytes([9; 48]),
                ..ConsolidationRequest::default()
            }],
        }
    }

    #[test]
    fn the_bytes_are_the_type_and_the_ssz_and_are_read_back() {
        let requests = some();
        let list = get_execution_requests_list(&requests);
        let ctx = Spec::mainnet().ctx(ForkName::Electra);
        let ssz: Vec<u8> = requests.deposits.iter().flat_map(|deposit| deposit.to_ssz(ctx)).collect();
        assert_eq!((list[0].0[0], &list[0].0[1..]), (0, ssz.as_slice()));
        assert_eq!(list[1].0[1..], requests.withdrawals[0].to_ssz(ctx));
        assert_eq!(list[2].0[1..], requests.consolidations[0].to_ssz(ctx));
        assert_eq!(get_execution_requests(&list), Ok(requests));
    }

    #[test]
    fn types_without_requests_are_left_out() {
        let requests = ExecutionRequests { deposits: Vec::new(), ..some() };
        let list = get_execution_requests_list(&requests);
        assert_eq!(list.iter().map(|element| element.0[0]).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(get_execution_requests(&list), Ok(requests));
        // Known from EIP-7685: the hash of no requests is the SHA-256 of nothing.
        assert_eq!(
            compute_requests_hash(&get_execution_requests_list(&ExecutionRequests::default())).to_string(),
            "0xe3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
    }

    #[test]
    fn lists_that_break_a_rule_are_refused_with_the_rule() {
        let read = |list: &[&[u8]]| {
            let list: Vec<Bytes> = list.iter().map(|element| Bytes(element.to_vec())).collect();
            get_execution_requests(&list).unwrap_err()
        };
        let withdrawal = [&[1u8][..], &[0; WITHDRAWAL_BYTES]].concat();
        assert_eq!(read(&[&[]]), InvalidRequests::Empty { at: 0 });
        assert_eq!(read(&[&withdrawal, &[2]]), InvalidRequests::Empty { at: 1 });
        assert_eq!(read(&[&[3, 0]]), InvalidRequests::UnknownType { kind: 3 });
        assert_eq!(read(&[&withdrawal, &withdrawal]), InvalidRequests::Order { before: 1, kind: 1 });
        assert_eq!(
            read(&[&withdrawal[..WITHDRAWAL_BYTES]]),
            InvalidRequests::Length { kind: 1, bytes: WITHDRAWAL_BYTES - 1, each: WITHDRAWAL_BYTES }
        );
    }
}
