//! What one keeps for oneself is the same on all of one's devices.

use super::world::World;
use crate::view::FOR_EVER_MS;
use crate::{Command, Event, Peer, Reply};
use tidings_proto::id::ConversationId;

/// Anna with two devices and Bram, who have talked.
fn two_devices() -> (World, usize, ConversationId) {
    let mut world = World::signed_in(2);
    world.say(0, 1, "hello");
    world.say(1, 0, "hello yourself");
    world.settle();
    let laptop = world.link(0);
    let conversation = world.conversation(1).conversation;
    (world, laptop, conversation)
}

/// All that is shown of the chats, but for where this device stands.
fn shown(world: &mut World, who: usize) -> Vec<String> {
    let rows = world.conversations(who);
    let kept = rows.iter().map(|row| {
        format!(
            "{:?} {} {} {:?} {} {} {}",
            row.conversation, row.pinned, row.archived, row.muted_until_ms, row.marked_unread, row.unread, row.blocked
        )
    });
    let mut kept: Vec<String> = kept.collect();
    match world.must(who, &Command::Starred { of: None }) {
        Reply::Messages(messages) => kept.extend(messages.iter().map(|message| format!("starred {:?}", message.body))),
        other => panic!("{other:?}"),
    }
    kept
}

#[test]
fn each_change_of_one_device_is_seen_on_the_other_and_nothing_rings() {
    let (mut world, laptop, conversation) = two_devices();
    let message = world.messages(0, conversation).iter().find(|it| !it.own).unwrap().message;
    let of = Peer::Conversation(conversation);
    let who = world.peer(1);
    let changes = [
        Command::Star { message, on: true },
        Command::Mute { of: of.clone(), until_ms: Some(FOR_EVER_MS) },
        Command::PinConversation { of: of.clone(), on: true },
        Command::MarkUnread { of: of.clone() },
        Command::Archive { of: of.clone(), on: true },
        Command::Block { who: who.clone() },
        Command::Unblock { who },
        Command::Archive { of: of.clone(), on: false },
        Command::MarkRead { to: of.clone(), up_to: message },
        Command::Mute { of, until_ms: None },
        Command::Star { message, on: false },
    ];
    let added = |world: &World, who: usize| {
        world.people[who].events.iter().filter(|event| matches!(event, Event::MessageAdded { .. })).count()
    };
    let before = (added(&world, 0), added(&world, laptop));
    for (round, change) in changes.iter().enumerate() {
        let (from, to) = if round % 2 == 0 { (0, laptop) } else { (laptop, 0) };
        let was = shown(&mut world, to);
        world.must(from, change);
        world.settle();
        let now = shown(&mut world, to);
        assert_eq!(now, shown(&mut world, from), "{change:?}");
        assert_ne!(now, was, "{change:?}");
    }
    assert_eq!((added(&world, 0), added(&world, laptop)), before);
}

#[test]
fn of_two_changes_made_apart_the_later_one_counts_on_both() {
    let (mut world, laptop, conversation) = two_devices();
    let of = Peer::Conversation(conversation);
    world.set_online(0, false);
    world.must(0, &Command::Mute { of: of.clone(), until_ms: Some(FOR_EVER_MS) });
    world.pass(5_000);
    world.must(laptop, &Command::Mute { of, until_ms: Some(world.now_ms + 3_600_000) });
    world.settle();
    world.set_online(0, true);
    world.settle();
    let muted = [0, laptop].map(|who| world.conversations(who).iter().find_map(|row| row.muted_until_ms));
    assert!(muted[0].is_some_and(|until_ms| until_ms < FOR_EVER_MS) && muted[0] == muted[1], "{muted:?}");
}

#[test]
fn who_has_one_device_tells_nobody() {
    let mut world = World::signed_in(2);
    world.say(0, 1, "hello");
    world.settle();
    let conversation = world.conversation(1).conversation;
    let sent = |world: &World| world.server.logs.len();
    let before = sent(&world);
    world.must(0, &Command::Mute { of: Peer::Conversation(conversation), until_ms: Some(FOR_EVER_MS) });
    world.settle();
    assert_eq!(sent(&world), before);
}
