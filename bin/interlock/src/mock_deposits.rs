//! Deposits that a mock engine is told of on the command line.

use anyhow::Context;
use mock_engine::{DepositSchedule, read_deposit_data};

/// Adds the deposits of files: `FILE@NUMBER` has the block of this number bring the first deposit of a file, and each
/// block after it one more, since a payload has room for a few requests only.
pub fn add_deposits(schedule: &mut DepositSchedule, options: &[String]) -> anyhow::Result<()> {
    for option in options {
        let (file, number) =
            option.rsplit_once('@').with_context(|| format!("{option:?} is not FILE@NUMBER"))?;
        let number: u64 =
            number.parse().with_context(|| format!("{option:?} does not end in a block's number"))?;
        let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {file}"))?;
        let deposits =
            read_deposit_data(&text).map_err(anyhow::Error::msg).with_context(|| file.to_owned())?;
        for (block, data) in (number..).zip(deposits) {
            schedule.add(block, data);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_block_brings_one_deposit_of_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deposit_data-1.json");
        let deposit = |amount: u64| {
            format!(
                r#"{{"pubkey":"{}","withdrawal_credentials":"{}","amount":{amount},"signature":"{}"}}"#,
                "00".repeat(48),
                "00".repeat(32),
                "00".repeat(96)
            )
        };
        std::fs::write(&path, format!("[{},{}]", deposit(1), deposit(2))).unwrap();
        let mut schedule = DepositSchedule::new(64);
        add_deposits(&mut schedule, &[format!("{}@7", path.display())]).unwrap();
        let found =
            [7, 8].map(|block| schedule.of_block(block)[0].clone()).map(|one| (one.index, one.amount.0));
        assert_eq!(found, [(64, 1), (65, 2)]);
        for bad in ["no-number", "missing.json@7", "missing.json@x"] {
            assert!(add_deposits(&mut schedule, &[bad.to_owned()]).is_err(), "{bad}");
        }
    }
}
