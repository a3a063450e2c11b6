//! What goes wrong says what, and the way out; 1 for what failed, 2 for what cannot be meant.

use crate::world::{ANNA, BRAM, World};

/// The command fails like this, and says all of that.
fn fails(world: &World, code: i32, args: &[&str], says: &[&str]) {
    let ended = world.run(args);
    assert_eq!(ended.code, Some(code), "{args:?}: {ended:?}");
    for part in says {
        assert!(ended.stderr.contains(part), "{args:?} should say {part:?}: {ended:?}");
    }
}

#[test]
fn a_command_line_that_cannot_be_meant_is_explained() {
    let world = World::start();
    fails(&world, 2, &["send", "0612345678", "x"], &["country code"]);
    fails(&world, 2, &["send", "+3161", "x"], &["no phone has this number"]);
    fails(&world, 2, &["register", "+31612345678\u{1b}[2J"], &["digits only"]);
    fails(&world, 2, &["register", ANNA, "--code", "12"], &["6 digits"]);
    fails(&world, 2, &["--server", "ftp://x", "register", ANNA], &["http://"]);
    fails(&world, 2, &["send", BRAM, "  "], &["empty"]);
    fails(&world, 2, &["send", BRAM, "x", "--wait", "forever"], &["delivered"]);
    fails(&world, 2, &["react", BRAM, "12"], &["EMOJI"]);
    fails(&world, 2, &["chat", BRAM], &["needs a terminal", "tidings send"]);
    fails(&world, 2, &["agent", "--listen", "0.0.0.0:0"], &["--allow-remote"]);
    fails(&world, 2, &["frobnicate"], &["frobnicate"]);
    fails(&world, 1, &["list"], &["no account", "tidings register"]);
    fails(&world, 1, &["--as", ANNA, "list"], &["not registered on this machine"]);
}

#[test]
fn a_wrong_code_registers_nobody() {
    let world = World::start();
    fails(&world, 0, &["register", ANNA, "--request"], &["--code"]);
    let right = world.code(ANNA);
    let wrong = if right == "000000" { "000001" } else { "000000" };
    fails(&world, 1, &["register", ANNA, "--code", wrong], &["error: "]);
    assert!(!world.account(ANNA).exists(), "nothing is left behind");
    let ended = world.run_with_input(&["register", BRAM], "not a code\n");
    assert!(ended.code == Some(1) && ended.stderr.contains("6 digits"), "{ended:?}");
    let ended = world.run_with_input(&["register", ANNA, "--code", &right], "");
    assert_eq!(ended.code, Some(0), "the right one still works: {ended:?}");
}

#[test]
fn people_and_messages_that_there_are_not() {
    let world = World::with_two();
    fails(&world, 1, &["--as", ANNA, "send", "+31611111111", "x"], &["nobody with the number", "tidings register"]);
    fails(&world, 1, &["--as", ANNA, "react", BRAM, "99", "👍"], &["no such message", "history"]);
    fails(&world, 1, &["--as", ANNA, "edit", BRAM, "01a1fc5e-9579-7752-ae85-2ded59eaa900", "x"], &["no such message"]);
    fails(&world, 2, &["list"], &["several accounts", "--as", ANNA, BRAM]);
    assert!(world.ok(ANNA, &["history", BRAM]).contains("No messages yet"));
    let long = "x".repeat(100_000);
    let ended = world.run_with_input(&["--as", ANNA, "send", BRAM, "-"], &long);
    assert!(ended.code == Some(1) && ended.stderr.contains("too long"), "{}", ended.stderr);
}

#[test]
fn without_a_server_the_address_is_named() {
    let mut world = World::with_two();
    world.ok(ANNA, &["send", BRAM, "hello"]);
    world.kill_server();
    fails(&world, 1, &["register", "+31611111111"], &["cannot be reached", "--server"]);
    fails(&world, 1, &["--as", ANNA, "send", BRAM, "x", "--timeout", "0"], &["stored on this device"]);
    // What is here can be looked at.
    let ended = world.run(&["--as", ANNA, "history", BRAM]);
    assert!(ended.code == Some(0) && ended.stdout.contains("hello"), "{ended:?}");
    assert!(ended.stderr.contains("cannot be reached now"), "{ended:?}");
}

#[test]
fn a_server_says_why_it_does_not_start() {
    let world = World::start();
    let address = world.address.to_string();
    fails(&world, 1, &["serve", "--listen", &address, "--data", "other"], &["cannot be listened on", "--listen"]);
    fails(&world, 1, &["serve", "--listen", "127.0.0.1:0", "--data", "data"], &["cannot be opened", "--data"]);
    std::fs::write(world.folder.path().join("bad.toml"), "lisen = \"x\"\n").expect("there is room");
    fails(&world, 1, &["serve", "--config", "bad.toml"], &["lisen"]);
}
