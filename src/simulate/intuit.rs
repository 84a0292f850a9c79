//! One connection of Intuit's notification server: posts, waits, tries again on the schedule.

use super::report::Report;
use super::sender::{Answer, RETRY_PAUSES, Sender};
use super::{Manner, Post};
use crate::model::Secret;
use std::fs::File;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, mpsc};
use tokio::time::sleep;

/// The pause after all that the schedule lists.
const LAST_PAUSE: Duration = Duration::from_secs(21_600);

/// What a connection sends with.
#[derive(Clone, Debug)]
pub(super) struct Intuit {
    pub(super) sender: Sender,
    pub(super) token: Arc<Secret>,
    /// Attempts after the first.
    pub(super) retries: u16,
    /// What the schedule's pauses are divided by.
    pub(super) hurry: u32,
    /// Where acknowledged bodies are written down.
    pub(super) ledger: Option<Arc<File>>,
}

impl Intuit {
    /// Sends what the queue has, until it ends.
    pub(super) async fn send_from(self, queue: Arc<Mutex<mpsc::Receiver<Post>>>) -> Report {
        let mut report = Report::default();
        loop {
            let post = queue.lock().await.recv().await;
            let Some(post) = post else { return report };
            self.send(&post, &mut report).await;
        }
    }

    async fn send(&self, post: &Post, report: &mut Report) {
        let schedule = RETRY_PAUSES.iter().chain(std::iter::repeat(&LAST_PAUSE));
        let mut pauses = schedule.take(usize::from(self.retries));
        loop {
            let answer = self.attempt(post).await;
            let expected = post.manner.expects(answer.status);
            if expected && post.manner == Manner::Genuine {
                self.write_down(post);
            }
            let pause = if expected { None } else { pauses.next() };
            report.note(post, &answer, expected, pause.is_some());
            let Some(pause) = pause else { return };
            sleep(*pause / self.hurry).await;
        }
    }

    async fn attempt(&self, post: &Post) -> Answer {
        match post.manner {
            // Signed with a token that nobody has.
            Manner::Forged => {
                self.sender
                    .post(&post.body, &Secret::new(&b"not the verifier token"[..]))
                    .await
            }
            Manner::Genuine | Manner::Repeat | Manner::Malformed => {
                self.sender.post(&post.body, &self.token).await
            }
        }
    }

    /// One write for the line, so that lines of several connections do not mix.
    fn write_down(&self, post: &Post) {
        if let Some(ledger) = &self.ledger {
            let line = [&post.body[..], b"\n"].concat();
            _ = (&**ledger).write_all(&line);
        }
    }
}
