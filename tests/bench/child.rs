//! A child process of the benchmark: this program in another role, or the real binary.

use crate::{Mishap, machine};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, Stdio};

/// A running child; killed when dropped.
pub(crate) struct Role {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Role {
    /// This program in the role that these words name.
    pub(crate) fn start(words: &[&str]) -> Result<Self, Mishap> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let output = BufReader::new(child.stdout.take().ok_or("no output")?);
        Ok(Self { child, output })
    }

    /// The next line that it says.
    pub(crate) fn line(&mut self) -> Result<String, Mishap> {
        let mut line = String::new();
        if self.output.read_line(&mut line)? == 0 {
            return Err("the child said nothing more".into());
        }
        Ok(line.trim_end().to_owned())
    }

    /// The address that it says.
    pub(crate) fn address(&mut self) -> Result<SocketAddr, Mishap> {
        Ok(self.line()?.parse()?)
    }

    /// Its resident memory.
    pub(crate) fn resident_kib(&self) -> u64 {
        machine::resident_kib(self.child.id())
    }

    /// What it has written so far.
    pub(crate) fn written_bytes(&self) -> u64 {
        machine::written_bytes(self.child.id())
    }

    /// Waits for its end.
    pub(crate) fn finish(mut self) -> Result<(), Mishap> {
        drop(self.child.stdin.take());
        let status = self.child.wait()?;
        if status.success() {
            Ok(())
        } else {
            Err(format!("the child ended with {status}").into())
        }
    }
}

impl Drop for Role {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}
