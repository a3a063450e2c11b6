//! The account itself: deleting it, locking its number, reporting somebody.

use crate::devices::Machine;
use crate::world::{ANNA, BRAM, Ended, World, until};
use serde_json::Value;
use std::path::Path;

fn admin(world: &World, args: &[&str]) -> Ended {
    let data = world.data();
    world.run(&[&["admin"], args, &["--data", data.to_str().expect("it is text")]].concat())
}

/// What the server keeps of an account.
fn kept(world: &World, args: &[&str]) -> (Option<i32>, Value) {
    let ended = admin(world, &[&["account"], args, &["--json"]].concat());
    let report = serde_json::from_str(ended.stdout.trim()).unwrap_or_else(|_| panic!("{ended:?}"));
    (ended.code, report)
}

fn texts(history: &[Value]) -> Vec<&str> {
    history.iter().filter_map(|it| it["text"].as_str()).collect()
}

#[test]
fn a_deleted_account_leaves_nothing_and_its_number_begins_anew() {
    let mut world = World::start();
    world.register_with(ANNA, &["--name", "Anna"]);
    world.register(BRAM);
    let laptop = Machine::new(&world, "laptop");
    laptop.link(ANNA);
    world.ok(ANNA, &["group", "create", "Film club", BRAM]);
    world.ok(ANNA, &["send", BRAM, "hello", "--wait", "sent"]);
    world.ok(BRAM, &["history", ANNA, "--mark-read"]);
    world.ok(ANNA, &["send", "me", "a note", "--wait", "sent"]);
    world.ok(ANNA, &["backup", "set-code"]);
    world.ok(ANNA, &["backup"]);
    let (code, before) = kept(&world, &[ANNA]);
    assert_eq!(code, Some(1));
    let chat = world.json(BRAM, &["history", ANNA])[0]["conversation"].as_str().expect("it is in one").to_owned();
    assert!(before["total"].as_u64() > Some(20) && before["blob_files"].as_u64() > Some(0), "{before}");
    let account = before["account"].as_str().expect("it has one").to_owned();
    let devices: Vec<String> =
        before["devices"].as_array().expect("a list").iter().map(|it| it.as_str().expect("ids").to_owned()).collect();
    assert_eq!(devices.len(), 2);

    let asked = world.run(&["--as", ANNA, "account", "delete"]);
    assert!(asked.code == Some(2) && asked.stderr.contains("--yes"), "{asked:?}");
    let said = world.ok(ANNA, &["account", "delete", "--yes"]);
    assert!(said.contains("is deleted"), "{said}");
    assert!(!world.account(ANNA).exists());

    let named: Vec<&str> = devices.iter().flat_map(|device| ["--device", device]).collect();
    let args = [&[&account[..]], &named[..]].concat();
    until("nothing is left", || kept(&world, &args).0 == Some(0));
    let (_, after) = kept(&world, &args);
    assert_eq!(after["total"], 0, "{after}");
    assert_eq!(kept(&world, &[ANNA]).1["account"], Value::Null);

    // The other device learns why, and Bram reads it in both chats.
    let out = laptop.spawn(&["list"]).wait();
    assert!(out.code == Some(1) && out.stderr.contains("deleted"), "{out:?}");
    for chat in ["Film club", &chat] {
        until("Bram reads it", || {
            let history = world.ok(BRAM, &["history", chat]);
            history.contains("deleted their account")
        });
    }
    let club = world.ok(BRAM, &["group", "info", "Film club"]);
    assert!(club.contains("1 member") || !club.contains(ANNA), "{club}");
    world.ok(BRAM, &["send", "Film club", "on my own now", "--wait", "sent"]);

    // Nothing of it comes back with the server.
    world.kill_server();
    world.start_server();
    assert_eq!(kept(&world, &args).0, Some(0));
    world.register(ANNA);
    let (_, anew) = kept(&world, &[ANNA]);
    assert_ne!(anew["account"], before["account"]);
    world.ok(ANNA, &["send", BRAM, "I am new here", "--wait", "sent"]);
    until("the new Anna is heard", || {
        let lists = world.json(BRAM, &["list"]);
        lists.iter().any(|row| row["last"]["text"] == "I am new here")
    });
    world.ok(BRAM, &["send", ANNA, "welcome", "--wait", "sent"]);
    until("and answered", || texts(&world.json(ANNA, &["history", BRAM])).contains(&"welcome"));
}

#[test]
fn a_locked_number_is_not_stolen_with_a_code() {
    let world = World::with_two();
    world.ok(ANNA, &["lock", "set", "--pin", "2718"]);
    let status = world.json(ANNA, &["lock", "status"]);
    assert_eq!((&status[0]["on"], &status[0]["opens_ms"]), (&Value::Bool(true), &Value::Null));

    let thief = Machine::new(&world, "thief");
    let request = thief.spawn(&["register", ANNA, "--request"]).wait();
    assert_eq!(request.code, Some(0), "{request:?}");
    let code = world.code(ANNA);
    let without = thief.spawn(&["register", ANNA, "--code", &code]).wait();
    assert!(without.code == Some(1) && without.stderr.contains("--pin"), "{without:?}");
    let wrong = thief.spawn(&["register", ANNA, "--code", &code, "--pin", "0000"]).wait();
    assert!(wrong.code == Some(1) && wrong.stderr.contains("not the PIN"), "{wrong:?}");

    let listener = world.listen(ANNA);
    let forgot = thief.spawn(&["register", ANNA, "--code", &code, "--forgot-pin"]).wait();
    assert!(forgot.code == Some(1) && forgot.stderr.contains("hours"), "{forgot:?}");
    let told = listener.event(|event| event["event"] == "lock_reset");
    assert!(told["opens"].as_str().is_some_and(|it| it.ends_with('Z')), "{told}");
    drop(listener);
    assert!(world.json(ANNA, &["lock", "status"])[0]["opens_ms"].is_u64());
    world.ok(ANNA, &["lock", "keep"]);
    assert!(world.json(ANNA, &["lock", "status"])[0]["opens_ms"].is_null());

    // Linking needs no PIN, and with it the number registers.
    let laptop = Machine::new(&world, "laptop");
    laptop.link(ANNA);
    let anna = Machine::new(&world, "again");
    let again = anna.spawn(&["register", ANNA, "--code", &code, "--pin", "2718"]).wait();
    assert_eq!(again.code, Some(0), "{again:?}");
    anna.ok(&["lock", "remove"]);
}

#[test]
fn somebody_is_reported_with_what_they_wrote() {
    let world = World::with_two();
    for text in ["one", "two", "three"] {
        world.ok(BRAM, &["send", ANNA, text, "--wait", "sent"]);
    }
    world.ok(ANNA, &["history", BRAM]);
    let said = world.ok(ANNA, &["report", BRAM, "--last", "2", "--block", "--reason", "sells things"]);
    assert!(said.contains("Reported") && said.contains("Blocked"), "{said}");
    let listed = admin(&world, &["reports", "--json"]);
    let report: Value = serde_json::from_str(listed.stdout.trim()).unwrap_or_else(|_| panic!("{listed:?}"));
    let messages = report["report"]["messages"].as_array().expect("a list");
    assert_eq!(messages.iter().map(|it| it["text"].as_str().expect("text")).collect::<Vec<_>>(), ["two", "three"]);
    assert_eq!(report["report"]["reason"], "sells things");
    let id = report["id"].as_str().expect("it has one");
    let shown = admin(&world, &["reports", "show", &id[..18]]);
    assert!(shown.stdout.contains("three") && !shown.stdout.contains("one"), "{shown:?}");
    assert_eq!(admin(&world, &["reports", "close", id]).code, Some(0));
    let none = admin(&world, &["reports"]);
    assert!(none.stdout.contains("no reports"), "{none:?}");
    assert_eq!(admin(&world, &["reports", "show", id]).code, Some(1));
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("there is room");
    for entry in std::fs::read_dir(from).expect("it is there") {
        let entry = entry.expect("it can be read");
        let to = to.join(entry.file_name());
        if entry.file_type().expect("it has one").is_dir() {
            copy_folder(&entry.path(), &to);
        } else if entry.file_type().expect("it has one").is_file() {
            std::fs::copy(entry.path(), to).expect("it can be copied");
        }
    }
}

#[test]
fn an_account_folder_that_is_put_back_goes_on_with_fresh_keys() {
    let world = World::with_two();
    world.ok(ANNA, &["send", BRAM, "one", "--wait", "sent"]);
    world.ok(BRAM, &["send", ANNA, "two", "--wait", "sent"]);
    world.ok(ANNA, &["history", BRAM]);
    let old = world.folder.path().join("old");
    copy_folder(&world.account(ANNA), &old);

    world.ok(ANNA, &["send", BRAM, "forgotten by Anna", "--wait", "sent"]);
    world.ok(BRAM, &["send", ANNA, "said meanwhile", "--wait", "sent"]);
    world.ok(ANNA, &["history", BRAM]);
    std::fs::remove_dir_all(world.account(ANNA)).expect("nobody uses it");
    copy_folder(&old, &world.account(ANNA));

    world.ok(ANNA, &["send", BRAM, "after it", "--wait", "sent"]);
    world.ok(BRAM, &["send", ANNA, "I read you", "--wait", "sent"]);
    world.ok(ANNA, &["send", BRAM, "and I you", "--wait", "sent"]);
    let theirs = ["one", "two", "forgotten by Anna", "said meanwhile", "after it", "I read you", "and I you"];
    until("Bram has all of it", || texts(&world.json(BRAM, &["history", ANNA])) == theirs);
    let own = world.json(ANNA, &["history", BRAM]);
    let lost = "sent from this device, but not kept here";
    assert_eq!(texts(&own), ["one", "two", lost, "said meanwhile", "after it", "I read you", "and I you"], "{own:?}");
}
