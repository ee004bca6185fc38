//! Bringing an engine back that knows nothing of the head: because it was away, or lost its database.
//!
//! An engine with peers of its own catches up by itself. One without can only be told payload after payload, from the
//! last one that it has:
//!
//! ```text
//!  the head is unknown to it ──▶ back, window by window: does it have the payload before this window?
//!                                                                 │ yes, or the chain begins here
//!            the head is told again ◀── the last window ◀── forward, window by window: payloads in order
//! ```
//!
//! One window and one question are under way at a time. A round ends where the engine does not follow or is away; the
//! next begins with a later update of the head, after a pause that doubles, since an engine that catches up by itself is
//! not to be disturbed.

use std::collections::VecDeque;
use std::sync::Arc;

use engine::{EngineReply, EngineRequest, ForkchoiceState};
use types::{Root, SignedBeaconBlock, Slot, SszExt};

use crate::chain::Chain;
use crate::engine_calls::EngineCall;
use crate::limits::{REPLAY_PAUSE_SLOTS_MAX, REPLAY_WINDOW, REPLAY_WINDOWS_MAX};
use crate::payload::{has_payload, new_payload_of};
use crate::{LoadKey, Loaded, Output};

/// A round of telling the engine what it lacks.
#[derive(Debug, Default)]
pub(crate) struct Replay {
    step: Step,
    /// The last blocks of the windows that the engine lacks, the newest window first. At most [`REPLAY_WINDOWS_MAX`].
    windows: Vec<Root>,
    /// No round begins before this slot.
    not_before: Slot,
    pause_slots: u64,
}

#[derive(Debug, Default)]
enum Step {
    #[default]
    Idle,
    /// The blocks of the last of `windows` are read.
    Loading(Direction),
    /// The engine is asked whether it has what comes before the last of `windows`.
    Asking { blocks: VecDeque<Arc<SignedBeaconBlock>> },
    /// The engine is told the first of these payloads, of the last of `windows`.
    Telling { blocks: VecDeque<Arc<SignedBeaconBlock>> },
    /// The engine is told to adopt the last payload of a window.
    Adopting,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    Back,
    Forward,
}

impl Chain {
    /// Begins a round, since the engine does not know a head.
    pub(crate) fn engine_is_behind(&mut self, head: &Root) {
        let replay = &mut self.work.replay;
        if !matches!(replay.step, Step::Idle) || self.slot < replay.not_before {
            return;
        }
        replay.windows = vec![*head];
        self.counters.replays += 1;
        self.load_window(Direction::Back);
    }

    /// Ends a round in which the engine could not be brought to the head.
    fn end_replay(&mut self) {
        let replay = &mut self.work.replay;
        replay.pause_slots = (replay.pause_slots * 2).clamp(1, REPLAY_PAUSE_SLOTS_MAX);
        replay.not_before = self.slot + replay.pause_slots;
        (replay.step, replay.windows) = (Step::Idle, Vec::new());
    }

    /// Gets the blocks of the last window, from memory or storage.
    fn load_window(&mut self, direction: Direction) {
        let Some(last) = self.work.replay.windows.last().copied() else { return self.end_replay() };
        self.work.replay.step = Step::Loading(direction);
        let mut blocks = VecDeque::new();
        let mut at = last;
        while let Some(block) = self.recent.blocks.get(&at).filter(|_| blocks.len() < REPLAY_WINDOW) {
            blocks.push_front(block.clone());
            at = block.message.parent_root;
        }
        if blocks.is_empty() {
            return self.load_for_replay(LoadKey::Blocks { last, count: REPLAY_WINDOW });
        }
        self.window_came(blocks, direction);
    }

    /// Takes the blocks of a window from storage.
    pub(crate) fn replay_loaded(&mut self, loaded: Loaded) {
        let Step::Loading(direction) = self.work.replay.step else { return };
        match loaded {
            Loaded::Blocks(blocks) => self.window_came(blocks.into(), direction),
            Loaded::Failed(why) => {
                self.fault(format!("blocks that the engine lacks cannot be read: {why}"));
                self.end_replay();
            }
            Loaded::Missing | Loaded::State(_) => self.window_came(VecDeque::new(), direction),
        }
    }

    fn window_came(&mut self, mut blocks: VecDeque<Arc<SignedBeaconBlock>>, direction: Direction) {
        let given = blocks.len();
        // The block of genesis has no payload of its own, whatever the fork.
        let is_told = |block: &Arc<SignedBeaconBlock>| {
            block.message.slot > Slot(0) && has_payload(self.spec, &block.message)
        };
        while blocks.front().is_some_and(|block| !is_told(block)) {
            blocks.pop_front();
        }
        let begins_here = blocks.is_empty() || blocks.len() < given;
        match (direction, blocks.front()) {
            (Direction::Back, Some(first)) if !begins_here => {
                let hash = Some(first.message.body.execution_payload.parent_hash);
                self.work.replay.step = Step::Asking { blocks };
                self.ask_engine(EngineCall::ReplayAsk, EngineRequest::GetPowBlock { hash });
            }
            (Direction::Back, None) => {
                // What comes before is not kept, or has no payloads; the window after it is where to begin.
                self.work.replay.windows.pop();
                self.load_window(Direction::Forward);
            }
            _ => self.tell_next(blocks),
        }
    }

    /// Takes the engine's word on whether it has what comes before a window.
    pub(crate) fn replay_asked(&mut self, reply: EngineReply) {
        let Step::Asking { blocks } = std::mem::take(&mut self.work.replay.step) else { return };
        match reply {
            EngineReply::PowBlock(Some(_)) => self.tell_next(blocks),
            EngineReply::PowBlock(None) if self.work.replay.windows.len() < REPLAY_WINDOWS_MAX => {
                self.work.replay.windows.extend(blocks.front().map(|block| block.message.parent_root));
                self.load_window(Direction::Back);
            }
            _ => self.end_replay(),
        }
    }

    fn tell_next(&mut self, blocks: VecDeque<Arc<SignedBeaconBlock>>) {
        let Some(block) = blocks.front() else { return self.end_window() };
        let request = EngineRequest::NewPayload(Arc::new(new_payload_of(self.spec, &block.message)));
        self.work.replay.step = Step::Telling { blocks };
        self.ask_engine(EngineCall::ReplayPayload, request);
    }

    /// Takes the engine's verdict on a payload that it was told again.
    pub(crate) fn replay_told(&mut self, reply: EngineReply) {
        let Step::Telling { mut blocks } = std::mem::take(&mut self.work.replay.step) else { return };
        let (Some(block), EngineReply::NewPayload(status)) = (blocks.pop_front(), reply) else {
            return self.end_replay();
        };
        let root = block.message.hash_tree_root(self.spec.ctx_at_slot(block.message.slot));
        self.note_status(&root, &status);
        if status.is_optimistic() || status.is_invalid() {
            self.settle();
            return self.end_replay();
        }
        if !blocks.is_empty() {
            return self.tell_next(blocks);
        }
        self.settle();
        // An engine may look only a few blocks back from what it is told to the head that it adopted last.
        let state = ForkchoiceState {
            head_block_hash: block.message.body.execution_payload.block_hash,
            ..ForkchoiceState::default()
        };
        match self.work.replay.windows.len() {
            0 | 1 => self.end_window(),
            _ => {
                self.work.replay.step = Step::Adopting;
                let fork = self.spec.fork_name_at_slot(block.message.slot);
                let request = EngineRequest::ForkchoiceUpdated { fork, state, attributes: None };
                self.ask_engine(EngineCall::ReplayAdopt, request);
            }
        }
    }

    /// The engine has adopted a window's last payload, or not: the next payloads show it.
    pub(crate) fn replay_adopted(&mut self) {
        if let Step::Adopting = self.work.replay.step {
            self.end_window();
        }
    }

    fn end_window(&mut self) {
        self.work.replay.windows.pop();
        if !self.work.replay.windows.is_empty() {
            return self.load_window(Direction::Forward);
        }
        self.work.replay = Replay::default();
        self.work.told.tell_again();
    }

    fn load_for_replay(&mut self, key: LoadKey) {
        let id = self.work.begin_load(crate::work::Load::Replay);
        self.outputs.push_back(Output::Load(id, key));
    }
}
