//! Pages for a browser: one look, and one policy that keeps them from loading or running anything.
//!
//! Used by the admin listener and by the page that ends a consent. Promises: what others said is shown
//! as text only, where it went through [`escape`].

use super::answer::{Answer, HTML, answer, put};
use crate::model::printable::printable;
use http::StatusCode;
use http::header::{CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};

/// What a page may do in a browser: use the one style sheet within it, send its own forms back, and
/// nothing else. The digest is that of [`STYLE`]; a test compares them.
const POLICY: &str = "default-src 'none'; \
    style-src 'sha256-dO0RC+HyTqLzbu8z9ubzALL6qpJbKCMmXUGeSbMpqqU='; \
    base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

const STYLE: &str = "body{font:18px/1.5 sans-serif;max-width:44em;margin:2em auto;padding:0 1em;color:#222;background:#fff}\
h1{font-size:1.4em}.good{color:#186a2a}.fair{color:#7a5200}.bad{color:#a01515}\
table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;padding:.3em .8em .3em 0;border-bottom:1px solid #ddd}\
footer{margin-top:2em;color:#666;font-size:.8em}";

/// A page.
pub(super) struct Page<'a> {
    /// What the browser shows as its name, escaped.
    pub(super) title: &'a str,
    /// After how many seconds it loads itself again.
    pub(super) renewed_s: Option<u32>,
    /// What is in it, in HTML.
    pub(super) body: &'a str,
}

impl Page<'_> {
    /// The page in HTML.
    pub(super) fn render(&self) -> String {
        let Self { title, body, .. } = self;
        let renewal = self.renewed_s.map_or_else(String::new, |seconds| {
            format!("<meta http-equiv=\"refresh\" content=\"{seconds}\">\n")
        });
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n{renewal}\
             <meta name=\"viewport\" content=\"width=device-width\">\n\
             <title>qbo-relay: {title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n{body}\
             </body>\n</html>\n"
        )
    }
}

/// An answer that is a page, with the policy.
pub(super) fn html(status: StatusCode, page: String) -> Answer {
    let mut answer = answer(status, HTML, page);
    put(&mut answer, CONTENT_SECURITY_POLICY, POLICY);
    // With no referrer at all, Chromium hides the origin of the page's own forms, too.
    put(&mut answer, REFERRER_POLICY, "same-origin");
    put(&mut answer, X_CONTENT_TYPE_OPTIONS, "nosniff");
    answer
}

/// Text as it may stand in HTML, also within quotes.
pub(super) fn escape(text: &str) -> String {
    let text = printable(text);
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use sha2::{Digest, Sha256};

    #[test]
    fn the_policy_allows_the_pages_own_style_and_nothing_else() {
        let digest = STANDARD.encode(Sha256::digest(STYLE));
        assert!(POLICY.contains(&format!("'sha256-{digest}'")), "{digest}");
        assert!(POLICY.starts_with("default-src 'none';"));
        let page = Page {
            title: "t",
            renewed_s: None,
            body: "<p>b</p>\n",
        };
        let page = page.render();
        assert!(page.contains(&format!("<style>{STYLE}</style>")));
        assert!(!page.contains("<script") && !page.contains("style=\"") && !page.contains("src="));
    }
}
