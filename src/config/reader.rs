//! Findings with their place, and the reading of secrets and paths that the file only names.

use crate::model::{Secret, access};
use crate::wire::text::{
    NoSecret, base64_line, decode, line_of, secret_line, secret_lines, token, verifier_token,
};
use crate::wire::url::Url;
use std::fmt;
use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use toml::Spanned;

/// Something to say about the configuration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// How grave it is.
    pub severity: Severity,
    /// Where: `qbo-relay.toml:12`, or the file or table that it is about.
    pub place: String,
    /// What is the matter, and what to do.
    pub text: String,
}

/// How grave a finding is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Severity {
    /// As it should be.
    Note,
    /// It works, but should be looked at.
    Warning,
    /// `check` says no, but a running gateway serves all the same.
    Serious,
    /// It cannot be used.
    Error,
}

impl Finding {
    /// A finding of this gravity about this place.
    pub fn new(severity: Severity, place: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            severity,
            place: place.into(),
            text: text.into(),
        }
    }
}

impl Finding {
    /// Place and text, for where the gravity is said already.
    pub fn bare(&self) -> String {
        format!("{}: {}", self.place, self.text)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.severity {
            Severity::Note => "ok",
            Severity::Warning => "warning",
            Severity::Serious | Severity::Error => "error",
        };
        write!(f, "{word}: {}: {}", self.place, self.text)
    }
}

/// The three ways to give a secret `X`: inline, `X_file`, `X_credential`.
pub(super) struct SecretKeys<'a> {
    /// The name of the inline key.
    pub(super) key: &'static str,
    pub(super) inline: &'a Option<Spanned<String>>,
    pub(super) file: &'a Option<Spanned<PathBuf>>,
    pub(super) credential: &'a Option<Spanned<String>>,
}

/// What a secret has to look like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Shape {
    /// One line of visible ASCII, as programs make them: a token.
    Token,
    /// A key in Base64, which may have any word in it.
    Base64,
    /// A token that Intuit made.
    Verifier,
    /// One line: a password.
    Line,
    /// One or more lines, each a secret.
    Lines,
    /// Bytes of any kind; a text is taken without the line end that editors add.
    Bytes,
}

/// Reads what the file names and collects what is to be said.
pub(super) struct Reader<'a> {
    file: &'a Path,
    text: &'a str,
    credentials: Option<&'a Path>,
    /// Everybody on this machine can read the file.
    exposed: bool,
    pub(super) findings: Vec<Finding>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(file: &'a Path, text: &'a str, credentials: Option<&'a Path>) -> Self {
        Self {
            file,
            text,
            credentials,
            exposed: std::fs::metadata(file).is_ok_and(|facts| facts.mode() & 0o007 != 0),
            findings: Vec::new(),
        }
    }

    /// `qbo-relay.toml:12` for a place in the text.
    pub(super) fn place(&self, span: &Range<usize>) -> String {
        let line = line_of(self.text.as_bytes(), span.start);
        format!("{}:{line}", self.file.display())
    }

    pub(super) fn error(&mut self, span: &Range<usize>, text: impl Into<String>) {
        let place = self.place(span);
        self.findings
            .push(Finding::new(Severity::Error, place, text));
    }

    pub(super) fn warn(&mut self, span: &Range<usize>, text: impl Into<String>) {
        let place = self.place(span);
        self.findings
            .push(Finding::new(Severity::Warning, place, text));
    }

    /// An error about the file as a whole: something is missing from it.
    pub(super) fn missing(&mut self, text: impl Into<String>) {
        let place = self.file.display().to_string();
        self.findings
            .push(Finding::new(Severity::Error, place, text));
    }

    /// The URL that a key gives; `None` when it cannot be read, which has then been said.
    pub(super) fn url(&mut self, key: &str, given: &Spanned<String>) -> Option<Url> {
        let read = Url::parse(given.get_ref());
        read.map_err(|bad| self.error(&given.span(), format!("{key}: {bad}")))
            .ok()
    }

    /// A path as the file means it: relative to the folder that the file lies in.
    pub(super) fn resolve(&self, path: &Path) -> PathBuf {
        self.file.parent().unwrap_or(Path::new(".")).join(path)
    }

    /// Says that a secret stands in a file that everybody can read.
    pub(super) fn inline(&mut self, span: &Range<usize>, key: &str) {
        if self.exposed {
            let (place, file) = (self.place(span), self.file.display());
            let text = format!(
                "{key} is a secret, and everybody on this machine can read {file}; `chmod o= {file}`, or put it into a file of its own"
            );
            self.findings
                .push(Finding::new(Severity::Serious, place, text));
        }
    }

    /// The secret that was given in one of the three ways; `None` when none was given or it could
    /// not be read or be meant, which has then been said.
    pub(super) fn secret(&mut self, keys: &SecretKeys<'_>, shape: Shape) -> Option<Secret> {
        let SecretKeys {
            key,
            inline,
            file,
            credential,
        } = keys;
        let spans = [
            inline.as_ref().map(Spanned::span),
            file.as_ref().map(Spanned::span),
            credential.as_ref().map(Spanned::span),
        ];
        let mut given = spans.into_iter().flatten();
        let first = given.next()?;
        if let Some(second) = given.next() {
            self.error(
                &second,
                format!("{key} is given twice; keep exactly one of `{key}`, `{key}_file`, `{key}_credential`"),
            );
            return None;
        }
        let (bytes, origin) = if let Some(text) = inline {
            self.inline(&first, key);
            (text.get_ref().clone().into_bytes(), format!("`{key}`"))
        } else if let Some(path) = file {
            let path = self.resolve(path.get_ref());
            (self.read_secret(&first, key, &path)?, named(key, &path))
        } else {
            let name = credential.as_ref()?.get_ref();
            let Some(folder) = self.credentials else {
                self.error(&first, format!("{key}_credential = \"{name}\": there are no credentials here; start the relay by systemd with LoadCredential={name}:PATH, ask as root while it runs so, or use `{key}_file`"));
                return None;
            };
            let path = folder.join(name);
            (self.read_secret(&first, key, &path)?, named(key, &path))
        };
        self.shaped(&first, &bytes, shape, &origin)
    }

    /// What the bytes mean, or what is wrong with them.
    fn shaped(
        &mut self,
        span: &Range<usize>,
        bytes: &[u8],
        shape: Shape,
        origin: &str,
    ) -> Option<Secret> {
        let text = match decode(bytes) {
            Ok(text) => text,
            Err(_) if shape == Shape::Bytes => return Some(Secret::new(bytes)),
            Err(error) => {
                let line = error.line;
                self.error(span, format!("{origin} {error} (line {line} of it)"));
                return None;
            }
        };
        let secret = match shape {
            Shape::Token => token(&text),
            Shape::Base64 => base64_line(&text),
            Shape::Verifier => verifier_token(&text),
            Shape::Line => secret_line(&text),
            Shape::Lines => secret_lines(&text).map(|lines| Secret::new(lines.join("\n"))),
            Shape::Bytes => match text.trim_end_matches(['\r', '\n']) {
                "" => Err(NoSecret::Empty),
                text => Ok(Secret::new(text)),
            },
        };
        secret
            .inspect_err(|why| self.error(span, format!("{origin} {why}")))
            .ok()
    }

    fn read_secret(&mut self, span: &Range<usize>, key: &str, path: &Path) -> Option<Vec<u8>> {
        match std::fs::read(path) {
            Ok(bytes) => {
                let open = std::fs::metadata(path).is_ok_and(|facts| facts.mode() & 0o007 != 0);
                if open {
                    self.warn(
                        span,
                        format!(
                            "{} can be read by everybody; `chmod 600` it",
                            path.display()
                        ),
                    );
                }
                Some(bytes)
            }
            Err(error) => {
                let why = access::not_opened(path, &error);
                self.error(span, format!("{key} cannot be read: {why}"));
                None
            }
        }
    }
}

/// A secret by its key and where it lies.
fn named(key: &str, path: &Path) -> String {
    format!("`{key}` in {}", path.display())
}
