//! What the kernel says: CPU time and memory of a process, the disk's fsync, and what kind of machine this is.
//!
//! Linux only, for it reads `/proc`.

use super::error::{BenchError, Doing, Result};
use serde::Serialize;
use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::time::{Duration, Instant};

/// CPU time of a process with all its threads, also of those that ended (proc_pid_stat(5), utime + stime).
pub fn cpu_us(pid: u32) -> Result<u64> {
    stat_us(pid, 14)
}

/// Of the processes that this one started and that ended (cutime + cstime).
pub fn children_cpu_us() -> Result<u64> {
    stat_us(std::process::id(), 16)
}

/// The sum of two fields that follow each other.
fn stat_us(pid: u32, first: usize) -> Result<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).server("reading its CPU time")?;
    // The second field is the name in parentheses, and may itself contain spaces.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |field: usize| fields.get(field - 3).and_then(|text| text.parse::<u64>().ok());
    match (ticks(first), ticks(first + 1)) {
        (Some(user), Some(system)) => Ok((user + system) * 1_000_000 / rustix::param::clock_ticks_per_second()),
        _ => Err(BenchError::Setup(format!("/proc/{pid}/stat is not of the known form"))),
    }
}

/// Memory of a process that is in RAM.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    pub resident_bytes: u64,
    /// Without mapped files: what the process allocated itself.
    pub anonymous_bytes: u64,
}

pub fn memory(pid: u32) -> Result<Memory> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).server("reading its memory")?;
    let kib = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name))?;
        line.split_whitespace().nth(1)?.parse::<u64>().ok()
    };
    match (kib("VmRSS:"), kib("RssAnon:")) {
        (Some(resident), Some(anonymous)) => {
            Ok(Memory { resident_bytes: resident * 1024, anonymous_bytes: anonymous * 1024 })
        }
        _ => Err(BenchError::Setup(format!("/proc/{pid}/status is not of the known form"))),
    }
}

/// Memory of all the kernel's small objects (sockets among them), of the whole machine.
pub fn kernel_slab_bytes() -> Option<u64> {
    let info = fs::read_to_string("/proc/meminfo").ok()?;
    let line = info.lines().find(|line| line.starts_with("Slab:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? * 1024)
}

/// Medians of a few hundred small durable writes.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Fsync {
    /// 4 KiB appended to a growing file.
    pub append_ms_p50: f64,
    /// 4 KiB over what is there already, as in a write-ahead log that is used again.
    pub overwrite_ms_p50: f64,
}

const FSYNC_ROUNDS: usize = 400;

/// Measures `fdatasync` in this folder, in the manner of a write-ahead log.
pub fn fsync(folder: &Path) -> Result<Fsync> {
    let path = folder.join("fsync-probe");
    let mut file = File::create(&path).setup("making a file for the fsync probe")?;
    let mut round = |rewind: bool| -> std::io::Result<f64> {
        let mut took = Vec::with_capacity(FSYNC_ROUNDS);
        for number in 0..FSYNC_ROUNDS {
            if rewind {
                file.seek(SeekFrom::Start(4096 * number as u64))?;
            }
            let start = Instant::now();
            file.write_all(&[number as u8; 4096])?;
            file.sync_data()?;
            took.push(start.elapsed());
        }
        Ok(super::report::quantile_ms(&mut took, 0.5))
    };
    let append_ms_p50 = round(false).setup("probing fsync")?;
    let overwrite_ms_p50 = round(true).setup("probing fsync")?;
    fs::remove_file(&path).setup("removing the file of the fsync probe")?;
    Ok(Fsync { append_ms_p50, overwrite_ms_p50 })
}

/// What the figures were measured on.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    pub cores: usize,
    pub cpu: String,
    pub kernel: String,
    pub memory_gib: u64,
    /// Processes that wanted a core in the last minute, before the run: above 0.5 the figures are not to be trusted.
    pub load_before: f64,
}

pub fn machine() -> Machine {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let after = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default().to_owned();
        line.split_once(':').map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
    };
    let memory_kib: u64 =
        after(&read("/proc/meminfo"), "MemTotal").split_whitespace().next().and_then(|n| n.parse().ok()).unwrap_or(0);
    Machine {
        cores: std::thread::available_parallelism().map_or(0, usize::from),
        cpu: after(&read("/proc/cpuinfo"), "model name"),
        kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
        memory_gib: memory_kib.div_ceil(1024 * 1024),
        load_before: read("/proc/loadavg").split_whitespace().next().and_then(|n| n.parse().ok()).unwrap_or(0.0),
    }
}

/// Waits until the process uses hardly any CPU, at most `limit`: what it does after a burst is not part of the next phase.
pub async fn until_quiet(pid: u32, limit: Duration) -> Result<()> {
    const WINDOW: Duration = Duration::from_millis(250);
    const QUIET_US: u64 = 10_000;
    let start = Instant::now();
    let mut before = cpu_us(pid)?;
    while start.elapsed() < limit {
        tokio::time::sleep(WINDOW).await;
        let now = cpu_us(pid)?;
        if now - before <= QUIET_US {
            break;
        }
        before = now;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_used_some_cpu_and_memory() {
        let pid = std::process::id();
        let before = cpu_us(pid).unwrap();
        let start = Instant::now();
        while cpu_us(pid).unwrap() == before {
            assert!(start.elapsed() < Duration::from_secs(10), "a busy loop of ten seconds used no CPU");
        }
        assert!(memory(pid).unwrap().resident_bytes > 100_000);
    }
}
