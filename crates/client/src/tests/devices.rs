//! An account with several devices.

use super::world::World;
use crate::db::Db;
use crate::{ClientError, Command, Event, Peer, Reply};

impl World {
    /// A new device of this person, linked by the old one.
    pub fn link(&mut self, old: usize) -> usize {
        let (new, code) = self.show_code(old);
        assert_eq!(self.must(old, &Command::ApproveLink { code }), Reply::Done);
        let linked = self.ask(new, Command::AwaitLink).unwrap();
        assert!(matches!(linked, Reply::LoggedIn { .. }), "{linked:?}");
        self.settle();
        new
    }

    /// A new device that shows a code.
    pub fn show_code(&mut self, old: usize) -> (usize, String) {
        let new = self.add(self.people[old].phone.clone(), Db::open_memory().unwrap());
        match self.must(new, &Command::Link { device_name: "laptop".into() }) {
            Reply::LinkCode { code, .. } => (new, code),
            other => panic!("{other:?}"),
        }
    }

    fn texts(&mut self, who: usize, with: &Peer) -> Vec<String> {
        match self.must(who, &Command::Messages { of: with.clone(), before: None, limit: 100 }) {
            Reply::Messages(messages) => messages
                .iter()
                .filter_map(|message| match &message.body {
                    crate::view::Body::Text { text } => Some(text.clone()),
                    _ => None,
                })
                .collect(),
            other => panic!("{other:?}"),
        }
    }
}

fn is_out(world: &World, who: usize) -> bool {
    world.people[who].events.iter().any(|event| matches!(event, Event::LoggedOut { .. }))
}

#[test]
fn a_linked_device_sees_what_is_said_from_then_on_and_nobody_is_logged_out() {
    let mut world = World::signed_in(2);
    world.say(0, 1, "before");
    world.settle();
    let laptop = world.link(0);
    assert!(!is_out(&world, 0), "the old device stays");
    world.say(1, 0, "to both");
    world.settle();
    world.say(0, 1, "from the phone");
    world.settle();
    world.say(laptop, 1, "from the laptop");
    world.settle();
    let (anna, bram) = (world.peer(0), world.peer(1));
    for (who, with, expected) in [
        (0, &bram, &["before", "to both", "from the phone", "from the laptop"][..]),
        (laptop, &bram, &["to both", "from the phone", "from the laptop"]),
        (1, &anna, &["before", "to both", "from the phone", "from the laptop"]),
    ] {
        assert_eq!(world.texts(who, with), expected, "{who}");
    }
    let Reply::Messages(messages) =
        world.must(laptop, &Command::Messages { of: bram.clone(), before: None, limit: 10 })
    else {
        panic!()
    };
    let own: Vec<bool> = messages.iter().map(|it| it.own).collect();
    assert!(own.ends_with(&[false, true, true]), "what the phone sent is one's own: {messages:?}");
}

#[test]
fn a_linked_device_knows_the_people_and_their_keys() {
    let mut world = World::signed_in(2);
    world.say(0, 1, "hello");
    world.settle();
    world.must(0, &Command::MarkVerified { who: world.peer(1) });
    let laptop = world.link(0);
    let of = world.peer(1);
    let numbers = [0, laptop].map(|who| world.must(who, &Command::SafetyNumber { who: of.clone() }));
    assert_eq!(numbers[0], numbers[1]);
    assert!(matches!(&numbers[1], Reply::SafetyNumber { verified: true, .. }));
    let rows = world.conversations(1);
    assert_eq!(rows.len(), 1, "the other side sees no other conversation, and no changed number: {rows:?}");
}

#[test]
fn devices_can_be_linked_in_a_chain_and_meet_in_the_self_chat() {
    let mut world = World::signed_in(1);
    let mut devices = vec![0];
    for _ in 0..4 {
        let newest = world.link(*devices.last().unwrap());
        devices.push(newest);
    }
    world.must(devices[4], &Command::Send { to: Peer::Me, text: "note".into(), reply_to: None });
    world.settle();
    for who in devices {
        assert_eq!(world.texts(who, &Peer::Me), ["note"], "{who}");
    }
    let Reply::Devices(listed) = world.must(0, &Command::Devices) else { panic!() };
    assert_eq!((listed.len(), listed.iter().filter(|device| device.current).count()), (5, 1));
}

#[test]
fn reading_on_one_device_is_reading_on_all() {
    let mut world = World::signed_in(2);
    world.say(0, 1, "hello");
    world.settle();
    let laptop = world.link(0);
    let question = world.say(1, 0, "seen?");
    world.settle();
    let unread = |world: &mut World, who: usize| -> u64 {
        world.conversations(who).iter().map(|conversation| conversation.unread).sum()
    };
    assert_eq!((unread(&mut world, 0), unread(&mut world, laptop)), (1, 1));
    world.must(laptop, &Command::MarkRead { to: world.peer(1), up_to: question });
    world.settle();
    assert_eq!((unread(&mut world, 0), unread(&mut world, laptop)), (0, 0));
}

#[test]
fn a_code_works_once() {
    let mut world = World::signed_in(2);
    let (_, code) = world.show_code(0);
    world.must(0, &Command::ApproveLink { code: code.clone() });
    let again = world.ask(0, Command::ApproveLink { code: code.clone() });
    assert!(matches!(again, Err(ClientError::Refused { .. })), "{again:?}");
    let other = world.ask(1, Command::ApproveLink { code });
    assert!(matches!(other, Err(ClientError::Refused { .. })), "somebody else cannot take it over: {other:?}");
}

#[test]
fn a_code_expires_on_both_sides() {
    let mut world = World::signed_in(1);
    let (new, code) = world.show_code(0);
    let waits = world.command(new, Command::AwaitLink);
    world.pass(601_000);
    let told = world.people[new].replies.remove(&waits);
    assert!(matches!(told, Some(Err(ClientError::NotAllowed { .. }))), "{told:?}");
    let late = world.ask(0, Command::ApproveLink { code });
    assert!(matches!(late, Err(ClientError::NotAllowed { .. })), "{late:?}");
}

#[test]
fn wrong_codes_and_changed_bundles_link_nothing() {
    let mut world = World::signed_in(1);
    for wrong in ["", "hello", "tidings:link#AAAA"] {
        let answer = world.ask(0, Command::ApproveLink { code: wrong.into() });
        assert!(matches!(answer, Err(ClientError::NotAllowed { .. })), "{wrong}: {answer:?}");
    }
    let (new, code) = world.show_code(0);
    let waits = world.command(new, Command::AwaitLink);
    world.must(0, &Command::ApproveLink { code });
    world.server.tamper_with_links(|bytes| bytes[60] ^= 1);
    world.pass(10_000);
    let told = world.people[new].replies.remove(&waits);
    assert!(matches!(told, Some(Err(ClientError::NotAllowed { .. }))), "{told:?}");
    let Reply::Devices(listed) = world.must(0, &Command::Devices) else { panic!() };
    assert_eq!(listed.len(), 1);
}
