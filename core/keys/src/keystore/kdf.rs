//! From a password to a key, at a price that is bounded.

use sha2::Sha256;
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

use super::KeystoreError;

/// Memory that one key derivation may take, in bytes. The usual parameters take half of it; a file that asks for
/// more is refused, so that no file can exhaust a machine.
pub const SCRYPT_MEMORY_MAX: u64 = 512 << 20;
/// The largest product `n * r * p`, eight times that of the usual parameters: some seconds of work.
pub const SCRYPT_WORK_MAX: u64 = 1 << 24;
/// The most rounds of PBKDF2, 64 times the usual number: some seconds of work.
pub const PBKDF2_ROUNDS_MAX: u64 = 1 << 24;

/// A function that makes guessing a password expensive, and how expensive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KdfCost {
    /// [RFC 7914](https://www.rfc-editor.org/rfc/rfc7914), with `128 * r * (n + p)` bytes of memory.
    Scrypt {
        /// Steps, a power of two above one.
        n: u64,
        /// Block size, in units of 128 bytes.
        r: u64,
        /// Repetitions.
        p: u64,
    },
    /// [RFC 8018](https://www.rfc-editor.org/rfc/rfc8018) over HMAC-SHA-256.
    Pbkdf2 {
        /// Rounds.
        c: u64,
    },
}

impl KdfCost {
    /// Scrypt with the parameters of the standard: 256 MiB and about half a second.
    pub const SCRYPT: Self = Self::Scrypt { n: 1 << 18, r: 8, p: 1 };
    /// PBKDF2 with the parameters of the standard.
    pub const PBKDF2: Self = Self::Pbkdf2 { c: 1 << 18 };

    /// Refuses parameters that are undefined or beyond the bounds.
    pub(super) fn check(self) -> Result<(), KeystoreError> {
        let (defined, allowed) = match self {
            Self::Scrypt { n, r, p } => {
                let [n_wide, r_wide, p_wide] = [n, r, p].map(u128::from);
                // The sum is at most 2^65 and each product below 2^128, save for numbers that are far too large.
                let memory = n_wide.saturating_add(p_wide).saturating_mul(r_wide).saturating_mul(128);
                let work = n_wide.saturating_mul(r_wide).saturating_mul(p_wide);
                (
                    n > 1 && n.is_power_of_two() && r > 0 && p > 0,
                    memory <= u128::from(SCRYPT_MEMORY_MAX) && work <= u128::from(SCRYPT_WORK_MAX),
                )
            }
            Self::Pbkdf2 { c } => (c > 0, c <= PBKDF2_ROUNDS_MAX),
        };
        match (defined, allowed) {
            (false, _) => Err(KeystoreError::KdfParameters(self)),
            (true, false) => Err(KeystoreError::KdfTooCostly(self)),
            (true, true) => Ok(()),
        }
    }

    /// The key of `password`, 32 bytes.
    pub(super) fn derive(self, password: &str, salt: &[u8]) -> Result<Zeroizing<[u8; 32]>, KeystoreError> {
        self.check()?;
        let password = normalized(password);
        let mut key = Zeroizing::new([0; 32]);
        match self {
            Self::Scrypt { n, r, p } => {
                let narrow = |number: u64| u32::try_from(number).expect("check bounds it by 2^24");
                let params = scrypt::Params::new(n.ilog2() as u8, narrow(r), narrow(p))
                    .map_err(|_| KeystoreError::KdfParameters(self))?;
                scrypt::scrypt(password.as_bytes(), salt, &params, &mut *key)
                    .expect("32 bytes are a valid length");
            }
            Self::Pbkdf2 { c } => {
                let rounds = u32::try_from(c).expect("check bounds it by 2^24");
                pbkdf2::pbkdf2_hmac::<Sha256>(password.as_bytes(), salt, rounds, &mut *key);
            }
        }
        Ok(key)
    }
}

/// A password as one types it becomes the same bytes on every machine: compatibility decomposition, and no control
/// codes, which come from copying.
fn normalized(password: &str) -> Zeroizing<String> {
    // Decomposition makes a text at most 18 times longer. The room is taken at once, since growing would leave
    // copies behind that are not erased.
    let mut text = Zeroizing::new(String::with_capacity(18 * password.len()));
    text.extend(password.nfkd().filter(|letter| !letter.is_control()));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_lose_their_control_codes_and_their_styles() {
        let controls: String = ('\0'..='\u{1f}').chain('\u{7f}'..='\u{9f}').collect();
        assert_eq!(&**normalized(&format!("a{controls}b")), "ab");
        assert_eq!(hex::encode(normalized("𝔱𝔢𝔰𝔱𝔭𝔞𝔰𝔰𝔴𝔬𝔯𝔡🔑").as_bytes()), "7465737470617373776f7264f09f9491");
        assert_eq!(&**normalized(" é"), " e\u{301}");
        // The letter that grows most.
        let grown = normalized("\u{fdfa}");
        assert!(grown.len() > 30 && grown.len() <= 18 * "\u{fdfa}".len());
    }

    #[test]
    fn a_hostile_price_is_refused_before_it_is_paid() {
        let max = u64::MAX;
        for (n, r, p) in [
            (1 << 20, 8, 1),
            (1 << 63, 1, 1),
            (2, 1 << 22, 1),
            (2, 1, 1 << 24),
            (1 << 18, 8, 9),
            (1 << 63, max, max),
            (2, max, max),
        ] {
            let kdf = KdfCost::Scrypt { n, r, p };
            assert_eq!(kdf.derive("", b"").unwrap_err(), KeystoreError::KdfTooCostly(kdf));
        }
        for c in [PBKDF2_ROUNDS_MAX + 1, max] {
            let kdf = KdfCost::Pbkdf2 { c };
            assert_eq!(kdf.derive("", b"").unwrap_err(), KeystoreError::KdfTooCostly(kdf));
        }
    }

    #[test]
    fn the_largest_allowed_price_and_the_usual_one_are_accepted() {
        for kdf in [
            KdfCost::SCRYPT,
            KdfCost::PBKDF2,
            KdfCost::Scrypt { n: 1 << 18, r: 8, p: 8 },
            KdfCost::Pbkdf2 { c: PBKDF2_ROUNDS_MAX },
        ] {
            assert_eq!(kdf.check(), Ok(()), "{kdf:?}");
        }
    }

    #[test]
    fn undefined_parameters_are_refused() {
        for (n, r, p) in [(0, 8, 1), (1, 8, 1), (3, 8, 1), (4, 0, 1), (4, 8, 0), (1000, 8, 1)] {
            let kdf = KdfCost::Scrypt { n, r, p };
            assert_eq!(kdf.check(), Err(KeystoreError::KdfParameters(kdf)));
        }
        let kdf = KdfCost::Pbkdf2 { c: 0 };
        assert_eq!(kdf.check(), Err(KeystoreError::KdfParameters(kdf)));
    }

    #[test]
    fn scrypt_gives_what_its_standard_lists() {
        // RFC 7914, section 12, the case of "password" and "NaCl", of whose 64 bytes the first 32 are asked for.
        let kdf = KdfCost::Scrypt { n: 1024, r: 8, p: 16 };
        let key = kdf.derive("password", b"NaCl").unwrap();
        assert_eq!(hex::encode(*key), "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162");
    }
}
