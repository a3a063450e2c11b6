//! Numbers, names, safety numbers, blocks.

use super::world::{World, is_new_number};
use crate::view::{Body, Tick};
use crate::{ClientError, Command, Peer, Reply};
use tidings_proto::problem::Code;

fn safety(world: &mut World, who: usize, of: usize) -> (String, bool) {
    let who_of = world.peer(of);
    match world.ask(who, Command::SafetyNumber { who: who_of }) {
        Ok(Reply::SafetyNumber { digits, verified }) => (digits, verified),
        other => panic!("{other:?}"),
    }
}

#[test]
fn somebody_unknown_is_looked_up_and_ones_own_number_is_refused() {
    let mut world = World::signed_in(1);
    let send = |phone: &str| Command::text(Peer::Phone(phone.into()), "x", None);
    assert_eq!(world.ask(0, send("+49 170 1234567")), Err(ClientError::NoSuchPerson { phone: "+491701234567".into() }));
    assert!(matches!(world.ask(0, send("+31612345670")), Err(ClientError::NotAllowed { .. })));
    let local = world.ask(0, send("0612345678"));
    assert!(matches!(local, Err(ClientError::Refused { code: Code::InvalidPhone, .. })), "{local:?}");
    world.set_online(0, false);
    assert_eq!(world.ask(0, send("+49 170 1234567")), Err(ClientError::Offline));
}

#[test]
fn a_number_is_looked_up_once_and_works_offline_afterwards() {
    let mut world = World::signed_in(2);
    world.must(0, &Command::Resolve { who: world.peer(1) });
    world.set_online(0, false);
    let message = world.say(0, 1, "queued for somebody new");
    assert_eq!(world.tick_of(0, message), Some(Tick::Clock));
    world.set_online(0, true);
    world.settle();
    assert_eq!(world.shown(1), ["queued for somebody new"]);
    let lookups = world.people[0].requests.iter().filter(|path| path.contains("lookup")).count();
    assert_eq!(lookups, 1);
}

#[test]
fn both_see_the_same_safety_number_and_can_mark_it() {
    let mut world = World::signed_in(2);
    let (mine, verified) = safety(&mut world, 0, 1);
    assert!(!verified);
    world.say(1, 0, "hello");
    world.settle();
    assert_eq!(safety(&mut world, 1, 0).0, mine);
    world.must(0, &Command::MarkVerified { who: world.peer(1) });
    assert_eq!(safety(&mut world, 0, 1), (mine, true));
    assert!(world.conversation(0).verified);
}

#[test]
fn a_new_phone_shows_as_a_changed_safety_number_and_goes_on_in_the_same_conversation() {
    let mut world = World::signed_in(2);
    world.say(0, 1, "to the old phone");
    world.settle();
    world.must(0, &Command::MarkVerified { who: world.peer(1) });
    let (before, _) = safety(&mut world, 0, 1);

    let phone = world.people[1].phone.clone();
    let new = world.add(phone, crate::db::Db::open_memory().unwrap());
    world.login(new);
    world.settle();
    let out = world.people[1].events.iter().any(|event| matches!(event, crate::Event::LoggedOut { .. }));
    assert!(out, "the old phone is logged out");

    world.say(0, new, "to the new phone");
    world.settle();
    let conversation = world.conversation(0).conversation;
    let notices: Vec<Body> = world.messages(0, conversation).into_iter().map(|message| message.body).collect();
    assert!(notices.iter().any(is_new_number), "{notices:?}");
    let (after, verified) = safety(&mut world, 0, new);
    assert!(before != after && !verified);
    assert_eq!(safety(&mut world, new, 0).0, after);
    let shown = world.shown(new);
    assert_eq!(shown.last().unwrap(), "to the new phone");
    assert!(!shown.contains(&"to the old phone".to_owned()));
    world.say(new, 0, "thanks");
    world.settle();
    assert_eq!(world.shown(0).last().unwrap(), "thanks");
}

#[test]
fn a_claimed_number_is_shown_only_if_the_server_confirms_it() {
    let mut world = World::signed_in(3);
    // Person 0 claims the number of person 2.
    let phone = world.people[2].phone.clone();
    world.people[0].client.as_mut().unwrap().memory.me.as_mut().unwrap().phone = phone;
    let account = world.server.accounts["+31612345671"];
    let send = Command::text(Peer::Account(account), "trust me", None);
    world.must(0, &send);
    world.settle();
    let row = world.conversation(1);
    assert_eq!(row.phone, None);
    assert_eq!(row.title, row.account.unwrap().to_string());
}

#[test]
fn who_is_blocked_gets_one_tick_and_is_read_after_unblocking() {
    let mut world = World::signed_in(2);
    world.say(0, 1, "hello");
    world.settle();
    world.must(1, &Command::Block { who: world.peer(0) });
    assert!(world.conversation(1).blocked);
    let kept_back = world.say(0, 1, "anybody there?");
    world.settle();
    assert_eq!(world.tick_of(0, kept_back), Some(Tick::Sent));
    assert_eq!(world.shown(1), ["hello"]);
    world.must(1, &Command::Unblock { who: world.peer(0) });
    world.settle();
    assert_eq!(world.shown(1), ["hello", "anybody there?"]);
    assert_eq!(world.tick_of(0, kept_back), Some(Tick::Delivered));
}

#[test]
fn what_was_seen_while_one_blocks_the_other_shows_after_unblocking() {
    let mut world = World::signed_in(2);
    let (theirs, mine) = (world.say(0, 1, "hello"), world.say(1, 0, "hi"));
    world.settle();
    world.must(1, &Command::Block { who: world.peer(0) });
    // Neither does 0 learn that 1 has read, nor 1 that 0 has.
    world.must(1, &Command::MarkRead { to: world.peer(0), up_to: theirs });
    world.must(0, &Command::MarkRead { to: world.peer(1), up_to: mine });
    world.pass(60_000);
    assert_eq!(world.tick_of(0, theirs), Some(Tick::Delivered));
    assert_eq!(world.tick_of(1, mine), Some(Tick::Delivered));
    world.must(1, &Command::Unblock { who: world.peer(0) });
    world.settle();
    assert_eq!(world.tick_of(0, theirs), Some(Tick::Read));
    assert_eq!(world.tick_of(1, mine), Some(Tick::Read));
}
