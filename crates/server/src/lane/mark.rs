//! Cursors of devices and watermarks of members: in memory at once, in the store a little later.

use super::state::{Lane, State};
use crate::error::{Error, Result};
use crate::server::Server;
use std::sync::Arc;
use tidings_proto::entry::Sender;
use tidings_proto::frame::Watermark;
use tidings_proto::id::{AccountId, DeviceId};
use tidings_store::{Key, Table};

impl State {
    /// Who is told at once that a member's watermarks moved, and what.
    fn told_at_once(&mut self, by: Sender, delivered_moved: bool) -> Vec<(AccountId, Watermark)> {
        let mark = self.marks.of(by.account).watermark();
        let told = |account| (account, self.as_told(account, mark));
        // Who is not told of reading is not told that it moved either.
        let is_news = |(_, told): &(AccountId, Watermark)| delivered_moved || told.read == mark.read;
        self.readers().into_iter().map(told).filter(is_news).collect()
    }
}

impl Lane {
    /// A device of a member has stored everything up to `delivered`, or the person has seen everything up to `read`.
    /// Values above what the account may read are cut, older ones change nothing.
    pub fn mark(self: &Arc<Self>, server: &Arc<Server>, by: Sender, delivered: u64, read: u64) -> Result<()> {
        let mut state = self.lock();
        let Some(reach) = state.roster.as_ref().and_then(|roster| roster.reach(by.account)) else {
            return Err(Error::not_found("conversation"));
        };
        let visible = state.visible_seq(by.account);
        if reach.until_seq.is_some() {
            // Of somebody who was a member, only the device's own place is of interest.
            let moved = state.cursors.raise(by.device, delivered.min(visible));
            self.list(state, server, moved);
            return Ok(());
        }
        let read = read.min(visible);
        let cursor_moved = state.cursors.raise(by.device, delivered.min(visible));
        // Who blocks moves no watermark: the other one is not to notice anything. What was seen was stored.
        let (delivered_moved, read_moved) = match state.block_of(by.account) {
            Some(_) => (false, false),
            None => {
                let delivered = delivered.min(visible).max(read);
                state.marks.of(by.account).raise(delivered, read, server.clock.now_ms())
            }
        };
        if read_moved {
            state.silent.remove(&by.account);
        }
        let moved = delivered_moved || read_moved;
        let tell_soon = moved && state.is_group() && state.gather(by);
        let told = if moved && !state.is_group() { state.told_at_once(by, delivered_moved) } else { Vec::new() };
        self.list(state, server, cursor_moved || moved);
        for (account, watermark) in told {
            server.hub.receipt(account, self.log.as_conversation(), watermark, Some(by.device));
        }
        if tell_soon {
            self.tell_soon(server);
        }
        Ok(())
    }

    /// What a block kept from moving moves now: this account has what its devices have, and is told what the others have.
    pub async fn catch_up(self: &Arc<Self>, server: &Arc<Server>, account: AccountId) -> Result<()> {
        // Cursors that are still in memory count.
        server.lanes.flush(server).await?;
        let roster = self.view(account)?.roster;
        let devices = roster.member(account).map(|member| member.devices.clone()).unwrap_or_default();
        let key = |device: &DeviceId| Key::new(Table::Cursor, device.as_bytes(), self.log.as_bytes());
        let cursors = server.store.get_many(&devices.iter().map(key).collect::<Vec<_>>()).await?;
        for (device, cursor) in devices.into_iter().zip(cursors) {
            let seq = cursor.and_then(|value| value[..].try_into().ok()).map_or(0, u64::from_be_bytes);
            self.mark(server, Sender { account, device }, seq, 0)?;
        }
        let now_ms = server.clock.now_ms();
        let mut state = self.lock();
        let others = state.marks.iter_mut().filter(|mark| mark.account != account);
        let watermarks: Vec<Watermark> = others
            .map(|mark| {
                // Devices that are away find it in their next plan.
                mark.time_ms = now_ms;
                mark.watermark()
            })
            .collect();
        let watermarks: Vec<Watermark> =
            watermarks.into_iter().map(|watermark| state.as_told(account, watermark)).collect();
        drop(state);
        for watermark in watermarks {
            server.hub.receipt(account, self.log.as_conversation(), watermark, None);
        }
        Ok(())
    }

    /// A device has stored everything up to `seq` of its inbox.
    pub fn mark_inbox(self: &Arc<Self>, server: &Arc<Server>, device: DeviceId, seq: u64) {
        let mut state = self.lock();
        let seq = seq.min(state.head.seq);
        let moved = state.cursors.raise(device, seq);
        self.list(state, server, moved);
    }

    /// Sees to it that what moved is written.
    fn list(self: &Arc<Self>, mut state: std::sync::MutexGuard<'_, State>, server: &Arc<Server>, moved: bool) {
        if !moved {
            return;
        }
        let is_new = !std::mem::replace(&mut state.listed, true);
        drop(state);
        if is_new {
            server.lanes.behind.list(server, self.clone());
        }
        self.trim_soon(server);
    }
}
