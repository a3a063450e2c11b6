//! Receipts of a group: moves of watermarks are gathered for a moment and told to those who wrote what was delivered or
//! read. So a message of a group causes as many watermarks as the group has members, in a few frames to its author.

use super::marks::{Mark, Marks};
use super::state::{Lane, State};
use crate::hub::{LiveEntry, LiveReceipts};
use crate::server::Server;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tidings_proto::entry::{Body, ConversationKind, Sender};
use tidings_proto::frame::{Floor, Watermark};
use tidings_proto::id::{AccountId, DeviceId};

/// From the first move to the telling, per conversation.
const GATHER_MS: u64 = 250;
/// Neighbouring entries of one author that are remembered; who wrote what is older learns of it in the next plan.
const RUNS_MAX: usize = 256;
/// Watermarks of one frame.
const FRAME_MAX_WATERMARKS: usize = 256;

/// Of one group.
#[derive(Debug, Default)]
pub(super) struct Gather {
    /// Who wrote the newest messages, in their order.
    authored: VecDeque<Run>,
    moved: Vec<AccountId>,
    /// The two lowest `delivered` and `read` of all members, and when one of them last rose: so the floor that any member
    /// sees did not move since.
    lowest: [(u64, u64); 2],
    floor_ms: u64,
}

/// Messages of one author from `first` to `last`, with nobody else's between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    author: AccountId,
    first: u64,
    last: u64,
}

/// A member's watermarks, and what the others knew of them.
struct News {
    mark: Watermark,
    told: (u64, u64),
    moved_by: Option<DeviceId>,
    /// Of a member who shares reading again and has read nothing since.
    is_silent: bool,
}

impl Gather {
    fn note(&mut self, author: AccountId, seq: u64) {
        if let Some(run) = self.authored.back_mut()
            && run.author == author
        {
            run.last = seq;
            return;
        }
        if self.authored.len() == RUNS_MAX {
            self.authored.pop_front();
        }
        self.authored.push_back(Run { author, first: seq, last: seq });
    }

    fn by_author(&self) -> BTreeMap<AccountId, Vec<Run>> {
        let mut authors: BTreeMap<AccountId, Vec<Run>> = BTreeMap::new();
        for run in &self.authored {
            authors.entry(run.author).or_default().push(*run);
        }
        authors
    }

    fn see_floor(&mut self, marks: &Marks, now_ms: u64) {
        let two = |value: fn(&Mark) -> u64| {
            marks.iter().map(value).fold((u64::MAX, u64::MAX), |(low, next), value| {
                if value < low { (value, low) } else { (low, next.min(value)) }
            })
        };
        let lowest = [two(|mark| mark.delivered), two(|mark| mark.read)];
        if std::mem::replace(&mut self.lowest, lowest) != lowest {
            self.floor_ms = now_ms;
        }
    }
}

/// Whether one of these runs, in their order, has a seq above `from` and not above `to`.
fn overlap(runs: &[Run], (from, to): (u64, u64)) -> bool {
    let at = runs.partition_point(|run| run.last <= from);
    runs.get(at).is_some_and(|run| run.first <= to) && from < to
}

/// What the author of these runs is told.
fn news_for(runs: &[Run], author: AccountId, news: &[News], unshared: &BTreeSet<AccountId>) -> Vec<Watermark> {
    let is_blind = unshared.contains(&author);
    let told = |news: &News| {
        let is_hidden = is_blind || news.is_silent || unshared.contains(&news.mark.account);
        let delivered = overlap(runs, (news.told.0, news.mark.delivered));
        let read = !is_hidden && overlap(runs, (news.told.1, news.mark.read));
        let mark = Watermark { read: if is_hidden { 0 } else { news.mark.read }, ..news.mark };
        (news.mark.account != author && (delivered || read)).then_some(mark)
    };
    news.iter().filter_map(told).collect()
}

impl State {
    pub fn is_group(&self) -> bool {
        self.roster.as_ref().is_some_and(|roster| roster.kind == ConversationKind::Group)
    }

    /// The roster changed, or was read for the first time.
    pub fn admit_members(&mut self) {
        let Some(roster) = self.roster.clone().filter(|roster| roster.kind == ConversationKind::Group) else { return };
        self.marks.admit(roster.members.iter().map(|member| (member.account, member.since_seq)));
        let newest_ms = self.marks.iter().map(|mark| mark.time_ms).max().unwrap_or(0);
        let gather = self.gather.get_or_insert_default();
        gather.see_floor(&self.marks, newest_ms);
    }

    /// Remembers who wrote these.
    pub fn note_authors(&mut self, entries: &[Arc<LiveEntry>]) {
        let Some(gather) = &mut self.gather else { return };
        for live in entries.iter().filter(|live| matches!(live.entry.body, Body::Message { .. })) {
            gather.note(live.entry.sender.account, live.entry.seq);
        }
    }

    /// A member's watermarks moved; true if somebody has to tell it in a moment.
    pub fn gather(&mut self, by: Sender) -> bool {
        let (Some(mark), Some(gather)) = (self.marks.get_mut(by.account), &mut self.gather) else { return false };
        mark.moved_by = Some(by.device);
        if std::mem::replace(&mut mark.is_gathered, true) {
            return false;
        }
        gather.moved.push(by.account);
        gather.moved.len() == 1
    }

    /// Up to where everybody but this member has and has read everything, and when that last moved. `None`: no group.
    pub fn floor(&self, viewer: AccountId) -> Option<(Floor, u64)> {
        let gather = self.gather.as_ref()?;
        let is_blind = self.unshared.contains(&viewer);
        let mut floor = Floor { delivered: self.head.seq, read: self.head.seq };
        for mark in self.marks.iter().filter(|mark| mark.account != viewer) {
            let read = if is_blind || self.hides_reads(mark.account) { 0 } else { mark.read };
            floor = Floor { delivered: floor.delivered.min(mark.delivered), read: floor.read.min(read) };
        }
        Some((floor, gather.floor_ms))
    }

    /// What was gathered.
    fn take_news(&mut self, now_ms: u64) -> Vec<News> {
        let Some(gather) = &mut self.gather else { return Vec::new() };
        gather.see_floor(&self.marks, now_ms);
        let mut news = Vec::with_capacity(gather.moved.len());
        for account in std::mem::take(&mut gather.moved) {
            // Who left meanwhile has none.
            let Some(mark) = self.marks.get_mut(account) else { continue };
            mark.is_gathered = false;
            let told = std::mem::replace(&mut mark.told, (mark.delivered, mark.read));
            let is_silent = self.silent.contains(&account);
            news.push(News { mark: mark.watermark(), told, moved_by: mark.moved_by, is_silent });
        }
        news
    }
}

impl Lane {
    /// Tells what is gathered, in a moment.
    pub(super) fn tell_soon(self: &Arc<Self>, server: &Arc<Server>) {
        let (lane, server) = (self.clone(), server.clone());
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(GATHER_MS)).await;
            lane.tell(&server);
        });
    }

    fn tell(&self, server: &Server) {
        let conversation = self.log.as_conversation();
        let mut state = self.lock();
        let news = state.take_news(server.clock.now_ms());
        let (Some(roster), Some(gather)) = (state.roster.clone(), &state.gather) else { return };
        let mut told = Vec::new();
        for (author, runs) in gather.by_author() {
            let watermarks = news_for(&runs, author, &news, &state.unshared);
            if !watermarks.is_empty() && roster.member(author).is_some() {
                told.push((author, watermarks));
            }
        }
        drop(state);
        for (author, watermarks) in told {
            for some in watermarks.chunks(FRAME_MAX_WATERMARKS) {
                server.hub.receipts(author, &LiveReceipts::new(conversation, some.to_vec()), None);
            }
        }
        // One's own other devices.
        for news in news {
            if roster.member(news.mark.account).is_some_and(|member| member.devices.len() > 1) {
                let receipts = LiveReceipts::new(conversation, vec![news.mark]);
                server.hub.receipts(news.mark.account, &receipts, news.moved_by);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(number: u8) -> AccountId {
        AccountId::from_bytes([number; 16])
    }

    fn moved(number: u8, told: (u64, u64), delivered: u64, read: u64) -> News {
        let mark = Watermark { account: account(number), delivered, read, time_ms: 1 };
        News { mark, told, moved_by: None, is_silent: false }
    }

    #[test]
    fn only_authors_of_what_moved_are_told() {
        let mut gather = Gather::default();
        for (author, seq) in [(1, 2), (1, 3), (2, 4), (1, 6)] {
            gather.note(account(author), seq);
        }
        let authors = gather.by_author();
        let run = |author, first, last| Run { author: account(author), first, last };
        assert_eq!(authors[&account(1)], [run(1, 2, 3), run(1, 6, 6)]);
        let told = |author: u8, news: &News| {
            !news_for(&authors[&account(author)], account(author), std::slice::from_ref(news), &BTreeSet::new())
                .is_empty()
        };
        for (from, to, one, two) in
            [(1, 2, true, false), (3, 4, false, true), (3, 5, false, true), (4, 6, true, false), (6, 9, false, false)]
        {
            let news = moved(3, (from, 0), to, 0);
            assert_eq!((told(1, &news), told(2, &news)), (one, two), "{from} to {to}");
        }
        // Nobody is told of themselves.
        assert!(!told(1, &moved(1, (0, 0), 6, 6)));
    }

    #[test]
    fn who_shares_no_reads_is_told_none_and_nobody_is_told_theirs() {
        let runs = [Run { author: account(1), first: 1, last: 9 }];
        let unshared = BTreeSet::from([account(2)]);
        assert_eq!(news_for(&runs, account(1), &[moved(2, (5, 0), 5, 5)], &unshared), []);
        let [told] = news_for(&runs, account(1), &[moved(2, (4, 0), 5, 5)], &unshared)[..] else { panic!() };
        assert_eq!((told.delivered, told.read), (5, 0));
        let unshared = BTreeSet::from([account(1)]);
        assert_eq!(news_for(&runs, account(1), &[moved(2, (5, 0), 5, 5)], &unshared), []);
        assert_eq!(news_for(&runs, account(1), &[moved(2, (5, 0), 5, 5)], &BTreeSet::new()).len(), 1);
    }

    #[test]
    fn memory_of_authors_is_bounded() {
        let mut gather = Gather::default();
        for seq in 0..10 * RUNS_MAX as u64 {
            gather.note(account((seq % 2) as u8), seq);
        }
        assert_eq!(gather.authored.len(), RUNS_MAX);
    }

    #[test]
    fn the_floor_moves_when_the_last_but_one_does() {
        let (mut gather, mut marks) = (Gather::default(), Marks::default());
        marks.admit([(account(1), 1), (account(2), 1), (account(3), 1)].into_iter());
        gather.see_floor(&marks, 1);
        for (number, moves) in [(1, false), (2, true), (3, true)] {
            marks.of(account(number)).raise(5, 0, 1);
            let before = gather.floor_ms;
            gather.see_floor(&marks, before + 1);
            assert_eq!(gather.floor_ms > before, moves, "{number}");
        }
    }
}
