//! What the machine says of itself and of a process: `/proc` and `/sys`.

use std::fs;
use std::path::Path;

fn number_after(text: &str, key: &str) -> u64 {
    text.lines()
        .find_map(|line| line.strip_prefix(key))
        .and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        .unwrap_or(0)
}

/// Resident memory of a process, in KiB (`VmRSS`).
pub(crate) fn resident_kib(pid: u32) -> u64 {
    number_after(
        &fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default(),
        "VmRSS:",
    )
}

/// Bytes that a process has caused to be written to storage.
pub(crate) fn written_bytes(pid: u32) -> u64 {
    number_after(
        &fs::read_to_string(format!("/proc/{pid}/io")).unwrap_or_default(),
        "write_bytes:",
    )
}

/// Flushes that all block devices have done so far (field 16 of `stat`): the machine's, not one
/// process's, so only good on a quiet machine.
pub(crate) fn flushes() -> u64 {
    let devices = fs::read_dir("/sys/block").into_iter().flatten().flatten();
    devices
        .filter_map(|device| fs::read_to_string(device.path().join("stat")).ok())
        .filter_map(|stat| stat.split_whitespace().nth(15)?.parse::<u64>().ok())
        .sum()
}

/// One line on the machine.
pub(crate) fn description(folder: &Path) -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map_or("unknown processor", |rest| {
            rest.trim_start_matches([' ', '\t', ':'])
        });
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!(
        "{cores} cores of {model}, Linux {}, journal in {}",
        kernel.trim(),
        folder.display()
    )
}
