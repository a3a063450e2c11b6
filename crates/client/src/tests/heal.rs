//! What goes wrong at the server or in the database, and how far it heals.

use super::world::{World, is_new_number};
use crate::view::{Body, Notice, Tick};
use crate::{Command, Reply};
use tidings_proto::entry::{Body as EntryBody, Sender};
use tidings_proto::frame::ServerFrame;
use tidings_proto::id::{ConversationId, DeviceId, LogId, MessageId};

fn talking() -> (World, ConversationId) {
    let mut world = World::signed_in(2);
    world.say(0, 1, "hello");
    world.settle();
    let conversation = world.conversation(0).conversation;
    (world, conversation)
}

fn bodies(world: &mut World, who: usize) -> Vec<Body> {
    let conversation = world.conversation(who).conversation;
    world.messages(who, conversation).into_iter().map(|message| message.body).collect()
}

/// The device has lost its MLS state, and nothing else.
fn lose_keys(world: &mut World, who: usize) {
    world.sql(who, "DELETE FROM mls_state WHERE group_id <> x''; DELETE FROM mls_group;");
}

#[test]
fn a_device_without_its_keys_rejoins_and_goes_on_in_both_directions() {
    let (mut world, conversation) = talking();
    lose_keys(&mut world, 1);
    world.say(0, 1, "cannot be read");
    world.settle();
    assert!(matches!(bodies(&mut world, 1)[1], Body::Unreadable { .. }));
    world.say(0, 1, "can be read");
    let back = world.say(1, 0, "me too");
    world.settle();
    assert_eq!(world.shown(1)[2..], ["can be read", "me too"]);
    assert_eq!(world.shown(0), ["hello", "cannot be read", "can be read", "me too"]);
    assert_eq!(world.tick_of(1, back), Some(Tick::Delivered));
    assert!(!bodies(&mut world, 0).iter().any(is_new_number), "it is the same person");
    assert_eq!(world.server.logs[&conversation.into()].epoch, 2);
}

#[test]
fn a_sender_without_its_keys_rejoins_first() {
    let (mut world, _) = talking();
    lose_keys(&mut world, 0);
    world.say(0, 1, "after the loss");
    world.settle();
    assert_eq!(world.shown(1), ["hello", "after the loss"]);
}

#[test]
fn both_lose_their_keys_and_meet_again() {
    let (mut world, _) = talking();
    lose_keys(&mut world, 0);
    lose_keys(&mut world, 1);
    world.say(0, 1, "one");
    world.say(1, 0, "two");
    world.settle();
    world.say(0, 1, "three");
    world.settle();
    assert_eq!(world.shown(0).last().unwrap(), "three");
    assert_eq!(world.shown(1).last().unwrap(), "three");
}

#[test]
fn what_was_encrypted_for_an_older_epoch_is_encrypted_anew() {
    let (mut world, _) = talking();
    world.set_online(0, false);
    let waits = world.say(0, 1, "from the old epoch");
    // Meanwhile the other device rejoins: the epoch moves.
    lose_keys(&mut world, 1);
    world.say(1, 0, "moves the epoch");
    world.run(|world| world.server.logs.values().any(|log| log.epoch == 2));
    world.set_online(0, true);
    world.settle();
    assert_eq!(world.shown(1), ["hello", "moves the epoch", "from the old epoch"]);
    assert_eq!(world.tick_of(0, waits), Some(Tick::Delivered));
}

#[test]
fn an_append_that_crosses_a_commit_is_sent_again_under_the_same_id() {
    let (mut world, conversation) = talking();
    lose_keys(&mut world, 1);
    world.say(1, 0, "moves the epoch");
    // The commit is at the server, and its entry is still on its way when the append goes out.
    while world.server.logs[&conversation.into()].epoch < 2 {
        if !world.step() {
            world.sleep();
        }
    }
    let to = world.peer(1);
    let send = Command::text(to, "crosses", None);
    let id = world.command(0, send);
    world.run(|world| world.people[0].replies.contains_key(&id));
    let Some(Ok(Reply::Queued { message, .. })) = world.people[0].replies.get(&id).cloned() else { panic!() };
    world.settle();
    let log = &world.server.logs[&conversation.into()];
    let copies = log.entries.iter().flatten().filter(|entry| entry.message_id == message).count();
    assert_eq!(copies, 1);
    assert_eq!(world.shown(1).iter().filter(|line| *line == "crosses").count(), 1);
}

#[test]
fn what_expired_is_shown_as_missing_and_the_rest_is_read() {
    let (mut world, conversation) = talking();
    world.set_online(1, false);
    for text in ["gone 1", "gone 2", "kept"] {
        world.say(0, 1, text);
    }
    world.run(|world| world.server.logs[&conversation.into()].head() == 6);
    let log = world.server.logs.get_mut(&conversation.into()).unwrap();
    log.entries[..5].iter_mut().for_each(|entry| *entry = None);
    world.set_online(1, true);
    world.settle();
    let missing = Body::Notice { notice: Notice::HistoryMissing };
    let text = |text: &str| Body::Text { text: text.into() };
    assert_eq!(bodies(&mut world, 1), [text("hello"), missing, text("kept")]);
}

#[test]
fn an_epoch_that_expired_is_left_behind_by_rejoining() {
    let (mut world, conversation) = talking();
    world.set_online(1, false);
    lose_keys(&mut world, 0);
    world.say(0, 1, "in the new epoch");
    world.run(|world| world.server.logs[&conversation.into()].epoch == 2);
    world.run(|world| world.server.out.is_empty());
    let log = world.server.logs.get_mut(&conversation.into()).unwrap();
    log.entries.iter_mut().for_each(|entry| *entry = None);
    world.set_online(1, true);
    world.settle();
    world.say(1, 0, "here again");
    world.settle();
    world.say(0, 1, "welcome back");
    world.settle();
    let shown = world.shown(1);
    assert_eq!(shown[shown.len() - 2..], ["here again", "welcome back"]);
    assert!(bodies(&mut world, 1).contains(&Body::Notice { notice: Notice::HistoryMissing }));
    assert_eq!(world.shown(0), ["hello", "in the new epoch", "here again", "welcome back"]);
}

#[test]
fn rubbish_in_the_log_is_shown_as_unreadable_and_blocks_nothing() {
    let (mut world, conversation) = talking();
    let log = world.server.logs.get_mut(&LogId::from(conversation)).unwrap();
    let mut entry = log.entries[2].clone().unwrap();
    entry.seq = 4;
    entry.message_id = MessageId::new(1, [1; 10]);
    entry.body = EntryBody::Message { payload: b"rubbish".to_vec().into(), silent: false };
    log.entries.push(Some(entry.clone()));
    world.run(|_| true);
    let connection = world.people[1].connection.unwrap();
    world.server.out.push_back((connection, ServerFrame::Entry(entry)));
    world.drain();
    world.say(0, 1, "goes on");
    world.settle();
    let bodies = bodies(&mut world, 1);
    assert!(
        matches!(&bodies[..], [_, Body::Unreadable { .. }, Body::Text { text }] if text == "goes on"),
        "{bodies:?}"
    );
}

#[test]
fn a_message_that_the_server_gives_another_sender_or_id_is_not_believed() {
    let (mut world, conversation) = talking();
    world.set_online(1, false);
    world.say(0, 1, "one");
    world.say(0, 1, "two");
    world.run(|world| world.server.logs[&conversation.into()].head() == 5);
    let log = world.server.logs.get_mut(&LogId::from(conversation)).unwrap();
    let one = log.entries[3].as_mut().unwrap();
    one.sender = Sender { account: one.sender.account, device: DeviceId::from_bytes([9; 16]) };
    log.entries[4].as_mut().unwrap().message_id = MessageId::new(5, [5; 10]);
    world.set_online(1, true);
    world.settle();
    let bodies = bodies(&mut world, 1);
    assert!(bodies[1..].iter().all(|body| matches!(body, Body::Unreadable { .. })), "{bodies:?}");
}

#[test]
fn a_server_that_was_restored_from_an_older_copy_gets_back_what_it_lost() {
    let (mut world, conversation) = talking();
    world.say(0, 1, "lost at the server");
    world.settle();
    let log = world.server.logs.get_mut(&LogId::from(conversation)).unwrap();
    let lost = log.entries.pop().unwrap().unwrap();
    log.sent.remove(&(lost.message_id, lost.sender.device));
    for device in world.server.devices.values_mut() {
        device.cursors.clear();
    }
    // Whose message it was comes back before the log has grown over it again.
    world.set_online(1, false);
    world.cut(0);
    world.drain();
    world.settle();
    world.set_online(1, true);
    world.settle();
    world.say(1, 0, "and on");
    world.settle();
    let entries = &world.server.logs[&conversation.into()].entries;
    assert!(entries.iter().flatten().any(|entry| entry.message_id == lost.message_id), "it was sent again");
    assert_eq!(world.shown(0).last().unwrap(), "and on");
    assert_eq!(world.shown(1).last().unwrap(), "and on");
}

#[test]
fn a_live_entry_that_is_lost_on_the_way_is_fetched() {
    let (mut world, _) = talking();
    world.say(0, 1, "lost on the way");
    let connection = world.people[1].connection.unwrap();
    world.server.out.retain(|(to, frame)| *to != connection || !matches!(frame, ServerFrame::Entry(_)));
    world.say(0, 1, "shows the gap");
    world.settle();
    assert_eq!(world.shown(1), ["hello", "lost on the way", "shows the gap"]);
}

#[test]
fn a_moved_frame_is_followed_by_reading() {
    let (mut world, conversation) = talking();
    let connection = world.people[1].connection.unwrap();
    let to = world.peer(1);
    world.command(0, Command::text(to, "kept back", None));
    for _ in 0..20 {
        world.server.out.retain(|(to, frame)| *to != connection || !matches!(frame, ServerFrame::Entry(_)));
        world.step();
    }
    assert_eq!(world.shown(1), ["hello"]);
    let moved = ServerFrame::Moved { log: conversation.into(), head: 4 };
    world.server.out.push_back((connection, moved));
    world.settle();
    assert_eq!(world.shown(1), ["hello", "kept back"]);
}
