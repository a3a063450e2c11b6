//! What a device can possibly read: not what was sent before it joined or after it was out, nor what came between the
//! loss of its MLS state, or of all that came since a copy, and its coming back, nor what expired before it was there.

use crate::model::Model;
use crate::properties::log::ShadowLog;
use crate::properties::view::View;
use tidings_proto::entry::{Body, Sender};
use tidings_proto::id::MessageId;

/// A time in which a device had a leaf: after the commit that let it in, up to the entry that put it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stay {
    pub from: u64,
    /// `u64::MAX`: still there.
    pub to: u64,
}

pub struct Reach {
    stays: Vec<Stay>,
    /// After the first, before the second.
    blind: Vec<(u64, u64)>,
}

impl Reach {
    pub fn of(view: &View, model: &Model, log: &ShadowLog) -> Self {
        let person = &model.people[view.device.who];
        let life = &person.lives[view.device.life];
        let me = person.account.zip(life.device).map(|(account, device)| Sender { account, device });
        let (stays, rejoins) = me.map(|me| stays(log, me)).unwrap_or_default();
        let wipes = life.wipes.get(&view.conversation).cloned().unwrap_or_default();
        let joins = || stays.iter().map(|stay| stay.from).chain(rejoins.iter().copied());
        let back = |cursor: u64| joins().filter(|join| *join > cursor).min().unwrap_or(log.head + 1);
        let mut blind: Vec<(u64, u64)> = wipes.into_iter().map(|cursor| (cursor, back(cursor))).collect();
        for forgotten in life.forgotten.get(&view.conversation).into_iter().flatten() {
            blind.push((forgotten.after, back(forgotten.head)));
        }
        // A welcome that could not be used, as when its commit came long after it: the device comes in by itself.
        for stay in stays.iter().filter(|stay| stay.from > 0 && !is_external(log, stay.from)) {
            if let Some(first) = rejoins.iter().find(|at| stay.from < **at && **at < stay.to && is_external(log, **at))
            {
                blind.push((stay.from, *first));
            }
        }
        Self { stays, blind }
    }

    pub fn can_read(&self, seq: u64) -> bool {
        self.is_inside(seq) && !self.blind.iter().any(|(from, to)| *from < seq && seq < *to)
    }

    /// Whether the device had a leaf when this was said.
    pub fn is_inside(&self, seq: u64) -> bool {
        self.stays.iter().any(|stay| stay.from < seq && seq <= stay.to)
    }

    /// Whether this was said before the device ever came in: its other devices may have told it.
    pub fn is_before(&self, seq: u64) -> bool {
        self.stays.first().is_none_or(|stay| seq <= stay.from)
    }

    /// The commit that let it in last; 0 if none did.
    pub fn came(&self) -> u64 {
        self.stays.last().map_or(0, |stay| stay.from)
    }

    /// Whether there was something before the device was let in, or while it was not in.
    pub fn missed_the_beginning(&self) -> bool {
        self.stays.first().is_none_or(|stay| stay.from > 1) || self.stays.len() > 1 || !self.blind.is_empty()
    }

    /// Whether the device may lack this message although it could have read it.
    pub fn may_lack(&self, log: &ShadowLog, message: MessageId, now_ms: u64) -> bool {
        log.seq(message).is_none_or(|seq| self.may_lack_seq(log, seq, now_ms))
    }

    /// Who came back is told nothing of a former stay any more.
    pub fn may_lack_seq(&self, log: &ShadowLog, seq: u64, now_ms: u64) -> bool {
        let former = self.stays.last().is_some_and(|last| seq <= last.from);
        !self.can_read(seq) || former || log.has_expired(seq, now_ms)
    }
}

fn is_external(log: &ShadowLog, seq: u64) -> bool {
    log.entries.get(&seq).is_some_and(|(entry, _)| match &entry.body {
        Body::Commit { change, .. } => change.external,
        _ => false,
    })
}

/// When a device was in, and when it came in anew although it was.
pub fn stays(log: &ShadowLog, me: Sender) -> (Vec<Stay>, Vec<u64>) {
    let (mut stays, mut rejoins) = (Vec::<Stay>::new(), Vec::new());
    for (seq, (entry, _)) in &log.entries {
        let open = stays.last().is_some_and(|stay| stay.to == u64::MAX);
        let out = match &entry.body {
            Body::Commit { change, .. } if change.added.contains(&me) => {
                if open {
                    rejoins.push(*seq);
                } else {
                    stays.push(Stay { from: *seq, to: u64::MAX });
                }
                false
            }
            Body::Commit { change, .. } => change.removed.contains(&me),
            Body::Leave { .. } => entry.sender.account == me.account,
            Body::Gone { .. } => entry.sender == me,
            _ => false,
        };
        if let Some(stay) = stays.last_mut().filter(|_| out && open) {
            stay.to = *seq;
        }
    }
    (stays, rejoins)
}
