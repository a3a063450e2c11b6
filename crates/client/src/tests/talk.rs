//! Two people talk, and everything works.

use super::world::World;
use crate::event::Event;
use crate::view::{Body, Tick};
use crate::{ClientError, Command, Peer, Reply};
use tidings_proto::problem::Code;

#[test]
fn a_first_message_makes_the_conversation_and_ticks_follow() {
    let mut world = World::signed_in(2);
    let hello = world.say(0, 1, "hello");
    world.settle();
    assert_eq!(world.tick_of(0, hello), Some(Tick::Delivered));
    assert_eq!(world.shown(1), ["hello"]);
    let theirs = world.conversation(1);
    assert_eq!((theirs.unread, theirs.phone.as_deref()), (1, Some("+31612345670")));

    world.must(1, &Command::MarkRead { to: world.peer(0), up_to: hello });
    world.settle();
    assert_eq!(world.tick_of(0, hello), Some(Tick::Read));
    assert_eq!(world.conversation(1).unread, 0);

    let hi = world.say(1, 0, "hi");
    world.settle();
    assert_eq!(world.shown(0), ["hello", "hi"]);
    assert_eq!(world.shown(1), ["hello", "hi"]);
    assert_eq!(world.tick_of(1, hi), Some(Tick::Delivered));
    assert_eq!(world.conversation(0).title, "+31612345671");
}

#[test]
fn an_unread_message_counts_until_it_is_read_and_a_deleted_one_does_not() {
    let mut world = World::signed_in(2);
    for text in ["one", "two", "three"] {
        world.say(0, 1, text);
    }
    world.settle();
    let conversation = world.conversation(1).conversation;
    let messages = world.messages(1, conversation);
    assert_eq!(world.conversation(1).unread, 3);
    world.must(0, &Command::Delete { to: world.peer(1), message: messages[1].message });
    world.settle();
    assert_eq!(world.conversation(1).unread, 2);
    world.must(1, &Command::MarkRead { to: world.peer(0), up_to: messages[0].message });
    assert_eq!(world.conversation(1).unread, 1);
    world.must(1, &Command::MarkRead { to: world.peer(0), up_to: messages[2].message });
    assert_eq!(world.conversation(1).unread, 0);
}

#[test]
fn both_at_once_end_in_one_conversation_with_both_messages() {
    let mut world = World::signed_in(2);
    for (who, to) in [(0, 1), (1, 0)] {
        let to = world.peer(to);
        world.command(who, Command::text(to, format!("from {who}"), None));
    }
    world.settle();
    let mut shown = world.shown(0);
    assert_eq!(shown, world.shown(1));
    shown.sort();
    assert_eq!(shown, ["from 0", "from 1"]);
    assert_eq!(world.server.logs.values().filter(|log| !log.members.is_empty()).count(), 1);
}

#[test]
fn what_is_said_offline_is_sent_when_the_network_is_back() {
    let mut world = World::signed_in(2);
    world.say(0, 1, "before");
    world.settle();
    world.set_online(0, false);
    let clock = world.say(0, 1, "while away");
    for number in 0..40 {
        world.say(0, 1, &format!("more {number}"));
    }
    assert_eq!(world.tick_of(0, clock), Some(Tick::Clock));
    world.say(1, 0, "from the other side");
    world.pass(10_000);
    world.set_online(0, true);
    world.settle();
    let shown = world.shown(1);
    assert_eq!(shown, world.shown(0));
    assert_eq!(shown.len(), 43);
    assert_eq!(shown[..3], ["before", "from the other side", "while away"]);
    assert_eq!(shown[42], "more 39");
}

#[test]
fn a_person_who_is_away_gets_everything_in_order_when_they_come_back() {
    let mut world = World::signed_in(2);
    world.set_online(1, false);
    let texts: Vec<String> = (0..300).map(|number| format!("number {number}")).collect();
    for text in &texts {
        world.say(0, 1, text);
    }
    world.run(|world| world.server.logs.values().any(|log| log.head() == 302));
    world.set_online(1, true);
    world.settle();
    assert_eq!(world.shown(1), texts);
    assert_eq!(world.conversation(1).unread, 300);
    let pages = world.people[1].events.iter().filter(|event| **event == Event::CaughtUp).count();
    assert_eq!(pages, 2, "once at the login, once now");
}

#[test]
fn replies_reactions_edits_and_deletions_show_the_same_on_both_sides() {
    let mut world = World::signed_in(2);
    let first = world.say(0, 1, "fist");
    world.say(0, 1, "second");
    world.settle();
    let (to_0, to_1) = (world.peer(0), world.peer(1));
    world.must(0, &Command::Edit { to: to_1.clone(), message: first, text: "first".into() });
    world.must(1, &Command::React { to: to_0.clone(), message: first, emoji: Some("👍".into()) });
    world.must(1, &Command::text(to_0.clone(), "to the first", Some(first)));
    world.settle();
    for who in [0, 1] {
        assert_eq!(world.shown(who), ["first (edited) [👍]", "second", "to the first"]);
        let conversation = world.conversation(who).conversation;
        let quote = world.messages(who, conversation)[2].reply_to.clone().unwrap();
        assert_eq!((quote.message, quote.text.as_deref()), (first, Some("first")));
    }
    assert_eq!(world.conversation(1).unread, 2);
    assert_eq!(world.conversation(0).unread, 1);

    world.must(1, &Command::React { to: to_0.clone(), message: first, emoji: Some("❤️".into()) });
    world.settle();
    assert_eq!(world.shown(0)[0], "first (edited) [❤️]");
    world.must(1, &Command::React { to: to_0.clone(), message: first, emoji: None });
    world.settle();
    assert_eq!(world.shown(0)[0], "first (edited)");
    world.must(0, &Command::Delete { to: to_1, message: first });
    world.settle();
    for who in [0, 1] {
        assert_eq!(world.shown(who), ["Deleted", "second", "to the first"]);
    }
    // It cannot be reacted to any more.
    let late = world.ask(1, Command::React { to: to_0, message: first, emoji: Some("👍".into()) });
    assert!(matches!(late, Err(ClientError::NotAllowed { .. })), "{late:?}");
}

#[test]
fn a_change_shows_at_once_and_goes_back_if_it_is_refused() {
    let mut world = World::signed_in(2);
    let message = world.say(0, 1, "as it was");
    world.settle();
    world.set_online(0, false);
    let to = world.peer(1);
    world.must(0, &Command::Edit { to: to.clone(), message, text: "edited".into() });
    world.must(0, &Command::React { to, message, emoji: Some("🙂".into()) });
    assert_eq!(world.shown(0), ["edited (edited) [🙂]"]);
    world.server.refuse.extend([Code::TooLarge, Code::TooLarge]);
    world.set_online(0, true);
    world.settle();
    assert_eq!(world.shown(0), ["as it was"]);
    assert_eq!(world.shown(1), ["as it was"]);
}

#[test]
fn only_ones_own_texts_can_be_edited_or_deleted() {
    let mut world = World::signed_in(2);
    let message = world.say(0, 1, "mine");
    world.settle();
    let to = world.peer(0);
    for command in [
        Command::Edit { to: to.clone(), message, text: "yours".into() },
        Command::Delete { to: to.clone(), message },
        Command::text(to.clone(), String::new(), None),
    ] {
        let result = world.ask(1, command);
        assert!(matches!(result, Err(ClientError::NotAllowed { .. })), "{result:?}");
    }
    let long = world.ask(1, Command::text(to, "x".repeat(40_000), None));
    assert_eq!(long, Err(ClientError::TooLong { bytes: 40_000, max: 32 * 1024 }));
    assert_eq!(world.shown(1), ["mine"]);
}

#[test]
fn a_long_text_arrives() {
    let mut world = World::signed_in(2);
    let text = "ü".repeat(16 * 1024);
    world.say(0, 1, &text);
    world.settle();
    assert_eq!(world.shown(1), [text]);
}

#[test]
fn refusals_that_pass_are_tried_again_and_others_fail_the_message_with_the_reason() {
    let mut world = World::signed_in(2);
    world.say(0, 1, "first");
    world.settle();
    world.server.refuse.extend([Code::Overloaded, Code::RateLimited]);
    world.say(0, 1, "patient");
    world.settle();
    world.server.refuse.push_back(Code::Blocked);
    let failed = world.say(0, 1, "never");
    world.settle();
    assert_eq!(world.shown(1), ["first", "patient"]);
    let Ok(Reply::Message(message)) = world.ask(0, Command::Message { id: failed }) else { panic!() };
    assert_eq!((message.tick, message.failure.as_deref()), (Some(Tick::Failed), Some("refused: blocked")));
    assert_eq!(message.body, Body::Text { text: "never".into() });
}

#[test]
fn typing_shows_while_both_are_online_and_is_lost_otherwise() {
    let mut world = World::signed_in(2);
    world.must(0, &Command::Typing { to: world.peer(1), on: true });
    world.say(0, 1, "hello");
    world.settle();
    world.must(0, &Command::Typing { to: world.peer(1), on: true });
    world.drain();
    let conversation = world.conversation(1).conversation;
    let typing: Vec<&Event> =
        world.people[1].events.iter().filter(|event| matches!(event, Event::Typing { .. })).collect();
    assert!(matches!(typing.as_slice(), [Event::Typing { conversation: of, on: true, .. }] if *of == conversation));
    world.set_online(0, false);
    assert_eq!(world.ask(0, Command::Typing { to: world.peer(1), on: false }), Ok(Reply::Done));
}

#[test]
fn lists_page_backwards_by_position() {
    let mut world = World::signed_in(2);
    for number in 0..7 {
        world.say(0, 1, &number.to_string());
    }
    world.settle();
    world.set_online(0, false);
    world.say(0, 1, "waits");
    let conversation = world.conversation(0).conversation;
    let mut before = None;
    let mut pages = Vec::new();
    loop {
        let of = Peer::Conversation(conversation);
        let Ok(Reply::Messages(page)) = world.ask(0, Command::Messages { of, before, limit: 3 }) else { panic!() };
        let Some(first) = page.first() else { break };
        before = Some(first.position);
        pages.push(page.iter().map(super::world::line).collect::<Vec<_>>());
    }
    assert_eq!(pages, [vec!["5", "6", "waits"], vec!["2", "3", "4"], vec!["0", "1"]]);
}

#[test]
fn the_last_message_and_the_order_of_the_list_follow_what_happens() {
    let mut world = World::signed_in(3);
    world.say(0, 1, "to one");
    world.settle();
    world.pass(1_000);
    world.say(0, 2, "to two");
    world.settle();
    let list = |world: &mut World| -> Vec<String> {
        world.conversations(0).iter().map(|row| super::world::line(row.last.as_ref().unwrap())).collect()
    };
    assert_eq!(list(&mut world), ["to two", "to one"]);
    world.pass(1_000);
    world.say(1, 0, "back");
    world.settle();
    assert_eq!(list(&mut world), ["back", "to two"]);
    let Ok(Reply::Status(status)) = world.ask(0, Command::Status) else { panic!() };
    assert_eq!((status.unread, status.outbox), (1, 0));
}
