//! Two people talk, and everything works.

use super::world::World;
use crate::view::Tick;

#[test]
fn a_first_message_makes_the_conversation_and_ticks_follow() {
    let mut world = World::signed_in(2);
    let hello = world.say(0, 1, "hello");
    world.settle();
    assert_eq!(world.tick_of(0, hello), Some(Tick::Delivered));
    assert_eq!(world.shown(1), ["hello"]);
    let theirs = world.conversation(1);
    assert_eq!((theirs.unread, theirs.phone.as_deref()), (1, Some("+31612345670")));
    world.say(1, 0, "hi");
    world.settle();
    assert_eq!(world.shown(0), ["hello", "hi"]);
    assert_eq!(world.shown(1), ["hello", "hi"]);
}
