//! Backup, wipe, restore: what a lost device takes along, and what it does not.

use crate::world::{ANNA, BRAM, Ended, World, until};

const SECRET: &str = "correct horse battery staple";

/// The device is lost: nothing of the account is left on this machine.
fn lose(world: &World, who: &str) {
    std::fs::remove_dir_all(world.account(who)).expect("the account is here");
}

fn set_passphrase(world: &World, who: &str) {
    let ended = world.run_with_input(&["--as", who, "backup", "set-passphrase"], &format!("{SECRET}\n"));
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stderr.contains("The first backup is complete"), "{ended:?}");
}

/// Asks for a code as this person, and then runs this with it, typing `secret`.
fn with_code(world: &World, who: &str, args: &[&str], secret: &str) -> Ended {
    let former = world.code(who);
    let asked = world.run(&["register", who, "--request"]);
    assert_eq!(asked.code, Some(0), "{asked:?}");
    until("a new code is printed", || world.code(who) != former);
    let code = world.code(who);
    world.run_with_input(&[args, &["--code", &code]].concat(), &format!("{secret}\n"))
}

fn safety_number(world: &World, who: &str, other: &str) -> String {
    world.json(who, &["verify", other])[0]["safety_number"].to_string()
}

#[test]
fn what_a_lost_device_had_comes_back_with_the_passphrase() {
    let world = World::with_two();
    world.ok(ANNA, &["send", BRAM, "before the loss", "--wait", "sent"]);
    world.ok(BRAM, &["send", ANNA, "an answer", "--wait", "sent"]);
    world.ok(ANNA, &["group", "create", "Hikers", BRAM]);
    world.ok(ANNA, &["send", "Hikers", "shall we?", "--wait", "sent"]);
    world.ok(ANNA, &["history", BRAM]);
    world.ok(BRAM, &["history", "Hikers"]);
    let safety = safety_number(&world, BRAM, ANNA);
    set_passphrase(&world, ANNA);
    lose(&world, ANNA);

    let ended = with_code(&world, ANNA, &["restore", ANNA], SECRET);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stdout.contains("The backup is restored"), "{ended:?}");
    let history = world.ok(ANNA, &["history", BRAM]);
    assert!(history.contains("before the loss") && history.contains("an answer"), "{history}");
    assert!(world.ok(ANNA, &["history", "Hikers"]).contains("shall we?"));

    // Identity and chats go on, in both directions, and nobody is told of another person.
    // What waits to be sent makes the new device come into the chats first.
    world.ok(ANNA, &["send", BRAM, "here I am", "--wait", "sent"]);
    world.ok(ANNA, &["send", "Hikers", "still here", "--wait", "sent"]);
    world.ok(BRAM, &["send", ANNA, "there you are", "--wait", "sent"]);
    assert!(world.ok(ANNA, &["history", BRAM]).contains("there you are"));
    let told = world.ok(BRAM, &["history", ANNA]);
    assert!(told.contains("here I am") && !told.contains("afety number"), "{told}");
    assert!(world.ok(BRAM, &["history", "Hikers"]).contains("still here"));
    assert_eq!(safety_number(&world, BRAM, ANNA), safety);
}

#[test]
fn wrong_passphrases_are_counted_and_bring_nothing() {
    let world = World::with_two();
    world.ok(ANNA, &["send", BRAM, "hello", "--wait", "sent"]);
    set_passphrase(&world, ANNA);
    lose(&world, ANNA);
    for attempt in 0..6 {
        let ended = with_code(&world, ANNA, &["restore", ANNA], "wrong horse battery staple");
        assert_eq!(ended.code, Some(1), "{ended:?}");
        let expected = if attempt < 5 { "not the secret of this backup" } else { "Too many wrong guesses" };
        assert!(ended.stderr.contains(expected), "{attempt}: {ended:?}");
        assert!(!world.account(ANNA).exists(), "nothing is left behind");
        if attempt == 4 {
            assert!(ended.stderr.contains("Wait 60 s"), "{ended:?}");
        }
    }
    // Without the backup the account goes on as somebody else.
    assert_eq!(with_code(&world, ANNA, &["register", ANNA, "--anew"], "").code, Some(0));
    assert!(!world.ok(ANNA, &["list"]).contains("hello"));
}

#[test]
fn a_code_and_a_file_bring_everything_back_too() {
    let world = World::with_two();
    world.ok(ANNA, &["send", BRAM, "into the file", "--wait", "sent"]);
    let none = world.fails(ANNA, &["backup"]);
    assert!(none.contains("set a passphrase or a recovery code first"), "{none}");
    let set = world.ok(ANNA, &["backup", "set-code"]);
    let code = set.trim().strip_prefix("Recovery code: ").expect("it is printed").to_owned();
    let file = world.folder.path().join("anna.tidings-backup");
    let path = file.to_str().expect("it is a plain path");
    world.ok(ANNA, &["backup", "--to", path]);
    assert!(world.ok(ANNA, &["backup", "status"]).contains("It opens with your recovery code"));
    let check = |secret: &str| world.run_with_input(&["--as", ANNA, "backup", "check"], &format!("{secret}\n")).code;
    assert_eq!((check(&code.to_lowercase()), check("0000-0000")), (Some(0), Some(1)));
    lose(&world, ANNA);

    // Cut and changed files bring nothing.
    let whole = std::fs::read(&file).expect("it was written");
    for (name, bytes) in [("cut", &whole[..whole.len() - 1]), ("empty", &whole[..0]), ("other", &whole[1..])] {
        let bad = world.folder.path().join(name);
        std::fs::write(&bad, bytes).expect("there is room");
        let bad = bad.to_str().expect("it is a plain path");
        let ended = with_code(&world, ANNA, &["restore", ANNA, "--from", bad], &code);
        assert!(ended.code == Some(1) && ended.stderr.contains("is no backup"), "{name}: {ended:?}");
    }
    let spoken = code.replace('-', " ").to_lowercase();
    let ended = with_code(&world, ANNA, &["restore", ANNA, "--from", path], &spoken);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(world.ok(ANNA, &["history", BRAM]).contains("into the file"));
    // Once more changes nothing.
    let again = world.run_with_input(&["restore", ANNA, "--from", path], &format!("{code}\n"));
    assert_eq!(again.code, Some(0), "{again:?}");
    assert_eq!(world.json(ANNA, &["history", BRAM]).len(), 1);
}
