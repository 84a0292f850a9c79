//! Every bound of the program in one place (invariant I8), and what those of the listeners add up to.

use std::time::Duration;

/// Bounds on what others can make the relay do. The configuration sets a few of them; the rest are
/// not meant to be turned.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Open connections on the public listener. At the bound, the one that has been quiet longest
    /// makes room for the next.
    pub connections_max: usize,
    /// The same for one peer address (IPv6: a network of 64 bits).
    pub connections_per_peer_max: usize,
    /// A connection that has got somewhere so recently makes room for no other address.
    pub undisturbed: Duration,
    /// Newcomers that wait for a place to come free, and for how long.
    pub waiting_max: usize,
    /// How long a newcomer waits.
    pub waiting: Duration,
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
    /// Bytes of one request head; in HTTP/2 with 32 for each field, as its header lists are counted.
    pub head_bytes_max: usize,
    /// The same in HTTP/2 for a peer whose network has not delivered anything authentic yet.
    pub stranger_head_bytes_max: usize,
    /// Header fields of one request.
    pub head_fields_max: usize,
    /// Bytes of one body (interface: 4 MiB by default).
    pub body_bytes_max: usize,
    /// Bytes of heads, bodies and answers that a connection may always hold, besides one request;
    /// what goes beyond draws on `bodies_bytes_max`.
    pub body_bytes_free: usize,
    /// Bytes of all heads, bodies and answers in flight beyond the free part of their connections.
    pub bodies_bytes_max: usize,
    /// What a request in hand takes besides its head, its body and its answer.
    pub request_bytes: usize,
    /// Requests at a time on one HTTP/2 connection.
    pub streams_max: u32,
    /// The same for a peer whose network has not delivered anything authentic yet.
    pub stranger_streams_max: u32,
    /// Bytes that an HTTP/2 connection may bring without an authentic delivery, bodies in flight aside;
    /// past them it is closed when its requests are answered. More than a window of 64 KiB, which
    /// counts until it is looked at.
    pub idle_bytes_max: usize,
    /// So many more, and it is closed at once.
    pub idle_bytes_end: usize,
    /// Bytes on their way unread, in and out, that the system keeps for a connection. It takes twice as
    /// much memory for them.
    pub socket_bytes: [usize; 2],
    /// Receipts that wait for the journal's writer; past it 503.
    pub append_queue_max: usize,
    /// Companies that are known at a time; a new one beyond is refused.
    pub companies_max: u64,
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
            connections_max: 192,
            connections_per_peer_max: 96,
            undisturbed: Duration::from_secs(1),
            waiting_max: 64,
            waiting: Duration::from_secs(3),
            handshake: Duration::from_secs(5),
            head: Duration::from_secs(10),
            body: Duration::from_secs(10),
            answer: Duration::from_millis(2_500),
            connection_age: Duration::from_secs(600),
            head_bytes_max: 16 << 10,
            stranger_head_bytes_max: 4 << 10,
            head_fields_max: 64,
            body_bytes_max: 4 << 20,
            body_bytes_free: 16 << 10,
            bodies_bytes_max: 12 << 20,
            request_bytes: 4 << 10,
            streams_max: 32,
            stranger_streams_max: 8,
            idle_bytes_max: 80 << 10,
            idle_bytes_end: 64 << 10,
            socket_bytes: [40 << 10, 16 << 10],
            append_queue_max: 1024,
            companies_max: 10_000,
            batch_max: 128,
            read: Duration::from_secs(5),
            items_max: 10_000,
            answer_bytes_max: 64 << 10,
        }
    }
}

/// What a connection takes in TLS, in HTTP and as a task, measured: 61 KiB while a hello of the largest
/// size comes in pieces, less from then on.
const CONNECTION_BYTES: usize = 64 << 10;

/// What the program takes besides its listeners: its own pages, the journal's caches, a few records.
const REST_BYTES: usize = 16 << 20;

impl Limits {
    /// The most memory that the program takes when strangers drive both listeners to every bound at
    /// once. Worked out for the defaults, in KiB:
    ///
    /// | for each connection | |
    /// | --- | ---: |
    /// | TLS, HTTP, task | 64 |
    /// | its own part of heads, bodies and answers: 16 + 4 | 20 |
    /// | what it brought for nothing, of which HTTP/2 keeps slices in its tables: 80 + 64 | 144 |
    /// | unread bytes in the system, twice 40 + 16 | 112 |
    /// | **in all** | **340** |
    ///
    /// | for each listener | public | admin |
    /// | --- | ---: | ---: |
    /// | connections: 192 and 48 times 340 | 65,280 | 16,320 |
    /// | heads, bodies and answers in flight: 12 and 2 MiB | 12,288 | 2,048 |
    /// | the same again, for HTTP/2's slices of bodies | 12,288 | 2,048 |
    /// | **in all** | **89,856** | **20,416** |
    ///
    /// With 16 MiB for everything else, 126,656 KiB: 124 MiB of the 128 MiB that the unit allows
    /// (`MemoryMax=`). A test drives each state to its bound within them.
    pub fn memory_max(&self) -> usize {
        let admin = self.of_the_house();
        REST_BYTES + self.listener_memory_max() + admin.listener_memory_max()
    }

    fn listener_memory_max(&self) -> usize {
        let [inward, outward] = self.socket_bytes;
        let free = self.body_bytes_free + self.request_bytes;
        let idle = self.idle_bytes_max + self.idle_bytes_end;
        let connection = CONNECTION_BYTES + free + idle + 2 * (inward + outward);
        let connections = self.connections_max.saturating_mul(connection);
        connections.saturating_add(self.bodies_bytes_max.saturating_mul(2))
    }

    /// Connections of one network, of which there are many in one hand: an IPv4 network of 24 bits, an
    /// IPv6 network of 48.
    pub fn connections_per_network_max(&self) -> usize {
        let most = self.connections_max - self.connections_max / 4;
        most.max(self.connections_per_peer_max)
    }

    /// The bounds of the admin listener and of the control socket: a few people and programs of the
    /// house.
    #[must_use]
    pub fn of_the_house(&self) -> Self {
        Self {
            connections_max: self.connections_max.min(48),
            connections_per_peer_max: self.connections_per_peer_max.min(40),
            bodies_bytes_max: self.bodies_bytes_max.min(2 << 20),
            ..self.clone()
        }
    }
}
