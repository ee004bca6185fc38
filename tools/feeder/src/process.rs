//! What the kernel says of a process.

use std::path::Path;

/// Memory and time of a process.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    /// Resident memory, in MiB.
    pub resident_mib: f64,
    /// The most that was resident so far, in MiB.
    pub peak_mib: f64,
    /// Seconds on a core, in the program and in the kernel for it.
    pub cpu_seconds: f64,
}

/// Jiffies in a second, as Linux shows them to programs.
const TICKS: f64 = 100.0;

impl Usage {
    /// What a running process uses.
    pub fn of(pid: u32) -> anyhow::Result<Self> {
        let folder = Path::new("/proc").join(pid.to_string());
        let status = std::fs::read_to_string(folder.join("status"))?;
        let stat = std::fs::read_to_string(folder.join("stat"))?;
        Ok(Self {
            resident_mib: kib(&status, "VmRSS:") / 1024.0,
            peak_mib: kib(&status, "VmHWM:") / 1024.0,
            cpu_seconds: cpu_seconds(&stat),
        })
    }
}

fn kib(status: &str, name: &str) -> f64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or_default()
}

fn cpu_seconds(stat: &str) -> f64 {
    // The name, in parentheses, may have spaces; user and system time are the 12th and 13th word after it.
    let rest = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks = rest.split_whitespace().skip(11).take(2).filter_map(|word| word.parse::<f64>().ok());
    ticks.sum::<f64>() / TICKS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_memory_and_time() {
        let usage = Usage::of(std::process::id()).unwrap();
        assert!(usage.resident_mib > 0.5 && usage.peak_mib >= usage.resident_mib * 0.9);
    }

    #[test]
    fn numbers_are_read_where_the_kernel_puts_them() {
        assert_eq!(kib("VmPeak:\t 9 kB\nVmRSS:\t  2048 kB\n", "VmRSS:"), 2048.0);
        let stat = "77 (a (b) c) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20";
        assert_eq!(cpu_seconds(stat), 3.0);
    }
}
