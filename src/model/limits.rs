//! Every bound of the program in one place (invariant I8).

use std::time::Duration;

/// Bounds on what others can make the relay do. The configuration sets a few of them; the rest are
/// not meant to be turned.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Open connections on the public listener. At the bound, the one that has been quiet longest
    /// makes room for the next.
    pub connections_max: usize,
    /// The same for one peer address.
    pub connections_per_peer_max: usize,
    /// From accept to the end of the TLS handshake.
    pub handshake: Duration,
    /// From the first moment of waiting for a request to the end of its head; so also the time
    /// that a kept-alive connection may be idle.
    pub head: Duration,
    /// From the head to the last byte of the body.
    pub body: Duration,
    /// From the whole body to the answer; past it 503, well inside Intuit's 3 seconds.
    pub answer: Duration,
    /// Age of a connection, after which it is closed when its request is done.
    pub connection_age: Duration,
    /// Bytes of one request head, and fields in it.
    pub head_bytes_max: usize,
    /// Header fields of one request.
    pub head_fields_max: usize,
    /// Bytes of one body (interface: 4 MiB by default).
    pub body_bytes_max: usize,
    /// Bytes of a body that are always taken; what goes beyond draws on `bodies_bytes_max`.
    pub body_bytes_free: usize,
    /// Bytes of all bodies in flight beyond their free part.
    pub bodies_bytes_max: usize,
    /// Requests at a time on one HTTP/2 connection.
    pub streams_max: u32,
    /// Receipts that wait for the journal's writer; past it 503.
    pub append_queue_max: usize,
    /// Commands in one transaction.
    pub batch_max: usize,
    /// How long a read of the journal may take.
    pub read: Duration,
    /// Entries of one delivery that are looked at; the rest is kept as one unreadable entry.
    pub items_max: usize,
    /// Bytes of a sink's answer that are read.
    pub answer_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 512,
            connections_per_peer_max: 256,
            handshake: Duration::from_secs(5),
            head: Duration::from_secs(10),
            body: Duration::from_secs(10),
            answer: Duration::from_millis(2_500),
            connection_age: Duration::from_secs(600),
            head_bytes_max: 16 << 10,
            head_fields_max: 64,
            body_bytes_max: 4 << 20,
            body_bytes_free: 16 << 10,
            bodies_bytes_max: 12 << 20,
            streams_max: 32,
            append_queue_max: 1024,
            batch_max: 128,
            read: Duration::from_secs(5),
            items_max: 10_000,
            answer_bytes_max: 64 << 10,
        }
    }
}
