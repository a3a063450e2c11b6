//! What was acknowledged in one conversation, held against what the server says after each crash.

use std::collections::{BTreeMap, BTreeSet};
use tidings_proto::entry::{Body, Entry};
use tidings_proto::id::{ConversationId, MessageId};

/// So much of what is known is compared again after each crash; in the end all of it.
const OVERLAP: u64 = 64;

/// A message that was sent and perhaps not taken.
#[derive(Clone, Debug)]
pub struct Pending {
    pub message_id: MessageId,
    pub payload: Vec<u8>,
}

/// What the server promised.
#[derive(Clone, Debug, PartialEq)]
pub struct Ack {
    pub message_id: MessageId,
    pub payload: Vec<u8>,
    pub seq: u64,
    pub time_ms: u64,
}

/// What a writer did until the server was killed.
#[derive(Default)]
pub struct Written {
    pub acks: Vec<Ack>,
    pub pending: Vec<Pending>,
}

pub struct Ledger {
    conversation: ConversationId,
    acks: BTreeMap<MessageId, Ack>,
    /// Of the two who write in it.
    pending: [Vec<Pending>; 2],
    ever_sent: BTreeSet<MessageId>,
    /// The log as it was read so far, and the message ids in it.
    log: Vec<Entry>,
    present: BTreeSet<MessageId>,
}

impl Ledger {
    pub fn new(conversation: ConversationId) -> Self {
        Self {
            conversation,
            acks: BTreeMap::new(),
            pending: [Vec::new(), Vec::new()],
            ever_sent: BTreeSet::new(),
            log: Vec::new(),
            present: BTreeSet::new(),
        }
    }

    pub fn take_pending(&mut self, side: usize) -> Vec<Pending> {
        std::mem::take(&mut self.pending[side])
    }

    pub fn note(&mut self, side: usize, written: Written) {
        let Written { acks, pending } = written;
        self.ever_sent.extend(acks.iter().map(|ack| ack.message_id));
        self.ever_sent.extend(pending.iter().map(|pending| pending.message_id));
        self.pending[side].extend(pending);
        for ack in acks {
            if let Some(former) = self.acks.insert(ack.message_id, ack.clone()) {
                assert_eq!(former, ack, "a repeat is answered like the first time");
            }
        }
    }

    pub fn acknowledged(&self) -> usize {
        self.acks.len()
    }

    pub fn is_complete(&self) -> bool {
        self.pending.iter().all(Vec::is_empty)
    }

    /// Where to begin to read what is new, and a little of what is known.
    pub fn read_after(&self) -> u64 {
        (self.log.len() as u64).saturating_sub(OVERLAP)
    }

    /// The server's entries after a seq that is known, to the head, against everything that is known of them.
    pub fn compare(&mut self, after: u64, entries: &[Entry]) {
        let head = after + entries.len() as u64;
        assert!(head >= self.log.len() as u64, "the log of {} became shorter", self.conversation);
        for (index, entry) in (after as usize..).zip(entries) {
            match self.log.get(index) {
                Some(former) => assert_eq!(former, entry, "an entry changed"),
                None => self.take(entry),
            }
        }
        for ack in self.acks.values().filter(|ack| ack.seq > after) {
            let entry = self.log.get(ack.seq as usize - 1);
            let Some(entry) = entry.filter(|entry| entry.message_id == ack.message_id) else {
                panic!("{} was acknowledged at {}, but that is {entry:?}", ack.message_id, ack.seq);
            };
            assert_eq!(entry.time_ms, ack.time_ms, "an acknowledged entry has another time");
            let Body::Message { payload, .. } = &entry.body else { panic!("{} is no message", ack.message_id) };
            assert_eq!(payload.as_slice(), ack.payload, "an acknowledged entry has another payload");
        }
    }

    fn take(&mut self, entry: &Entry) {
        assert_eq!(entry.seq, self.log.len() as u64 + 1, "seqs are dense");
        let time_ms = self.log.last().map_or(0, |last| last.time_ms);
        assert!(entry.time_ms >= time_ms, "time runs backwards at {}", entry.seq);
        let known = entry.seq == 1 || self.ever_sent.contains(&entry.message_id);
        assert!(known, "nobody wrote entry {}", entry.seq);
        assert!(self.present.insert(entry.message_id), "{} stands in the log twice", entry.message_id);
        self.log.push(entry.clone());
    }
}
