//! The state machine's door: one input in, one transaction, a list of outputs out.
//!
//! The rooms (account, session, outbox, …) are functions over a [`Step`]: what one input may touch. Whatever they
//! leave to be sent is collected in the step and handed out after the commit. If the transaction fails, nothing of
//! the input took effect: the connection is given up, waiting commands are told, and the state in memory begins anew
//! from the database.

use crate::db::Db;
use crate::error::ClientError;
use crate::io::{Input, Output};
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;

/// What a driver chooses once.
#[derive(Clone)]
pub struct Options {
    /// Where all randomness comes from: keys, ids, jitter. Fresh for every opening, and secret; a simulation repeats
    /// itself by giving the same one.
    pub seed: [u8; 32],
    /// How this person wants to be called; told to the people they write to. At most [`NAME_MAX_BYTES`].
    pub name: Option<String>,
}

/// Longest name of a person.
pub const NAME_MAX_BYTES: usize = 64;

impl Options {
    pub fn new(seed: [u8; 32]) -> Self {
        Self { seed, name: None }
    }
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Options")
    }
}

/// One device of one person.
pub struct Client {
    db: Db,
    #[expect(dead_code, reason = "the rooms of the state machine follow")]
    rng: ChaCha20Rng,
}

impl Client {
    /// Takes over an open database. Hand it [`Input::Tick`] first.
    pub fn open(db: Db, options: Options) -> Result<Self, ClientError> {
        Ok(Self { db, rng: ChaCha20Rng::from_seed(options.seed) })
    }

    /// Ends the use of the database without closing it: a simulation's crash.
    pub fn into_db(self) -> Db {
        self.db
    }

    /// Handles one input. Carry out the outputs in order. `now_ms`: milliseconds since 1970.
    pub fn handle(&mut self, input: Input, now_ms: u64) -> Vec<Output> {
        let _ = now_ms;
        match input {
            Input::Command { id, .. } => vec![Output::Reply { id, result: Err(ClientError::NotLoggedIn) }],
            _ => Vec::new(),
        }
    }
}
