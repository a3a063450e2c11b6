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
    /// What `viewer` is told of these watermarks.
    pub fn as_told(&self, viewer: AccountId, mark: Watermark) -> Watermark {
        let is_hidden =
            viewer != mark.account && (self.unshared.contains(&viewer) || self.unshared.contains(&mark.account));
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
            let unshared = accounts.into_iter().zip(shared).filter(|(_, sharing)| !sharing.read_receipts);
            let unshared = unshared.map(|(account, _)| account).collect();
            let mut state = self.lock();
            // Somebody may have changed it since it was read.
            if server.lanes.sharing_changes.load(Ordering::SeqCst) == changes {
                state.unshared = unshared;
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
                let unshared = &mut lane.lock().unshared;
                if shares {
                    unshared.remove(&account)
                } else {
                    unshared.insert(account)
                };
            }
            match rows.last() {
                Some(last) if rows.len() == SCAN_ROWS as usize => from = [&last.row[..], &[0]].concat(),
                _ => return Ok(()),
            }
        }
    }
}
