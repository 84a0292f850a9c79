//! What a person reads on the boot partition afterwards.

use crate::config::{Finding, Severity};
use std::fmt;

/// What was thought of it.
pub(super) enum Verdict {
    /// It can be used; there may be things to look at.
    Fine(Vec<Finding>),
    /// It cannot, and nothing was changed.
    Refused(Vec<Finding>),
}

/// The text.
pub(super) struct Report<'a> {
    /// What was taken in.
    pub(super) taken: &'a [String],
    /// What was thought of it.
    pub(super) verdict: &'a Verdict,
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.verdict {
            Verdict::Fine(findings) => {
                writeln!(f, "qbo-relay: the configuration was taken in.\n")?;
                writeln!(f, "Taken in: {}.", self.taken.join(", "))?;
                writeln!(
                    f,
                    "The files were removed from here. Flash memory keeps old blocks, so do not pass on a card that has held secrets."
                )?;
                let warnings = findings.iter();
                let mut warnings = warnings.filter(|finding| finding.severity == Severity::Warning);
                if let Some(first) = warnings.next() {
                    writeln!(f, "\nTo be looked at:")?;
                    line(f, first)?;
                    warnings.try_for_each(|finding| line(f, finding))?;
                }
                Ok(())
            }
            Verdict::Refused(findings) => {
                writeln!(
                    f,
                    "qbo-relay: the configuration was NOT taken in. Nothing was changed.\n"
                )?;
                let grave = findings.iter();
                let mut grave = grave.filter(|finding| finding.severity >= Severity::Serious);
                grave.try_for_each(|finding| line(f, finding))?;
                writeln!(f, "\nCorrect the files here and start the device again.")
            }
        }
    }
}

/// `qbo-relay.toml, line 7: unknown field ...`
fn line(f: &mut fmt::Formatter<'_>, finding: &Finding) -> fmt::Result {
    let place = match finding.place.rsplit_once(':') {
        Some((file, number)) if number.bytes().all(|byte| byte.is_ascii_digit()) => {
            format!("{file}, line {number}")
        }
        _ => finding.place.clone(),
    };
    let text: Vec<&str> = finding.text.lines().map(str::trim).collect();
    writeln!(f, "  {place}: {}", text.join(" "))
}
