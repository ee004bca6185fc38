//! The signed-message log: a line of JSON for every signature, written before the signature leaves the process. Drills
//! read it to prove that nothing slashable was ever signed.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use serde_json::{Map, Value};
use validator::{Message, SigningRequest};

/// An open log. A line is with the operating system when [`SignedLog::append`] returns, so that it survives the
/// death of the process; power loss is what slashing protection is for.
#[derive(Debug)]
pub(crate) struct SignedLog(Mutex<File>);

impl SignedLog {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
        // A line that was torn off must not spoil the one after it.
        if file.metadata()?.len() > 0 {
            file.seek(SeekFrom::End(-1))?;
            let mut last = [0];
            file.read_exact(&mut last)?;
            if last != *b"\n" {
                file.write_all(b"\n")?;
            }
        }
        Ok(Self(Mutex::new(file)))
    }

    /// Appends a line for each request, all in one write.
    pub(crate) fn append<'a>(&self, requests: impl Iterator<Item = &'a SigningRequest>) -> io::Result<()> {
        let mut lines = String::new();
        for request in requests {
            lines.push_str(&line(request));
            lines.push('\n');
        }
        // A panic in another thread leaves whole writes behind, so the file is as good as before.
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write_all(lines.as_bytes())
    }
}

fn line(request: &SigningRequest) -> String {
    let mut fields = Map::new();
    fields.insert("pubkey".into(), request.pubkey.to_string().into());
    fields.insert("kind".into(), request.message.kind().into());
    let mut number = |name: &str, value: u64| fields.insert(name.into(), value.into());
    match request.message {
        Message::Block { slot }
        | Message::SelectionProof { slot }
        | Message::AggregateAndProof { slot }
        | Message::SyncMessage { slot }
        | Message::SyncSelectionProof { slot }
        | Message::ContributionAndProof { slot } => {
            number("slot", slot.0);
        }
        Message::Attestation { slot, source, target } => {
            number("slot", slot.0);
            number("source", source.0);
            number("target", target.0);
        }
        Message::Randao { epoch } | Message::VoluntaryExit { epoch } => {
            number("epoch", epoch.0);
        }
    }
    fields.insert("signing_root".into(), request.signing_root.to_string().into());
    Value::Object(fields).to_string()
}

#[cfg(test)]
mod tests {
    use types::{BlsPubkey, Epoch, Root, Slot};

    use super::*;

    fn request(message: Message) -> SigningRequest {
        SigningRequest { pubkey: BlsPubkey::from([1; 48]), message, signing_root: Root::from([2; 32]) }
    }

    #[test]
    fn every_kind_of_message_gets_its_line_and_a_torn_line_stays_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("signed.jsonl");
        std::fs::write(&path, "{\"pubkey\":\"0x01").unwrap();
        let log = SignedLog::open(&path).unwrap();
        let requests = [
            request(Message::Block { slot: Slot(7) }),
            request(Message::Attestation { slot: Slot(8), source: Epoch(0), target: Epoch(1) }),
            request(Message::Randao { epoch: Epoch(3) }),
        ];
        log.append(requests.iter()).unwrap();
        drop(log);
        SignedLog::open(&path).unwrap().append(requests[..1].iter()).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 5);
        let parsed: Vec<Value> = lines[1..].iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(parsed[0]["kind"], "block");
        assert_eq!(parsed[0]["slot"], 7);
        assert_eq!(parsed[0]["pubkey"].as_str().unwrap().len(), 98);
        assert_eq!((&parsed[1]["source"], &parsed[1]["target"]), (&0.into(), &1.into()));
        assert_eq!(parsed[2]["epoch"], 3);
        assert_eq!(parsed[3], parsed[0]);
    }
}
