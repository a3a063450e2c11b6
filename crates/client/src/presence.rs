//! Who is there: what this person shows by looking at a chat, and what others show to them.
//!
//! * Whoever draws a chat says so ([`open`]) when it comes on the screen, and again every few seconds; it holds for
//!   [`LOOK_LIFETIME_MS`], so that a window or a process that died does not leave anybody online for longer. Several may
//!   look at once. While somebody looks, the server is told `active`, and to `watch` the people of direct chats.
//! * What is known of others holds for one connection: when it ends nothing is known, rather than something false.
//!
//! Who sees what is the server's to decide ([`privacy`]): online and last seen are shown only where both share them.

pub(crate) mod privacy;

use crate::compose::With;
use crate::conversation;
use crate::event::{Event, LOOK_LIFETIME_MS};
use crate::memory::Memory;
use crate::step::{Done, Step};
use crate::view;
use std::collections::{BTreeMap, BTreeSet};
use tidings_proto::frame::{ClientFrame, Presence};
use tidings_proto::id::{AccountId, ConversationId};
use tidings_proto::limit::WATCHES_MAX;

/// In memory only.
#[derive(Debug, Default)]
pub(crate) struct Screen {
    /// What is looked at (the app without a chat: `None`), with whom, and until when that holds.
    looks: BTreeMap<Option<ConversationId>, (Option<AccountId>, u64)>,
    /// What the server was told on this connection.
    active: bool,
    watched: BTreeSet<AccountId>,
    /// What it said.
    known: BTreeMap<AccountId, Presence>,
}

/// It is on the screen now.
pub(crate) fn open(step: &mut Step<'_>, with: Option<With>) -> Done {
    let until_ms = step.now_ms + LOOK_LIFETIME_MS;
    let account = match with {
        Some(With { account: Some(account), .. }) => Some(account),
        Some(With { conversation, .. }) => conversation::find(step.tx, conversation)?
            .and_then(|row| row.account)
            .filter(|account| step.mem.me.as_ref().is_some_and(|me| me.sender.account != *account)),
        None => None,
    };
    let looks = &mut step.mem.screen.looks;
    looks.insert(with.map(|with| with.conversation), (account, until_ms));
    if looks.len() > WATCHES_MAX
        && let Some(oldest) = looks.iter().min_by_key(|(_, (_, until_ms))| *until_ms).map(|(what, _)| *what)
    {
        looks.remove(&oldest);
    }
    Ok(())
}

/// It is not on the screen any more.
pub(crate) fn close(step: &mut Step<'_>, conversation: Option<ConversationId>) {
    step.mem.screen.looks.remove(&conversation);
}

/// At the end of an input: tells the server what is not as it was told.
pub(crate) fn flush(step: &mut Step<'_>) {
    let now_ms = step.now_ms;
    step.mem.screen.looks.retain(|_, (_, until_ms)| *until_ms > now_ms);
    if !step.mem.session.is_up() {
        let Screen { looks, known, .. } = std::mem::take(&mut step.mem.screen);
        step.mem.screen.looks = looks;
        known.into_keys().for_each(|account| step.event(Event::PresenceChanged { account }));
        return;
    }
    let screen = &mut step.mem.screen;
    let active = !screen.looks.is_empty();
    let wanted: BTreeSet<AccountId> = screen.looks.values().filter_map(|(account, _)| *account).collect();
    let watched = std::mem::replace(&mut screen.watched, wanted.clone());
    let moved = std::mem::replace(&mut screen.active, active) != active;
    if moved {
        step.send(ClientFrame::Active { on: active }, false);
    }
    for account in watched.difference(&wanted) {
        step.send(ClientFrame::Watch { account: *account, on: false }, false);
        if step.mem.screen.known.remove(account).is_some() {
            step.event(Event::PresenceChanged { account: *account });
        }
    }
    for account in wanted.difference(&watched) {
        step.send(ClientFrame::Watch { account: *account, on: true }, false);
    }
}

/// The server says how somebody is now.
pub(crate) fn heard(step: &mut Step<'_>, presence: Presence) {
    let screen = &mut step.mem.screen;
    // An answer may cross the end of a watch.
    if screen.watched.contains(&presence.account) && screen.known.insert(presence.account, presence) != Some(presence) {
        step.event(Event::PresenceChanged { account: presence.account });
    }
}

/// `None`: not known, or not shared.
pub(crate) fn of(mem: &Memory, account: AccountId) -> Option<view::Presence> {
    mem.screen.known.get(&account).and_then(shown)
}

pub(crate) fn shown(presence: &Presence) -> Option<view::Presence> {
    let Presence { online, last_seen_ms, .. } = *presence;
    (online || last_seen_ms.is_some()).then_some(view::Presence { online, last_seen_ms })
}

/// When time alone will change something.
pub(crate) fn next_ms(mem: &Memory) -> Option<u64> {
    mem.screen.looks.values().map(|(_, until_ms)| *until_ms).min()
}
