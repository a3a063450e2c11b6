//! Who comes into a group anew: what they are told, and what is told of them.

use super::world::World;
use crate::view::{Body, Tick};
use crate::{ClientError, Command, Event, Peer, Reply};
use tidings_proto::group::Who;
use tidings_proto::id::ConversationId;

fn to(group: ConversationId) -> Peer {
    Peer::Conversation(group)
}

fn names(world: &mut World, who: usize, group: ConversationId) -> Vec<String> {
    world.group(who, group).members.into_iter().map(|member| member.title).collect()
}

#[test]
fn who_comes_by_a_link_is_known_by_their_number_before_they_say_anything() {
    let mut world = World::signed_in(3);
    let group = world.make_group(&[1]);
    let (token, _) = world.invite(group, false);
    world.must(2, &Command::JoinByInvite { token });
    world.settle();
    let phone = world.people[2].phone.clone();
    for who in 0..2 {
        assert!(names(&mut world, who, group).contains(&phone), "{who}");
    }
}

#[test]
fn of_a_groups_name_a_newcomer_believes_those_who_may_give_it() {
    let mut world = World::signed_in(3);
    let group = world.make_group(&[1]);
    let rules = Command::SetRules { group: to(group), posting: None, editing: Some(Who::Admins), adding: None };
    world.must(0, &rules);
    let (token, _) = world.invite(group, false);
    world.settle();
    // The admin is away, and the other member calls the group something else.
    world.set_online(0, false);
    world.sql(1, "UPDATE group_profile SET name = 'Enemies'");
    world.must(2, &Command::JoinByInvite { token });
    world.settle();
    world.pass(60_000);
    world.settle();
    assert_eq!(world.group(2, group).name.as_deref(), Some("Enemies"), "better than nothing");
    world.set_online(0, true);
    world.settle();
    world.pass(60_000);
    world.settle();
    assert_eq!(world.group(2, group).name.as_deref(), Some("Friends"));
    assert_eq!(world.group(0, group).name.as_deref(), Some("Friends"));
}

#[test]
fn the_numbers_that_nobody_has_are_named_and_the_others_are_added() {
    let mut world = World::signed_in(3);
    let group = world.make_group(&[1]);
    let nobody = |digit: u8| Peer::Phone(format!("+3161111111{digit}"));
    let members = vec![nobody(1), Peer::Phone(world.people[2].phone.clone()), nobody(2)];
    match world.ask(0, Command::AddMembers { group: to(group), members }) {
        Err(ClientError::NoSuchPerson { phone }) => assert_eq!(phone, "+31611111111, +31611111112"),
        other => panic!("{other:?}"),
    }
    world.settle();
    assert_eq!(world.group(2, group).members.len(), 3);
    // Nobody at all is left: nothing happens.
    let create = Command::CreateGroup { name: "Ghosts".into(), members: vec![nobody(1)] };
    assert!(matches!(world.ask(0, create), Err(ClientError::NoSuchPerson { .. })));
    assert_eq!(world.conversations(0).len(), 1);
}

#[test]
fn caught_up_is_said_once_a_group_that_one_was_added_to_is_there() {
    let mut world = World::signed_in(3);
    world.set_online(2, false);
    let group = world.make_group(&[1, 2]);
    world.tell(0, group, "welcome");
    world.settle();
    world.people[2].events.clear();
    world.set_online(2, true);
    while !world.people[2].events.contains(&Event::CaughtUp) {
        if !world.step() {
            world.sleep();
        }
    }
    assert_eq!(world.seen(2, group).last().unwrap(), "welcome");
    let Reply::Group(group) = world.must(2, &Command::GroupInfo { group: to(group) }) else { panic!("a group") };
    assert!(group.member);
}

#[test]
fn what_a_device_has_of_a_group_stays_when_it_cannot_come_in() {
    let mut world = World::signed_in(2);
    let group = world.make_group(&[1]);
    world.tell(0, group, "hello");
    world.settle();
    world.set_online(1, false);
    // As on a device that was restored from a backup, and has not been in the group.
    world.sql(1, "UPDATE conversation SET joined = 0, epoch = NULL, cursor = 0 WHERE kind = 1");
    world.sql(1, "DELETE FROM mls_state");
    world.sql(1, "DELETE FROM mls_group");
    world.crash(1);
    let late = world.tell(1, group, "too late");
    world.must(0, &Command::RemoveMembers { group: to(group), members: vec![world.peer(1)] });
    world.settle();
    for _ in 0..2 {
        world.set_online(1, true);
        world.settle();
        let seen = world.seen(1, group);
        assert!(seen.contains(&"hello".into()) && seen.contains(&"too late".into()), "{seen:?}");
        assert_eq!(world.tick_of(1, late), Some(Tick::Failed));
        assert_eq!(world.conversations(1).len(), 1);
        world.set_online(1, false);
    }
    let again = Command::text(to(group), "hello?", None);
    assert!(matches!(world.ask(1, again), Err(ClientError::NotAllowed { .. })));
}

#[test]
fn who_is_removed_and_added_again_while_away_reads_all_that_is_said_since() {
    let mut world = World::signed_in(2);
    let group = world.make_group(&[1]);
    world.tell(0, group, "before");
    world.settle();
    world.set_online(1, false);
    let members = vec![world.peer(1)];
    world.must(0, &Command::RemoveMembers { group: to(group), members: members.clone() });
    world.settle();
    world.must(0, &Command::AddMembers { group: to(group), members });
    world.settle();
    for text in ["one", "two", "three"] {
        world.tell(0, group, text);
    }
    world.settle();
    world.set_online(1, true);
    world.settle();
    let shown = world.messages(1, group);
    assert!(!shown.iter().any(|message| matches!(message.body, Body::Unreadable { .. })), "{shown:?}");
    assert!(world.seen(1, group).ends_with(&["one".into(), "two".into(), "three".into()]));
}

#[test]
fn who_is_added_twice_while_away_comes_in_where_there_is_something_to_read() {
    let mut world = World::signed_in(3);
    let group = world.make_group(&[1]);
    world.set_online(2, false);
    let add = Command::AddMembers { group: to(group), members: vec![world.peer(2)] };
    let remove = Command::RemoveMembers { group: to(group), members: vec![world.peer(2)] };
    for (command, text) in [(&add, "the first time"), (&remove, "in between"), (&add, "the second time")] {
        world.must(0, command);
        world.settle();
        world.tell(0, group, text);
        world.settle();
    }
    world.set_online(2, true);
    world.settle();
    // The server keeps nothing for them from before they were removed.
    assert_eq!(world.seen(2, group), ["0 added 2", "the second time"]);
}
