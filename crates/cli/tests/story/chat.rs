//! The chat in a terminal, with the other person in another one.

use crate::terminal::Terminal;
use crate::world::{ANNA, BRAM, World, until};

#[test]
fn two_people_chat_in_two_terminals() {
    let world = World::with_two();
    // As the README says: each names only the other.
    let mut anna = Terminal::start(&world, 24, 80, &["chat", BRAM]);
    let mut bram = Terminal::start(&world, 12, 50, &["chat", ANNA]);
    anna.shows("connected");
    bram.shows("connected");

    anna.type_in("hello Bram\r");
    bram.shows("hello Bram");
    anna.shows("You: hello Bram ✓✓");
    bram.type_in("I am writ");
    anna.shows("writes…");
    bram.type_in("ing\r");
    anna.shows("I am writing");

    // The numbers stand at the left of the messages.
    let number = world.json(ANNA, &["history", BRAM])[0]["number"].to_string();
    bram.type_in(&format!("/react {number} 👍\r"));
    anna.shows("👍");
    bram.type_in(&format!("/reply {number} an answer\r"));
    anna.shows("↳ hello Bram");
    anna.type_in(&format!("/edit {number} hello dear Bram\r"));
    bram.shows("(edited)");
    anna.type_in(&format!("/delete {number}\r"));
    bram.shows("deleted");

    anna.type_in("/verify\r");
    anna.shows("Safety number with");
    anna.type_in(" /nonsense\r");
    anna.shows("no such command");
    // The line stays, to be put right.
    anna.type_in("\u{15}/help\r");
    anna.shows("/reply 12 text");
    anna.type_in("q");

    anna.type_in("/quit\r");
    assert_eq!(anna.wait(), Some(0));
    until("the terminal is given back", || !anna.is_taken_over());
    bram.terminate();
    assert_eq!(bram.wait(), Some(0));
    until("the terminal is given back", || !bram.is_taken_over());
}

#[test]
fn a_chat_goes_on_while_the_server_is_away() {
    let mut world = World::with_two();
    world.ok(BRAM, &["send", ANNA, "\u{1b}[2Jevil\u{202e}"]);
    let mut anna = Terminal::start(&world, 24, 80, &["chat", BRAM]);
    anna.shows("␛[2Jevil");
    anna.shows("connected");
    world.kill_server();
    anna.shows("no connection");
    anna.type_in("still here\r");
    anna.shows("still here ◷");
    world.start_server();
    anna.shows("still here ✓");
    let history = world.json(BRAM, &["history", ANNA]);
    assert_eq!(history.last().map(|it| it["text"].clone()), Some("still here".into()));
    anna.shows("still here ✓✓");
    anna.type_in("\u{3}");
    assert_eq!(anna.wait(), Some(0));
}
