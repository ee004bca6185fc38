//! The node key: one secp256k1 secret is both the libp2p identity and the signer of the ENR.

use std::fs;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use ::enr::CombinedKey;
use libp2p::identity::{Keypair, secp256k1};
use thiserror::Error;

/// A secp256k1 secret, 32 bytes big-endian. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretKey([u8; 32]);

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretKey(..)")
    }
}

/// Why a node key could not be loaded.
#[derive(Debug, Error)]
pub enum KeyError {
    /// The bytes are zero or not below the order of the curve.
    #[error("the node key is not a valid secp256k1 secret")]
    Invalid,
    /// The file is not 64 hexadecimal digits.
    #[error("the node key file {0} must hold 64 hexadecimal digits")]
    Malformed(String),
    /// The file may be read by others than its owner.
    #[error("the node key file {0} is readable by others; set its mode to 0600")]
    Permissions(String),
    /// The file system refused.
    #[error("the node key file {path}: {source}")]
    Io {
        /// The path given.
        path: String,
        /// What the operating system said.
        source: std::io::Error,
    },
}

impl SecretKey {
    /// Wraps 32 big-endian bytes; [`KeyError::Invalid`] if they are no secp256k1 scalar.
    pub fn from_bytes(bytes: [u8; 32]) -> Result<Self, KeyError> {
        secp256k1::SecretKey::try_from_bytes(bytes).map_err(|_| KeyError::Invalid)?;
        Ok(Self(bytes))
    }

    /// A fresh key from the operating system's randomness.
    pub fn generate() -> Self {
        Self(secp256k1::SecretKey::generate().to_bytes())
    }

    /// The 32 secret bytes, big-endian.
    pub fn to_bytes(&self) -> [u8; 32] {
        self.0
    }

    /// The libp2p peer id that belongs to this key.
    pub fn peer_id(&self) -> libp2p::PeerId {
        self.keypair().public().to_peer_id()
    }

    /// The id of the node in discovery, big endian.
    pub fn node_id(&self) -> [u8; 32] {
        crate::enr::node_id_of(&self.peer_id()).expect("a secp256k1 key stands in its peer id")
    }

    pub(crate) fn keypair(&self) -> Keypair {
        let secret = secp256k1::SecretKey::try_from_bytes(self.0).expect("checked when it was made");
        Keypair::from(secp256k1::Keypair::from(secret))
    }

    pub(crate) fn enr_key(&self) -> CombinedKey {
        let mut bytes = self.0;
        CombinedKey::secp256k1_from_bytes(&mut bytes).expect("checked when it was made")
    }
}

/// Reads the node key at `path` (64 hexadecimal digits), or creates one there with mode 0600.
///
/// A file that others can read is refused: whoever has the key can impersonate the node.
pub fn load_or_create_key(path: &Path) -> Result<SecretKey, KeyError> {
    let name = path.display().to_string();
    let io = |source| KeyError::Io { path: path.display().to_string(), source };
    match fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(mut file) => {
            let key = SecretKey::generate();
            file.write_all(hex::encode(key.0).as_bytes()).and_then(|()| file.sync_all()).map_err(io)?;
            Ok(key)
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let mode = fs::metadata(path).map_err(io)?.permissions().mode();
            if mode & 0o077 != 0 {
                return Err(KeyError::Permissions(name));
            }
            let text = fs::read_to_string(path).map_err(io)?;
            let digits = text.trim().trim_start_matches("0x");
            let mut bytes = [0; 32];
            hex::decode_to_slice(digits, &mut bytes).map_err(|_| KeyError::Malformed(name))?;
            SecretKey::from_bytes(bytes)
        }
        Err(error) => Err(io(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch(name: &str) -> std::path::PathBuf {
        let path = std::env::temp_dir().join(format!("interlock-key-{}-{name}", std::process::id()));
        let _ = fs::remove_file(&path);
        path
    }

    #[test]
    fn a_key_is_created_once_with_mode_0600_and_loaded_again() {
        let path = scratch("created");
        let key = load_or_create_key(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(load_or_create_key(&path).unwrap(), key);
        fs::remove_file(&path).unwrap();
    }

    #[test]
    fn a_key_others_can_read_and_a_malformed_key_are_refused() {
        let path = scratch("refused");
        fs::write(&path, "11".repeat(32)).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(load_or_create_key(&path), Err(KeyError::Permissions(_))));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert!(load_or_create_key(&path).is_ok());
        fs::write(&path, "11").unwrap();
        assert!(matches!(load_or_create_key(&path), Err(KeyError::Malformed(_))));
        fs::write(&path, "00".repeat(32)).unwrap();
        assert!(matches!(load_or_create_key(&path), Err(KeyError::Invalid)));
        fs::remove_file(&path).unwrap();
    }

    #[test]
    fn the_enr_and_the_peer_id_share_one_public_key() {
        let key = SecretKey::generate();
        let enr = ::enr::Enr::empty(&key.enr_key()).unwrap();
        assert_eq!(crate::enr::peer_id(&enr), Some(key.peer_id()));
    }
}
