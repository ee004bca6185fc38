//! What a validator client says it signed: one JSON object a line, written before a signature leaves it.

use std::path::Path;
use std::str::FromStr;

use anyhow::{Context, anyhow, bail};
use serde_json::Value;
use ssz::Root;
use types::{BlsPubkey, Epoch, Slot};

/// A message that was signed, as far as slashing conditions look at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignedWhat {
    /// A block.
    Block {
        /// Its slot.
        slot: Slot,
    },
    /// An attestation.
    Attestation {
        /// Its source's epoch.
        source: Epoch,
        /// Its target's epoch.
        target: Epoch,
    },
}

/// One signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signed {
    /// Whose it is.
    pub pubkey: BlsPubkey,
    /// What was signed.
    pub what: SignedWhat,
    /// The root that was signed: two messages are the same exactly where these are.
    pub signing_root: Root,
}

/// The signatures of one log or of several.
#[derive(Clone, Debug, Default)]
pub struct SignedLog {
    /// Blocks and attestations, in the order of the logs.
    pub signed: Vec<Signed>,
    /// Signatures of other kinds, which nobody is slashed for.
    pub others: u64,
}

impl SignedLog {
    /// Reads a log and adds what it says. A line that breaks off was being written when the writer was killed, before
    /// the signature left it, and is passed over; any other line that does not say what it must is an error.
    pub fn read(&mut self, path: &Path) -> anyhow::Result<()> {
        let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
        self.add(&text).with_context(|| path.display().to_string())
    }

    /// As [`SignedLog::read`], from text.
    pub fn add(&mut self, text: &str) -> anyhow::Result<()> {
        let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        for (place, line) in lines {
            let value: Value = match serde_json::from_str(line) {
                Ok(value) => value,
                Err(error) if error.is_eof() => continue,
                Err(error) => return Err(error).with_context(|| format!("line {}", place + 1)),
            };
            match read_line(&value).with_context(|| format!("line {}", place + 1))? {
                Some(signed) => self.signed.push(signed),
                None => self.others += 1,
            }
        }
        Ok(())
    }

    /// How many blocks were signed.
    pub fn blocks(&self) -> usize {
        self.signed.iter().filter(|signed| matches!(signed.what, SignedWhat::Block { .. })).count()
    }

    /// How many attestations were signed.
    pub fn attestations(&self) -> usize {
        self.signed.len() - self.blocks()
    }
}

fn read_line(value: &Value) -> anyhow::Result<Option<Signed>> {
    let kind = value["kind"].as_str().ok_or_else(|| anyhow!("no kind"))?;
    let what = match kind {
        "block" => SignedWhat::Block { slot: Slot(number(value, "slot")?) },
        "attestation" => SignedWhat::Attestation {
            source: Epoch(number(value, "source")?),
            target: Epoch(number(value, "target")?),
        },
        "" => bail!("no kind"),
        _ => return Ok(None),
    };
    Ok(Some(Signed { pubkey: bytes(value, "pubkey")?, what, signing_root: bytes(value, "signing_root")? }))
}

/// A number, written as one or, as in the Beacon API, as a text.
fn number(value: &Value, key: &str) -> anyhow::Result<u64> {
    let number = match &value[key] {
        Value::String(text) => text.parse().ok(),
        other => other.as_u64(),
    };
    number.ok_or_else(|| anyhow!("no number {key}"))
}

fn bytes<T: FromStr>(value: &Value, key: &str) -> anyhow::Result<T> {
    value[key].as_str().and_then(|text| text.parse().ok()).ok_or_else(|| anyhow!("no {key}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str =
        "0xa99a76ed7796f7be22d5b7e85deeb7c5677e88e511e0b337618f8c4eb61349b4bf2d153f649f7b53359fe8b94a38e44c";

    fn root(number: u8) -> String {
        Root::from([number; 32]).to_string()
    }

    #[test]
    fn blocks_and_attestations_are_read_and_other_kinds_counted() {
        let (one, two) = (root(1), root(2));
        let text = format!(
            "{{\"pubkey\":\"{KEY}\",\"kind\":\"block\",\"slot\":\"7\",\"signing_root\":\"{one}\"}}\n\
             {{\"pubkey\":\"{KEY}\",\"kind\":\"attestation\",\"slot\":9,\"source\":1,\"target\":2,\"signing_root\":\"{two}\"}}\n\
             {{\"pubkey\":\"{KEY}\",\"kind\":\"randao_reveal\",\"epoch\":1,\"signing_root\":\"{two}\"}}\n"
        );
        let mut log = SignedLog::default();
        log.add(&text).unwrap();
        let pubkey: BlsPubkey = KEY.parse().unwrap();
        let block = SignedWhat::Block { slot: Slot(7) };
        assert_eq!(log.signed[0], Signed { pubkey, what: block, signing_root: Root::from([1; 32]) });
        assert_eq!(log.signed[1].what, SignedWhat::Attestation { source: Epoch(1), target: Epoch(2) });
        assert_eq!((log.blocks(), log.attestations(), log.others), (1, 1, 1));
    }

    #[test]
    fn only_lines_that_break_off_are_passed_over() {
        let whole = format!(
            "{{\"pubkey\":\"{KEY}\",\"kind\":\"block\",\"slot\":7,\"signing_root\":\"{}\"}}\n",
            root(1)
        );
        let mut log = SignedLog::default();
        log.add(&format!("{whole}{{\"pubkey\":\"0xa9\n{whole}{{\"pubkey\":")).unwrap();
        assert_eq!(log.signed.len(), 2);
        let error = log.add(&format!("{whole}pubkey\n")).unwrap_err();
        assert!(format!("{error:#}").starts_with("line 2: expected"), "{error:#}");
        let wrong = whole.replace("\"slot\":7", "\"slot\":-7");
        assert_eq!(format!("{:#}", log.add(&wrong).unwrap_err()), "line 1: no number slot");
    }
}
