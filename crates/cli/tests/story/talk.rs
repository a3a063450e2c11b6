//! Two people talk: ticks, offline, a server that is killed, replies, reactions, edits, deletions.

use crate::world::{ANNA, BRAM, World, mode, until};

#[test]
fn two_people_talk_and_see_every_tick() {
    let world = World::with_two();
    let bram = world.listen(BRAM);
    // Anna sends from the command line: without --as, for she is the one who is not Bram.
    let ended = world.run(&["send", BRAM, "hello", "--wait", "delivered"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let id = ended.stdout.trim().to_owned();
    let heard = bram.message("message", "hello");
    assert_eq!((heard["id"].as_str(), heard["own"].as_bool()), (Some(id.as_str()), Some(false)));
    assert_eq!(bram.events().iter().filter(|event| event["message"]["id"] == id).count(), 1, "once");

    // Bram has seen it; blue ticks for Anna, who listens now.
    let anna = world.listen(ANNA);
    world.ok(BRAM, &["history", ANNA, "--mark-read"]);
    let seen = anna.event(|event| event["event"] == "tick" && event["message"]["tick"] == "read");
    assert_eq!(seen["message"]["id"], id);

    // And the other way, through the door of the one who listens.
    let reply = world.json(BRAM, &["send", ANNA, "hi!", "--reply-to", &id, "--wait", "delivered"]);
    assert_eq!(reply[0]["tick"], "delivered");
    let heard = anna.message("message", "hi!");
    assert_eq!(heard["reply_to"]["text"], "hello");
    assert_eq!(bram.stop().code, Some(0));
    assert_eq!(anna.stop().code, Some(0));
}

#[test]
fn what_was_said_can_be_changed() {
    let world = World::with_two();
    world.ok(ANNA, &["send", BRAM, "see you at sevn"]);
    let number = world.json(ANNA, &["history", BRAM])[0]["number"].to_string();
    world.ok(ANNA, &["edit", BRAM, &number, "see you at seven"]);
    world.ok(BRAM, &["react", ANNA, &number, "👍"]);
    world.ok(ANNA, &["send", BRAM, "wrong chat"]);

    let history = world.json(ANNA, &["history", BRAM]);
    assert_eq!(history[0]["text"], "see you at seven");
    assert_eq!(
        (history[0]["edited"].as_bool(), history[0]["reactions"][0]["emoji"].as_str()),
        (Some(true), Some("👍"))
    );
    let wrong = history[1]["id"].as_str().expect("there are two");
    world.ok(ANNA, &["delete", BRAM, wrong]);
    world.ok(BRAM, &["react", ANNA, &number, "--remove"]);

    let history = world.json(BRAM, &["history", ANNA]);
    assert_eq!(history[0]["reactions"].as_array().map(Vec::len), Some(0));
    assert_eq!((history[1]["kind"].as_str(), history[1]["text"].as_str()), (Some("deleted"), None));
    let shown = world.ok(BRAM, &["history", ANNA]);
    assert!(shown.contains("see you at seven (edited)") && shown.contains("was deleted"), "{shown}");
    // Somebody else's message is not ours to edit.
    let ended = world.run(&["--as", BRAM, "edit", ANNA, &number, "mine"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
}

#[test]
fn who_was_offline_gets_everything_in_order() {
    let world = World::with_two();
    let texts: Vec<String> = (0..20).map(|n| format!("message {n}")).collect();
    for text in &texts {
        let sent = world.json(ANNA, &["send", BRAM, text, "--wait", "sent"]);
        assert_eq!(sent[0]["tick"], "sent", "nobody has it yet");
    }
    let anna = world.listen(ANNA);
    assert_eq!(world.json(BRAM, &["list"])[0]["unread"], 20);
    let read: Vec<_> = world.json(BRAM, &["history", ANNA]).iter().map(|it| it["text"].clone()).collect();
    assert_eq!(read, texts);
    anna.event(|event| {
        event["event"] == "tick" && event["message"]["text"] == "message 19" && event["message"]["tick"] == "delivered"
    });
}

#[test]
fn a_killed_server_loses_nothing() {
    let mut world = World::with_two();
    let (anna, bram) = (world.listen(ANNA), world.listen(BRAM));
    let before = world.json(ANNA, &["send", BRAM, "before", "--wait", "delivered"]);
    world.kill_server();
    anna.event(|event| event["event"] == "connection" && event["state"] == "offline");

    // Without a server it is kept here, and the command says so.
    let ended = world.run(&["--as", ANNA, "send", BRAM, "meanwhile", "--timeout", "1"]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("stored on this device"), "{ended:?}");
    assert_eq!(anna.message("message", "meanwhile")["tick"], "clock");

    world.start_server();
    // Whoever listens goes on by itself.
    bram.message("message", "meanwhile");
    anna.event(|event| {
        event["event"] == "tick" && event["message"]["text"] == "meanwhile" && event["message"]["tick"] == "delivered"
    });
    world.ok(BRAM, &["send", ANNA, "after", "--wait", "delivered"]);
    for (who, other) in [(ANNA, BRAM), (BRAM, ANNA)] {
        let history = world.json(who, &["history", other]);
        let texts: Vec<_> = history.iter().filter_map(|it| it["text"].as_str()).collect();
        assert_eq!(texts, ["before", "meanwhile", "after"], "{who}");
        assert_eq!(history[0]["id"], before[0]["id"]);
    }
    assert_eq!(world.stop_server().code, Some(0), "SIGINT ends a server gracefully");
}

#[test]
fn both_see_the_same_safety_number_and_one_can_confirm_it() {
    let world = World::with_two();
    let numbers = [world.json(ANNA, &["verify", BRAM]), world.json(BRAM, &["verify", ANNA])];
    assert_eq!(numbers[0][0]["safety_number"], numbers[1][0]["safety_number"]);
    assert!(numbers[0][0]["safety_number"].as_str().is_some_and(|digits| digits.len() >= 60));
    assert_eq!(numbers[0][0]["verified"], false);
    world.ok(ANNA, &["verify", BRAM, "--confirm"]);
    assert_eq!(world.json(ANNA, &["verify", BRAM])[0]["verified"], true);
    assert_eq!(world.json(BRAM, &["verify", ANNA])[0]["verified"], false, "each confirms for oneself");
}

#[test]
fn who_is_blocked_gets_one_tick_until_unblocked() {
    let world = World::with_two();
    world.ok(ANNA, &["send", BRAM, "first"]);
    world.ok(BRAM, &["block", ANNA]);
    world.ok(ANNA, &["send", BRAM, "second"]);
    assert_eq!(world.json(BRAM, &["history", ANNA]).iter().filter(|it| it["text"] == "second").count(), 0);
    let ended = world.run(&["--as", BRAM, "send", ANNA, "x"]);
    assert_eq!(ended.code, Some(1), "who blocks cannot write either: {ended:?}");
    world.ok(BRAM, &["unblock", ANNA]);
    until("what was sent meanwhile arrives", || {
        world.json(BRAM, &["history", ANNA]).iter().any(|it| it["text"] == "second")
    });
}

#[test]
fn only_the_owner_may_read_what_is_here_and_logging_out_deletes_it() {
    let world = World::start();
    world.register(ANNA);
    let folder = world.account(ANNA);
    assert_eq!((mode(&folder), mode(&folder.join("key"))), (0o700, 0o600));
    let database = std::fs::read(folder.join("tidings.db")).expect("it is there");
    assert!(!database.starts_with(b"SQLite format 3"), "it is encrypted");
    let ended = world.run(&["register", ANNA]);
    assert!(ended.code == Some(1) && ended.stderr.contains("already logged in"), "{ended:?}");
    world.ok(ANNA, &["logout", "--yes"]);
    assert!(!folder.exists());
    let ended = world.run(&["list"]);
    assert!(ended.code == Some(1) && ended.stderr.contains("tidings register"), "{ended:?}");
}

#[test]
fn a_passphrase_is_needed_from_then_on() {
    let world = World::start();
    let with = |args: &[&str], passphrase: Option<&str>| {
        let mut command = world.command(args);
        passphrase.map(|it| command.env("TIDINGS_PASSPHRASE", it));
        crate::world::Running::start(command)
    };
    assert_eq!(with(&["register", ANNA, "--request"], Some("secret")).wait().code, Some(0));
    let code = world.code(ANNA);
    assert_eq!(with(&["register", ANNA, "--code", &code], Some("secret")).wait().code, Some(0));
    assert_eq!(with(&["status"], Some("secret")).wait().code, Some(0));
    for wrong in [None, Some("wrong")] {
        let ended = with(&["status"], wrong).wait();
        assert!(ended.code == Some(1) && ended.stderr.contains("TIDINGS_PASSPHRASE"), "{ended:?}");
    }
}
