//! QuickBooks's own API and Intuit's authorization server, as text: what is asked, and what the
//! answers mean.
//!
//! Requests become addresses, query text and forms; answers become records, faults and tokens.
//! Nothing is sent here and nothing is decided: the room `qbo` sends, and says what a fault means
//! for the caller. Money is never read as a number that is passed on: a record keeps its text byte
//! for byte.

mod answer;
mod discovery;
mod fault;
mod kinds;
mod plain;
mod record;
pub mod redirect;
mod request;
#[cfg(test)]
mod tests;
mod tokens;

pub use answer::{
    CaptureAnswer, QueryAnswer, Skipped, Trouble, read_capture, read_company_info, read_query,
};
pub use discovery::{Discovered, read_discovery};
pub use fault::Fault;
pub use kinds::{KindFacts, Means, facts, kinds};
pub use request::{
    Question, SCOPE, Since, authorize_query, capture_path, code_form, company_info_path,
    query_path, refresh_form, revoke_body,
};
pub use tokens::{Refusal, Tokens, read_refusal, read_tokens};
