//! The file with the secret that a beacon node and its execution engine share.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::Context;
use execution::JwtSecret;
use rand::RngCore;

/// The secret of a file; a new one, readable by its owner alone, where there is none.
pub fn read_or_create(path: &Path) -> anyhow::Result<JwtSecret> {
    let bytes = random();
    let created = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    match created {
        Ok(mut file) => {
            let text = format!("0x{}\n", hex::encode(bytes));
            file.write_all(text.as_bytes()).with_context(|| path.display().to_string())?;
            Ok(JwtSecret::from_bytes(bytes))
        }
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(JwtSecret::read(path)?),
        Err(error) => Err(error).with_context(|| format!("cannot write the JWT secret {}", path.display())),
    }
}

/// A secret that is in no file.
pub fn random_secret() -> JwtSecret {
    JwtSecret::from_bytes(random())
}

fn random() -> [u8; 32] {
    let mut bytes = [0; 32];
    rand::rng().fill_bytes(&mut bytes);
    bytes
}
