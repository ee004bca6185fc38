//! The tokens that prove to an engine who we are:
//! [authentication](https://github.com/ethereum/execution-apis/blob/main/src/engine/authentication.md) by a secret that
//! both processes read from a file. HS256 over a claim of one number is little enough to be written here.

use std::fmt;
use std::path::{Path, PathBuf};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// How far an engine lets the clocks of the two machines differ.
const DRIFT_SECONDS_MAX: u64 = 60;

/// What every token begins with: `{"typ":"JWT","alg":"HS256"}`.
const HEADER: &str = "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9";

/// A secret shared with an engine. It is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct JwtSecret([u8; 32]);

/// Why there is no secret.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file cannot be read.
    #[error("the JWT secret {path} cannot be read: {error}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        error: std::io::Error,
    },
    /// The file holds something else.
    #[error("the JWT secret {path} is not 32 bytes in hexadecimal (64 digits, 0x before them or not): {why}")]
    NotASecret {
        /// The file.
        path: PathBuf,
        /// What is wrong, without the content.
        why: String,
    },
}

/// Why a token is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidToken {
    /// It is not three parts of base64, or its header or claims are not what the Engine API asks for.
    #[error("the token is not of the form that the Engine API asks for")]
    Form,
    /// It was made with another secret.
    #[error("the token was made with another secret")]
    Signature,
    /// It was made too long ago, or in the future.
    #[error("the token's time is more than {DRIFT_SECONDS_MAX} seconds from ours")]
    Time,
}

impl fmt::Debug for JwtSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JwtSecret")
    }
}

impl JwtSecret {
    /// The secret of 32 bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The secret in a file: 64 hexadecimal digits, with or without `0x`, white space around them.
    pub fn read(path: &Path) -> Result<Self, SecretError> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| SecretError::Unreadable { path: path.to_owned(), error })?;
        let not = |why: String| SecretError::NotASecret { path: path.to_owned(), why };
        let digits = text.trim();
        let bytes = hex::decode(digits.strip_prefix("0x").unwrap_or(digits))
            .map_err(|error| not(error.to_string()))?;
        let found = bytes.len();
        bytes.try_into().map(Self).map_err(|_| not(format!("it has {found} bytes")))
    }

    /// A token made at a time in seconds since 1970.
    pub fn token(&self, issued_at: u64) -> String {
        let signed = format!("{HEADER}.{}", base64url(format!("{{\"iat\":{issued_at}}}").as_bytes()));
        let signature = base64url(&self.mac(&signed).finalize().into_bytes());
        format!("{signed}.{signature}")
    }

    /// Checks a token at a time in seconds since 1970, as an engine does.
    pub fn verify(&self, token: &str, now: u64) -> Result<(), InvalidToken> {
        let (signed, signature) = token.rsplit_once('.').ok_or(InvalidToken::Form)?;
        let (header, claims) = signed.split_once('.').ok_or(InvalidToken::Form)?;
        let signature = from_base64url(signature).ok_or(InvalidToken::Form)?;
        // The signature first: nothing of what a stranger sends is looked into.
        self.mac(signed).verify_slice(&signature).map_err(|_| InvalidToken::Signature)?;
        let json = |part: &str| {
            let bytes = from_base64url(part).ok_or(InvalidToken::Form)?;
            serde_json::from_slice::<serde_json::Value>(&bytes).map_err(|_| InvalidToken::Form)
        };
        if json(header)?["alg"] != "HS256" {
            return Err(InvalidToken::Form);
        }
        let issued_at = json(claims)?["iat"].as_u64().ok_or(InvalidToken::Form)?;
        if issued_at.abs_diff(now) > DRIFT_SECONDS_MAX { Err(InvalidToken::Time) } else { Ok(()) }
    }

    fn mac(&self, message: &str) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("an HMAC key may have any length");
        mac.update(message.as_bytes());
        mac
    }
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Base64 for URLs, without padding.
fn base64url(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let mut group = [0; 3];
        group[..chunk.len()].copy_from_slice(chunk);
        let group = u32::from_be_bytes([0, group[0], group[1], group[2]]);
        for place in 0..=chunk.len() {
            out.push(char::from(ALPHABET[(group >> (18 - 6 * place) & 63) as usize]));
        }
    }
    out
}

fn from_base64url(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() * 3 / 4);
    for chunk in text.as_bytes().chunks(4) {
        let mut group = 0u32;
        for place in 0..4 {
            let digit = match chunk.get(place) {
                Some(letter) => ALPHABET.iter().position(|known| known == letter)? as u32,
                None => 0,
            };
            group = group << 6 | digit;
        }
        // One letter alone holds no whole byte.
        let bytes = chunk.len().checked_sub(1).filter(|bytes| *bytes > 0)?;
        out.extend_from_slice(&group.to_be_bytes()[1..1 + bytes]);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_of_a_known_secret_and_time_is_known() {
        // Made with Python's hmac and base64.
        let secret = JwtSecret::from_bytes([0x5e; 32]);
        assert_eq!(secret.token(1_700_000_000), KNOWN_TOKEN);
        assert_eq!(secret.verify(KNOWN_TOKEN, 1_700_000_060), Ok(()));
        assert_eq!(secret.verify(KNOWN_TOKEN, 1_700_000_061), Err(InvalidToken::Time));
        assert_eq!(secret.verify(KNOWN_TOKEN, 1_699_999_939), Err(InvalidToken::Time));
    }

    const KNOWN_TOKEN: &str = "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJpYXQiOjE3MDAwMDAwMDB9.mJhpK2HyPkd5YP4KIQ6EOdmbMBoZNSU36LCGN7-we_s";

    /// The example of RFC 7515, appendix A.1, whose key and claims are not ours: the HMAC and the base64 are.
    #[test]
    fn the_signature_of_the_standards_example_is_right() {
        let key = from_base64url(
            "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
        )
        .unwrap();
        let signed = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
        mac.update(signed.as_bytes());
        assert_eq!(base64url(&mac.finalize().into_bytes()), "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
    }

    #[test]
    fn a_token_of_another_secret_or_form_is_refused() {
        let (secret, other) = (JwtSecret::from_bytes([1; 32]), JwtSecret::from_bytes([2; 32]));
        assert_eq!(secret.verify(&other.token(100), 100), Err(InvalidToken::Signature));
        for token in ["", "a.b", "a.b.!", "..", "a"] {
            assert!(secret.verify(token, 100).is_err(), "{token}");
        }
        // Signed by the right secret, but not saying when.
        let signed = format!("{HEADER}.{}", base64url(b"{}"));
        let token = format!("{signed}.{}", base64url(&secret.mac(&signed).finalize().into_bytes()));
        assert_eq!(secret.verify(&token, 100), Err(InvalidToken::Form));
    }

    #[test]
    fn base64_round_trips_at_every_length() {
        for length in 0..70 {
            let bytes: Vec<u8> = (0..length).map(|index| (index * 89 + 250) as u8).collect();
            assert_eq!(from_base64url(&base64url(&bytes)), Some(bytes));
        }
    }

    #[test]
    fn a_secret_file_is_read_and_errors_name_it_and_not_its_content() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("jwt.hex");
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            JwtSecret::read(&path)
        };
        let digits = "5e".repeat(32);
        for text in [digits.clone(), format!("0x{digits}\n"), format!("  {digits}\r\n")] {
            assert_eq!(read(&text).unwrap(), JwtSecret::from_bytes([0x5e; 32]));
        }
        for text in ["", "0x", "abc", &digits[2..], &format!("{digits}00"), "zz"] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains("jwt.hex") && error.contains("64 digits"), "{error}");
            assert!(text.len() < 10 || !error.contains(text), "{error}");
        }
        let missing = JwtSecret::read(&folder.path().join("none")).unwrap_err().to_string();
        assert!(missing.contains("none cannot be read"), "{missing}");
        assert_eq!(format!("{:?}", JwtSecret::from_bytes([1; 32])), "JwtSecret");
    }
}
