//! From the socket to the journal, and the pages that say how the relay is.
//!
//! Not here: what a signature or a payload is (`wire`), how a receipt is kept (`journal`), what
//! replay does (the roof). Called by the roof. Promises: the listener goes on whatever a peer or the
//! system does to it; whoever sends nothing, little, too much or nonsense is answered or closed
//! within a deadline of [`Limits`](crate::model::Limits), is counted, and costs nobody else
//! anything; no success answer before the receipt is kept (I1).
//!
//! In reading order: `listener` (accept, for ever), `registry` (who is here, who has to make
//! room), `peer` (whose a connection is), `waiting` (newcomers), `visit` (one connection, as others see
//! it), `connection` (TLS, HTTP/1.1 or HTTP/2, deadlines), `stall` (peers that do not read), `metered`
//! (peers that send for nothing), `amended` (what hyper answers by itself), `requests` (what is done for
//! every request), `head` (what is kept of its head), `reply` (how its answer is sent), `router` (which
//! request goes where), `origin` (whose page a browser was on), `body` (what is in flight), [`webhook`] (a delivery),
//! `misdirected` (one that goes elsewhere), [`face`]
//! (what of a request is the original listener's), [`source`] (who need not sign), `manner` (how it is
//! answered), `reading` (what was in it), `html` (pages), [`consent`] (a person comes back from
//! Intuit), [`elements`] (the Open Connectors interface), [`public`] and [`admin`] (the listeners as the roof starts them).

mod amended;
mod answer;
mod body;
mod coding;
mod connection;
mod head;
mod html;
mod keep;
mod listener;
mod manner;
mod meter;
mod metered;
mod misdirected;
mod origin;
mod peer;
mod reading;
mod registry;
mod reply;
mod requests;
mod router;
mod stall;
mod visit;
mod waiting;

pub mod admin;
pub mod consent;
pub mod elements;
pub mod face;
pub mod public;
pub mod source;
pub mod webhook;
