//! A malicious member: beside its ordinary client, its device says what it likes in the protocol: commits with another
//! membership declared, broken ones, repeats of what was sent before under new names, nonsense.
//!
//! It reads and writes its own wire, with its own token, as anybody could who changes their client.

use crate::entropy::Chance;
use tidings_proto::entry::Sender;
use tidings_proto::frame::{Append, ClientFrame, Commit};
use tidings_proto::id::MessageId;
use tidings_proto::payload::Payload;

/// What it remembers to say again.
const REMEMBERED_MAX: usize = 16;

#[derive(Default)]
pub struct Evil {
    said: Vec<ClientFrame>,
}

impl Evil {
    /// What it says before this frame, and what the frame becomes.
    pub fn tamper(
        &mut self,
        chance: &Chance,
        me: Option<Sender>,
        victims: &[Sender],
        frame: &ClientFrame,
    ) -> Vec<ClientFrame> {
        let group = match frame {
            ClientFrame::Append(append) => append.conversation,
            ClientFrame::Commit(commit) => commit.conversation,
            _ => return Vec::new(),
        };
        if !group.may_be_group() {
            return Vec::new();
        }
        let mut more = Vec::new();
        if chance.percent(40) {
            match frame {
                ClientFrame::Append(append) => more.extend(say(chance, append)),
                ClientFrame::Commit(commit) => more.extend(commit_otherwise(chance, me, victims, commit)),
                _ => {}
            }
        }
        if chance.percent(25)
            && let Some(old) = chance.choose(&self.said)
        {
            more.push(again(chance, old, frame));
        }
        if self.said.len() == REMEMBERED_MAX {
            self.said.remove(0);
        }
        self.said.push(frame.clone());
        more
    }
}

fn fresh(chance: &Chance) -> MessageId {
    let bytes = chance.bytes();
    MessageId::new(1_767_225_600_000, std::array::from_fn(|at| bytes[at]))
}

/// Some byte is another one, or the end is missing.
fn broken(chance: &Chance, payload: &Payload) -> Payload {
    let mut bytes = payload.as_slice().to_vec();
    if bytes.is_empty() || chance.percent(20) {
        bytes.truncate(bytes.len() / 2);
    } else {
        let at = chance.index(bytes.len());
        bytes[at] ^= 1 << chance.index(8);
    }
    bytes.into()
}

fn say(chance: &Chance, append: &Append) -> Vec<ClientFrame> {
    let payload = broken(chance, &append.payload);
    vec![ClientFrame::Append(Append { message_id: fresh(chance), payload, ..append.clone() })]
}

/// The same as before, as it was or for now, under a new id or the old one.
fn again(chance: &Chance, old: &ClientFrame, now: &ClientFrame) -> ClientFrame {
    let epoch = match now {
        ClientFrame::Append(append) => append.epoch,
        ClientFrame::Commit(commit) => commit.epoch,
        _ => 0,
    };
    let (new_id, this_epoch) = (chance.percent(70), chance.percent(50));
    let mut old = old.clone();
    match &mut old {
        ClientFrame::Append(append) => {
            if new_id {
                append.message_id = fresh(chance);
            }
            if this_epoch {
                append.epoch = epoch;
            }
        }
        ClientFrame::Commit(commit) => {
            if new_id {
                commit.message_id = fresh(chance);
            }
            if this_epoch {
                commit.epoch = epoch;
            }
        }
        _ => {}
    }
    old
}

/// Under its own id, so that its author goes on by it, with a membership tag that only the others can see to be wrong:
/// it stands at the end of a PublicMessage.
fn poisoned(commit: &Commit) -> Commit {
    let mut bytes = commit.payload.as_slice().to_vec();
    if let Some(last) = bytes.last_mut() {
        *last ^= 1;
    }
    Commit { payload: bytes.into(), ..commit.clone() }
}

fn commit_otherwise(chance: &Chance, me: Option<Sender>, victims: &[Sender], commit: &Commit) -> Vec<ClientFrame> {
    if chance.percent(30) {
        return vec![ClientFrame::Commit(Box::new(poisoned(commit)))];
    }
    let mut forged = Commit { message_id: fresh(chance), ..commit.clone() };
    let change = &mut forged.change;
    match chance.between(0..=7) {
        0 => forged.payload = broken(chance, &commit.payload),
        1 => forged.group_info = broken(chance, &commit.group_info),
        2 => change.removed.extend(chance.choose(victims)),
        3 => change.added.extend(chance.choose(victims)),
        4 => {
            if let (Some(rules), Some(me)) = (&mut change.rules, me) {
                rules.admins = vec![me.account];
            }
        }
        5 => change.external = !change.external,
        6 => change.added.clear(),
        _ => {
            for welcome in &mut forged.welcomes {
                welcome.payload = broken(chance, &welcome.payload);
            }
            // All else is as it should be: who is added finds a welcome that cannot be opened.
            return vec![ClientFrame::Commit(Box::new(forged))];
        }
    }
    if forged.change == commit.change && forged.payload == commit.payload && forged.group_info == commit.group_info {
        return Vec::new();
    }
    vec![ClientFrame::Commit(Box::new(forged))]
}
