//! What several tests need: listeners and receivers on port 0, clients that can misbehave,
//! certificates, and the real binary.

pub(crate) mod authority;
pub(crate) mod certificate;
pub(crate) mod cgroup;
pub(crate) mod changes;
pub(crate) mod client;
pub(crate) mod firm;
pub(crate) mod frames;
pub(crate) mod gate;
pub(crate) mod house;
pub(crate) mod interface;
pub(crate) mod intuit;
pub(crate) mod office;
pub(crate) mod original;
pub(crate) mod plain_api;
pub(crate) mod process;
pub(crate) mod receiver;
pub(crate) mod relay;
pub(crate) mod sinks;

/// Says why a test passes itself over; where nothing may be passed over, as in `.ci/run`, it fails.
#[expect(clippy::print_stderr, reason = "a skipped test says why")]
#[track_caller]
pub(crate) fn skip(why: &str) {
    let forbidden = std::env::var_os("QBO_RELAY_TEST_SKIPS").is_some_and(|how| how == "forbidden");
    assert!(!forbidden, "may not be skipped here: {why}");
    eprintln!("skipped: {why}");
}

/// The most memory that a process ever had resident, in bytes.
pub(crate) fn memory_peak(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kibibytes = line.unwrap().split_whitespace().nth(1).unwrap();
    kibibytes.parse::<u64>().unwrap() << 10
}
