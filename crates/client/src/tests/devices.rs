//! An account with several devices.

use super::world::World;
use crate::db::Db;
use crate::io::{Input, Output};
use crate::view::{Body, Notice};
use crate::{ClientError, Command, Event, Peer, Reply};
use tidings_proto::entry::Sender;

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
                    Body::Text { text } => Some(text.clone()),
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
fn a_linked_device_sees_what_was_said_and_what_is_said_and_nobody_is_logged_out() {
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
        (laptop, &bram, &["before", "to both", "from the phone", "from the laptop"]),
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
    world.must(devices[4], &Command::text(Peer::Me, "note", None));
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
fn what_changes_a_message_before_it_comes_with_the_history_counts() {
    let mut world = World::signed_in(2);
    let (taken_back, corrected) = (world.say(1, 0, "secret"), world.say(1, 0, "seven"));
    world.settle();
    let (laptop, code) = world.show_code(0);
    world.must(0, &Command::ApproveLink { code });
    world.lost_paths = vec!["/blobs"];
    world.command(laptop, Command::AwaitLink);
    world.pass(20_000);
    let (anna, bram) = (world.peer(0), world.peer(1));
    assert!(leaves(&mut world, 1, &anna).unwrap().contains(&sender(&world, laptop)), "it is in");
    world.must(1, &Command::Delete { to: anna.clone(), message: taken_back });
    world.must(1, &Command::Edit { to: anna, message: corrected, text: "eight".into() });
    world.pass(20_000);
    assert_eq!(world.texts(laptop, &bram), Vec::<String>::new(), "the history is not here");
    world.lost_paths.clear();
    world.settle();
    for who in [0, laptop] {
        assert_eq!(world.texts(who, &bram), ["eight"], "{who}");
    }
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

/// The devices with a leaf in a conversation, as that person's group says; `None`: they are in no such group (any more).
fn leaves(world: &mut World, who: usize, of: &Peer) -> Option<Vec<Sender>> {
    let conversation = match world.must(who, &Command::Resolve { who: of.clone() }) {
        Reply::Conversation { conversation, .. } => conversation,
        other => panic!("{other:?}"),
    };
    let client = world.people[who].client.as_ref().unwrap();
    let mls = &client.memory.me.as_ref().unwrap().mls;
    mls.devices(client.db.connection(), conversation).ok()
}

fn has_leaf(world: &mut World, who: usize, of: &Peer, device: Sender) -> bool {
    leaves(world, who, of).unwrap().contains(&device)
}

fn sender(world: &World, who: usize) -> Sender {
    world.people[who].client.as_ref().unwrap().memory.me.as_ref().unwrap().sender
}

#[test]
fn a_revoked_device_is_taken_out_everywhere_before_the_next_message() {
    let mut world = World::signed_in(3);
    let members = vec![world.peer(1), world.peer(2)];
    let Reply::Conversation { conversation: group, .. } =
        world.must(0, &Command::CreateGroup { name: "Cinema".into(), members })
    else {
        panic!()
    };
    world.say(0, 1, "hello");
    world.settle();
    let laptop = world.link(0);
    let to_group = |text: &str| Command::text(Peer::Conversation(group), text, None);
    world.must(laptop, &to_group("from the laptop"));
    world.say(1, 0, "to both");
    world.settle();
    let (anna, group_of) = (world.peer(0), Peer::Conversation(group));
    let stolen = sender(&world, laptop);
    assert!(has_leaf(&mut world, 1, &anna, stolen) && has_leaf(&mut world, 2, &group_of, stolen));
    assert_eq!(world.texts(2, &group_of), ["from the laptop"]);

    // The thief keeps what the laptop has, and the revoker goes offline at once: whoever speaks next takes it out.
    world.must(0, &Command::RevokeDevice { device: stolen.device });
    world.set_online(0, false);
    world.say(1, 0, "after");
    world.must(2, &to_group("after, to all"));
    world.settle();
    assert!(!has_leaf(&mut world, 1, &anna, stolen) && !has_leaf(&mut world, 2, &group_of, stolen));
    assert!(is_out(&world, laptop));
    world.set_online(0, true);
    world.settle();
    assert!(world.texts(0, &world.peer(1)).ends_with(&["after".into()]));
    assert!(world.texts(0, &group_of).ends_with(&["after, to all".into()]));
    assert!(!has_leaf(&mut world, 0, &Peer::Me, stolen), "nor does the self chat have it");
}

#[test]
fn no_server_brings_a_revoked_device_back() {
    let mut world = World::signed_in(2);
    world.say(0, 1, "hello");
    world.settle();
    let laptop = world.link(0);
    world.say(laptop, 1, "from the laptop");
    world.settle();
    let stolen = sender(&world, laptop);
    // The laptop has no network when it is thrown out, so it still believes that it is in.
    world.set_online(laptop, false);
    world.must(0, &Command::RevokeDevice { device: stolen.device });
    world.settle();
    let anna = world.peer(0);
    assert!(!has_leaf(&mut world, 1, &anna, stolen));
    // A lying server takes it in again, and it comes back by external commit.
    world.server.devices.get_mut(&stolen.device).unwrap().out = false;
    world.set_online(laptop, true);
    world.say(laptop, 1, "may I?");
    world.settle();
    world.pass(10_000);
    for who in [0, 1] {
        let with = world.peer(1 - who);
        let Reply::Messages(messages) =
            world.must(who, &Command::Messages { of: with.clone(), before: None, limit: 100 })
        else {
            panic!()
        };
        let told = messages.iter().any(|it| matches!(&it.body, Body::Notice { notice: Notice::Distrusted }));
        assert!(told, "{who} says that the server is not to be trusted: {messages:?}");
        assert!(!world.texts(who, &with).contains(&"may I?".to_owned()));
    }
}

/// Bram's number is in the server's hands, and so is its list of his devices; his identity key is not.
#[test]
fn a_device_that_the_server_makes_up_reads_nothing_unnoticed() {
    let mut world = World::signed_in(3);
    let group = world.make_group(&[1, 2]);
    world.say(0, 1, "hello");
    world.settle();
    world.server.lying = true;
    let spy = world.add(world.people[1].phone.clone(), Db::open_memory().unwrap());
    world.login(spy);
    assert!(!is_out(&world, 1), "Bram is told nothing");
    let made_up = sender(&world, spy);
    let (anna, bram, group_of) = (world.peer(0), world.peer(1), Peer::Conversation(group));
    world.must(spy, &Command::text(anna.clone(), "it is me, Bram", None));
    world.settle();
    world.pass(10_000);
    for (who, of) in [(0, &bram), (0, &group_of), (2, &group_of), (1, &anna), (1, &group_of)] {
        // Refused to who has turned away from it already.
        let _ = world.ask(who, Command::text(of.clone(), "secret", None));
        world.settle();
    }
    world.pass(10_000);
    world.settle();
    // Whoever lets it in is told before they say anything that it could read.
    for (who, of) in [(0, &bram), (0, &group_of), (2, &group_of), (1, &anna), (1, &group_of)] {
        let bodies = bodies(&mut world, who, of);
        let place = |wanted: &dyn Fn(&Body) -> bool| bodies.iter().position(wanted);
        let warned = place(&|body| {
            matches!(body, Body::Notice { notice: Notice::SafetyNumberChanged { .. } | Notice::Distrusted })
        });
        let said = place(&|body| matches!(body, Body::Text { text } if text == "secret"));
        let is_in = leaves(&mut world, who, of).is_some_and(|leaves| leaves.contains(&made_up));
        assert!(!is_in || warned.is_some_and(|warned| said.is_none_or(|said| warned < said)), "{who}: {bodies:?}");
        assert!(!(is_in && who == 1), "one's own devices let nobody in whom one's key does not vouch for");
    }
}

#[test]
fn the_devices_of_one_who_is_told_of_a_new_one() {
    let mut world = World::signed_in(1);
    let laptop = world.link(0);
    let tablet = world.link(laptop);
    let linked = Event::DeviceLinked { device: sender(&world, tablet).device };
    for who in [0, laptop] {
        assert_eq!(world.people[who].events.iter().filter(|event| **event == linked).count(), 1, "{who}");
    }
}

fn bodies(world: &mut World, who: usize, of: &Peer) -> Vec<Body> {
    match world.must(who, &Command::Messages { of: of.clone(), before: None, limit: 100 }) {
        Reply::Messages(messages) => messages.into_iter().map(|message| message.body).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_revocation_may_be_read_before_the_linking_that_it_ends() {
    // The logs come in the order in which something happened in them last: once this way, once the other.
    for direct_last in [false, true] {
        let mut world = World::signed_in(3);
        let members = vec![world.peer(1), world.peer(2)];
        let Reply::Conversation { conversation: group, .. } =
            world.must(0, &Command::CreateGroup { name: "Cinema".into(), members })
        else {
            panic!()
        };
        world.say(0, 1, "hello");
        world.settle();
        world.set_online(1, false);
        let laptop = world.link(0);
        let stolen = sender(&world, laptop);
        world.must(0, &Command::RevokeDevice { device: stolen.device });
        world.settle();
        let (anna, bram, group_of) = (world.peer(0), world.peer(1), Peer::Conversation(group));
        let (first, last) = if direct_last { (&group_of, &bram) } else { (&bram, &group_of) };
        for (of, text) in [(first, "one"), (last, "two")] {
            world.must(0, &Command::text(of.clone(), text, None));
            world.settle();
        }
        world.set_online(1, true);
        world.settle();
        for of in [&anna, &group_of] {
            let told = bodies(&mut world, 1, of);
            let distrusted = told.iter().any(|it| matches!(it, Body::Notice { notice: Notice::Distrusted }));
            assert!(!distrusted, "nothing is wrong with this server: {told:?}");
            assert!(!has_leaf(&mut world, 1, of, stolen));
        }
        assert_eq!(world.texts(1, &anna).len() + world.texts(1, &group_of).len(), 3);
        world.say(1, 0, "and back");
        world.settle();
        assert!(world.texts(0, &bram).ends_with(&["and back".into()]));
    }
}

#[test]
fn who_revokes_a_device_may_have_yet_to_read_how_it_came_in() {
    let mut world = World::signed_in(2);
    world.say(0, 1, "hello");
    world.settle();
    let old = world.snapshot(1);
    world.crash(1);
    world.settle();
    let (new, code) = world.show_code(0);
    world.set_online(new, false);
    world.must(0, &Command::ApproveLink { code });
    world.set_online(0, false);
    // A commit before the one that lets the laptop in.
    world.put_back(1, old);
    world.settle();
    world.set_online(new, true);
    world.ask(new, Command::AwaitLink).unwrap();
    world.settle();
    let stolen = sender(&world, new);
    let bram = world.peer(1);
    assert!(has_leaf(&mut world, new, &bram, stolen));

    // It revokes before it has a connection, by which it would read on.
    world.people[0].online = true;
    world.must(0, &Command::RevokeDevice { device: stolen.device });
    world.set_online(0, true);
    world.settle();
    world.say(0, 1, "without the laptop");
    world.settle();
    assert!(!has_leaf(&mut world, 0, &bram, stolen));
    let anna = world.peer(0);
    assert!(world.texts(1, &anna).ends_with(&["without the laptop".into()]));
}

#[test]
fn while_an_answer_about_a_link_is_awaited_nothing_wakes_for_it() {
    let mut world = World::signed_in(1);
    let (new, _) = world.show_code(0);
    let now_ms = world.now_ms + 5_000;
    let client = world.people[new].client.as_mut().unwrap();
    let asked = client.handle(Input::Tick, now_ms);
    assert!(asked.iter().any(|it| matches!(it, Output::Request(_))), "{asked:?}");
    let late = client.handle(Input::Tick, now_ms + 60_000);
    assert!(!late.iter().any(|it| matches!(it, Output::WakeAt(at_ms) if *at_ms <= now_ms + 60_000)), "{late:?}");
}

#[test]
fn who_changes_their_mind_while_history_is_on_its_way_is_heard() {
    let mut world = World::signed_in(2);
    let backup = Command::SetBackupSecret { passphrase: Some("correct horse battery".into()) };
    assert_eq!(world.ask(0, backup), Ok(Reply::BackupSecret { code: None }));
    let message = world.say(0, 1, "dinner?");
    world.settle();
    let (new, code) = world.show_code(0);
    world.set_online(new, false);
    world.must(0, &Command::ApproveLink { code });
    world.settle();
    for emoji in ["👍", "🎉", "😂"] {
        let to = world.peer(0);
        world.must(1, &Command::React { to, message, emoji: Some(emoji.into()) });
        world.settle();
        let of = world.peer(1);
        let Reply::Messages(shown) = world.must(0, &Command::Messages { of, before: None, limit: 9 }) else { panic!() };
        let reactions: Vec<&str> = shown.iter().flat_map(|it| &it.reactions).map(|it| it.emoji.as_str()).collect();
        assert_eq!(reactions, [emoji]);
    }
}
