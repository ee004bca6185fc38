//! The block of proof of work that the first payload builds on.

use types::{Config, Epoch, Root, Uint256};

/// [`PowBlock`](https://github.com/ethereum/consensus-specs/blob/master/specs/bellatrix/fork-choice.md#powblock): what is
/// asked about a block of the execution chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PowBlock {
    /// Its hash.
    pub block_hash: Root,
    /// Its parent's hash; zero for the first block.
    pub parent_hash: Root,
    /// The work up to it; none where the engine no longer says, as those of today.
    pub total_difficulty: Option<Uint256>,
}

/// Why a payload may not be the first one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MergeInvalid {
    /// The terminal block that the configuration names is in force later.
    #[error("the terminal block is in force from epoch {0} on")]
    TooEarly(Epoch),
    /// It builds on another block than the terminal one that the configuration names.
    #[error("the first payload builds on another block than the terminal one")]
    NotTerminalHash,
    /// It builds on a block that no proof of work ends with.
    #[error("the first payload builds on a block that is not terminal")]
    NotTerminal,
    /// The engine does not have the block that it builds on, or that one's parent, or their work. It may have later.
    #[error("the engine does not know the work of the block that the first payload builds on")]
    Unknown,
}

/// [`is_valid_terminal_pow_block`](https://github.com/ethereum/consensus-specs/blob/master/specs/bellatrix/fork-choice.md#is_valid_terminal_pow_block).
/// The first block of all has no parent: it is terminal where it reaches the difficulty, as the
/// [validator's guide](https://github.com/ethereum/consensus-specs/blob/master/specs/bellatrix/validator.md#get_pow_block_at_terminal_total_difficulty)
/// has it.
/// None where the work is not known.
pub fn is_valid_terminal_pow_block(
    config: &Config,
    block: &PowBlock,
    parent: Option<&PowBlock>,
) -> Option<bool> {
    let terminal = config.terminal_total_difficulty;
    if block.total_difficulty? < terminal {
        return Some(false);
    }
    match parent {
        None if block.parent_hash.is_zero() => Some(true),
        None => None,
        Some(parent) => Some(parent.total_difficulty? < terminal),
    }
}

/// [`validate_merge_block`](https://github.com/ethereum/consensus-specs/blob/master/specs/bellatrix/fork-choice.md#validate_merge_block)
/// for a first payload of an epoch that builds on a block. `block` and `parent` are that block and its own parent, as far
/// as an engine has them; they are not looked at where the configuration names the terminal block.
pub fn validate_merge_block(
    config: &Config,
    epoch: Epoch,
    parent_hash: Root,
    block: Option<&PowBlock>,
    parent: Option<&PowBlock>,
) -> Result<(), MergeInvalid> {
    if !config.terminal_block_hash.is_zero() {
        return if epoch < config.terminal_block_hash_activation_epoch {
            Err(MergeInvalid::TooEarly(config.terminal_block_hash_activation_epoch))
        } else if parent_hash != config.terminal_block_hash {
            Err(MergeInvalid::NotTerminalHash)
        } else {
            Ok(())
        };
    }
    let block = block.filter(|block| block.block_hash == parent_hash).ok_or(MergeInvalid::Unknown)?;
    match is_valid_terminal_pow_block(config, block, parent) {
        None => Err(MergeInvalid::Unknown),
        Some(false) => Err(MergeInvalid::NotTerminal),
        Some(true) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use types::{FixedBytes, Settings, Spec};

    use super::*;

    fn config(changes: &[(&str, &str)]) -> &'static Config {
        let mut settings = Settings::parse(Config::MINIMAL_YAML).unwrap();
        changes.iter().for_each(|(key, value)| settings.set(key, value));
        &Spec::from_settings(settings, None).unwrap().config
    }

    fn block(hash: u8, parent: u8, difficulty: Option<u64>) -> PowBlock {
        PowBlock {
            block_hash: FixedBytes([hash; 32]),
            parent_hash: FixedBytes([parent; 32]),
            total_difficulty: difficulty.map(Uint256::from),
        }
    }

    #[test]
    fn the_first_block_that_reaches_the_difficulty_is_terminal() {
        let config = config(&[("TERMINAL_TOTAL_DIFFICULTY", "100")]);
        let judge = |block: PowBlock, parent: Option<PowBlock>| {
            validate_merge_block(config, Epoch(0), block.block_hash, Some(&block), parent.as_ref())
        };
        let some = |difficulty| Some(block(1, 0, Some(difficulty)));
        assert_eq!(judge(block(2, 1, Some(100)), some(99)), Ok(()));
        assert_eq!(judge(block(2, 1, Some(99)), some(98)), Err(MergeInvalid::NotTerminal));
        assert_eq!(judge(block(2, 1, Some(101)), some(100)), Err(MergeInvalid::NotTerminal));
        assert_eq!(judge(block(2, 1, Some(100)), None), Err(MergeInvalid::Unknown));
        assert_eq!(judge(block(2, 1, None), some(99)), Err(MergeInvalid::Unknown));
        assert_eq!(judge(block(2, 1, Some(100)), Some(block(1, 0, None))), Err(MergeInvalid::Unknown));
        // The first block of all has no parent.
        assert_eq!(judge(block(1, 0, Some(100)), None), Ok(()));
        let another = block(3, 1, Some(100));
        let unknown = validate_merge_block(config, Epoch(0), FixedBytes([2; 32]), Some(&another), None);
        assert_eq!(unknown, Err(MergeInvalid::Unknown));
    }

    #[test]
    fn a_terminal_block_that_is_named_decides_alone_from_its_epoch_on() {
        let hash = FixedBytes([5; 32]);
        let config = config(&[
            ("TERMINAL_BLOCK_HASH", &hash.to_string()),
            ("TERMINAL_BLOCK_HASH_ACTIVATION_EPOCH", "3"),
        ]);
        let judge = |epoch, parent_hash| validate_merge_block(config, Epoch(epoch), parent_hash, None, None);
        assert_eq!(judge(3, hash), Ok(()));
        assert_eq!(judge(2, hash), Err(MergeInvalid::TooEarly(Epoch(3))));
        assert_eq!(judge(3, FixedBytes([6; 32])), Err(MergeInvalid::NotTerminalHash));
    }
}
