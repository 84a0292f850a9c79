//! The OpenAPI description of the interface.

/// The description as JSON; `server` is the address that the interface is asked under, up to and
/// with [`BASE`](super::BASE).
pub fn document(server: &str) -> Vec<u8> {
    todo!("{server}")
}
