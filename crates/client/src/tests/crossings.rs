//! Things that cross on the way: somebody goes while another adds them, or is told of something that was said before.

use super::world::World;
use crate::db::Db;
use crate::view::Tick;
use crate::{ClientError, Command, Peer};
use tidings_proto::id::ConversationId;

fn to(group: ConversationId) -> Peer {
    Peer::Conversation(group)
}

impl World {
    /// Those of which the device keeps anything at all.
    fn known_conversations(&self, who: usize) -> u32 {
        let connection = self.people[who].client.as_ref().unwrap().db.connection();
        connection.query_row("SELECT count(*) FROM conversation", [], |row| row.get(0)).unwrap()
    }
}

/// Until this person has asked the server for something like this.
fn until_asked(world: &mut World, who: usize, what: &str) {
    while !world.people[who].requests.iter().any(|request| request.contains(what)) {
        assert!(world.step(), "nothing is asked any more");
    }
}

/// The only device of this person is lost, and another one logs in on the number once the others have noticed.
fn replace_device(world: &mut World, who: usize) -> usize {
    let device = world.server.of_account(world.account(who))[0];
    world.server.devices.get_mut(&device).unwrap().out = true;
    world.set_online(who, false);
    world.pass(10_000);
    let new = world.add(world.people[who].phone.clone(), Db::open_memory().unwrap());
    world.login(new);
    new
}

#[test]
fn a_device_that_goes_while_one_writes_to_it_for_the_first_time_does_not_stand_in_the_way() {
    let mut world = World::signed_in(2);
    world.people[0].requests.clear();
    let to = world.peer(1);
    world.command(0, Command::text(to, "hello", None));
    until_asked(&mut world, 0, "/key-packages/claim");
    let new = replace_device(&mut world, 1);
    world.settle();
    assert_eq!(world.shown(new), ["hello"]);
}

#[test]
fn a_device_that_goes_while_it_is_added_to_a_group_does_not_stand_in_the_way() {
    let mut world = World::signed_in(4);
    let group = world.make_group(&[1]);
    world.people[0].requests.clear();
    let members = vec![world.peer(2), world.peer(3)];
    let add = world.command(0, Command::AddMembers { group: to(group), members });
    until_asked(&mut world, 0, "/key-packages/claim");
    let new = replace_device(&mut world, 2);
    world.settle();
    let reply = world.people[0].replies.remove(&add).unwrap();
    assert!(!matches!(reply, Err(ClientError::Offline)), "{reply:?}");
    assert_eq!(world.group(3, group).members.len() + usize::from(reply.is_err()), 4);
    // Who could not be added then can be now.
    world.must(0, &Command::AddMembers { group: to(group), members: vec![world.peer(2)] });
    world.settle();
    assert_eq!(world.group(new, group).members.len(), 4);
}

/// Who comes by a link learns only by asking that somebody left before; what they say at once is refused until then.
#[test]
fn who_comes_by_a_link_and_speaks_before_knowing_who_left_misses_nothing() {
    let mut world = World::signed_in(3);
    let group = world.make_group(&[1]);
    let (token, _) = world.invite(group, false);
    world.set_online(0, false);
    world.must(1, &Command::Leave { group: to(group) });
    world.settle();
    world.lost_paths = vec!["/leave"];
    world.must(2, &Command::JoinByInvite { token });
    world.lost_paths.push("/group-info");
    let hello = world.tell(2, group, "hello");
    world.drain();
    world.set_online(2, false);
    world.lost_paths.clear();
    world.set_online(0, true);
    world.settle();
    world.tell(0, group, "said meanwhile");
    world.settle();
    world.set_online(2, true);
    world.settle();
    assert_eq!(world.tick_of(2, hello), Some(Tick::Delivered));
    for who in [0, 2] {
        let seen = world.seen(who, group);
        assert!(["hello", "said meanwhile"].iter().all(|text| seen.iter().any(|line| line == text)), "{who}: {seen:?}");
    }
}

#[test]
fn what_is_asked_of_a_group_that_one_does_not_come_into_is_answered() {
    let mut world = World::signed_in(4);
    let group = world.make_group(&[1, 2]);
    let (token, _) = world.invite(group, false);
    world.people[3].requests.clear();
    let join = world.command(3, Command::JoinByInvite { token });
    until_asked(&mut world, 3, "/join");
    // It is in the list already, and the server has not let this person in.
    while world.known_conversations(3) == 0 {
        assert!(world.step(), "it is never shown");
    }
    let add = world.command(3, Command::AddMembers { group: to(group), members: vec![world.peer(0)] });
    world.must(0, &Command::Ban { group: to(group), who: world.peer(3), on: true });
    world.settle();
    for call in [join, add] {
        let reply = world.people[3].replies.remove(&call);
        assert!(matches!(reply, Some(Err(_))), "{reply:?}");
    }
    assert_eq!(world.known_conversations(3), 0, "it never came to be");
}
