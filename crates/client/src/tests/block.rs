//! Blocks follow the server's list, whatever gets lost on the way.

use super::world::{Fault, World};
use crate::view::Tick;
use crate::{ClientError, Command, Reply};

fn acquainted() -> World {
    let mut world = World::signed_in(2);
    world.say(0, 1, "hello");
    world.settle();
    world
}

/// The next output of this person that is a request gets lost: before it arrives, or with its answer.
fn lose_the_next_request(world: &mut World, who: usize, fault: Fault) {
    world.people[who].fault = Some((world.people[who].outputs, fault));
}

#[test]
fn changes_go_out_one_after_the_other_in_the_order_in_which_they_were_asked_for() {
    let mut world = acquainted();
    let who = world.peer(0);
    let asked: Vec<_> =
        [Command::Block { who: who.clone() }, Command::Unblock { who: who.clone() }, Command::Block { who }]
            .map(|command| world.command(1, command))
            .into();
    let before = world.people[1].requests.len();
    for _ in &asked {
        world.step();
    }
    assert_eq!(world.people[1].requests.len(), before + 1, "the others wait for the first");
    world.settle();
    let ways: Vec<&str> = world.people[1].requests[before..].iter().map(|line| &line[..3]).collect();
    assert_eq!(ways, ["Put", "Del", "Put"]);
    assert!(asked.iter().all(|id| world.people[1].replies[id] == Ok(Reply::Done)));
    assert!(world.conversation(1).blocked);
    assert_eq!(world.server.blocks.len(), 1);
}

#[test]
fn what_a_lost_answer_said_is_asked_for() {
    for fault in [Fault::CutBefore, Fault::CutAfter] {
        let mut world = acquainted();
        let who = world.peer(0);
        lose_the_next_request(&mut world, 1, fault);
        assert_eq!(world.ask(1, Command::Block { who: who.clone() }), Err(ClientError::Offline));
        world.settle();
        let holds = fault == Fault::CutAfter;
        assert_eq!(world.server.blocks.len() == 1, holds);
        assert_eq!(world.conversation(1).blocked, holds, "{fault:?}");
        world.must(1, &Command::Block { who: who.clone() });
        let kept_back = world.say(0, 1, "anybody there?");
        world.settle();
        assert_eq!(world.tick_of(0, kept_back), Some(Tick::Sent));
        lose_the_next_request(&mut world, 1, fault);
        assert_eq!(world.ask(1, Command::Unblock { who: who.clone() }), Err(ClientError::Offline));
        world.settle();
        assert_eq!(world.conversation(1).blocked, !holds, "{fault:?}");
        assert_eq!(world.shown(1).len(), if holds { 2 } else { 1 });
    }
}

#[test]
fn what_a_crash_swallowed_is_asked_for() {
    for (fault, holds) in [(Fault::CrashBefore, false), (Fault::CrashAfter, true)] {
        let mut world = acquainted();
        let who = world.peer(0);
        world.people[1].fault = Some((world.people[1].outputs, fault));
        world.ask(1, Command::Block { who }).unwrap_err();
        world.settle();
        assert_eq!(world.conversation(1).blocked, holds, "{fault:?}");
        assert_eq!(world.server.blocks.len() == 1, holds);
    }
}

/// Outputs of a new phone, from its credential on, among which is the question whom its person blocks.
const FIRST_OUTPUTS: usize = 6;

#[test]
fn a_new_phone_knows_whom_its_person_blocks_also_if_it_was_cut_off_when_it_asked() {
    let mut before = acquainted();
    before.must(1, &Command::Block { who: before.peer(0) });
    let account = before.server.accounts[&before.people[0].phone];
    let mut asked_again = 0;
    for at in 0..FIRST_OUTPUTS {
        let mut world = before.copy();
        let phone = world.people[1].phone.clone();
        let new = world.add(phone.clone(), crate::db::Db::open_memory().unwrap());
        world.command(
            new,
            Command::Login { phone, code: "000000".into(), device_name: "new".into(), pin: None, forgot_pin: false },
        );
        while !world.people[new].requests.iter().any(|line| line.contains("credential")) {
            assert!(world.step(), "the login goes on");
        }
        world.people[new].fault = Some((world.people[new].outputs + at, Fault::CutAfter));
        world.settle();
        asked_again += world.people[new].requests.iter().filter(|line| line.contains("blocks")).count() - 1;
        let client = world.people[new].client.as_ref().unwrap();
        assert!(crate::contact::find(client.db.connection(), account).unwrap().unwrap().blocked, "cut at {at}");
    }
    assert_eq!(asked_again, 1, "one of them was the question");
}
