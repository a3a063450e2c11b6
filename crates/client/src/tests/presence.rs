//! Who is seen to be there, and that nobody is who is gone.

use super::world::World;
use crate::event::LOOK_LIFETIME_MS;
use crate::view::Presence;
use crate::{ClientError, Command, Event, Peer, Reply};
use tidings_proto::http::Audience;

const ONLINE: Option<Presence> = Some(Presence { online: true, last_seen_ms: None });

impl World {
    fn open_chat(&mut self, who: usize, with: usize) {
        let of = Some(self.peer(with));
        self.must(who, &Command::OpenChat { of });
        self.drain();
    }

    fn close_chat(&mut self, who: usize, with: usize) {
        let of = Some(self.peer(with));
        self.must(who, &Command::CloseChat { of });
        self.drain();
    }

    fn presence(&mut self, who: usize) -> Option<Presence> {
        self.conversation(who).presence
    }

    fn told(&mut self, who: usize) -> usize {
        let events = std::mem::take(&mut self.people[who].events);
        events.iter().filter(|event| matches!(event, Event::PresenceChanged { .. })).count()
    }
}

/// Two who have talked; the second one looks at the chat with the first.
fn talked() -> World {
    let mut world = World::signed_in(2);
    world.say(0, 1, "hello");
    world.settle();
    world.open_chat(1, 0);
    world.told(1);
    world
}

#[test]
fn who_looks_is_online_to_whom_has_the_chat_open() {
    let mut world = talked();
    assert_eq!(world.presence(0), None, "no chat is open");
    world.open_chat(0, 1);
    assert_eq!((world.presence(0), world.presence(1)), (ONLINE, ONLINE));
    assert_eq!(world.told(1), 1);
    world.pass(5_000);
    let left_ms = world.now_ms;
    world.close_chat(0, 1);
    assert_eq!(world.presence(1), Some(Presence { online: false, last_seen_ms: Some(left_ms) }));
    assert_eq!(world.presence(0), None, "what is not watched is not known");
    assert_eq!((world.told(0), world.told(1)), (2, 1));
    let who = world.peer(1);
    assert_eq!(world.ask(0, Command::Presence { who }), Ok(Reply::Presence(ONLINE)));
}

#[test]
fn a_look_ends_by_itself_unless_it_is_renewed() {
    let mut world = talked();
    world.open_chat(0, 1);
    world.pass(LOOK_LIFETIME_MS - 1_000);
    world.open_chat(0, 1);
    world.open_chat(1, 0);
    world.pass(LOOK_LIFETIME_MS - 1_000);
    assert_eq!(world.presence(1), ONLINE);
    // The second window of the same person.
    world.must(0, &Command::OpenChat { of: None });
    world.open_chat(1, 0);
    world.pass(2_000);
    assert_eq!((world.presence(0), world.presence(1)), (None, ONLINE));
    world.must(0, &Command::CloseChat { of: None });
    world.drain();
    assert!(world.presence(1).is_some_and(|presence| !presence.online));
}

#[test]
fn without_a_connection_nothing_is_known() {
    let mut world = talked();
    world.open_chat(0, 1);
    world.told(0);
    world.set_online(0, false);
    assert_eq!((world.presence(0), world.told(0)), (None, 1));
    assert!(world.presence(1).is_some_and(|presence| !presence.online), "the server knows at once");
    world.set_online(0, true);
    world.settle();
    assert_eq!((world.presence(0), world.presence(1)), (ONLINE, ONLINE), "it still looks");
    // A program that died looks at nothing.
    world.crash(0);
    world.settle();
    assert_eq!(world.presence(0), None);
    assert!(world.presence(1).is_some_and(|presence| !presence.online));
}

#[test]
fn groups_and_notes_to_oneself_show_nobody_and_count_as_looking() {
    let mut world = talked();
    let group = world.make_group(&[1]);
    world.must(0, &Command::OpenChat { of: Some(Peer::Conversation(group)) });
    world.must(0, &Command::OpenChat { of: Some(Peer::Me) });
    world.drain();
    assert_eq!(world.conversations(1).iter().filter_map(|row| row.presence).collect::<Vec<_>>(), [ONLINE.unwrap()]);
    assert!(world.server.presence.watches.iter().all(|(_, viewer, _)| *viewer == world.account(1)));
}

#[test]
fn privacy_is_shown_and_changed_at_the_server() {
    let mut world = talked();
    world.open_chat(0, 1);
    let everything = Reply::Privacy { last_seen: Audience::Everyone, read_receipts: true };
    assert_eq!(world.ask(0, Command::Privacy), Ok(everything));
    let nobody = Reply::Privacy { last_seen: Audience::Nobody, read_receipts: true };
    let hide = Command::SetPrivacy { last_seen: Some(Audience::Nobody), read_receipts: None };
    assert_eq!(world.ask(0, hide), Ok(nobody.clone()));
    assert_eq!(world.presence(1), None, "what is not shared is not known");
    assert_eq!(world.ask(0, Command::Privacy), Ok(nobody));
    let quiet = Reply::Privacy { last_seen: Audience::Nobody, read_receipts: false };
    let hush = Command::SetPrivacy { last_seen: None, read_receipts: Some(false) };
    assert_eq!(world.ask(0, hush), Ok(quiet));
    world.set_online(0, false);
    assert_eq!(world.ask(0, Command::Privacy), Err(ClientError::Offline));
}
