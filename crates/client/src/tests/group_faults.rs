//! Stories of groups, with each fault at each output of one of them (see `faults`).

use super::faults::{FAULTS, OUTPUTS_MIN};
use super::world::World;
use crate::{Command, Peer, Reply};
use std::sync::LazyLock;
use tidings_proto::id::ConversationId;

/// Three people and a group of two of them. Made once.
struct Group(std::sync::Mutex<(World, ConversationId)>);

static GROUP: LazyLock<Group> = LazyLock::new(|| {
    let mut world = World::signed_in(3);
    let group = world.make_group(&[1]);
    Group(std::sync::Mutex::new((world, group)))
});

fn every_fault(who: usize, story: impl Fn(&mut World, ConversationId)) {
    for fault in FAULTS {
        for at in 0.. {
            let (mut world, group) = {
                let made = GROUP.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                (made.0.copy(), made.1)
            };
            world.people[who].fault = Some((at, fault));
            let told = format!("{fault:?} at output {at} of person {who}");
            let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| story(&mut world, group)));
            assert!(result.is_ok(), "the story fails with {told}");
            if world.people[who].outputs <= at {
                assert!(at > OUTPUTS_MIN, "only {at} outputs could fail");
                break;
            }
        }
    }
}

fn add(world: &mut World, group: ConversationId) {
    let add = Command::AddMembers { group: Peer::Conversation(group), members: vec![world.peer(2)] };
    world.must(0, &add);
    world.settle();
    world.tell_once(0, group, "welcome");
    world.settle();
    world.tell_once(2, group, "thanks");
    world.settle();
    for who in 0..3 {
        assert_eq!(world.group(who, group).members.len(), 3);
        let seen = world.seen(who, group);
        assert_eq!(seen[seen.len() - 2..], ["welcome", "thanks"], "{who}");
    }
    let log = &world.server.logs[&group.into()];
    assert_eq!(log.epoch, 2, "added once");
}

#[test]
fn adding_survives_every_fault_of_who_adds() {
    every_fault(0, add);
}

#[test]
fn adding_survives_every_fault_of_who_is_added() {
    every_fault(2, add);
}

fn come_and_go(world: &mut World, group: ConversationId) {
    let (token, _) = world.invite(group, false);
    assert!(matches!(world.must(2, &Command::JoinByInvite { token }), Reply::Conversation { .. }));
    world.settle();
    world.tell_once(2, group, "in");
    world.settle();
    while world.group(2, group).member {
        let _ = world.ask(2, Command::Leave { group: Peer::Conversation(group) });
        world.settle();
    }
    world.tell_once(1, group, "gone");
    world.settle();
    for who in 0..2 {
        let seen = world.seen(who, group);
        assert_eq!(seen[seen.len() - 3..], ["in", "2 left", "gone"], "{who}");
        assert_eq!(world.group(who, group).members.len(), 2);
    }
    assert_eq!(world.seen(2, group).last().unwrap(), "2 left");
}

#[test]
fn coming_by_a_link_and_leaving_survive_every_fault_of_who_does() {
    every_fault(2, come_and_go);
}
