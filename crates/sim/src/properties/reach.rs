//! What a device can possibly read: not what was sent before it joined, nor what came between the loss of its MLS state
//! and its coming back, nor what expired before it was there.

use crate::model::Model;
use crate::properties::log::ShadowLog;
use crate::properties::view::View;
use tidings_proto::id::MessageId;

pub struct Reach {
    /// Seq of the commit that first let it in.
    joined: u64,
    /// After the first, before the second.
    blind: Vec<(u64, u64)>,
}

impl Reach {
    pub fn of(view: &View, model: &Model, log: &ShadowLog) -> Self {
        let person = &model.people[view.device.who];
        let life = &person.lives[view.device.life];
        let joins = life.device.map(|device| log.joins(device)).unwrap_or_default();
        let wipes = life.wipes.get(&view.conversation).cloned().unwrap_or_default();
        let back = |cursor: u64| joins.iter().copied().find(|join| *join > cursor).unwrap_or(log.head + 1);
        let blind = wipes.into_iter().map(|cursor| (cursor, back(cursor))).collect();
        Self { joined: joins.first().copied().unwrap_or(log.head + 1), blind }
    }

    pub fn can_read(&self, seq: u64) -> bool {
        seq > self.joined && !self.blind.iter().any(|(from, to)| *from < seq && seq < *to)
    }

    /// Whether there was something before the device was let in.
    pub fn missed_the_beginning(&self) -> bool {
        self.joined > 1
    }

    /// Whether the device may lack this message although it could have read it.
    pub fn may_lack(&self, log: &ShadowLog, message: MessageId, now_ms: u64) -> bool {
        log.seq(message).is_none_or(|seq| self.may_lack_seq(log, seq, now_ms))
    }

    pub fn may_lack_seq(&self, log: &ShadowLog, seq: u64, now_ms: u64) -> bool {
        !self.can_read(seq) || log.has_expired(seq, now_ms)
    }
}
