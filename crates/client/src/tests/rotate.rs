//! New keys from time to time, and nobody notices.

use super::world::{Fault, World};
use tidings_proto::entry::Body as EntryBody;
use tidings_proto::id::{ConversationId, DeviceId};

const HOUR_MS: u64 = 60 * 60 * 1_000;
const DAY_MS: u64 = 24 * HOUR_MS;

/// Time passes, and the machines sleep through most of it.
fn pass(world: &mut World, ms: u64) {
    let until_ms = world.now_ms + ms;
    while world.now_ms < until_ms {
        world.now_ms += HOUR_MS;
        world.pass(1_000);
        world.settle();
    }
}

/// Whose device made each commit.
fn committers(world: &World, conversation: ConversationId) -> Vec<DeviceId> {
    let log = &world.server.logs[&conversation.into()];
    let commits = log.entries.iter().flatten().filter(|entry| matches!(entry.body, EntryBody::Commit { .. }));
    commits.map(|entry| entry.sender.device).collect()
}

fn device(world: &World, who: usize) -> DeviceId {
    world.people[who].client.as_ref().unwrap().memory.me.as_ref().unwrap().sender.device
}

#[test]
fn each_device_renews_its_keys_soon_after_joining_and_then_every_month() {
    let mut world = World::signed_in(2);
    world.say(0, 1, "hello");
    world.settle();
    let conversation = world.conversation(0).conversation;
    let (anna, bram) = (device(&world, 0), device(&world, 1));
    assert_eq!(committers(&world, conversation), [anna]);

    pass(&mut world, DAY_MS + 3 * HOUR_MS);
    assert_eq!(committers(&world, conversation), [anna, bram], "his keys lay at the server until he came");

    pass(&mut world, 35 * DAY_MS);
    let renewed = committers(&world, conversation);
    assert_eq!(renewed.len(), 4, "{renewed:?}");
    assert!(renewed[2..].contains(&anna) && renewed[2..].contains(&bram), "{renewed:?}");

    world.say(1, 0, "still here");
    world.say(0, 1, "me too");
    world.settle();
    for who in [0, 1] {
        assert_eq!(world.shown(who), ["hello", "still here", "me too"], "nothing of it is seen");
    }
}

#[test]
fn in_a_group_everybody_does_though_some_lose_the_race() {
    let mut world = World::signed_in(3);
    let group = world.make_group(&[1, 2]);
    // Both have theirs due at the same moment when they come back.
    world.set_online(1, false);
    world.set_online(2, false);
    pass(&mut world, 2 * DAY_MS);
    world.set_online(1, true);
    world.set_online(2, true);
    world.settle();
    pass(&mut world, DAY_MS);
    let committers = committers(&world, group);
    for who in [1, 2] {
        assert!(committers.contains(&device(&world, who)), "{who} did not: {committers:?}");
    }
    world.tell(2, group, "all well");
    world.settle();
    for who in 0..3 {
        assert_eq!(world.seen(who, group).last().unwrap(), "all well");
    }
}

#[test]
fn a_crash_between_making_the_commit_and_hearing_of_it_loses_nothing() {
    let mut world = World::signed_in(2);
    world.say(0, 1, "hello");
    world.settle();
    let conversation = world.conversation(0).conversation;
    // The moment at which it is due.
    let bram = world.people[1].client.as_ref().unwrap();
    let due = "SELECT next_try_ms FROM job WHERE kind = 'rotate'";
    let due_ms: u64 = bram.db.connection().query_row(due, [], |row| row.get(0)).unwrap();
    let mut after = world.copy();
    after.now_ms = due_ms;
    after.settle();
    assert_eq!(after.server.logs[&conversation.into()].epoch, 2);
    let outputs = after.people[1].outputs;
    assert!(outputs > 1, "at least a commit and a cursor");
    for at in 0..outputs {
        for fault in [Fault::CrashBefore, Fault::CrashAfter] {
            let mut world = world.copy();
            world.now_ms = due_ms;
            world.people[1].fault = Some((at, fault));
            pass(&mut world, 7 * HOUR_MS);
            world.say(0, 1, "are you there?");
            world.settle();
            assert_eq!(world.shown(1), ["hello", "are you there?"], "{fault:?} at output {at}");
            assert!(world.server.logs[&conversation.into()].epoch >= 2, "{fault:?} at output {at}");
        }
    }
}
