//! A database that was put back: nothing is encrypted with its state, and everything goes on.

use super::world::World;
use crate::command::{Command, Peer};
use crate::view::Tick;
use tidings_proto::entry::{Body as EntryBody, Entry};

fn entries(world: &World) -> Vec<Entry> {
    world.server.logs.values().flat_map(|log| log.entries.iter().flatten().cloned()).collect()
}

fn commits(world: &World) -> usize {
    entries(world).iter().filter(|entry| matches!(entry.body, EntryBody::Commit { .. })).count()
}

#[test]
fn an_old_copy_joins_anew_before_it_says_anything() {
    let mut world = World::signed_in(2);
    world.say(0, 1, "hello");
    world.say(1, 0, "hi");
    world.settle();
    let old = world.snapshot(0);
    world.say(0, 1, "forgotten by its author");
    world.say(1, 0, "still to be had");
    world.settle();
    let before = commits(&world);
    let epoch = world.server.logs.values().map(|log| log.epoch).max().unwrap();

    world.put_back(0, old);
    // Asked before the first connection: what waits must not go out with the old state.
    let waits = world.say(0, 1, "after the old copy");
    world.settle();
    assert!(commits(&world) > before, "the group was joined anew");
    let said = entries(&world);
    let after = said.iter().rfind(|entry| entry.message_id == waits).unwrap();
    assert!(after.epoch > epoch, "encrypted in a new epoch");
    assert_eq!(world.tick_of(0, waits), Some(Tick::Delivered));
    world.say(1, 0, "I hear you");
    world.settle();
    assert_eq!(
        world.shown(1),
        ["hello", "hi", "forgotten by its author", "still to be had", "after the old copy", "I hear you"]
    );
    let own = world.shown(0);
    assert_eq!(own.iter().filter(|text| *text == "still to be had").count(), 1, "{own:?}");
    assert_eq!(own.last().unwrap(), "I hear you");
    assert_eq!(own.len(), 6, "{own:?}");
    // And it is over: the next start is an ordinary one.
    let quiet = commits(&world);
    world.crash(0);
    world.say(0, 1, "as ever");
    world.settle();
    assert_eq!(commits(&world), quiet);
}

#[test]
fn nothing_happened_since_the_copy_and_still_no_key_is_used_twice() {
    let mut world = World::signed_in(2);
    world.say(0, 1, "hello");
    world.settle();
    let old = world.snapshot(0);
    // A later state connects, encrypts, and what it sends never reaches the server.
    world.crash(0);
    world.settle();
    let before = commits(&world);
    world.put_back(0, old);
    let waits = world.say(0, 1, "with fresh keys");
    world.settle();
    assert!(commits(&world) > before);
    assert_eq!(world.tick_of(0, waits), Some(Tick::Delivered));
    assert_eq!(world.shown(1), ["hello", "with fresh keys"]);
}

#[test]
fn a_server_that_lost_the_count_is_not_needed() {
    let mut world = World::signed_in(2);
    world.say(0, 1, "hello");
    world.settle();
    let old = world.snapshot(0);
    world.say(0, 1, "unknown to the copy");
    world.settle();
    world.server.devices.values_mut().for_each(|device| {
        device.hellos = 0;
        device.cursors.clear();
    });
    let before = commits(&world);
    world.put_back(0, old);
    let waits = world.say(0, 1, "after it");
    world.settle();
    assert!(commits(&world) > before, "its own entry told it");
    assert_eq!(world.tick_of(0, waits), Some(Tick::Delivered));
    assert_eq!(world.shown(1), ["hello", "unknown to the copy", "after it"]);
}

#[test]
fn what_waited_in_the_copy_and_was_sent_since_is_not_doubled() {
    let mut world = World::signed_in(2);
    world.say(0, 1, "hello");
    world.settle();
    world.set_online(0, false);
    world.say(0, 1, "waits");
    let old = world.snapshot(0);
    world.set_online(0, true);
    world.settle();
    world.put_back(0, old);
    world.settle();
    assert_eq!(world.shown(1), ["hello", "waits"]);
    assert_eq!(world.shown(0), ["hello", "waits"]);
}

#[test]
fn who_came_while_a_copy_forgot_is_waited_for_with_blue_ticks() {
    let mut world = World::signed_in(3);
    let group = world.make_group(&[1]);
    let old = world.snapshot(0);
    // Its own commit, which the copy cannot apply.
    world.must(0, &Command::AddMembers { group: Peer::Conversation(group), members: vec![world.peer(2)] });
    world.settle();
    let said = world.tell(0, group, "forgotten by its author");
    world.settle();
    let read = Command::MarkRead { to: Peer::Conversation(group), up_to: said };
    world.must(1, &read);
    world.settle();
    assert_eq!(world.tick_of(0, said), Some(Tick::Delivered));

    world.put_back(0, old);
    world.settle();
    assert_eq!(world.tick_of(0, said), Some(Tick::Delivered), "person 2 has not seen it");
    world.must(2, &read);
    world.settle();
    assert_eq!(world.tick_of(0, said), Some(Tick::Read));
}

#[test]
fn a_welcome_that_let_a_device_into_a_group_before_lets_it_in_to_read_only() {
    let mut world = World::signed_in(3);
    let old = world.snapshot(1);
    let group = world.make_group(&[1, 2]);
    world.tell(0, group, "hello");
    world.tell(1, group, "forgotten by its author");
    world.settle();
    let epoch = world.server.logs.values().map(|log| log.epoch).max().unwrap();
    // One more connection, so that the server knows at once that the copy is old.
    world.crash(1);
    world.settle();

    world.put_back(1, old);
    world.settle();
    assert!(world.seen(1, group).contains(&"hello".into()), "its key is in the copy");
    let said = world.tell(1, group, "after the old copy");
    world.settle();
    let entry = entries(&world).into_iter().find(|entry| entry.message_id == said).unwrap();
    assert!(entry.epoch > epoch, "encrypted in a new epoch");
    assert!(world.seen(2, group).contains(&"after the old copy".into()));
}

#[test]
fn so_does_one_into_a_direct_conversation() {
    let mut world = World::signed_in(2);
    let old = world.snapshot(1);
    world.say(0, 1, "hello");
    world.settle();
    world.say(1, 0, "forgotten by its author");
    world.settle();
    let epoch = world.server.logs.values().map(|log| log.epoch).max().unwrap();
    // One more connection, so that the server knows at once that the copy is old.
    world.crash(1);
    world.settle();

    world.put_back(1, old);
    world.settle();
    assert!(world.shown(1).contains(&"hello".into()), "its key is in the copy");
    let said = world.say(1, 0, "after the old copy");
    world.settle();
    let entry = entries(&world).into_iter().find(|entry| entry.message_id == said).unwrap();
    assert!(entry.epoch > epoch, "encrypted in a new epoch");
    assert_eq!(world.shown(0), ["hello", "forgotten by its author", "after the old copy"]);
}

#[test]
fn a_commit_that_waits_in_the_copy_and_arrived_long_ago_lets_nobody_say_anything() {
    let mut world = World::signed_in(2);
    let first = world.command(0, Command::text(world.peer(1), "hello", None));
    let waits = |world: &World| {
        let db = &world.people[0].client.as_ref().unwrap().db;
        crate::own_commit::all(db.connection()).unwrap().len() == 1
    };
    while !waits(&world) {
        assert!(world.step(), "nothing happens after {first:?}");
    }
    let old = world.snapshot(0);
    world.settle();
    world.say(0, 1, "forgotten by its author");
    world.settle();
    world.crash(0);
    world.settle();

    world.put_back(0, old);
    world.settle();
    let after = world.say(0, 1, "after the old copy");
    world.settle();
    assert_eq!(world.tick_of(0, after), Some(Tick::Delivered));
    assert_eq!(world.shown(1), ["hello", "forgotten by its author", "after the old copy"]);
}
