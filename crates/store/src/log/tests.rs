//! The log against a plain list, and the stories that the list does not tell.

use super::*;
use crate::clock::ManualClock;
use crate::engine::memory::{CommitLatency, MemoryDisk};
use proptest::prelude::*;
use std::time::Duration;
use tidings_proto::id::AccountId;
use tidings_proto::payload::Payload;

const BUCKET_SEQS: u64 = 4;
const START_MS: u64 = 1_700_000_000_000;
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

fn log_id() -> LogId {
    LogId::from_bytes([1; 16])
}

fn sender(device: u8) -> Sender {
    Sender { account: AccountId::from_bytes([2; 16]), device: DeviceId::from_bytes([device; 16]) }
}

fn message(id: u8) -> MessageId {
    MessageId::new(START_MS, [id; 10])
}

fn new_entry(id: u8, epoch: u64) -> NewEntry {
    let body = Body::Message { payload: Payload::from(vec![id; 3]), silent: false };
    NewEntry { message_id: message(id), sender: sender(0), epoch, body, expires_in_ms: None }
}

fn new_commit(id: u8, epoch: u64) -> NewEntry {
    let body = Body::Commit { payload: Payload::from(vec![id]), change: Box::default() };
    NewEntry { body, ..new_entry(id, epoch) }
}

fn open(clock: &ManualClock) -> Log {
    Log::with_bucket_seqs(Store::memory(clock.clock()), BUCKET_SEQS)
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(future)
}

#[derive(Clone, Debug)]
enum Step {
    /// `behind`: with the head of so many appends ago.
    Append {
        entries: Vec<Draft>,
        behind: usize,
    },
    Advance {
        ms: u64,
    },
    Page {
        after: u64,
        limit: u32,
        max_bytes: usize,
    },
    PageBefore {
        before: u64,
        limit: u32,
        max_bytes: usize,
    },
}

#[derive(Clone, Debug)]
struct Draft {
    id: u8,
    device: u8,
    is_commit: bool,
    is_silent: bool,
    has_wrong_epoch: bool,
    expires_in_ms: Option<u64>,
}

fn drafts() -> impl Strategy<Value = Draft> {
    let expiry = prop_oneof![3 => Just(None), 1 => (1..50u64).prop_map(Some), 1 => Just(Some(30 * DAY_MS))];
    let rarely = || prop::bool::weighted(0.1);
    (0..40u8, 0..2u8, rarely(), rarely(), rarely(), expiry).prop_map(
        |(id, device, is_commit, is_silent, has_wrong_epoch, expires_in_ms)| Draft {
            id,
            device,
            is_commit,
            is_silent,
            has_wrong_epoch,
            expires_in_ms,
        },
    )
}

fn steps() -> impl Strategy<Value = Step> {
    let behind = prop_oneof![4 => Just(0), 1 => 1..4usize];
    let (limit, max_bytes) = (|| 0..8u32, || prop_oneof![Just(usize::MAX), 0..1_500usize]);
    prop_oneof![
        6 => (prop::collection::vec(drafts(), 1..7), behind)
            .prop_map(|(entries, behind)| Step::Append { entries, behind }),
        2 => prop_oneof![0..30u64, Just(8 * DAY_MS)].prop_map(|ms| Step::Advance { ms }),
        2 => (0..50u64, limit(), max_bytes()).prop_map(|(after, limit, max_bytes)| Step::Page { after, limit, max_bytes }),
        2 => (prop_oneof![0..50u64, Just(u64::MAX)], limit(), max_bytes())
            .prop_map(|(before, limit, max_bytes)| Step::PageBefore { before, limit, max_bytes }),
    ]
}

/// What must have been appended, and when.
#[derive(Default)]
struct Model {
    entries: Vec<(Entry, u64)>,
    heads: Vec<Head>,
}

impl Model {
    fn head(&self) -> Head {
        self.heads.last().copied().unwrap_or_default()
    }

    fn find(&self, new: &NewEntry) -> impl Iterator<Item = &(Entry, u64)> {
        let key = (new.message_id, new.sender.device);
        self.entries.iter().filter(move |(entry, _)| (entry.message_id, entry.sender.device) == key)
    }

    /// Whether the log must recognise it: its sent row is kept, and not more than a bucket back.
    fn knows(&self, new: &NewEntry, now_ms: u64) -> bool {
        let first_known = (self.head().seq / BUCKET_SEQS).saturating_sub(1) * BUCKET_SEQS + 1;
        self.find(new).any(|(entry, appended_ms)| {
            entry.seq >= first_known && entry.expires_ms.max(appended_ms + SENT_KEPT_MIN_MS) > now_ms
        })
    }

    fn kept(&self, now_ms: u64) -> Vec<&Entry> {
        self.entries.iter().map(|(entry, _)| entry).filter(|entry| entry.expires_ms > now_ms).collect()
    }

    fn appended(&mut self, head: Head, entries: &[NewEntry], appended: &Appended, now_ms: u64) {
        assert_eq!(head, self.head(), "an append with a stale head went through");
        assert!(!appended.entries.is_empty());
        for (new, (entry, stored)) in entries.iter().zip(&appended.entries) {
            assert!(!self.knows(new, now_ms), "a message was doubled");
            let before = self.head();
            assert_eq!(stored.decode().unwrap(), *entry);
            assert_eq!((entry.seq, entry.epoch), (before.seq + 1, before.epoch));
            assert_eq!((entry.message_id, entry.sender, &entry.body), (new.message_id, new.sender, &new.body));
            assert_eq!(entry.time_ms, now_ms.max(before.time_ms));
            assert_eq!(entry.expires_ms, new.expires_in_ms.map_or(NEVER_MS, |ms| entry.time_ms + ms));
            let is_commit = matches!(entry.body, Body::Commit { .. });
            assert_eq!(entry.commit_seq, if is_commit { entry.seq } else { before.commit_seq });
            assert_eq!(entry.ordinal, before.ordinal + u64::from(entry.counts()));
            self.heads.push(Head {
                seq: entry.seq,
                epoch: before.epoch + u64::from(is_commit),
                time_ms: entry.time_ms,
                commit_seq: entry.commit_seq,
                ordinal: entry.ordinal,
            });
            self.entries.push((entry.clone(), now_ms));
        }
        assert_eq!(appended.head, self.head());
    }

    fn refused(&self, head: Head, entries: &[NewEntry], error: AppendError) {
        match error {
            AppendError::HeadMoved => assert_ne!(head, self.head(), "the head had not moved"),
            AppendError::Repeat { index, seq, time_ms } => {
                assert!(self.find(&entries[index]).any(|(old, _)| (old.seq, old.time_ms) == (seq, time_ms)));
            }
            AppendError::StaleEpoch { index } => {
                assert_eq!(head, self.head());
                let commits = entries[..index].iter().filter(|new| matches!(new.body, Body::Commit { .. })).count();
                assert_ne!(entries[index].epoch, head.epoch + commits as u64);
            }
            AppendError::Store(error) => panic!("{error}"),
        }
    }
}

struct World {
    clock: ManualClock,
    log: Log,
    model: Model,
}

impl World {
    async fn step(&mut self, step: Step) {
        match step {
            Step::Append { entries, behind } => self.append(entries, behind).await,
            Step::Advance { ms } => self.clock.advance(ms),
            Step::Page { after, limit, max_bytes } => {
                let head = self.model.head();
                let page = self.log.page(log_id(), &head, after, limit, max_bytes).await.unwrap();
                let kept = self.model.kept(self.clock.now_ms());
                let candidates: Vec<&Entry> = kept.iter().copied().filter(|entry| entry.seq > after).collect();
                let last = self.check_page(&page, &candidates, limit, max_bytes).last().map(|entry| entry.seq);
                let is_full = page.entries.len() < candidates.len();
                assert!(!(page.caught_up && is_full), "a page that is cut off is not the last");
                assert!(page.caught_up || last.is_some_and(|last| last < head.seq), "the last page must say so");
            }
            Step::PageBefore { before, limit, max_bytes } => {
                let head = self.model.head();
                let page = self.log.page_before(log_id(), &head, before, limit, max_bytes).await.unwrap();
                let kept = self.model.kept(self.clock.now_ms());
                let mut candidates: Vec<&Entry> = kept.iter().copied().filter(|entry| entry.seq < before).collect();
                candidates.reverse();
                self.check_page(&page, &candidates, limit, max_bytes);
                assert_eq!(page.caught_up, page.entries.len() == candidates.len());
            }
        }
        assert_eq!(self.log.head(log_id()).await.unwrap(), self.model.head());
    }

    async fn append(&mut self, drafts: Vec<Draft>, behind: usize) {
        let heads = &self.model.heads;
        let head =
            if behind == 0 { self.model.head() } else { heads.iter().rev().nth(behind).copied().unwrap_or_default() };
        let mut epoch = head.epoch;
        let entries: Vec<NewEntry> = drafts
            .into_iter()
            .map(|draft| {
                let new = if draft.is_commit { new_commit(draft.id, epoch) } else { new_entry(draft.id, epoch) };
                let new = NewEntry { sender: sender(draft.device), expires_in_ms: draft.expires_in_ms, ..new };
                epoch += u64::from(draft.is_commit);
                match (new.body.clone(), draft.has_wrong_epoch) {
                    (_, true) => NewEntry { epoch: new.epoch + 1, ..new },
                    (Body::Message { payload, .. }, _) => {
                        NewEntry { body: Body::Message { payload, silent: draft.is_silent }, ..new }
                    }
                    _ => new,
                }
            })
            .collect();
        let now_ms = self.clock.now_ms();
        match self.log.append(log_id(), &head, &entries, now_ms).await {
            Ok(appended) => self.model.appended(head, &entries, &appended, now_ms),
            Err(error) => {
                let first = &entries[0];
                let fits = head == self.model.head() && first.epoch == head.epoch && !self.model.knows(first, now_ms);
                assert!(!fits || entries.len() > 1, "{error} for an entry that fits");
                self.model.refused(head, &entries, error);
            }
        }
    }

    /// Compares with the first candidates within the limits, which come in the direction of paging.
    fn check_page<'a>(&self, page: &LogPage, candidates: &[&'a Entry], limit: u32, max_bytes: usize) -> Vec<&'a Entry> {
        let mut bytes = 0;
        let mut expected: Vec<&Entry> = Vec::new();
        for entry in candidates {
            if !expected.is_empty() && (expected.len() >= limit as usize || bytes >= max_bytes) {
                break;
            }
            bytes += StoredEntry::encode(entry).as_bytes().len();
            expected.push(entry);
        }
        expected.sort_by_key(|entry| entry.seq);
        let read: Vec<Entry> = page.entries.iter().map(|stored| stored.decode().unwrap()).collect();
        assert_eq!(read.iter().collect::<Vec<_>>(), expected);
        assert_eq!(page.head, self.model.head().seq);
        let oldest = self.model.kept(self.clock.now_ms()).first().map_or(page.head + 1, |entry| entry.seq);
        assert_eq!(page.oldest, oldest);
        expected
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn a_log_is_what_was_appended_to_it(steps in prop::collection::vec(steps(), 1..60)) {
        run(async {
            let clock = ManualClock::new(START_MS);
            let mut world = World { log: open(&clock), clock, model: Model::default() };
            for step in steps {
                world.step(step).await;
            }
            for (entry, _) in &world.model.entries {
                let kept = world.log.entry(log_id(), entry.seq).await.unwrap();
                assert_eq!(kept.is_some(), entry.expires_ms > world.clock.now_ms());
            }
        });
    }

    #[test]
    fn rivals_leave_one_gapless_log(seed: u64, rivals in 2..5u8) {
        run(rival_appenders(seed, rivals));
    }
}

/// Each rival appends its messages, and sends each of them twice; the disk is slow, so heads go stale.
async fn rival_appenders(seed: u64, rivals: u8) {
    let disk = MemoryDisk::new(ManualClock::new(START_MS).clock());
    let ticks = std::sync::atomic::AtomicU64::new(seed);
    disk.set_latency(move || {
        let tick = ticks.fetch_add(0x9e37_79b9_7f4a_7c15, std::sync::atomic::Ordering::Relaxed);
        CommitLatency { before: Duration::from_micros(tick >> 56), after: Duration::from_micros(tick >> 48 & 0xff) }
    });
    let log = Log::with_bucket_seqs(disk.open(), BUCKET_SEQS);
    let tasks: Vec<_> = (0..rivals).map(|rival| tokio::spawn(append_twice(log.clone(), rival))).collect();
    let mut expected = Vec::new();
    for task in tasks {
        expected.extend(task.await.unwrap());
    }
    expected.sort();
    let head = log.head(log_id()).await.unwrap();
    let page = log.page(log_id(), &head, 0, u32::MAX, usize::MAX).await.unwrap();
    let entries = page.entries.iter().map(|stored| stored.decode().unwrap());
    let read: Vec<(u64, MessageId)> = entries.map(|entry| (entry.seq, entry.message_id)).collect();
    assert_eq!(read, expected);
    assert_eq!(read.iter().map(|(seq, _)| *seq).collect::<Vec<_>>(), (1..=head.seq).collect::<Vec<_>>());
}

async fn append_twice(log: Log, rival: u8) -> Vec<(u64, MessageId)> {
    let mut places = Vec::new();
    for id in 0..6 {
        let new = [NewEntry { sender: sender(rival), ..new_entry(rival * 6 + id, 0) }];
        let (mut head, mut seq) = (log.head(log_id()).await.unwrap(), None);
        loop {
            match log.append(log_id(), &head, &new, START_MS).await {
                Ok(appended) => {
                    assert_eq!(seq.replace(appended.head.seq), None, "a message was doubled");
                    head = appended.head;
                }
                Err(AppendError::HeadMoved) => head = log.head(log_id()).await.unwrap(),
                Err(AppendError::Repeat { seq: old, .. }) => break assert_eq!(seq, Some(old)),
                Err(error) => panic!("{error}"),
            }
        }
        places.push((seq.unwrap(), new[0].message_id));
    }
    places
}

#[tokio::test]
async fn a_log_goes_on_after_all_of_its_entries_expired() {
    let clock = ManualClock::new(START_MS);
    let log = open(&clock);
    let short = NewEntry { expires_in_ms: Some(5), ..new_commit(1, 0) };
    let head = log.append(log_id(), &Head::default(), &[short], START_MS).await.unwrap().head;
    clock.advance(10);
    log.store.sweep().await.unwrap();
    assert_eq!(log.entry(log_id(), 1).await.unwrap(), None);
    assert_eq!(log.head(log_id()).await.unwrap(), head);
    let page = log.page(log_id(), &head, 0, 10, 1_000).await.unwrap();
    assert_eq!(page, LogPage { entries: vec![], head: 1, oldest: 2, caught_up: true });
    let appended = log.append(log_id(), &head, &[new_entry(2, 1)], clock.now_ms()).await.unwrap();
    assert_eq!((appended.head.seq, appended.head.epoch, appended.head.commit_seq), (2, 1, 1));
}

#[tokio::test]
async fn the_head_is_found_when_a_crash_took_the_hints() {
    let clock = ManualClock::new(START_MS);
    let disk = MemoryDisk::new(clock.clock());
    let log = Log::with_bucket_seqs(disk.open(), BUCKET_SEQS);
    let mut head = Head::default();
    for id in 0..3 * BUCKET_SEQS as u8 {
        head = log.append(log_id(), &head, &[new_entry(id, 0)], START_MS).await.unwrap().head;
    }
    disk.crash();
    assert!(matches!(log.head(log_id()).await, Err(StoreError::Unavailable(_))));
    let log = Log::with_bucket_seqs(disk.open(), BUCKET_SEQS);
    assert_eq!(log.hint(log_id(), row::HEAD_HINT).await.unwrap(), 0);
    assert_eq!(log.head(log_id()).await.unwrap(), head);
    let appended = log.append(log_id(), &head, &[new_entry(200, 0)], START_MS).await.unwrap();
    assert_eq!(log.hint(log_id(), row::HEAD_HINT).await.unwrap(), 3);
    assert_eq!(log.head(log_id()).await.unwrap(), appended.head);
}

#[tokio::test]
async fn time_does_not_run_backwards() {
    let log = open(&ManualClock::new(START_MS));
    let head = log.append(log_id(), &Head::default(), &[new_entry(1, 0)], START_MS).await.unwrap().head;
    let appended = log.append(log_id(), &head, &[new_entry(2, 0)], START_MS - 1_000).await.unwrap();
    assert_eq!(appended.entries[0].0.time_ms, START_MS);
}

#[tokio::test]
async fn a_repeat_from_an_older_epoch_is_a_repeat() {
    let log = Log::new(Store::memory(ManualClock::new(START_MS).clock()));
    let entries = [new_entry(1, 0), new_commit(2, 0), new_entry(3, 1)];
    let head = log.append(log_id(), &Head::default(), &entries, START_MS).await.unwrap().head;
    let repeat = AppendError::Repeat { index: 0, seq: 1, time_ms: START_MS };
    assert_eq!(log.append(log_id(), &head, &[new_entry(1, 0)], START_MS).await, Err(repeat));
    let stale = log.append(log_id(), &head, &[new_entry(4, 1), new_entry(5, 0)], START_MS).await;
    assert_eq!(stale, Err(AppendError::StaleEpoch { index: 1 }));
    let behind = log.append(log_id(), &Head::default(), &[new_entry(4, 1)], START_MS).await;
    assert_eq!(behind, Err(AppendError::HeadMoved));
}

#[tokio::test]
async fn one_call_takes_what_fits_one_commit() {
    let log = Log::new(Store::memory(ManualClock::new(START_MS).clock()));
    let entries: Vec<NewEntry> = (0..200).map(|id| new_entry(id, 0)).collect();
    let appended = log.append(log_id(), &Head::default(), &entries, START_MS).await.unwrap();
    assert_eq!(appended.entries.len(), ENTRIES_PER_COMMIT_MAX);
    let large = Body::Message { payload: vec![0; limit::COMMIT_MAX_BYTES].into(), silent: false };
    let large: Vec<NewEntry> = (0..3).map(|id| NewEntry { body: large.clone(), ..new_entry(250 + id, 0) }).collect();
    let appended = log.append(log_id(), &appended.head, &large, START_MS).await.unwrap();
    assert_eq!(appended.entries.len(), 1);
    let twins = [new_entry(240, 0), new_entry(240, 0)];
    let appended = log.append(log_id(), &appended.head, &twins, START_MS).await.unwrap();
    assert_eq!(appended.entries.len(), 1);
}
