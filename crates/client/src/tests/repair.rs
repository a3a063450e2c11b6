//! A commit that only members can see to be bad: the group goes on, with everybody, and nothing is lost.

use super::world::World;
use crate::{Command, Peer};
use tidings_proto::id::ConversationId;

/// Person 0 makes person 1 an admin, by a commit that nobody but 0 can follow.
fn poison(world: &mut World, group: ConversationId) {
    world.server.poison = true;
    let who = world.peer(1);
    world.must(0, &Command::SetAdmin { group: Peer::Conversation(group), who, on: true });
    assert!(!world.server.poison, "a commit was made");
}

fn check(world: &mut World, group: ConversationId, people: usize, last: &[&str]) {
    for who in 0..people {
        let seen = world.seen(who, group);
        assert_eq!(seen[seen.len() - last.len()..], *last, "{who}: {seen:?}");
        let group = world.group(who, group);
        assert_eq!(group.members.len(), people, "{who}");
        assert_eq!(group.members.iter().filter(|member| member.admin).count(), 2, "{who}");
    }
}

#[test]
fn who_is_here_goes_on_and_who_was_away_reads_everything() {
    let mut world = World::signed_in(4);
    let group = world.make_group(&[1, 2, 3]);
    world.tell(0, group, "hello");
    world.settle();
    world.set_online(3, false);
    let before = world.server.logs[&group.into()].epoch;
    poison(&mut world, group);
    // Said before anybody is let in again.
    world.tell(1, group, "one");
    world.tell(2, group, "two");
    world.settle();
    world.tell(0, group, "three");
    world.settle();
    let log = &world.server.logs[&group.into()];
    assert!(log.epoch <= before + 4, "the bad one, who came back, and one for all others: {}", log.epoch - before);
    world.set_online(3, true);
    world.settle();
    world.tell(3, group, "four");
    world.settle();
    let mut seen: Vec<String> = world.seen(3, group);
    let tail = seen.split_off(seen.len() - 4);
    assert_eq!(tail[2..], ["three", "four"]);
    assert!(tail[..2].contains(&"one".to_owned()) && tail[..2].contains(&"two".to_owned()), "{tail:?}");
    let tail: Vec<&str> = tail.iter().map(String::as_str).collect();
    check(&mut world, group, 4, &tail);
}

#[test]
fn who_was_added_while_away_reads_from_there_on_too() {
    let mut world = World::signed_in(3);
    let group = world.make_group(&[1]);
    world.set_online(2, false);
    world.must(0, &Command::AddMembers { group: Peer::Conversation(group), members: vec![world.peer(2)] });
    world.tell(0, group, "since they were added");
    world.settle();
    poison(&mut world, group);
    world.tell(1, group, "since they were let in again");
    world.settle();
    world.set_online(2, true);
    world.settle();
    check(&mut world, group, 3, &["since they were let in again"]);
    assert!(world.seen(2, group).contains(&"since they were added".into()));
}

#[test]
fn it_may_happen_again_and_again() {
    let mut world = World::signed_in(3);
    let group = world.make_group(&[1, 2]);
    for round in 0..3 {
        poison(&mut world, group);
        world.settle();
        let text = format!("round {round}");
        world.tell(2, group, &text);
        world.settle();
        check(&mut world, group, 3, &[&text]);
        let who = world.peer(1);
        world.must(0, &Command::SetAdmin { group: Peer::Conversation(group), who, on: false });
        world.settle();
    }
}
