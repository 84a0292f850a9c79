//! What is known of the instances, unsealed once and kept until they change.

use crate::model::{Instance, InstanceId, Secret};
use crate::vault::Vault;
use crate::wire::elements::{Kept, Terms};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The instances, by their number.
#[derive(Default, Debug)]
pub(super) struct Book(BTreeMap<InstanceId, Arc<Entry>>);

/// An instance, opened.
#[derive(Debug)]
pub(super) struct Entry {
    /// As the journal has it.
    pub(super) instance: Instance,
    /// What was sealed; `None` when the vault's key is another one than it was sealed with.
    pub(super) kept: Option<Kept>,
    /// What it means.
    pub(super) terms: Option<Terms>,
}

impl Book {
    /// The same with these instances.
    pub(super) fn renewed(&self, instances: Vec<Instance>, vault: &Vault) -> Self {
        let entry = |instance: Instance| {
            let known = self.0.get(&instance.id);
            let same = known.filter(|known| known.instance == instance);
            let entry = same.cloned();
            (
                instance.id,
                entry.unwrap_or_else(|| Arc::new(Entry::open(instance, vault))),
            )
        };
        Self(instances.into_iter().map(entry).collect())
    }

    pub(super) fn find(&self, id: InstanceId) -> Option<Arc<Entry>> {
        self.0.get(&id).cloned()
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &Arc<Entry>> {
        self.0.values()
    }

    /// The instance with this element token. Digests are compared, so nothing about a token can be
    /// learned from how long it takes.
    pub(super) fn holder(&self, token: &Secret) -> Option<InstanceId> {
        let digest = digest(token);
        let found = self
            .iter()
            .find(|entry| entry.instance.draft.token_digest == digest);
        found.map(|entry| entry.instance.id)
    }
}

impl Entry {
    fn open(instance: Instance, vault: &Vault) -> Self {
        let draft = &instance.draft;
        let kept = vault.unseal_instance(draft.realm.as_str(), &draft.sealed);
        let kept = kept.inspect_err(|error| {
            tracing::error!(instance = %instance.id, "instance {}: {error}", instance.id);
        });
        let kept = kept.ok();
        let terms = kept
            .as_ref()
            .and_then(|kept| kept.configuration.terms().ok());
        Self {
            instance,
            kept,
            terms,
        }
    }

    pub(super) fn id(&self) -> InstanceId {
        self.instance.id
    }
}

/// By which a token is known.
pub(super) fn digest(token: &Secret) -> [u8; 32] {
    Sha256::digest(token.expose()).into()
}
