//! From the socket to the journal, and the pages that say how the relay is.
//!
//! Not here: what a signature or a payload is (`wire`), how a receipt is kept (`journal`), what
//! replay does (the roof). Called by the roof. Promises: the listener goes on whatever a peer or the
//! system does to it; whoever sends nothing, little, too much or nonsense is answered or closed
//! within a deadline of [`Limits`](crate::model::Limits), is counted, and costs nobody else
//! anything; no success answer before the receipt is kept (I1).
//!
//! In reading order: `listener` (accept, for ever), `registry` (who is here, who has to make
//! room), `connection` (TLS, HTTP/1.1 or HTTP/2, deadlines), `stall` (peers that do not read),
//! `amended` (what hyper answers by itself),
//! `router` (which request goes where), `body` (bytes in flight), [`webhook`] (a delivery), [`face`]
//! (what of a request is the original listener's), [`source`] (who need not sign), `manner` (how it is
//! answered), `reading` (what was in it), `html` (pages), [`consent`] (a person comes back from
//! Intuit), [`elements`] (the Open Connectors interface), [`public`] and [`admin`] (the listeners as the roof starts them).

mod amended;
mod answer;
mod body;
mod coding;
mod connection;
mod html;
mod listener;
mod manner;
mod reading;
mod registry;
mod router;
mod stall;

pub mod admin;
pub mod consent;
pub mod elements;
pub mod face;
pub mod public;
pub mod source;
pub mod webhook;
