//! Members who keep to themselves what they have read. They are told of nobody's reading either.

use super::Lanes;
use super::state::{Lane, State};
use crate::error::Result;
use crate::server::Server;
use crate::sharing;
use std::sync::atomic::Ordering;
use tidings_proto::frame::Watermark;
use tidings_proto::id::{AccountId, LogId};
use tidings_store::{Scan, Table};

/// Rows of one scan.
const SCAN_ROWS: u32 = 1_024;

impl State {
    /// Whether others are not to know what this member has read.
    pub fn hides_reads(&self, account: AccountId) -> bool {
        self.unshared.contains(&account) || self.silent.contains(&account)
    }

    /// What `viewer` is told of these watermarks.
    pub fn as_told(&self, viewer: AccountId, mark: Watermark) -> Watermark {
        let is_hidden = viewer != mark.account && (self.unshared.contains(&viewer) || self.hides_reads(mark.account));
        Watermark { read: if is_hidden { 0 } else { mark.read }, ..mark }
    }
}

impl Lane {
    /// Reads what the members share, after they changed.
    pub(super) async fn load_unshared(&self, server: &Server) -> Result<()> {
        loop {
            let Some(roster) = self.lock().roster.clone() else { return Ok(()) };
            let changes = server.lanes.sharing_changes.load(Ordering::SeqCst);
            let accounts: Vec<AccountId> = roster.accounts().collect();
            let shared = sharing::load(&server.store, &accounts).await?;
            let shared = || accounts.iter().copied().zip(&shared);
            let unshared = shared().filter(|(_, sharing)| !sharing.read_receipts).map(|(account, _)| account).collect();
            let mut state = self.lock();
            let silent = shared()
                .filter(|(_, sharing)| sharing.read_receipts && sharing.reads_since_ms > 0)
                .filter(|(account, sharing)| {
                    state.marks.get_mut(*account).is_none_or(|mark| mark.read_ms <= sharing.reads_since_ms)
                })
                .map(|(account, _)| account)
                .collect();
            // Somebody may have changed it since it was read.
            if server.lanes.sharing_changes.load(Ordering::SeqCst) == changes {
                (state.unshared, state.silent) = (unshared, silent);
                return Ok(());
            }
        }
    }
}

impl Lanes {
    /// An account may have changed whether it shares what it reads: the lanes that are in memory follow, the others will
    /// read it.
    pub async fn share_reads(&self, server: &Server, account: AccountId) -> Result<()> {
        // One at a time, so that of two changes the later one stays.
        let _alone = self.sharing.lock().await;
        self.sharing_changes.fetch_add(1, Ordering::SeqCst);
        let shares = sharing::load_one(&server.store, account).await?.read_receipts;
        let mut from = Vec::new();
        loop {
            let scan = Scan::all(Table::Membership, account.as_bytes(), SCAN_ROWS).from(&from);
            let rows = server.store.scan(&scan).await?;
            for lane in rows.iter().filter_map(|row| self.present(LogId::from_slice(&row.row)?)) {
                // One that is being loaded may have read the old row.
                lane.load(server).await?;
                let mut state = lane.lock();
                if !shares {
                    state.silent.remove(&account);
                    state.unshared.insert(account);
                } else if state.unshared.remove(&account) {
                    state.silent.insert(account);
                }
            }
            match rows.last() {
                Some(last) if rows.len() == SCAN_ROWS as usize => from = [&last.row[..], &[0]].concat(),
                _ => return Ok(()),
            }
        }
    }
}
