//! Cursors of devices and watermarks of members: in memory at once, in the store a little later.

use super::state::{Lane, State};
use crate::error::{Error, Result};
use crate::server::Server;
use bytes::{BufMut, Bytes, BytesMut};
use std::sync::Arc;
use tidings_proto::entry::Sender;
use tidings_proto::frame::Watermark;
use tidings_proto::id::{AccountId, DeviceId, LogId};
use tidings_store::{Key, MergeRow, Table};

/// A device's cursor, as far as this node heard of it.
#[derive(Debug)]
pub(super) struct Cursor {
    pub device: DeviceId,
    pub seq: u64,
    dirty: bool,
}

/// A member's watermarks.
#[derive(Debug)]
pub(super) struct Mark {
    pub account: AccountId,
    pub delivered: u64,
    pub read: u64,
    /// When either last moved.
    pub time_ms: u64,
    delivered_dirty: bool,
    read_dirty: bool,
}

impl Mark {
    /// The mark of this account; the list is short, or grows once.
    pub fn of(marks: &mut Vec<Mark>, account: AccountId) -> &mut Mark {
        let at = marks.iter().position(|mark| mark.account == account).unwrap_or_else(|| {
            marks.push(Mark { account, delivered: 0, read: 0, time_ms: 0, delivered_dirty: false, read_dirty: false });
            marks.len() - 1
        });
        &mut marks[at]
    }

    fn watermark(&self) -> Watermark {
        Watermark { account: self.account, delivered: self.delivered, read: self.read, time_ms: self.time_ms }
    }
}

impl State {
    /// Moves a device's cursor; false if it was there already.
    fn move_cursor(&mut self, device: DeviceId, seq: u64) -> bool {
        match self.cursors.iter_mut().find(|cursor| cursor.device == device) {
            Some(cursor) if cursor.seq >= seq => return false,
            Some(cursor) => (cursor.seq, cursor.dirty) = (seq, true),
            None => self.cursors.push(Cursor { device, seq, dirty: true }),
        }
        true
    }

    /// Moves an account's watermarks; the new ones if they moved.
    fn move_marks(&mut self, account: AccountId, delivered: u64, read: u64, now_ms: u64) -> Option<Watermark> {
        let mark = Mark::of(&mut self.marks, account);
        let (more_delivered, more_read) = (delivered > mark.delivered, read > mark.read);
        if more_delivered {
            (mark.delivered, mark.delivered_dirty) = (delivered, true);
        }
        if more_read {
            (mark.read, mark.read_dirty) = (read, true);
        }
        (more_delivered || more_read).then(|| {
            mark.time_ms = now_ms;
            mark.watermark()
        })
    }

    /// The rows that the store has not got yet.
    pub fn take_dirty(&mut self, log: LogId, rows: &mut Vec<MergeRow>) {
        for cursor in self.cursors.iter_mut().filter(|cursor| cursor.dirty) {
            cursor.dirty = false;
            let value = Bytes::copy_from_slice(&cursor.seq.to_be_bytes());
            rows.push(MergeRow::new(Table::Cursor, cursor.device.as_bytes(), log.as_bytes(), cursor.seq, value));
        }
        for mark in &mut self.marks {
            let mut row = |table, seq: u64, dirty: &mut bool| {
                if std::mem::take(dirty) {
                    let mut value = BytesMut::with_capacity(16);
                    value.put_u64(seq);
                    value.put_u64(mark.time_ms);
                    rows.push(MergeRow::new(table, log.as_bytes(), mark.account.as_bytes(), seq, value.freeze()));
                }
            };
            row(Table::Delivered, mark.delivered, &mut mark.delivered_dirty);
            row(Table::Read, mark.read, &mut mark.read_dirty);
        }
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
            let moved = state.move_cursor(by.device, delivered.min(visible));
            self.list(state, server, moved);
            return Ok(());
        }
        let read = read.min(visible);
        let cursor_moved = state.move_cursor(by.device, delivered.min(visible));
        // Who blocks moves no watermark: the other one is not to notice anything. What was seen was stored.
        let moved = match state.block_of(by.account) {
            Some(_) => None,
            None => state.move_marks(by.account, delivered.min(visible).max(read), read, server.clock.now_ms()),
        };
        let readers = if moved.is_some() { state.readers() } else { Vec::new() };
        self.list(state, server, cursor_moved || moved.is_some());
        if let Some(watermark) = moved {
            for account in readers {
                server.hub.receipt(account, self.log.as_conversation(), watermark, Some(by.device));
            }
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
        let moved = state.move_cursor(device, seq);
        self.list(state, server, moved);
    }

    /// Sees to it that what moved is written.
    fn list(self: &Arc<Self>, mut state: std::sync::MutexGuard<'_, State>, server: &Arc<Server>, moved: bool) {
        if moved && !std::mem::replace(&mut state.listed, true) {
            drop(state);
            server.lanes.behind.list(server, self.clone());
        }
    }
}
