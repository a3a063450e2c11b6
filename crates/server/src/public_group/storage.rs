//! OpenMLS writes its state down after every merge; this keeps nothing. A group's rows are its GroupInfo and its tree.

use openmls_traits::public_storage::PublicStorageProvider;
use openmls_traits::storage::CURRENT_VERSION as V;
use openmls_traits::storage::traits;
use std::convert::Infallible;

type Kept = Result<(), Infallible>;

pub(super) struct Nothing;

impl PublicStorageProvider<V> for Nothing {
    type PublicError = Infallible;

    fn write_tree<G: traits::GroupId<V>, T: traits::TreeSync<V>>(&self, _: &G, _: &T) -> Kept {
        Ok(())
    }

    fn write_interim_transcript_hash<G: traits::GroupId<V>, T: traits::InterimTranscriptHash<V>>(
        &self,
        _: &G,
        _: &T,
    ) -> Kept {
        Ok(())
    }

    fn write_context<G: traits::GroupId<V>, T: traits::GroupContext<V>>(&self, _: &G, _: &T) -> Kept {
        Ok(())
    }

    fn write_confirmation_tag<G: traits::GroupId<V>, T: traits::ConfirmationTag<V>>(&self, _: &G, _: &T) -> Kept {
        Ok(())
    }

    fn queue_proposal<G: traits::GroupId<V>, R: traits::ProposalRef<V>, Q: traits::QueuedProposal<V>>(
        &self,
        _: &G,
        _: &R,
        _: &Q,
    ) -> Kept {
        Ok(())
    }

    fn queued_proposals<G: traits::GroupId<V>, R: traits::ProposalRef<V>, Q: traits::QueuedProposal<V>>(
        &self,
        _: &G,
    ) -> Result<Vec<(R, Q)>, Infallible> {
        Ok(Vec::new())
    }

    fn tree<G: traits::GroupId<V>, T: traits::TreeSync<V>>(&self, _: &G) -> Result<Option<T>, Infallible> {
        Ok(None)
    }

    fn group_context<G: traits::GroupId<V>, T: traits::GroupContext<V>>(&self, _: &G) -> Result<Option<T>, Infallible> {
        Ok(None)
    }

    fn interim_transcript_hash<G: traits::GroupId<V>, T: traits::InterimTranscriptHash<V>>(
        &self,
        _: &G,
    ) -> Result<Option<T>, Infallible> {
        Ok(None)
    }

    fn confirmation_tag<G: traits::GroupId<V>, T: traits::ConfirmationTag<V>>(
        &self,
        _: &G,
    ) -> Result<Option<T>, Infallible> {
        Ok(None)
    }

    fn delete_tree<G: traits::GroupId<V>>(&self, _: &G) -> Kept {
        Ok(())
    }

    fn delete_confirmation_tag<G: traits::GroupId<V>>(&self, _: &G) -> Kept {
        Ok(())
    }

    fn delete_context<G: traits::GroupId<V>>(&self, _: &G) -> Kept {
        Ok(())
    }

    fn delete_interim_transcript_hash<G: traits::GroupId<V>>(&self, _: &G) -> Kept {
        Ok(())
    }

    fn remove_proposal<G: traits::GroupId<V>, R: traits::ProposalRef<V>>(&self, _: &G, _: &R) -> Kept {
        Ok(())
    }

    fn clear_proposal_queue<G: traits::GroupId<V>, R: traits::ProposalRef<V>>(&self, _: &G) -> Kept {
        Ok(())
    }
}
