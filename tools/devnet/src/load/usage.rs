//! What processes and the machine were busy with, as the kernel says it in `/proc`.

use std::collections::BTreeMap;

/// Jiffies a second in `/proc`; Linux shows this number to programs whatever its own clock is.
const TICKS: f64 = 100.0;

/// What a process took of the machine from the first sample to the last.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProcessUsage {
    /// Its name in the network.
    pub name: String,
    /// Processor time from the first sample on, in seconds: of all its threads, in the program and in the kernel.
    pub cpu_s: f64,
    /// Processor time before the first sample, in seconds.
    pub start_cpu_s: f64,
    /// Wall time between the samples, in seconds.
    pub wall_s: f64,
    /// The most memory that it ever had resident, in KiB.
    pub resident_max_kib: u64,
    /// What it had resident at the last sample, in KiB.
    pub resident_kib: u64,
    /// Bytes that it had written to the disk, from its start on.
    pub written_bytes: u64,
    /// The busiest ten seconds or so between two samples, in percent of one core.
    pub busiest_percent: f64,
}

impl ProcessUsage {
    /// Processor time in percent of one core.
    pub fn core_percent(&self) -> f64 {
        if self.wall_s > 0.0 { self.cpu_s * 100.0 / self.wall_s } else { 0.0 }
    }
}

/// What the whole machine was busy with, everybody's processes included.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Machine {
    /// Its cores.
    pub cores: u64,
    /// Percent of all cores' time that was not idle, between the first sample and the last.
    pub busy_percent: f64,
    /// Percent of all cores' time that the network's processes took, the one that watches them included.
    pub network_percent: f64,
    /// Mean and greatest load average of one minute.
    pub load: (f64, f64),
}

/// Seconds over which the busiest time of a process is looked for.
const WINDOW_S: f64 = 10.0;

/// One look at a process.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Look {
    cpu_s: f64,
    resident_max_kib: u64,
    resident_kib: u64,
    written_bytes: u64,
}

impl Look {
    /// None where the process is gone.
    fn at(pid: u32) -> Option<Self> {
        let read = |what: &str| std::fs::read_to_string(format!("/proc/{pid}/{what}")).ok();
        let status = read("status")?;
        Some(Self {
            cpu_s: cpu_seconds(&read("stat")?)?,
            resident_max_kib: field(&status, "VmHWM:").unwrap_or(0),
            resident_kib: field(&status, "VmRSS:").unwrap_or(0),
            // Who runs as another user may not read this.
            written_bytes: read("io").and_then(|io| field(&io, "write_bytes:")).unwrap_or(0),
        })
    }
}

/// User and system time of a line of `/proc/PID/stat`. The name in it may hold anything, so it is read from its end.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let (user, system): (f64, f64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some((user + system) / TICKS)
}

/// The number after a name at the begin of a line.
fn field(text: &str, name: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_whitespace().next()?.parse().ok()
}

/// Time of all cores since the machine started, busy and all, in jiffies.
fn machine_jiffies(stat: &str) -> Option<(f64, f64)> {
    let line = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
    // What guests take is counted in the first two numbers already.
    let times: Vec<f64> = line.split_whitespace().take(8).map_while(|time| time.parse().ok()).collect();
    let idle = times.get(3)? + times.get(4)?;
    let all: f64 = times.iter().sum();
    Some((all - idle, all))
}

#[derive(Debug, Default)]
struct Track {
    pid: u32,
    first: Look,
    last: Look,
    /// What the first process took before the first sample.
    start_cpu_s: f64,
    /// What earlier processes of this name took, after the first sample.
    earlier_cpu_s: f64,
    earlier_max_kib: u64,
    earlier_written: u64,
    window: (f64, f64),
    busiest_percent: f64,
}

impl Track {
    fn look(&mut self, pid: u32, at_s: f64, look: Look) {
        if self.pid != pid {
            // It was started again: what comes now is on top of what there was.
            if self.pid != 0 {
                self.earlier_cpu_s += self.last.cpu_s - self.first.cpu_s;
                self.earlier_max_kib = self.earlier_max_kib.max(self.last.resident_max_kib);
                self.earlier_written += self.last.written_bytes;
                self.first = Look::default();
            } else {
                self.first = look;
                self.start_cpu_s = look.cpu_s;
            }
            self.pid = pid;
            self.window = (at_s, look.cpu_s);
        }
        let (since, cpu_s) = self.window;
        if at_s - since >= WINDOW_S {
            self.busiest_percent = self.busiest_percent.max((look.cpu_s - cpu_s) * 100.0 / (at_s - since));
            self.window = (at_s, look.cpu_s);
        }
        self.last = look;
    }

    fn usage(&self, name: &str, wall_s: f64) -> ProcessUsage {
        ProcessUsage {
            name: name.to_owned(),
            cpu_s: self.earlier_cpu_s + self.last.cpu_s - self.first.cpu_s,
            start_cpu_s: self.start_cpu_s,
            wall_s,
            resident_max_kib: self.earlier_max_kib.max(self.last.resident_max_kib),
            resident_kib: self.last.resident_kib,
            written_bytes: self.earlier_written + self.last.written_bytes,
            busiest_percent: self.busiest_percent,
        }
    }
}

/// Samples of processes and of the machine.
#[derive(Debug, Default)]
pub(super) struct Usage {
    order: Vec<String>,
    tracks: BTreeMap<String, Track>,
    /// Busy and all jiffies of the machine at the first sample and the last.
    machine: Option<((f64, f64), (f64, f64))>,
    loads: (f64, f64, u32),
    /// Seconds of the first sample and the last.
    span: Option<(f64, f64)>,
}

impl Usage {
    /// Looks at these processes, by name, at a time in seconds since whenever.
    pub(super) fn sample<'a>(&mut self, at_s: f64, processes: impl Iterator<Item = (&'a str, u32)>) {
        for (name, pid) in processes {
            let Some(look) = Look::at(pid) else { continue };
            if !self.tracks.contains_key(name) {
                self.order.push(name.to_owned());
            }
            self.tracks.entry(name.to_owned()).or_default().look(pid, at_s, look);
        }
        let stat = std::fs::read_to_string("/proc/stat").ok();
        if let Some(now) = stat.as_deref().and_then(machine_jiffies) {
            self.machine = Some((self.machine.map_or(now, |(first, _)| first), now));
        }
        let load = std::fs::read_to_string("/proc/loadavg").ok();
        if let Some(load) = load.and_then(|text| text.split(' ').next()?.parse::<f64>().ok()) {
            let (sum, max, count) = self.loads;
            self.loads = (sum + load, max.max(load), count + 1);
        }
        self.span = Some((self.span.map_or(at_s, |(first, _)| first), at_s));
    }

    fn wall_s(&self) -> f64 {
        self.span.map_or(0.0, |(first, last)| last - first)
    }

    /// What each process took, in the order in which they were first seen.
    pub(super) fn processes(&self) -> Vec<ProcessUsage> {
        self.order.iter().map(|name| self.tracks[name].usage(name, self.wall_s())).collect()
    }

    /// What the machine was busy with.
    pub(super) fn machine(&self) -> Machine {
        let ((busy, all), (busy_now, all_now)) = self.machine.unwrap_or_default();
        let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
        let share = |part: f64, whole: f64| if whole > 0.0 { part * 100.0 / whole } else { 0.0 };
        let network: f64 = self.processes().iter().map(|process| process.cpu_s).sum();
        let (sum, max, count) = self.loads;
        Machine {
            cores,
            busy_percent: share(busy_now - busy, all_now - all),
            network_percent: share(network, self.wall_s() * cores as f64),
            load: (sum / f64::from(count.max(1)), max),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_may_be_named_as_it_likes() {
        let stat = "4711 (a) b (c)) S 1 1 1 0 -1 4194304 100 0 0 0 250 50 7 7 20 0 4 0 100 1000 200";
        assert_eq!(cpu_seconds(stat), Some(3.0));
        assert_eq!(cpu_seconds("4711 (a"), None);
        assert_eq!(field("Name:\tx\nVmHWM:\t  1234 kB\n", "VmHWM:"), Some(1234));
        assert_eq!(field("Name:\tx\n", "VmHWM:"), None);
    }

    #[test]
    fn waiting_for_a_disk_is_idle_and_guests_are_not_counted_twice() {
        let stat = "cpu  100 10 20 300 50 1 2 3 100 10\ncpu0 1 2 3\n";
        assert_eq!(machine_jiffies(stat), Some((136.0, 486.0)));
        assert_eq!(machine_jiffies("intr 5"), None);
    }

    #[test]
    fn a_process_that_is_started_again_goes_on_with_its_count() {
        let look =
            |cpu_s, resident_max_kib| Look { cpu_s, resident_max_kib, resident_kib: 5, written_bytes: 10 };
        let mut track = Track::default();
        track.look(7, 0.0, look(2.0, 100));
        track.look(7, 10.0, look(5.0, 900));
        track.look(8, 12.0, look(0.5, 50));
        track.look(8, 30.0, look(4.0, 60));
        let usage = track.usage("node", 30.0);
        assert_eq!((usage.start_cpu_s, usage.cpu_s), (2.0, 7.0));
        assert_eq!((usage.resident_max_kib, usage.resident_kib, usage.written_bytes), (900, 5, 20));
        assert_eq!(usage.busiest_percent, 30.0);
    }

    #[test]
    fn this_process_is_seen() {
        let mut usage = Usage::default();
        let me = std::process::id();
        usage.sample(0.0, [("me", me)].into_iter());
        let mut sum = 0u64;
        // Enough work for a tick of the clock that the kernel counts with.
        let begun = std::time::Instant::now();
        while begun.elapsed().as_millis() < 100 {
            sum = sum.wrapping_mul(31).wrapping_add(1);
        }
        assert_ne!(std::hint::black_box(sum), 7);
        usage.sample(1.0, [("me", me)].into_iter());
        let processes = usage.processes();
        assert_eq!(processes[0].name, "me");
        assert!(processes[0].resident_max_kib >= processes[0].resident_kib.min(1));
        assert!(processes[0].cpu_s > 0.0 && processes[0].core_percent() <= 1000.0, "{processes:?}");
        assert!(usage.machine().network_percent > 0.0);
    }
}
