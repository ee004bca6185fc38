//! Many keys from one seed: [EIP-2333](https://eips.ethereum.org/EIPS/eip-2333) trees and
//! [EIP-2334](https://eips.ethereum.org/EIPS/eip-2334) paths.

use std::fmt;
use std::str::FromStr;

use crypto::{BlsError, SecretKey};

/// Levels of a path. The standard ones have 4 and 5; more than this is refused.
const DEPTH_MAX: usize = 32;

/// The purpose of keys of the curve BLS12-381.
const PURPOSE: u32 = 12381;
/// The coin type of Ethereum's validators.
const COIN_TYPE: u32 = 3600;

/// Where a key is in a tree of keys: child indices from the master key down, written `m/12381/3600/0/0/0`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DerivationPath(Vec<u32>);

/// Why a text is not a path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// It does not begin with the master key.
    #[error("a derivation path begins with m")]
    Master,
    /// A level that is no plain decimal number below 2^32; the first level is number 1.
    #[error("level {0} of the derivation path is not a plain number below 2^32")]
    Level(usize),
    /// More levels than are supported.
    #[error("a derivation path of more than {DEPTH_MAX} levels")]
    Depth,
}

impl DerivationPath {
    /// The path of validator `index`'s withdrawal key: `m/12381/3600/index/0`.
    pub fn withdrawal(index: u32) -> Self {
        Self(vec![PURPOSE, COIN_TYPE, index, 0])
    }

    /// The path of validator `index`'s signing key: `m/12381/3600/index/0/0`.
    pub fn signing(index: u32) -> Self {
        Self(vec![PURPOSE, COIN_TYPE, index, 0, 0])
    }
}

impl FromStr for DerivationPath {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        let mut levels = text.split('/');
        if levels.next() != Some("m") {
            return Err(PathError::Master);
        }
        let mut indices = Vec::new();
        for (place, level) in levels.enumerate() {
            if place == DEPTH_MAX {
                return Err(PathError::Depth);
            }
            indices.push(child_index(level).ok_or(PathError::Level(place + 1))?);
        }
        Ok(Self(indices))
    }
}

/// Only one spelling of a number is accepted, so that equal paths are equal texts.
fn child_index(text: &str) -> Option<u32> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if plain { text.parse().ok() } else { None }
}

impl fmt::Display for DerivationPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("m")?;
        self.0.iter().try_for_each(|index| write!(f, "/{index}"))
    }
}

/// The key at `path` of the tree that grows from `seed`. An error for a seed of fewer than 32 bytes.
pub fn derive_key(seed: &[u8], path: &DerivationPath) -> Result<SecretKey, BlsError> {
    let master = SecretKey::derive_master(seed)?;
    Ok(path.0.iter().fold(master, |key, index| key.derive_child(*index)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The cases of EIP-2333: seed, master key, child index, child key; the keys in hexadecimal.
    const KNOWN: [(&str, &str, u32, &str); 4] = [
        (
            "c55257c360c07c72029aebc1b53c05ed0362ada38ead3e3e9efa3708e53495531f09a6987599d18264c1e1c92f2cf141630c7a3c4ab7c81b2f001698e7463b04",
            "0d7359d57963ab8fbbde1852dcf553fedbc31f464d80ee7d40ae683122b45070",
            0,
            "2d18bd6c14e6d15bf8b5085c9b74f3daae3b03cc2014770a599d8c1539e50f8e",
        ),
        (
            "3141592653589793238462643383279502884197169399375105820974944592",
            "41c9e07822b092a93fd6797396338c3ada4170cc81829fdfce6b5d34bd5e7ec7",
            3141592653,
            "384843fad5f3d777ea39de3e47a8f999ae91f89e42bffa993d91d9782d152a0f",
        ),
        (
            "0099ff991111002299dd7744ee3355bbdd8844115566cc55663355668888cc00",
            "3cfa341ab3910a7d00d933d8f7c4fe87c91798a0397421d6b19fd5b815132e80",
            4294967295,
            "40e86285582f35b28821340f6a53b448588efa575bc4d88c32ef8567b8d9479b",
        ),
        (
            "d4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3",
            "2a0e28ffa5fbbe2f8e7aad4ed94f745d6bf755c51182e119bb1694fe61d3afca",
            42,
            "455c0dc9fccb3395825d92a60d2672d69416be1c2578a87a7a3d3ced11ebb88d",
        ),
    ];

    #[test]
    fn keys_are_those_that_the_proposal_lists() {
        for (seed, master, index, child) in KNOWN {
            let seed = hex::decode(seed).unwrap();
            let at = |path: &str| hex::encode(derive_key(&seed, &path.parse().unwrap()).unwrap().to_bytes());
            assert_eq!(at("m"), master);
            assert_eq!(at(&format!("m/{index}")), child);
        }
    }

    #[test]
    fn a_long_path_is_its_steps_one_by_one() {
        let seed = [7; 32];
        let withdrawal = derive_key(&seed, &DerivationPath::withdrawal(3)).unwrap();
        let signing = derive_key(&seed, &DerivationPath::signing(3)).unwrap();
        assert_eq!(withdrawal.derive_child(0).to_bytes(), signing.to_bytes());
        assert_ne!(withdrawal.to_bytes(), signing.to_bytes());
    }

    #[test]
    fn paths_are_read_as_they_are_written() {
        for path in [DerivationPath::withdrawal(0), DerivationPath::signing(u32::MAX), DerivationPath(vec![])]
        {
            assert_eq!(path.to_string().parse(), Ok(path));
        }
        assert_eq!("m/12381/3600/5/0/0".parse(), Ok(DerivationPath::signing(5)));
    }

    #[test]
    fn what_is_no_path_is_refused_with_the_reason() {
        let read = |text: &str| text.parse::<DerivationPath>();
        for text in ["", "n/1", "M/1", "/m/1", " m"] {
            assert_eq!(read(text), Err(PathError::Master), "{text}");
        }
        for text in ["m/1/", "m/1/x", "m/1/+2", "m/1/02", "m/1/4294967296", "m/1/2'", "m/1/ 2"] {
            assert_eq!(read(text), Err(PathError::Level(2)), "{text}");
        }
        assert_eq!(read(&format!("m{}", "/1".repeat(33))), Err(PathError::Depth));
        assert!(read(&format!("m{}", "/1".repeat(32))).is_ok());
    }
}
