//! Brings a lane up from the store, or up to date with it.

use super::marks::Marks;
use super::roster::Roster;
use super::state::Lane;
use crate::error::{Error, Result};
use crate::server::Server;
use bytes::{BufMut, Bytes, BytesMut};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tidings_proto::id::AccountId;
use tidings_store::log::Head;
use tidings_store::{Key, Scan, StoreError, Table};

/// Members whose watermarks are read.
const MEMBERS_MAX: u32 = 4_096;

/// A row of `Table::Block`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    pub time_ms: u64,
    /// Head of the direct conversation at that time: what came later is withheld.
    pub seq: u64,
}

/// The value of a row of `Table::Block`.
pub fn block_row(block: Block) -> Bytes {
    let mut out = BytesMut::with_capacity(16);
    out.put_u64(block.time_ms);
    out.put_u64(block.seq);
    out.freeze()
}

/// Two numbers, as rows of `Block`, `Delivered` and `Read` hold them.
fn two_numbers(table: Table, value: &[u8]) -> std::result::Result<(u64, u64), StoreError> {
    match value.as_chunks::<8>() {
        ([a, b], []) => Ok((u64::from_be_bytes(*a), u64::from_be_bytes(*b))),
        _ => Err(StoreError::Damaged(format!("{}: {} bytes where two numbers belong", table.name(), value.len()))),
    }
}

impl Lane {
    pub(super) async fn load(&self, server: &Server) -> Result<()> {
        let first = async { self.refresh(server, true).await };
        self.loaded.get_or_try_init(|| first).await?;
        if self.stale.load(Ordering::Acquire) {
            self.refresh(server, false).await?;
        }
        Ok(())
    }

    /// Reads head and roster again. If the log moved without this lane's doing, the members' devices are told.
    pub(super) async fn refresh(&self, server: &Server, first: bool) -> Result<()> {
        let head = server.log.head(self.log).await?;
        let known = self.head();
        let mut roster = None;
        if head.commit_seq > known.commit_seq {
            roster = Roster::load(&server.store, &server.log, self.log, &head).await?.map(Arc::new);
        }
        if let Some(roster) = &roster {
            if first {
                self.load_marks(server).await?;
            }
            if let Some(one) = roster.members.first().map(|member| member.account)
                && let Some(other) = roster.peer(one)
            {
                self.load_blocks(server, one, other).await?;
            }
        }
        let is_new = roster.is_some();
        self.take_in(server, head, roster, first);
        if is_new {
            self.load_unshared(server).await?;
        }
        Ok(())
    }

    fn take_in(&self, server: &Server, head: Head, roster: Option<Arc<Roster>>, first: bool) {
        let mut state = self.lock();
        let moved = head.seq > state.head.seq;
        // An append that ended meanwhile knows better.
        if moved {
            state.head = head;
            if roster.is_some() {
                state.roster = roster;
                state.admit_members();
            }
        }
        self.stale.store(false, Ordering::Release);
        let (readers, seq) = (if moved && !first { state.readers() } else { Vec::new() }, state.head.seq);
        drop(state);
        readers.into_iter().for_each(|account| server.hub.moved(account, self.log, seq));
    }

    /// Whether the two people of a direct conversation block each other.
    pub(super) async fn load_blocks(&self, server: &Server, one: AccountId, other: AccountId) -> Result<()> {
        if self.lock().blocks.is_some() {
            return Ok(());
        }
        let key = |by: AccountId, whom: AccountId| Key::new(Table::Block, by.as_bytes(), whom.as_bytes());
        let rows = server.store.get_many(&[key(one, other), key(other, one)]).await?;
        let mut blocks = Vec::new();
        for (by, row) in [one, other].into_iter().zip(rows) {
            if let Some(row) = row {
                blocks.push((by, two_numbers(Table::Block, &row)?.1));
            }
        }
        // Whoever changes blocks has loaded them first, so those that are there are newer.
        self.lock().blocks.get_or_insert(blocks);
        Ok(())
    }

    async fn load_marks(&self, server: &Server) -> Result<()> {
        let mut marks = Marks::default();
        for table in [Table::Delivered, Table::Read] {
            for row in server.store.scan(&Scan::all(table, self.log.as_bytes(), MEMBERS_MAX)).await? {
                let account = AccountId::from_slice(&row.row)
                    .ok_or_else(|| Error::from(StoreError::Damaged(format!("{}: not an account", table.name()))))?;
                let (seq, time_ms) = two_numbers(table, &row.value)?;
                let mark = marks.of(account);
                match table {
                    Table::Delivered => mark.delivered = seq,
                    _ => (mark.read, mark.read_ms) = (seq, time_ms),
                }
                mark.time_ms = mark.time_ms.max(time_ms);
                mark.told = (mark.delivered, mark.read);
            }
        }
        self.lock().marks = marks;
        Ok(())
    }
}
