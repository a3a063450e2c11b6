//! The durable state of a Tidings server: partitions of ordered bytes.
//!
//! Four verbs carry all of it ([`Store::get`], [`Store::scan`], [`Store::commit`], [`Store::merge`]), atomic inside one
//! partition. [`table`] is the catalogue of everything that is stored. Every rule of the product is written once above
//! the verbs ([`log`] is the first of them), so an engine is small and [`conformance`] can say what it must do. No file
//! outside `engine/` names an engine, but for the constructors here.

pub mod batch;
pub mod blob;
pub mod census;
pub mod clock;
pub mod conformance;
mod engine;
pub mod error;
pub mod key;
pub mod log;
pub mod stats;
mod store;
pub mod table;

pub use batch::{Batch, MergeRow};
pub use clock::{Clock, ManualClock};
pub use engine::memory::{CommitLatency, MemoryDisk};
pub use error::{CommitError, StoreError};
pub use key::{Key, Partition, Row, RowKey, Scan};
pub use store::{MERGE_DELAY_MAX_MS, Store};
pub use table::Table;
