//! The bounds of everything that the chain keeps, each with what happens when it is reached.

/// Gossip blocks whose parent is not known, in all. When full, the block with the highest slot goes, since it is the
/// last that could be imported; where that is the new one, it is dropped.
pub const PENDING_BLOCKS_MAX: usize = 128;

/// Gossip blocks of one proposer and slot whose parent is not known: an equivocating proposer gets no more room.
/// Later ones are dropped.
pub const PENDING_BLOCKS_OF_PROPOSER_MAX: usize = 2;

/// Slots after which a gossip block no longer waits for its parent: sync finds it.
pub const PENDING_BLOCK_SLOTS: u64 = 64;

/// Gossip blocks that wait for the start of their slot. Later ones are dropped.
pub const EARLY_BLOCKS_MAX: usize = 32;

/// Roots of blocks that were found invalid. When full, the oldest is forgotten: its children are then looked at again.
pub const INVALID_ROOTS_MAX: usize = 1024;

/// Gossip blocks in import or waiting for their turn. Further ones are dropped.
pub const IMPORTS_MAX: usize = 64;

/// Import jobs at once: one may be long, of sync, and must not keep a block of the present waiting.
pub const IMPORT_JOBS_MAX: usize = 2;

/// Blocks that one import job executes, of a segment.
pub const SEGMENT_CHUNK: usize = 16;

/// Segments that wait for their turn. Further ones fail at once.
pub const SEGMENTS_MAX: usize = 16;

/// Attestations and aggregates in one verification job; a batch of this size goes at once.
pub const BATCH_MAX: usize = 64;

/// How long the first message of a batch waits for others, in milliseconds.
pub const BATCH_WAIT_MS: u64 = 20;

/// Messages that wait for their signatures to be verified. Further attestations and aggregates are ignored; they are
/// worth less the later they come.
pub const VERIFYING_MAX: usize = 8192;

/// Attestations that vote for a block that is not known, in all. Further ones are dropped.
pub const WAITING_ATTESTATIONS_MAX: usize = 4096;

/// Attestations that wait for one block. Further ones are dropped.
pub const WAITING_ATTESTATIONS_OF_BLOCK_MAX: usize = 1024;

/// Blocks that attestations wait for. Attestations for further ones are dropped.
pub const WANTED_BLOCKS_MAX: usize = 64;

/// Slots after which an attestation no longer waits for its block.
pub const WAITING_ATTESTATION_SLOTS: u64 = 2;

/// Attestations that wait for their slot. Further ones are dropped.
pub const EARLY_ATTESTATIONS_MAX: usize = 1024;

/// Post-states in memory, see also [`STATES_BYTES_MAX`]. When there are more, the oldest go that are neither the head's, the justified's nor the
/// finalized's, nor of the first block of one of the last [`BOUNDARY_EPOCHS`] epochs; then the oldest of those too.
pub const STATES_MAX: usize = 96;

/// The bytes that these states take for themselves, beside what they share with each other, as far as
/// [`FIRST_STATE_BYTES_A_VALIDATOR`] and the other reckonings tell. When there are more, states go in the same order, but
/// not those of the head, the justified and the finalized block: without finality a registry of a million keeps the states
/// of two or three epochs, others are replayed from storage.
pub const STATES_BYTES_MAX: usize = 384 << 20;

/// What the first block's state of an epoch is reckoned to have for itself for each validator, in bytes: its balance, its
/// score and its participation, with their hashes.
pub const FIRST_STATE_BYTES_A_VALIDATOR: usize = 24;

/// The same of the states of other blocks: what a slot's attesters and the sync committee change.
pub const STATE_BYTES_A_VALIDATOR: usize = 3;

/// The last epochs, whose first blocks' states stay longer in memory.
pub const BOUNDARY_EPOCHS: u64 = 4;

/// Checkpoint states (advanced to the start of their epoch) in memory. When there are more, the oldest goes.
pub const CHECKPOINT_STATES_MAX: usize = 8;

/// Validators whose fee recipient is known. Further ones get the node's.
pub const PROPOSERS_MAX: usize = 1 << 16;

/// Epochs after which a fee recipient is forgotten that was not named again.
pub const PROPOSER_EPOCHS: u64 = 3;

/// Blocks that the search for the terminal block goes back, before it is given up for this production.
pub const TERMINAL_SEARCH_MAX: usize = 256;

/// Blocks that an engine which lacks them is told between two looks at its head.
pub const REPLAY_WINDOW: usize = 32;

/// Windows of such blocks that are looked through for one that the engine has: a day of mainnet. An engine that is further
/// behind has to catch up by itself.
pub const REPLAY_WINDOWS_MAX: usize = 256;

/// Slots between two rounds of telling an engine what it lacks, at most.
pub const REPLAY_PAUSE_SLOTS_MAX: u64 = 64;

/// Merge blocks that were imported unchecked. Further ones wait.
pub const UNCHECKED_MERGES_MAX: usize = 16;

/// How often the engine is asked about the payload of a block before the block is dropped; sync finds it again. With the
/// waits between, that is about a minute.
pub const ENGINE_TRIES_MAX: u32 = 20;

/// The same for blocks of sync, which tries again by itself.
pub const ENGINE_TRIES_OF_SEGMENT_MAX: u32 = 3;

/// How long the first wait for an engine that does not answer is; each is twice the one before, in milliseconds.
pub const ENGINE_RETRY_MS: u64 = 250;

/// How long such a wait is at most, in milliseconds.
pub const ENGINE_RETRY_MAX_MS: u64 = 4000;

/// States that are being loaded or replayed. A request for a further one fails.
pub const LOADS_MAX: usize = 8;

/// What waits for states that are being loaded, in all. A further request fails.
pub const PARKED_MAX: usize = 256;

/// Blocks in memory for readers. When there are more, the ones with the lowest slots go.
pub const RECENT_BLOCKS_MAX: usize = 256;

/// Blocks whose sidecars stay in memory for readers until storage has them; when there are more, those of the lowest
/// slots go.
pub const RECENT_SIDECARS_BLOCKS_MAX: usize = 64;

/// The bytes of those sidecars; the same rule.
pub const RECENT_SIDECARS_BYTES_MAX: usize = 256 << 20;

/// Sidecars in one verification job of those that came by gossip; a batch of this size goes at once.
pub const SIDECARS_BATCH_MAX: usize = 128;

/// How long the first sidecar of a batch waits for others, in milliseconds.
pub const SIDECARS_BATCH_WAIT_MS: u64 = 10;

/// Gossip sidecars whose signatures or proofs are being verified. Further ones are ignored, and asked of peers later.
pub const SIDECARS_VERIFYING_MAX: usize = 512;

/// Gossip sidecars whose block's parent is not known. When there are more, the one that came first goes.
pub const ORPHAN_SIDECARS_MAX: usize = 128;

/// Gossip sidecars that wait for the start of their slot. Later ones are dropped.
pub const EARLY_SIDECARS_MAX: usize = 128;

/// Headers whose signatures are known to be valid. When there are more, the one of the lowest slot is forgotten, and
/// verified again where it is needed.
pub const VERIFIED_HEADERS_MAX: usize = 256;

/// Blocks whose data is expected. When there are more, the one of the lowest slot goes: it may be looked up again.
pub const EXPECTED_BLOCKS_MAX: usize = 64;

/// Pieces of evidence that are given out in an epoch; further ones are counted as overflows. See [`crate::Evidence`].
pub const EVIDENCE_AN_EPOCH_MAX: usize = 8;

/// Blocks of which evidence was given out, and is not given again. When there are more, the oldest are forgotten.
pub const EVIDENCE_ROOTS_MAX: usize = 256;

/// Ancestors that go with a piece of evidence; there may be others in storage.
pub const EVIDENCE_BLOCKS_BEFORE_MAX: usize = 64;

/// Notes of what came in and what came of it. When there are more, the oldest go.
pub const NOTES_MAX: usize = 512;

/// Commands under way. Further ones are answered with an error at once.
pub const COMMANDS_MAX: usize = 256;

/// Items in one command of the API.
pub const COMMAND_ITEMS_MAX: usize = 4096;

/// Batches under way to the disk above which no snapshot is put into a batch: the journal tells the same until the disk
/// has caught up.
pub const UNWRITTEN_BATCHES_MAX: u64 = 16;

/// The validators above which a state is written every [`LARGE_STATE_EVERY_EPOCHS`] and not with every epoch.
pub const LARGE_REGISTRY: usize = 1 << 18;

/// Every how many epochs a state of a large registry is written. A million validators make 150 MB of it, so that disks
/// would be written full of states; a restart replays as many epochs of blocks at most, which takes seconds.
pub const LARGE_STATE_EVERY_EPOCHS: u64 = 4;

/// Slots that the head's state is advanced by ahead of need, at most. A head further behind means that the node is
/// syncing, and the work would be in vain.
pub const ADVANCE_SLOTS_MAX: u64 = 1024;

/// Above this size a snapshot is written once an epoch and not with every block, in bytes.
pub const SNAPSHOT_EVERY_BLOCK_BYTES: usize = 1 << 20;
