//! Cursors of devices and watermarks of members, as a lane holds them: sorted lists, for a group has a thousand of each
//! and a direct conversation two.

use bytes::{BufMut, Bytes, BytesMut};
use tidings_proto::frame::Watermark;
use tidings_proto::id::{AccountId, DeviceId, LogId};
use tidings_store::{MergeRow, Table};

/// Devices' cursors, as far as this node heard of them.
#[derive(Debug, Default)]
pub(super) struct Cursors(Vec<Cursor>);

#[derive(Debug)]
struct Cursor {
    device: DeviceId,
    seq: u64,
    dirty: bool,
}

impl Cursors {
    /// Moves a device's cursor; false if it was there already.
    pub fn raise(&mut self, device: DeviceId, seq: u64) -> bool {
        match self.0.binary_search_by_key(&device, |cursor| cursor.device) {
            Ok(at) if self.0[at].seq >= seq => return false,
            Ok(at) => (self.0[at].seq, self.0[at].dirty) = (seq, true),
            Err(at) => self.0.insert(at, Cursor { device, seq, dirty: true }),
        }
        true
    }

    pub fn get(&self, device: DeviceId) -> Option<u64> {
        let at = self.0.binary_search_by_key(&device, |cursor| cursor.device).ok()?;
        Some(self.0[at].seq)
    }

    /// What the store knows of a device, unless it was heard of meanwhile.
    pub fn learn(&mut self, device: DeviceId, seq: u64) {
        if let Err(at) = self.0.binary_search_by_key(&device, |cursor| cursor.device) {
            self.0.insert(at, Cursor { device, seq, dirty: false });
        }
    }

    /// The rows that the store has not got yet.
    pub fn take_dirty(&mut self, log: LogId, rows: &mut Vec<MergeRow>) {
        for cursor in self.0.iter_mut().filter(|cursor| cursor.dirty) {
            cursor.dirty = false;
            let value = Bytes::copy_from_slice(&cursor.seq.to_be_bytes());
            rows.push(MergeRow::new(Table::Cursor, cursor.device.as_bytes(), log.as_bytes(), cursor.seq, value));
        }
    }
}

/// A member's watermarks.
#[derive(Debug)]
pub(super) struct Mark {
    pub account: AccountId,
    pub delivered: u64,
    pub read: u64,
    /// When either last moved.
    pub time_ms: u64,
    /// When `read` did.
    pub read_ms: u64,
    /// Of a group: what the others were told last, which device moved it, and whether it waits to be told.
    pub told: (u64, u64),
    pub moved_by: Option<DeviceId>,
    pub is_gathered: bool,
    delivered_dirty: bool,
    read_dirty: bool,
}

impl Mark {
    fn new(account: AccountId) -> Self {
        Self {
            account,
            delivered: 0,
            read: 0,
            time_ms: 0,
            read_ms: 0,
            told: (0, 0),
            moved_by: None,
            is_gathered: false,
            delivered_dirty: false,
            read_dirty: false,
        }
    }

    /// Whether delivered and read moved.
    pub fn raise(&mut self, delivered: u64, read: u64, now_ms: u64) -> (bool, bool) {
        let (more_delivered, more_read) = (delivered > self.delivered, read > self.read);
        if more_delivered {
            (self.delivered, self.delivered_dirty) = (delivered, true);
        }
        if more_read {
            (self.read, self.read_ms, self.read_dirty) = (read, now_ms, true);
        }
        if more_delivered || more_read {
            self.time_ms = now_ms;
        }
        (more_delivered, more_read)
    }

    pub fn watermark(&self) -> Watermark {
        Watermark { account: self.account, delivered: self.delivered, read: self.read, time_ms: self.time_ms }
    }
}

/// By account.
#[derive(Debug, Default)]
pub(super) struct Marks(Vec<Mark>);

impl Marks {
    /// The mark of this account, made if absent.
    pub fn of(&mut self, account: AccountId) -> &mut Mark {
        let at = self.0.binary_search_by_key(&account, |mark| mark.account).unwrap_or_else(|at| {
            self.0.insert(at, Mark::new(account));
            at
        });
        &mut self.0[at]
    }

    pub fn get_mut(&mut self, account: AccountId) -> Option<&mut Mark> {
        let at = self.0.binary_search_by_key(&account, |mark| mark.account).ok()?;
        Some(&mut self.0[at])
    }

    pub fn iter(&self) -> impl Iterator<Item = &Mark> {
        self.0.iter()
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Mark> {
        self.0.iter_mut()
    }

    /// Takes these members in, in order of their accounts: who joined later has what came before. The marks of others go.
    pub fn admit(&mut self, members: impl Iterator<Item = (AccountId, u64)>) {
        let mut known = std::mem::take(&mut self.0).into_iter().peekable();
        for (account, since_seq) in members {
            while known.next_if(|mark| mark.account < account).is_some() {}
            let mut mark = known.next_if(|mark| mark.account == account).unwrap_or_else(|| Mark::new(account));
            let before = since_seq.saturating_sub(1);
            (mark.delivered, mark.read) = (mark.delivered.max(before), mark.read.max(before));
            mark.told = (mark.told.0.max(before), mark.told.1.max(before));
            self.0.push(mark);
        }
    }

    /// The rows that the store has not got yet.
    pub fn take_dirty(&mut self, log: LogId, rows: &mut Vec<MergeRow>) {
        for mark in &mut self.0 {
            let mut row = |table, seq: u64, time_ms: u64, dirty: &mut bool| {
                if std::mem::take(dirty) {
                    let mut value = BytesMut::with_capacity(16);
                    value.put_u64(seq);
                    value.put_u64(time_ms);
                    rows.push(MergeRow::new(table, log.as_bytes(), mark.account.as_bytes(), seq, value.freeze()));
                }
            };
            row(Table::Delivered, mark.delivered, mark.time_ms, &mut mark.delivered_dirty);
            row(Table::Read, mark.read, mark.read_ms, &mut mark.read_dirty);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(number: u8) -> AccountId {
        AccountId::from_bytes([number; 16])
    }

    #[test]
    fn members_that_come_have_what_was_before_and_those_that_go_leave_nothing() {
        let mut marks = Marks::default();
        marks.of(account(3)).raise(5, 2, 1);
        marks.of(account(1)).raise(7, 7, 1);
        marks.admit([(account(2), 9), (account(3), 1)].into_iter());
        let all: Vec<_> = marks.iter().map(|mark| (mark.account, mark.delivered, mark.read)).collect();
        assert_eq!(all, [(account(2), 8, 8), (account(3), 5, 2)]);
        assert!(marks.get_mut(account(1)).is_none());
    }

    #[test]
    fn what_moved_is_written_once() {
        let (mut cursors, mut marks, mut rows) = (Cursors::default(), Marks::default(), Vec::new());
        let log = LogId::from_bytes([9; 16]);
        for number in [5, 3, 9, 3] {
            cursors.raise(DeviceId::from_bytes([number; 16]), 4);
        }
        assert!(!cursors.raise(DeviceId::from_bytes([5; 16]), 3));
        marks.of(account(1)).raise(4, 0, 1);
        cursors.take_dirty(log, &mut rows);
        marks.take_dirty(log, &mut rows);
        assert_eq!(rows.len(), 4);
        cursors.take_dirty(log, &mut rows);
        marks.take_dirty(log, &mut rows);
        assert_eq!(rows.len(), 4);
    }
}
