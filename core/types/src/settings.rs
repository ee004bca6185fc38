//! The flat YAML maps of presets and configurations, with errors that name the key.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

use crate::Epoch;
use crate::config::BlobParameters;
use crate::{Gwei, Slot};
use ssz::{FixedBytes, Uint256};

/// Why a preset or configuration cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingError {
    /// No YAML map of keys and values.
    #[error("not a map of keys and values: {0}")]
    Syntax(String),
    /// A key that must be there is not.
    #[error("{0} is missing")]
    Missing(String),
    /// A value of another kind.
    #[error("{key} is {value:?}, expected {wanted}")]
    Wrong {
        /// The key.
        key: String,
        /// The value as written.
        value: String,
        /// What was expected.
        wanted: &'static str,
    },
    /// Keys that contradict each other.
    #[error("{0}")]
    Contradiction(String),
}

/// Keys and values as written, and the blob schedule, the one key with a list.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    values: BTreeMap<String, String>,
    blob_schedule: Vec<BTreeMap<String, String>>,
}

/// A type of value that a key may have.
pub trait Setting: Sized {
    /// What an error says was expected.
    const WANTED: &'static str;

    /// Reads the text.
    fn read(text: &str) -> Option<Self>;
}

macro_rules! parsed {
    ($type:ty, $wanted:literal) => {
        impl Setting for $type {
            const WANTED: &'static str = $wanted;

            fn read(text: &str) -> Option<Self> {
                Self::from_str(text).ok()
            }
        }
    };
}

parsed!(u64, "a 64-bit number");
parsed!(Epoch, "an epoch (a 64-bit number)");
parsed!(Slot, "a slot (a 64-bit number)");
parsed!(Gwei, "an amount in Gwei (a 64-bit number)");
parsed!(FixedBytes<4>, "4 bytes as 0x and 8 hex digits");
parsed!(FixedBytes<20>, "20 bytes as 0x and 40 hex digits");
parsed!(FixedBytes<32>, "32 bytes as 0x and 64 hex digits");
parsed!(String, "a text");

impl Setting for Uint256 {
    const WANTED: &'static str = "a 256-bit number";

    fn read(text: &str) -> Option<Self> {
        Self::from_decimal(text)
    }
}

fn read<T: Setting>(key: &str, value: &str) -> Result<T, SettingError> {
    T::read(value).ok_or_else(|| SettingError::Wrong {
        key: key.to_owned(),
        value: value.to_owned(),
        wanted: T::WANTED,
    })
}

impl Settings {
    /// Reads YAML text.
    pub fn parse(text: &str) -> Result<Self, SettingError> {
        serde_saphyr::from_str(text).map_err(|error| {
            // The library's text spans lines and shows the source; the first line says what is wrong.
            let text = error.to_string();
            SettingError::Syntax(text.lines().next().unwrap_or_default().to_owned())
        })
    }

    /// Takes a key that must be there.
    pub fn take<T: Setting>(&mut self, key: &str) -> Result<T, SettingError> {
        let value = self.values.remove(key).ok_or_else(|| SettingError::Missing(key.to_owned()))?;
        read(key, &value)
    }

    /// Takes a key from here, or from `base` where this has none.
    pub fn take_or<T: Setting>(&mut self, base: &mut Self, key: &str) -> Result<T, SettingError> {
        match self.values.remove(key) {
            Some(value) => read(key, &value),
            None => base.take(key),
        }
    }

    /// The value of a key, left in place.
    pub fn peek(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(String::as_str)
    }

    /// Sets a key.
    pub fn set(&mut self, key: &str, value: impl ToString) {
        self.values.insert(key.to_owned(), value.to_string());
    }

    /// Sets `BLOB_SCHEDULE`.
    pub fn set_blob_schedule(&mut self, schedule: &[BlobParameters]) {
        let entry = |limit: &BlobParameters| {
            let epoch = ("EPOCH".to_owned(), limit.epoch.to_string());
            let blobs = ("MAX_BLOBS_PER_BLOCK".to_owned(), limit.max_blobs_per_block.to_string());
            BTreeMap::from([epoch, blobs])
        };
        self.blob_schedule = schedule.iter().map(entry).collect();
    }

    /// Takes `BLOB_SCHEDULE`, sorted by epoch.
    pub fn take_blob_schedule(&mut self) -> Result<Vec<BlobParameters>, SettingError> {
        let mut schedule = Vec::new();
        for entry in std::mem::take(&mut self.blob_schedule) {
            let field = |key: &str| -> Result<u64, SettingError> {
                let value =
                    entry.get(key).ok_or_else(|| SettingError::Missing(format!("{key} in BLOB_SCHEDULE")))?;
                read(&format!("{key} in BLOB_SCHEDULE"), value)
            };
            schedule.push(BlobParameters {
                epoch: Epoch(field("EPOCH")?),
                max_blobs_per_block: field("MAX_BLOBS_PER_BLOCK")?,
            });
        }
        schedule.sort_by_key(|entry| entry.epoch);
        Ok(schedule)
    }

    /// What nobody took.
    pub fn rest(self) -> Vec<(String, String)> {
        self.values.into_iter().collect()
    }
}

impl<'de> Deserialize<'de> for Settings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(SettingsVisitor)
    }
}

struct SettingsVisitor;

impl<'de> Visitor<'de> for SettingsVisitor {
    type Value = Settings;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of keys and values")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Settings, A::Error> {
        let mut settings = Settings::default();
        // Values are taken as text: YAML would read the version 0x00000001 as the number 1.
        while let Some(key) = map.next_key::<String>()? {
            if key == "BLOB_SCHEDULE" {
                settings.blob_schedule = map.next_value()?;
            } else {
                settings.values.insert(key, map.next_value()?);
            }
        }
        Ok(settings)
    }
}
