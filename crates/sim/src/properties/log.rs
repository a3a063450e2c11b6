//! The server's logs, watched from outside: dense, in time's order, without repeats, and what was once there stays as it
//! is, through every crash.
//!
//! Somebody looks into them so often that every entry is seen before it expires: what the copy does not have never was.

use crate::model::{Block, Model, Who};
use crate::world::World;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;
use tidings_proto::codec::StoredEntry;
use tidings_proto::entry::{Body, Entry};
use tidings_proto::id::{AccountId, ConversationId, DeviceId, MessageId};
use tidings_store::log::Log;
use tidings_store::{Scan, Table};
use tokio::time::sleep;

const PAGE_ENTRIES: u32 = 1_000;
/// More than the people of a world make.
const CONVERSATIONS_MAX: u32 = 1_000;
/// Less than any entry lives.
const LOOK_EVERY: Duration = Duration::from_secs(3_600);
/// The server's clock may have been wrong by this much, in either direction, when an entry came or was looked for.
const CLOCK_SLACK_MS: u64 = 60_000;

/// A copy of all logs, which only grows.
#[derive(Default)]
pub struct Shadow {
    logs: BTreeMap<ConversationId, ShadowLog>,
}

#[derive(Default)]
pub struct ShadowLog {
    /// By seq.
    pub entries: BTreeMap<u64, (Entry, StoredEntry)>,
    pub head: u64,
    /// Seq of each message id.
    pub seqs: BTreeMap<MessageId, u64>,
}

impl Shadow {
    pub fn head(&self, log: ConversationId) -> u64 {
        self.logs.get(&log).map_or(0, |log| log.head)
    }

    pub fn log(&self, log: ConversationId) -> Option<&ShadowLog> {
        self.logs.get(&log)
    }
}

impl ShadowLog {
    pub fn seq(&self, message: MessageId) -> Option<u64> {
        self.seqs.get(&message).copied()
    }

    /// Whether a device that asks now may get nothing at this place any more.
    pub fn has_expired(&self, seq: u64, now_ms: u64) -> bool {
        self.entries.get(&seq).is_some_and(|(entry, _)| entry.expires_ms <= now_ms + CLOCK_SLACK_MS)
    }

    /// Whether anything in it has expired.
    pub fn is_cut(&self, now_ms: u64) -> bool {
        self.entries.keys().any(|seq| self.has_expired(*seq, now_ms))
    }

    /// Seqs of the commits that let this device in, from outside or by somebody who added it.
    pub fn joins(&self, device: DeviceId) -> Vec<u64> {
        let lets_in = |entry: &Entry| match &entry.body {
            Body::Commit { change, .. } => change.added.iter().any(|added| added.device == device),
            _ => false,
        };
        self.entries.iter().filter(|(_, (entry, _))| lets_in(entry)).map(|(seq, _)| *seq).collect()
    }
}

/// Every pair of people whose conversation has an id.
pub fn pairs(model: &Model) -> Vec<(Who, Who, ConversationId)> {
    let people = model.people.len();
    let all = (0..people).flat_map(|a| (a + 1..people).map(move |b| (a, b)));
    all.filter_map(|(a, b)| Some((a, b, model.conversation(a, b)?))).collect()
}

/// Looks into the logs as long as the world lives, also while nobody does anything for days.
pub fn watch(world: &Rc<World>) {
    let there = world.clone();
    world.spawn(async move {
        while !there.over() {
            sleep(LOOK_EVERY).await;
            if let Err(what) = read(&there).await {
                there.story.violate(what);
            }
        }
    });
}

/// Takes in what is new in the logs, and checks it against what was there before.
pub async fn read(world: &Rc<World>) -> Result<(), String> {
    let _alone = world.looking.lock().await;
    let pairs = pairs(&world.model.borrow());
    for (a, b, conversation) in pairs {
        read_log(world, conversation).await.map_err(|what| format!("log of p{a} and p{b}: {what}"))?;
    }
    for group in groups(world).await? {
        read_log(world, group).await.map_err(|what| format!("log of a group: {what}"))?;
    }
    Ok(())
}

/// Every group that anybody has shown, and those that the server has and nobody was told of yet: what is said in them may
/// expire before.
async fn groups(world: &World) -> Result<BTreeSet<ConversationId>, String> {
    let accounts: Vec<AccountId> = world.model.borrow().people.iter().filter_map(|person| person.account).collect();
    let mut groups: BTreeSet<ConversationId> =
        world.model.borrow().groups.iter().map(|group| group.conversation).collect();
    for account in &accounts {
        let scan = Scan::all(Table::Membership, account.as_bytes(), CONVERSATIONS_MAX);
        let rows = world.server.store().scan(&scan).await.map_err(|error| format!("memberships: {error}"))?;
        groups.extend(rows.iter().filter_map(|row| ConversationId::from_slice(&row.row)));
    }
    groups.retain(|conversation| conversation.may_be_group());
    Ok(groups)
}

async fn read_log(world: &Rc<World>, conversation: ConversationId) -> Result<(), String> {
    let log = Log::new(world.server.store());
    let failed = |error| format!("cannot be read: {error}");
    let head = log.head(conversation.into()).await.map_err(failed)?;
    let mut entries = Vec::new();
    let mut after = 0;
    loop {
        let page = log.page(conversation.into(), &head, after, PAGE_ENTRIES, usize::MAX).await.map_err(failed)?;
        for stored in page.entries {
            let entry = stored.decode().map_err(|error| format!("an entry does not decode: {error}"))?;
            after = entry.seq;
            entries.push((entry, stored));
        }
        if page.caught_up {
            break;
        }
    }
    let now_ms = world.server.now_ms();
    let mut shadow = world.shadow.borrow_mut();
    let shadow = shadow.logs.entry(conversation).or_default();
    if head.seq < shadow.head {
        return Err(format!("its head fell from {} to {}", shadow.head, head.seq));
    }
    let present: BTreeMap<u64, &StoredEntry> = entries.iter().map(|(entry, stored)| (entry.seq, stored)).collect();
    for (seq, (entry, stored)) in &shadow.entries {
        match present.get(seq) {
            Some(now) if **now == *stored => {}
            Some(_) => return Err(format!("entry {seq} changed")),
            None if entry.expires_ms <= now_ms + CLOCK_SLACK_MS => {}
            None => return Err(format!("entry {seq} is gone ({})", entry.message_id)),
        }
    }
    for seq in shadow.head + 1..=head.seq {
        if !present.contains_key(&seq) {
            return Err(format!("seq {seq} is a hole below head {}", head.seq));
        }
    }
    for (entry, stored) in entries {
        shadow.take(entry, stored)?;
    }
    shadow.head = head.seq;
    Ok(())
}

impl ShadowLog {
    fn take(&mut self, entry: Entry, stored: StoredEntry) -> Result<(), String> {
        if self.entries.contains_key(&entry.seq) {
            return Ok(());
        }
        if let Some((last, _)) = self.entries.range(..entry.seq).next_back().map(|(_, last)| last) {
            if last.time_ms > entry.time_ms {
                return Err(format!("time runs backwards at seq {}", entry.seq));
            }
            if last.seq + 1 == entry.seq {
                if last.epoch_after() != entry.epoch {
                    return Err(format!("seq {} has epoch {}, not {}", entry.seq, entry.epoch, last.epoch_after()));
                }
                if entry.ordinal != last.ordinal + u64::from(entry.counts()) {
                    return Err(format!("seq {} has ordinal {} after {}", entry.seq, entry.ordinal, last.ordinal));
                }
            }
        }
        if let Some(former) = self.seqs.insert(entry.message_id, entry.seq) {
            return Err(format!("message {} stands at {former} and at {}", entry.message_id, entry.seq));
        }
        self.entries.insert(entry.seq, (entry, stored));
        Ok(())
    }
}

/// A block was confirmed just now: what is appended from here on must not arrive.
pub fn note_block(world: &Rc<World>, by: Who, blocked: Who) {
    let there = world.clone();
    world.spawn(async move {
        let conversation = there.model.borrow().conversation(by, blocked);
        let head = match conversation {
            Some(conversation) => Log::new(there.server.store()).head(conversation.into()).await.map(|head| head.seq),
            None => Ok(0),
        };
        let mut model = there.model.borrow_mut();
        if let (Ok(head), Some(block @ Block::Asked)) = (head, model.people[by].blocks.get_mut(&blocked)) {
            *block = Block::Known { head };
        }
    });
}
