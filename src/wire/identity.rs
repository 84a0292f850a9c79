//! The id under which a change leaves.

use crate::model::{ChangeId, Identity};
use sha2::{Digest, Sha256};

/// The id under which a change leaves: its identity, or, when the identity was used before for other
/// content, a digest of identity and content.
pub fn change_id(identity: Identity, content: u64, conflicting: bool) -> ChangeId {
    if !conflicting {
        return ChangeId(identity.to_hex());
    }
    let digest = Sha256::new()
        .chain_update(identity.0)
        .chain_update(content.to_be_bytes())
        .finalize();
    let mut first = [0; 16];
    first
        .iter_mut()
        .zip(digest)
        .for_each(|(to, from)| *to = from);
    ChangeId(Identity(first).to_hex())
}
