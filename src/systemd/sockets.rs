//! The listeners that systemd passes (sd_listen_fds(3)), told apart by name and made non-blocking.
//!
//! Connections queue in such a socket while the relay is restarted, so nobody is refused. Taken once,
//! before any thread is started, because the environment that names them is emptied with it.

use listenfd::ListenFd;
use rustix::net::sockopt::socket_acceptconn;
use std::fmt;
use std::io;
use std::net::TcpListener;
use std::os::fd::AsFd;
use std::os::unix::net::UnixListener;

/// What was passed.
#[derive(Default)]
pub struct Inherited {
    names: Vec<String>,
    sockets: Option<ListenFd>,
}

/// A listener of either kind.
#[derive(Debug)]
pub enum Listener {
    /// TCP.
    Tcp(TcpListener),
    /// A Unix stream socket.
    Unix(UnixListener),
}

/// Why there is no such listener.
#[derive(thiserror::Error, Debug)]
pub enum Error {
    /// None of that name was passed.
    #[error(
        "systemd passed no socket named {name} ({passed}); start the socket unit, and give its socket FileDescriptorName={name}"
    )]
    Missing {
        /// The name that was asked for.
        name: &'static str,
        /// What was passed instead.
        passed: String,
    },
    /// Something else was passed under that name.
    #[error(
        "the socket named {name} is not {wanted}; correct the ListenStream= of the socket unit"
    )]
    Kind {
        /// The name that was asked for.
        name: &'static str,
        /// What is wanted.
        wanted: &'static str,
    },
    /// The system's.
    #[error("the socket named {name}: {error}")]
    System {
        /// The name that was asked for.
        name: &'static str,
        /// Why not.
        error: io::Error,
    },
}

impl Inherited {
    /// Takes what was passed to this process. Call it once, before there are threads.
    ///
    /// # Errors
    /// When the environment that tells of them makes no sense.
    pub fn take() -> io::Result<Self> {
        let names: Vec<String> = sd_notify::listen_fds_with_names()?
            .map(|(_, name)| name)
            .collect();
        // The names say whether anything was meant for this process; the crate of the sockets is
        // laxer about that.
        let sockets = (!names.is_empty()).then(ListenFd::from_env);
        Ok(Self { names, sockets })
    }

    /// The TCP listener of that name.
    ///
    /// # Errors
    /// [`Error`].
    pub fn tcp(&mut self, name: &'static str) -> Result<TcpListener, Error> {
        match self.listener(name, "a TCP socket that listens")? {
            Listener::Tcp(listener) => Ok(listener),
            Listener::Unix(_) => Err(Error::Kind {
                name,
                wanted: "a TCP socket that listens",
            }),
        }
    }

    /// The TCP or Unix listener of that name.
    ///
    /// # Errors
    /// [`Error`].
    pub fn any(&mut self, name: &'static str) -> Result<Listener, Error> {
        self.listener(name, "a TCP or Unix stream socket that listens")
    }

    /// Whether one of that name was passed and nobody has taken it.
    pub fn has(&self, name: &str) -> bool {
        self.names.iter().any(|passed| passed == name)
    }

    /// The names that nobody has asked for.
    pub fn unused(&self) -> impl Iterator<Item = &str> {
        self.names
            .iter()
            .map(String::as_str)
            .filter(|name| !name.is_empty())
    }

    fn listener(&mut self, name: &'static str, wanted: &'static str) -> Result<Listener, Error> {
        let index = self.names.iter().position(|passed| passed == name);
        let (Some(index), Some(sockets)) = (index, &mut self.sockets) else {
            return Err(Error::Missing {
                name,
                passed: self.to_string(),
            });
        };
        let listener = match sockets.take_tcp_listener(index) {
            Ok(tcp) => tcp.map(Listener::Tcp),
            Err(_) => match sockets.take_unix_listener(index) {
                Ok(unix) => unix.map(Listener::Unix),
                Err(_) => return Err(Error::Kind { name, wanted }),
            },
        };
        let system = |error| Error::System { name, error };
        let listener = listener.ok_or_else(|| system(io::ErrorKind::NotFound.into()))?;
        if let Some(name) = self.names.get_mut(index) {
            name.clear();
        }
        let listens = match &listener {
            Listener::Tcp(tcp) => ready(tcp, tcp.set_nonblocking(true)),
            Listener::Unix(unix) => ready(unix, unix.set_nonblocking(true)),
        };
        if listens.map_err(system)? {
            Ok(listener)
        } else {
            Err(Error::Kind { name, wanted })
        }
    }
}

/// Whether it listens, once it is non-blocking.
fn ready(socket: impl AsFd, non_blocking: io::Result<()>) -> io::Result<bool> {
    non_blocking?;
    Ok(socket_acceptconn(socket)?)
}

impl fmt::Display for Inherited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.unused().collect();
        match names.is_empty() {
            true => f.write_str("it passed none"),
            false => write!(f, "it passed {}", names.join(", ")),
        }
    }
}

impl fmt::Debug for Inherited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Inherited").field(&self.names).finish()
    }
}
