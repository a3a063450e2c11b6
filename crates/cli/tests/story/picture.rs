//! The picture of the chat in the README: two terminals as the real program drew them. `scripts/picture.sh` makes it
//! again; only the times in it differ then.

use crate::svg;
use crate::terminal::Terminal;
use crate::world::{ANNA, BRAM, World};
use std::path::PathBuf;

/// Where the picture goes; without it, it is only looked at.
const PLACE: &str = "TIDINGS_PICTURE";
const ROWS: u16 = 14;
const COLUMNS: u16 = 64;

#[test]
fn a_picture_shows_both_sides_of_a_chat() {
    let world = World::start();
    world.register_with(ANNA, &["--name", "Anna"]);
    world.register_with(BRAM, &["--name", "Bram"]);
    let mut anna = Terminal::start(&world, ROWS, COLUMNS, &["chat", BRAM]);
    let mut bram = Terminal::start(&world, ROWS, COLUMNS, &["chat", ANNA]);
    anna.shows("connected");
    bram.shows("connected");
    // The numbers stand at the left of the messages.
    let number = || world.json(ANNA, &["history", BRAM]).last().expect("it was said")["number"].to_string();

    anna.type_in("Hi Bram! Are you coming tonight?\r");
    bram.shows("coming tonight?");
    bram.type_in("Of course. Shall I bring the cake?\r");
    anna.shows("bring the cake?");
    let cake = number();
    anna.type_in(&format!("/reply {cake} Please do, and candles. 🕯️\r"));
    bram.shows("and candles.");
    let candles = number();
    anna.type_in(&format!("/react {cake} 🎂\r"));
    bram.shows("🎂");
    bram.type_in(&format!("/react {candles} 👍\r"));
    anna.shows("👍");
    anna.type_in("Only the two of us can read this.\r");
    bram.shows("Only the two of us");
    anna.shows("can read this. ✓✓");
    bram.type_in("That is the id");
    bram.shows("That is the id");
    anna.shows("writes…");

    let sides = [("Anna", anna.screen()), ("Bram", bram.screen())];
    let drawn = svg::draw(&sides.each_ref().map(|(title, screen)| (*title, screen)));
    for part in ["candles", "🎂", "👍", "✓✓", "writes…", "That is the id"] {
        assert!(drawn.contains(part), "{part} is missing:\n{}", anna.shown());
    }
    if let Some(place) = std::env::var_os(PLACE) {
        std::fs::write(PathBuf::from(place), drawn).expect("the picture can be written");
    }
}
