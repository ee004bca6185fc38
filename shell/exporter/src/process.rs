//! What the process takes of the machine, as Linux tells it below `/proc/self`. Elsewhere nothing is known.

use std::fmt::Error;
use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use serde::Serialize;

use crate::write_gauge;

/// Linux counts processor time for programs in hundredths of a second on every architecture, whatever its own clock does.
const TICKS_PER_SECOND: f64 = 100.0;
/// Where a line of `/proc/self/stat` has user time, behind the name: the fields from the state on.
const UTIME: usize = 11;
/// The time since the machine's start at which the process began, in ticks.
const STARTTIME: usize = 19;

/// What the process takes of the machine, since its start or now. What is not known is zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct ProcessUse {
    /// Processor time, in seconds.
    pub cpu_seconds: f64,
    /// Memory that is resident, in bytes.
    pub resident_bytes: u64,
    /// Address space, in bytes.
    pub virtual_bytes: u64,
    /// Threads.
    pub threads: u64,
    /// Open files and sockets.
    pub open_fds: u64,
    /// As many it may open.
    pub max_fds: u64,
    /// When it began, in Unix seconds.
    pub start_seconds: f64,
    /// Processors of the machine.
    pub processors: u64,
}

impl ProcessUse {
    /// What it takes now.
    pub fn now() -> Self {
        let read = |name: &str| fs::read_to_string(format!("/proc/self/{name}")).unwrap_or_default();
        let (stat, status, limits) = (read("stat"), read("status"), read("limits"));
        let uptime = fs::read_to_string("/proc/uptime").unwrap_or_default();
        let mut found = Self::read(&stat, &status, &limits);
        found.open_fds = fs::read_dir("/proc/self/fd").map_or(0, |files| files.count() as u64);
        found.processors = std::thread::available_parallelism().map_or(0, |count| count.get() as u64);
        let since_boot = uptime.split(' ').next().and_then(|text| text.parse::<f64>().ok());
        if let (Some(since_boot), Some(started)) = (since_boot, tick(&stat, STARTTIME)) {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
            found.start_seconds = now - since_boot + started / TICKS_PER_SECOND;
        }
        found
    }

    fn read(stat: &str, status: &str, limits: &str) -> Self {
        let line = |name: &str| status.lines().find_map(|line| line.strip_prefix(name));
        let number = |name: &str| {
            line(name).and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0u64)
        };
        let ticks = tick(stat, UTIME).unwrap_or(0.0) + tick(stat, UTIME + 1).unwrap_or(0.0);
        let files = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
        Self {
            cpu_seconds: ticks / TICKS_PER_SECOND,
            resident_bytes: number("VmRSS:") * 1024,
            virtual_bytes: number("VmSize:") * 1024,
            threads: number("Threads:"),
            max_fds: files.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0),
            ..Self::default()
        }
    }
}

/// A number of the line in `/proc/self/stat`, counted from the state on: the name before it may hold anything.
fn tick(stat: &str, place: usize) -> Option<f64> {
    stat.rsplit_once(')')?.1.split_whitespace().nth(place)?.parse().ok()
}

/// The `process_*` metrics under the names that all clients of Prometheus use. To be registered as a collector.
#[derive(Debug)]
pub struct ProcessMetrics;

impl Collector for ProcessMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        let now = ProcessUse::now();
        let help = "Processor time of the process, of user and system";
        let cpu = encoder.encode_descriptor("process_cpu_seconds", help, None, MetricType::Counter)?;
        ConstCounter::new(now.cpu_seconds).encode(cpu)?;
        let gauges = [
            ("process_resident_memory_bytes", "Resident memory", now.resident_bytes as f64),
            ("process_virtual_memory_bytes", "Address space", now.virtual_bytes as f64),
            ("process_threads", "Threads", now.threads as f64),
            ("process_open_fds", "Open files and sockets", now.open_fds as f64),
            ("process_max_fds", "Files and sockets that may be open", now.max_fds as f64),
            ("process_start_time_seconds", "Start of the process since the Unix epoch", now.start_seconds),
        ];
        gauges.into_iter().try_for_each(|(name, help, value)| write_gauge(&mut encoder, name, help, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_of_linux_are_read() {
        let stat = "7 (a name) with) spaces) S 1 7 7 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 9 0 4242 0 0";
        let status = "Name:\tx\nVmSize:\t  2048 kB\nVmRSS:\t  1024 kB\nThreads:\t9\n";
        let limits = "Limit  Soft Limit  Hard Limit  Units\nMax open files            512   4096   files\n";
        let found = ProcessUse::read(stat, status, limits);
        assert_eq!((found.cpu_seconds, found.resident_bytes, found.virtual_bytes), (3.0, 1 << 20, 2 << 20));
        assert_eq!((found.threads, found.max_fds), (9, 512));
        assert_eq!(tick(stat, STARTTIME), Some(4242.0));
        assert_eq!(ProcessUse::read("", "", ""), ProcessUse::default());
    }

    #[test]
    fn this_process_takes_something() {
        let found = ProcessUse::now();
        assert!(found.resident_bytes > 1 << 20 && found.threads > 0 && found.open_fds > 0, "{found:?}");
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
        assert!((now - found.start_seconds).abs() < 3600.0, "{found:?}");
    }
}
