//! Evidence on disk: a folder for each thing that should not have happened, within a budget.
//!
//! ```text
//!   chain ──Output::Evidence──▶ EvidenceKeeper ──queue──▶ thread: bundle ─▶ .part-… ─▶ fsync ─▶ rename
//!                                                                └─▶ the oldest go where the budget is passed
//! ```
//!
//! The core thread only queues; a queue that is full drops what comes, and says so. What a crash leaves unfinished has a
//! name that begins with `.part-` and is removed at the next start.

mod bundle;

use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use chain::Evidence;
use crossbeam_channel::{Sender, TrySendError, bounded};

pub use bundle::write_bundle;

use crate::NodeError;

/// The folder in the data folder.
pub const EVIDENCE_FOLDER: &str = "evidence";
/// The budget where an operator says nothing, in MiB. A state of a million validators takes about 100 MiB.
pub const EVIDENCE_BUDGET_MIB: u64 = 2048;
/// What waits to be written. Further evidence is dropped.
const QUEUE: usize = 4;
/// What a name begins with until the bundle is whole.
const PART: &str = ".part-";

/// Writes evidence on a thread of its own. Dropped or shut down, it writes what is queued first.
#[derive(Debug)]
pub struct EvidenceKeeper {
    queue: Option<Sender<Box<Evidence>>>,
    thread: Option<JoinHandle<()>>,
}

impl EvidenceKeeper {
    /// Keeps evidence below a data folder, within so many bytes; with a budget of zero nothing is kept. An error where
    /// the folder cannot be made or read.
    pub fn start(data_dir: &Path, budget: u64) -> Result<Self, NodeError> {
        if budget == 0 {
            return Ok(Self { queue: None, thread: None });
        }
        let shelf = Shelf { folder: data_dir.join(EVIDENCE_FOLDER), budget };
        let at =
            |error: std::io::Error| NodeError::File { path: shelf.folder.clone(), reason: error.to_string() };
        std::fs::create_dir_all(&shelf.folder).map_err(at)?;
        shelf.tidy_up().map_err(at)?;
        let (queue, waiting) = bounded::<Box<Evidence>>(QUEUE);
        let thread = std::thread::Builder::new()
            .name("evidence".to_owned())
            .spawn(move || waiting.iter().for_each(|evidence| shelf.keep_and_tell(&evidence)))?;
        Ok(Self { queue: Some(queue), thread: Some(thread) })
    }

    /// Queues evidence; never waits.
    pub fn keep(&self, evidence: Box<Evidence>) {
        let Some(queue) = &self.queue else { return };
        let (slot, root) = (slot_of(&evidence), evidence.root);
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) = queue.try_send(evidence) {
            tracing::warn!(slot, %root, "evidence was dropped: the disk is behind");
        }
    }

    /// Writes what is queued.
    pub fn shut_down(mut self) {
        self.finish();
    }

    fn finish(&mut self) {
        drop(self.queue.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that writes evidence panicked");
        }
    }
}

impl Drop for EvidenceKeeper {
    fn drop(&mut self) {
        self.finish();
    }
}

fn slot_of(evidence: &Evidence) -> u64 {
    evidence.blocks.last().map_or(0, |block| block.message.slot.0)
}

/// Where bundles lie, and how much room they have in bytes.
struct Shelf {
    folder: PathBuf,
    budget: u64,
}

/// A bundle that is there.
struct Kept {
    name: String,
    bytes: u64,
}

impl Shelf {
    fn keep_and_tell(&self, evidence: &Evidence) {
        let (slot, root, reason) = (slot_of(evidence), evidence.root, evidence.reason.as_str());
        let why = evidence.beyond.as_deref().unwrap_or(&evidence.verdict);
        match self.keep(evidence) {
            Ok(Some(bundle)) => tracing::warn!(
                slot, %root, reason, why, bundle = %bundle.display(),
                "evidence kept, to be run again by `interlock transition replay`"
            ),
            Ok(None) => {
                tracing::warn!(slot, %root, reason, why, "evidence is there already, or is larger than its budget")
            }
            Err(error) => {
                tracing::error!(slot, %root, reason, why, folder = %self.folder.display(), %error, "evidence cannot be kept");
            }
        }
    }

    /// Writes a bundle and makes room for it; none where the same is there, or it is larger than the whole budget.
    fn keep(&self, evidence: &Evidence) -> std::io::Result<Option<PathBuf>> {
        let root = evidence.root.to_string();
        let what = format!("slot{}-{}-{}", slot_of(evidence), evidence.reason.as_str(), &root[..10]);
        if self.bundles()?.iter().any(|bundle| bundle.name.ends_with(&what)) {
            return Ok(None);
        }
        let name = format!("{:010}-{what}", evidence.time.0 / 1000);
        let part = self.folder.join(format!("{PART}{name}"));
        let written = write_bundle(&part, evidence).and_then(|()| size_of(&part));
        let bytes = match written {
            Ok(bytes) if bytes <= self.budget => bytes,
            other => {
                std::fs::remove_dir_all(&part)?;
                return other.map(|_| None);
            }
        };
        self.make_room(bytes)?;
        let bundle = self.folder.join(name);
        std::fs::rename(&part, &bundle)?;
        std::fs::File::open(&self.folder)?.sync_all()?;
        Ok(Some(bundle))
    }

    /// Removes what a crash left unfinished, and what a smaller budget has no room for.
    fn tidy_up(&self) -> std::io::Result<()> {
        for entry in std::fs::read_dir(&self.folder)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with(PART) {
                std::fs::remove_dir_all(entry.path())?;
            }
        }
        self.make_room(0)
    }

    /// Removes the oldest bundles until there is room for so many bytes.
    fn make_room(&self, wanted: u64) -> std::io::Result<()> {
        let bundles = self.bundles()?;
        let mut used: u64 = bundles.iter().map(|bundle| bundle.bytes).sum();
        for Kept { name, bytes } in bundles {
            if used + wanted <= self.budget {
                break;
            }
            std::fs::remove_dir_all(self.folder.join(&name))?;
            tracing::info!(bundle = name, "the oldest evidence made room for newer");
            used -= bytes;
        }
        Ok(())
    }

    /// The bundles that are there, oldest first: names begin with the time.
    fn bundles(&self) -> std::io::Result<Vec<Kept>> {
        let mut bundles = Vec::new();
        for entry in std::fs::read_dir(&self.folder)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            // What somebody else put here is not ours to remove.
            let is_ours =
                entry.file_type()?.is_dir() && name.starts_with(|first: char| first.is_ascii_digit());
            if is_ours {
                bundles.push(Kept { bytes: size_of(&entry.path())?, name });
            }
        }
        bundles.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(bundles)
    }
}

/// The bytes of all files below a folder.
fn size_of(folder: &Path) -> std::io::Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        bytes += match entry.file_type()?.is_dir() {
            true => size_of(&entry.path())?,
            false => entry.metadata()?.len(),
        };
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::World;

    /// A folder that is gone with the test.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let folder =
                std::env::temp_dir().join(format!("interlock-evidence-{}-{name}", std::process::id()));
            let _ = std::fs::remove_dir_all(&folder);
            std::fs::create_dir_all(&folder).unwrap();
            Self(folder)
        }

        fn bundles(&self) -> Vec<String> {
            let entries = std::fs::read_dir(self.0.join(EVIDENCE_FOLDER)).unwrap();
            let mut names: Vec<String> =
                entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
            names.sort();
            names
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn write(folder: &Folder, budget: u64, evidence: impl IntoIterator<Item = Box<Evidence>>) {
        for evidence in evidence {
            let keeper = EvidenceKeeper::start(&folder.0, budget).unwrap();
            keeper.keep(evidence);
            keeper.shut_down();
        }
    }

    #[test]
    fn a_bundle_has_what_is_needed_to_run_it_again_and_is_written_once() {
        let folder = Folder::new("whole");
        let mut world = World::new();
        world.grow([1, 2, 3]);
        let evidence = world.refused(5);
        write(&folder, 1 << 20, [evidence.clone(), evidence.clone()]);
        let bundles = folder.bundles();
        assert_eq!(bundles.len(), 1, "{bundles:?}");
        assert!(bundles[0].contains("-slot5-state_root-0x"), "{bundles:?}");
        let bundle = folder.0.join(EVIDENCE_FOLDER).join(&bundles[0]);
        let unpacked = |name: &str| {
            snap::raw::Decoder::new().decompress_vec(&std::fs::read(bundle.join(name)).unwrap()).unwrap()
        };
        let block = &evidence.blocks[0];
        assert_eq!(unpacked("pre.ssz_snappy"), evidence.pre_state.encoded());
        assert_eq!(
            unpacked("blocks_0.ssz_snappy"),
            ssz::SszExt::to_ssz(&**block, world.spec.ctx_at_slot(block.message.slot))
        );
        let text = |name: &str| std::fs::read_to_string(bundle.join(name)).unwrap();
        let about = text("evidence.yaml");
        for line in [
            "reason: \"state_root\"",
            "verdict: \"the block's state root is 0x",
            "slot: 5",
            "source: \"sync\"",
        ] {
            assert!(about.contains(line), "{line}: {about}");
        }
        assert!(text("meta.yaml").contains("blocks_count: 1"));
        assert!(text("config.yaml").contains("PRESET_BASE"));
        let notes = text("notes.txt");
        assert!(notes.contains("imported 0x") && notes.contains("of slot 3"), "{notes}");
        let tree: serde_json::Value = serde_json::from_str(&text("fork_choice.json")).unwrap();
        assert_eq!(tree.as_array().unwrap().len(), 4);
        // The three blocks, and that of genesis.
        assert_eq!(std::fs::read_dir(bundle.join("before")).unwrap().count(), 4);
    }

    #[test]
    fn the_budget_holds_and_the_oldest_go() {
        let folder = Folder::new("budget");
        let mut world = World::new();
        let all: Vec<_> = (5..9).map(|slot| world.refused(slot)).collect();
        write(&folder, 1 << 20, all[..1].to_vec());
        let one = size_of(&folder.0).unwrap();
        let room = one * 5 / 2;
        write(&folder, room, all.clone());
        let bundles = folder.bundles();
        assert_eq!(bundles.len(), 2, "{bundles:?}");
        assert!(bundles[0].contains("-slot7-") && bundles[1].contains("-slot8-"), "{bundles:?}");
        assert!(size_of(&folder.0).unwrap() <= room);
        // A smaller budget holds from the next start on, and what is larger than all of it is not kept.
        write(&folder, one * 3 / 2, []);
        drop(EvidenceKeeper::start(&folder.0, one * 3 / 2).unwrap());
        assert_eq!(folder.bundles().len(), 1);
        write(&folder, one / 2, all[..1].to_vec());
        assert_eq!(folder.bundles(), Vec::<String>::new());
    }

    #[test]
    fn what_a_crash_left_is_removed_and_what_is_not_ours_stays() {
        let folder = Folder::new("crash");
        let shelf = folder.0.join(EVIDENCE_FOLDER);
        std::fs::create_dir_all(shelf.join(".part-0000000001-slot1-fault-0x00")).unwrap();
        std::fs::create_dir_all(shelf.join("looked-into")).unwrap();
        drop(EvidenceKeeper::start(&folder.0, 1).unwrap());
        assert_eq!(folder.bundles(), ["looked-into"]);
    }

    #[test]
    fn a_budget_of_zero_keeps_nothing() {
        let folder = Folder::new("zero");
        write(&folder, 0, [World::new().refused(2)]);
        assert!(!folder.0.join(EVIDENCE_FOLDER).exists());
    }
}
