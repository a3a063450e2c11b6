//! What this device has told the server of itself, and when it may forget about it.

use super::world::World;
use crate::Command;
use crate::view::Tick;
use rusqlite::OptionalExtension;
use tidings_proto::id::{ConversationId, MessageId};

/// Person 1 has just marked the first message of person 0 as read, and the server says that it has heard of it.
fn read_and_heard() -> (World, ConversationId, MessageId) {
    let mut world = World::signed_in(2);
    let hello = world.say(0, 1, "hello");
    world.settle();
    world.must(1, &Command::MarkRead { to: world.peer(0), up_to: hello });
    // Asks at once whether the line lives.
    world.set_online(1, true);
    world.settle();
    let conversation = world.conversation(1).conversation;
    assert_eq!(world.tick_of(0, hello), Some(Tick::Read));
    (world, conversation, hello)
}

/// What person 1 takes for written.
fn written(world: &World, conversation: ConversationId) -> Option<u64> {
    let client = world.people[1].client.as_ref().unwrap();
    let own = client.memory.me.as_ref().unwrap().sender.account;
    let sql = "SELECT read FROM watermark WHERE conversation = ?1 AND account = ?2";
    let keys = [conversation.as_bytes().as_slice(), own.as_bytes().as_slice()];
    client.db.connection().query_row(sql, keys, |row| row.get(0)).optional().unwrap()
}

#[test]
fn what_the_server_lost_in_a_crash_after_it_had_heard_it_is_told_again() {
    // Whether or not the next plan shows the loss.
    for shows in [true, false] {
        let (mut world, conversation, hello) = read_and_heard();
        let account = world.server.accounts[&world.people[1].phone];
        let log = world.server.logs.get_mut(&conversation.into()).unwrap();
        let (mark, moved_ms) = log.watermarks.get_mut(&account).unwrap();
        mark.read = 0;
        *moved_ms = if shows { world.now_ms } else { 0 };
        world.cut(1);
        world.settle();
        let read = world.server.logs[&conversation.into()].watermarks[&account].0.read;
        assert!(read > 0, "shown: {shows}");
        assert_eq!(world.tick_of(0, hello), Some(Tick::Read));
    }
}

#[test]
fn what_the_server_outlived_is_known() {
    let (mut world, conversation, _) = read_and_heard();
    assert_eq!(written(&world, conversation).unwrap_or(0), 0);
    world.pass(120_000);
    assert!(written(&world, conversation) > Some(0));
}
