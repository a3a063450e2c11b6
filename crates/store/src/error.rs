//! Why a verb of the store failed, and what to do next.

/// The store could not answer. Nothing is known about a write that ended so: it may or may not be there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Too much waits already; nothing was written. Try again later.
    #[error("the store is overloaded")]
    Overloaded,
    /// The engine is closed or broken; its own words follow. Give up on this request, and look at the disk.
    #[error("the store is not available: {0}")]
    Unavailable(String),
    /// A row is not of the form that it should have. Give up on this request, and keep the file for inspection.
    #[error("a row of the store is damaged: {0}")]
    Damaged(String),
}

/// Why a batch was not committed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// The assert with this number did not hold. Nothing was written: read again, decide again.
    #[error("assert {0} of the batch does not hold")]
    Conflict(usize),
    #[error(transparent)]
    Store(#[from] StoreError),
}
