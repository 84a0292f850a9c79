//! A public listener in a process of its own, for tests that starve it of something.
//!
//! The process is this test program again, told to run the same test; the test begins with
//! [`serve_if_child`].

use super::certificate::Files;
use super::client::{Client, PATIENCE};
use super::gate::{Gate, Shelf};
use qbo_relay::model::Limits;
use qbo_relay::tls::Resolver;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, mpsc};
use std::thread;
use tempfile::TempDir;
use tokio::sync::oneshot;

const DIRECTORY: &str = "QBO_RELAY_TEST_DIRECTORY";
const DESCRIPTORS: &str = "QBO_RELAY_TEST_DESCRIPTORS";

/// A public listener in a process of its own; it ends when this is dropped.
pub(crate) struct Process {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: mpsc::Receiver<String>,
    pub(crate) client: Client,
    _directory: TempDir,
}

impl Process {
    /// Runs `test` again as a server that may have this many descriptors.
    pub(crate) fn start(test: &str, descriptors: u64) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let trusted = Files::within(directory.path()).write_self_signed();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", test, "--nocapture"])
            .env(DIRECTORY, directory.path())
            .env(DESCRIPTORS, descriptors.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdin = child.stdin.take();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let address = line_after("serving on ", &lines);
        Self {
            child,
            stdin,
            lines,
            client: Client::new(address.parse().unwrap(), &trusted),
            _directory: directory,
        }
    }

    /// The most memory that it ever had resident, in bytes.
    pub(crate) fn memory_peak(&self) -> u64 {
        super::memory_peak(self.child.id())
    }

    /// Ends it, and tells how often it counted an error of accept.
    pub(crate) fn accept_errors(mut self) -> u64 {
        drop(self.stdin.take());
        line_after("accept errors: ", &self.lines).parse().unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn line_after(mark: &str, lines: &mpsc::Receiver<String>) -> String {
    loop {
        let line = lines.recv_timeout(PATIENCE);
        let line = line.unwrap_or_else(|_| panic!("the process never said {mark:?}"));
        if let Some((_, rest)) = line.split_once(mark) {
            return rest.to_owned();
        }
    }
}

/// In the process started by [`Process::start`]: serves until its input ends, and returns true.
#[expect(clippy::print_stdout, reason = "how the child talks to the test")]
pub(crate) async fn serve_if_child(limits: &Limits) -> bool {
    let Ok(directory) = std::env::var(DIRECTORY) else {
        return false;
    };
    let descriptors = std::env::var(DESCRIPTORS).unwrap().parse().unwrap();
    let files = Files::within(Path::new(&directory));
    let resolver = Resolver::from_files(&files.certificate, &files.key).unwrap();
    let decode = qbo_relay::wire::decode;
    let gate = Gate::open_as(Arc::new(resolver), limits, Shelf::default(), decode).await;
    let maximum = getrlimit(Resource::Nofile).maximum;
    let current = Some(descriptors);
    setrlimit(Resource::Nofile, Rlimit { current, maximum }).unwrap();
    println!("serving on {}", gate.address);
    let (ended, end) = oneshot::channel();
    thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        let _ = ended.send(());
    });
    end.await.unwrap();
    println!("accept errors: {}", gate.tally.accept_errors.value());
    true
}
