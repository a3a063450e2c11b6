//! Who is seen to be there; and that nobody is who was killed, or whose server was.

use crate::agent::Agent;
use crate::terminal::Terminal;
use crate::world::{ANNA, BRAM, World, until};
use serde_json::json;

fn chat(world: &World, who: &str, with: &str) -> Terminal {
    Terminal::start(world, 24, 80, &["--as", who, "chat", with])
}

/// Two people with a conversation.
fn talked() -> World {
    let world = World::with_two();
    world.ok(ANNA, &["send", BRAM, "hello", "--wait", "sent"]);
    world
}

#[test]
fn two_who_look_see_each_other_online() {
    let world = talked();
    let mut anna = chat(&world, ANNA, BRAM);
    let mut bram = chat(&world, BRAM, ANNA);
    anna.shows("· online ·");
    bram.shows("· online ·");
    anna.type_in("\u{3}");
    assert_eq!(anna.wait(), Some(0));
    bram.shows("last seen");
    // Who only runs commands is not looking.
    world.ok(ANNA, &["history", BRAM]);
    assert!(bram.shown().contains("last seen"), "{}", bram.shown());
    let anna = chat(&world, ANNA, BRAM);
    bram.shows("· online ·");
    // The terminal says that the person looks elsewhere.
    bram.type_in("\u{1b}[O");
    anna.shows("last seen");
    bram.type_in("\u{1b}[I");
    anna.shows("· online ·");
}

#[test]
fn who_is_killed_is_not_online() {
    let mut world = talked();
    let anna = chat(&world, ANNA, BRAM);
    let bram = chat(&world, BRAM, ANNA);
    bram.shows("· online ·");
    // SIGKILL.
    drop(anna);
    bram.shows("last seen");

    // A window beside a process that holds the account: that one lives on and says nothing.
    let holder = world.listen(ANNA);
    let anna = chat(&world, ANNA, BRAM);
    bram.shows("· online ·");
    drop(anna);
    bram.shows("last seen");
    assert_eq!(holder.stop().code, Some(0));

    // The server is killed: nobody knows anything, and afterwards only who is there says so.
    let anna = chat(&world, ANNA, BRAM);
    bram.shows("· online ·");
    world.kill_server();
    bram.shows("no connection");
    assert!(!bram.shown().contains("online") && !bram.shown().contains("last seen"), "{}", bram.shown());
    world.start_server();
    bram.shows("· online ·");
    world.kill_server();
    drop(anna);
    world.start_server();
    bram.shows("last seen");
}

#[test]
fn nobody_sees_what_is_not_shared() {
    let world = talked();
    assert!(world.ok(ANNA, &["privacy"]).contains("Online and last seen   everyone"));
    let anna = chat(&world, ANNA, BRAM);
    let bram = chat(&world, BRAM, ANNA);
    anna.shows("· online ·");
    bram.shows("· online ·");
    let shown = world.json(ANNA, &["privacy", "--last-seen", "nobody"]);
    assert_eq!((&shown[0]["last_seen"], &shown[0]["read_receipts"]), (&json!("nobody"), &json!(true)));
    for terminal in [&anna, &bram] {
        until("it is not shown any more", || !terminal.shown().contains("online"));
        assert!(!terminal.shown().contains("last seen"));
    }
    let agent = Agent::start(&world, BRAM);
    let presence = format!("/v1/people/{ANNA}/presence");
    assert_eq!(agent.ask("GET", &presence, None).json(), json!({ "online": false, "last_seen": null }));
    // Contacts are the people in the address book.
    world.ok(ANNA, &["contacts", "add", BRAM, "Bram"]);
    world.ok(ANNA, &["privacy", "--last-seen", "contacts"]);
    bram.shows("· online ·");
    assert_eq!(agent.ask("GET", &presence, None).json()["online"], true);
    let changed = agent.ask("PATCH", "/v1/privacy", Some(json!({ "last_seen": "nobody", "read_receipts": false })));
    let changed = changed.json();
    assert_eq!((&changed["last_seen"], &changed["read_receipts"]), (&json!("nobody"), &json!(false)));
    assert_eq!(agent.ask("GET", "/v1/privacy", None).json()["last_seen"], "nobody");
    assert_eq!(agent.ask("GET", &presence, None).json()["online"], false, "it is mutual");
}

#[test]
fn without_read_receipts_nobody_sees_what_was_read_but_ones_own_count_goes_down() {
    let world = talked();
    world.ok(BRAM, &["privacy", "--read-receipts", "off"]);
    let anna = world.listen(ANNA);
    world.ok(BRAM, &["history", ANNA, "--mark-read"]);
    assert_eq!(world.json(BRAM, &["list"])[0]["unread"], 0);
    world.ok(BRAM, &["send", ANNA, "seen", "--wait", "delivered"]);
    anna.message("message", "seen");
    world.ok(ANNA, &["history", BRAM, "--mark-read"]);
    let ticks = |who, with| world.json(who, &["history", with])[0]["tick"].clone();
    assert_eq!(ticks(ANNA, BRAM), "delivered");
    assert_eq!(world.json(BRAM, &["history", ANNA])[1]["tick"], "delivered", "one does not see theirs either");
    // Switched on again, what is read from then on shows.
    world.ok(BRAM, &["privacy", "--read-receipts", "on"]);
    world.ok(ANNA, &["send", BRAM, "and now?", "--wait", "sent"]);
    world.ok(BRAM, &["history", ANNA, "--mark-read"]);
    until("Anna sees it", || ticks(ANNA, BRAM) == "read");
    world.ok(BRAM, &["send", ANNA, "seen again", "--wait", "delivered"]);
    world.ok(ANNA, &["history", BRAM, "--mark-read"]);
    until("Bram sees it", || world.json(BRAM, &["history", ANNA])[1]["tick"] == "read");
}
