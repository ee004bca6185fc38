//! Validator keys: where they come from, how they rest on disk, and what they signed before.
//!
//! ```text
//!   seed ──derive──▶ SecretKey ◀──decrypt── Keystore (JSON of EIP-2335)
//!   index ─interop─▶     │      ──encrypt─▶
//!                        └─▶ deposit_data        Interchange (JSON of EIP-3076): the signing history
//! ```
//!
//! Nothing here reads a file or draws random numbers: texts and entropy come from the caller. Secrets are erased
//! from memory when they are dropped and appear in no error and no debug output.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod deposit;
mod derive;
mod interchange;
mod interop;
mod keystore;

pub use deposit::{
    address_withdrawal_credentials, bls_withdrawal_credentials, compounding_withdrawal_credentials,
    deposit_data, deposit_signing_root,
};
pub use derive::{DerivationPath, PathError, derive_key};
pub use interchange::{
    INTERCHANGE_BYTES_MAX, Interchange, InterchangeError, SignedAttestation, SignedBlock, SigningHistory,
};
pub use interop::interop_secret_key;
pub use keystore::{
    KEYSTORE_BYTES_MAX, KdfCost, Keystore, KeystoreEntropy, KeystoreError, PBKDF2_ROUNDS_MAX,
    SCRYPT_MEMORY_MAX, SCRYPT_WORK_MAX,
};
