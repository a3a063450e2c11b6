//! Every output of a story fails once, in every way: the program crashes before or after carrying it out, or the
//! network fails before it arrives or before its answer comes back. Each time the story must end the same.

use super::world::{Fault, World};
use crate::Command;
use crate::view::Tick;
use std::sync::LazyLock;

pub const FAULTS: [Fault; 4] = [Fault::CrashBefore, Fault::CrashAfter, Fault::CutBefore, Fault::CutAfter];

/// A story with fewer outputs is none.
pub const OUTPUTS_MIN: usize = 20;

/// Two people who do not know each other yet. Made once: key packages take their time.
struct Strangers(std::sync::Mutex<World>);

static STRANGERS: LazyLock<Strangers> = LazyLock::new(|| Strangers(std::sync::Mutex::new(World::signed_in(2))));

fn strangers() -> World {
    STRANGERS.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).copy()
}

/// Plays the story with each fault at each output of this person, until it ends without reaching the fault.
fn every_fault(who: usize, story: impl Fn(&mut World)) {
    for fault in FAULTS {
        for at in 0.. {
            let mut world = strangers();
            world.people[who].fault = Some((at, fault));
            let told = format!("{fault:?} at output {at} of person {who}");
            let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| story(&mut world)));
            assert!(result.is_ok(), "the story fails with {told}");
            if world.people[who].outputs <= at {
                assert!(at > OUTPUTS_MIN, "only {at} outputs could fail");
                break;
            }
        }
    }
}

fn first_message(world: &mut World) {
    let hello = world.say(0, 1, "hello");
    world.settle();
    world.must(1, &Command::MarkRead { to: world.peer(0), up_to: hello });
    let answer = world.say(1, 0, "hi");
    world.settle();
    for who in [0, 1] {
        assert_eq!(world.shown(who), ["hello", "hi"], "on the device of {who}");
    }
    assert_eq!(world.tick_of(0, hello), Some(Tick::Read));
    assert_eq!(world.tick_of(1, answer), Some(Tick::Delivered));
    assert_eq!(world.conversation(1).unread, 0);
    assert_eq!(world.conversation(0).unread, 1);
    assert_eq!(world.conversation(1).phone.as_deref(), Some("+31612345670"));
}

#[test]
fn a_first_message_and_its_answer_survive_every_fault_of_the_first() {
    every_fault(0, first_message);
}

#[test]
fn a_first_message_and_its_answer_survive_every_fault_of_the_second() {
    every_fault(1, first_message);
}

fn both_at_once(world: &mut World) {
    for (who, to) in [(0, 1), (1, 0)] {
        let to = world.peer(to);
        world.must(who, &Command::Resolve { who: to });
    }
    for (who, to) in [(0, 1), (1, 0)] {
        let to = world.peer(to);
        world.command(who, Command::text(to, format!("from {who}"), None));
    }
    world.settle();
    // What a crash swallowed before it was stored is said again; what was stored must not be.
    for (who, to) in [(0, 1), (1, 0)] {
        world.say_once(who, to, &format!("from {who}"));
    }
    world.settle();
    let shown = world.shown(0);
    assert_eq!(shown, world.shown(1));
    assert_eq!(shown.len(), 2, "{shown:?}");
    assert_eq!(world.server.logs.values().filter(|log| !log.members.is_empty()).count(), 1);
}

#[test]
fn both_at_once_survive_every_fault_of_one() {
    every_fault(0, both_at_once);
}

fn rejoin(world: &mut World) {
    world.say(0, 1, "hello");
    world.settle();
    world.sql(1, "DELETE FROM mls_state WHERE group_id <> x''; DELETE FROM mls_group;");
    world.say(1, 0, "after the loss");
    world.settle();
    world.say(0, 1, "goes on");
    world.settle();
    assert_eq!(world.shown(0), ["hello", "after the loss", "goes on"]);
    assert_eq!(world.shown(1), ["hello", "after the loss", "goes on"]);
}

#[test]
fn rejoining_survives_every_fault_of_the_one_who_rejoins() {
    every_fault(1, rejoin);
}

fn changes(world: &mut World) {
    let message = world.say(0, 1, "text");
    world.settle();
    let (to_0, to_1) = (world.peer(0), world.peer(1));
    world.must(0, &Command::Edit { to: to_1, message, text: "edited".into() });
    world.must(1, &Command::React { to: to_0, message, emoji: Some("👍".into()) });
    world.settle();
    for who in [0, 1] {
        assert_eq!(world.shown(who), ["edited (edited) [👍]"]);
    }
}

#[test]
fn edits_and_reactions_survive_every_fault_of_their_sender() {
    every_fault(0, changes);
}
