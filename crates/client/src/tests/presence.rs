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

fn set_privacy(last_seen: Option<Audience>, read_receipts: Option<bool>) -> Command {
    Command::SetPrivacy { last_seen, read_receipts, find_me: None, add_me: None, picture: None, about: None }
}

#[test]
fn privacy_is_shown_and_changed_at_the_server() {
    let mut world = talked();
    world.open_chat(0, 1);
    let all = Audience::Everyone;
    let privacy = |last_seen: Audience, read_receipts: bool| {
        Ok(Reply::Privacy { last_seen, read_receipts, find_me: all, add_me: all, picture: all, about: all })
    };
    assert_eq!(world.ask(0, Command::Privacy), privacy(all, true));
    let hide = set_privacy(Some(Audience::Nobody), None);
    assert_eq!(world.ask(0, hide), privacy(Audience::Nobody, true));
    assert_eq!(world.presence(1), None, "what is not shared is not known");
    assert_eq!(world.ask(0, Command::Privacy), privacy(Audience::Nobody, true));
    let hush = set_privacy(None, Some(false));
    assert_eq!(world.ask(0, hush), privacy(Audience::Nobody, false));
    world.set_online(0, false);
    assert_eq!(world.ask(0, Command::Privacy), Err(ClientError::Offline));
}
