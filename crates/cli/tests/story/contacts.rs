//! The address book: names for numbers, files from other address books, and who of them is there.

use crate::agent::Agent;
use crate::devices::Machine;
use crate::world::{ANNA, BRAM, CARLA, World, until};
use serde_json::{Value, json};

const FILE: &str = "\
BEGIN:VCARD\r\nVERSION:3.0\r\nN:de Boer;Bram;;;\r\nFN:Bram de Boer\r\nTEL;TYPE=CELL:06 8765 4321\r\nEND:VCARD\r\n\
BEGIN:VCARD\r\nVERSION:4.0\r\nFN:Carla\r\nTEL;VALUE=uri:tel:+31-6-5555-5555\r\nTEL:123\r\nEND:VCARD\r\n\
BEGIN:VCARD\r\nVERSION:4.0\r\nFN:No number\r\nEND:VCARD\r\n";

fn field<'a>(rows: &'a [Value], name: &str) -> Vec<&'a str> {
    rows.iter().map(|row| row[name].as_str().unwrap_or_default()).collect()
}

#[test]
fn a_name_of_ones_own_stands_everywhere_and_can_be_typed() {
    let world = World::with_two();
    world.ok(ANNA, &["contacts", "add", BRAM, "Bram de Boer"]);
    world.ok(ANNA, &["send", "bram DE boer", "hello by name"]);
    until("Bram has it", || world.ok(BRAM, &["history", ANNA]).contains("hello by name"));
    world.ok(BRAM, &["send", ANNA, "hello back"]);
    until("the answer has his name", || world.ok(ANNA, &["history", "Bram de Boer"]).contains("Bram de Boer"));
    assert!(world.ok(ANNA, &["list"]).contains("Bram de Boer"));
    // The name in the book goes before the one in the profile.
    world.ok(BRAM, &["profile", "--name", "Bram himself"]);
    until("the profile is here", || world.json(ANNA, &["contacts", "list"])[0]["profile_name"] == "Bram himself");
    assert_eq!(world.json(ANNA, &["list"])[0]["with"]["title"], "Bram de Boer");
    world.ok(ANNA, &["contacts", "remove", "Bram de Boer"]);
    assert_eq!(world.json(ANNA, &["list"])[0]["with"]["title"], "Bram himself");
    assert!(world.fails(ANNA, &["send", "Bram de Boer", "x"]).contains("nobody"));
}

#[test]
fn groups_and_blocks_take_names_too() {
    let world = World::with_two();
    world.ok(ANNA, &["contacts", "add", BRAM, "Bram de Boer"]);
    world.ok(ANNA, &["group", "create", "Cinema", "bram de boer"]);
    assert_eq!(world.json(ANNA, &["group", "info", "Cinema"])[0]["members"].as_array().unwrap().len(), 2);
    assert!(world.ok(ANNA, &["block", "Bram de Boer"]).contains("is blocked"));
    world.ok(ANNA, &["unblock", "Bram de Boer"]);
    assert!(world.fails(ANNA, &["block", "Cinema"]).contains("nobody in your address book"));
    let ended = world.run(&["--as", ANNA, "group", "add", "Cinema", "me"]);
    assert!(ended.code == Some(2) && ended.stderr.contains("not another person"), "{ended:?}");
}

#[test]
fn a_file_comes_in_and_the_server_says_who_is_there() {
    let world = World::with_two();
    let path = world.folder.path().join("people.vcf");
    std::fs::write(&path, FILE).unwrap();
    let file = path.to_str().unwrap();
    let told = world.ok(ANNA, &["contacts", "import", file]);
    assert!(told.contains("2 added, 0 renamed, 2 not taken."), "{told}");
    assert!(told.contains("line 7: 123: ") && told.contains("line 13: the card has no phone number"), "{told}");
    let again = world.json(ANNA, &["contacts", "import", file]);
    assert_eq!((&again[0]["added"], &again[0]["renamed"]), (&json!(0), &json!(0)));

    let before = world.json(ANNA, &["contacts", "list"]);
    assert_eq!(field(&before, "name"), ["Bram de Boer", "Carla"]);
    assert_eq!(field(&before, "phone"), [BRAM, "+31655555555"], "the country is Anna's own");
    assert!(before.iter().all(|row| row["on_tidings"].is_null()));
    let found = world.json(ANNA, &["contacts", "find"]);
    assert_eq!((&found[0]["on_tidings"], &found[1]["on_tidings"]), (&json!(true), &json!(false)));
    assert!(world.ok(ANNA, &["contacts", "list"]).contains("Carla  +31655555555  not on Tidings"));

    let laptop = Machine::new(&world, "laptop");
    laptop.link(ANNA);
    until("the laptop has the book", || laptop.json(&["contacts", "list"]).len() == 2);
    laptop.ok(&["contacts", "add", "+31655555555", "Carla Jansen"]);
    until("the name is the same again", || world.ok(ANNA, &["contacts", "list"]).contains("Carla Jansen"));
}

#[test]
fn files_that_are_none_are_refused() {
    let world = World::with_two();
    let write = |name: &str, bytes: &[u8]| {
        let path = world.folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    };
    for (name, bytes, why) in [
        ("empty.vcf", &b""[..], "no vCard file"),
        ("picture.vcf", b"\x89PNG\r\n\x1a\n\xff\xfe\0", "no text in UTF-8"),
        ("list.csv", b"name,phone\nBram,+31687654321\n", "no vCard file"),
    ] {
        let file = write(name, bytes);
        assert!(world.fails(ANNA, &["contacts", "import", &file]).contains(why), "{name}");
    }
    let cut = write("cut.vcf", &FILE.as_bytes()[..120]);
    assert!(world.ok(ANNA, &["contacts", "import", &cut]).contains("the file ends within the card"));
    assert!(world.fails(ANNA, &["contacts", "import", "nowhere.vcf"]).contains("cannot be read"));
    assert!(world.fails(ANNA, &["contacts", "remove", "Nobody"]).contains("nobody in your address book"));
}

#[test]
fn programs_keep_the_book_through_the_agent() {
    let world = World::with_two();
    let agent = Agent::start(&world, ANNA);
    let path = format!("/v1/contacts/{BRAM}");
    assert_eq!(agent.ask("PUT", &path, Some(json!({ "name": "Bram" }))).status, 204);
    assert_eq!(agent.ask("PUT", "/v1/contacts/bram", Some(json!({ "name": "x" }))).status, 422);
    let found = agent.ask("POST", "/v1/contacts/find", None).json();
    assert_eq!((&found["contacts"][0]["name"], &found["contacts"][0]["on_tidings"]), (&json!("Bram"), &json!(true)));
    assert_eq!(agent.ask("DELETE", &path, None).status, 204);
    assert_eq!(agent.ask("GET", "/v1/contacts", None).json()["contacts"], json!([]));
    assert_eq!(agent.ask("DELETE", &path, None).status, 403);
}

#[test]
fn people_say_who_finds_them_and_who_puts_them_into_groups() {
    let world = World::with_two();
    world.register(CARLA);
    world.ok(BRAM, &["privacy", "--add-me", "contacts"]);
    world.ok(CARLA, &["privacy", "--find-me", "nobody"]);
    let shown = world.ok(BRAM, &["privacy"]);
    assert!(shown.contains("Add me to groups       contacts"), "{shown}");
    assert!(world.fails(ANNA, &["send", CARLA, "hello"]).contains("nobody with the number"));

    let refused = world.fails(ANNA, &["group", "create", "Cinema", BRAM]);
    assert!(refused.contains("send an invite link") && refused.contains("tidings group invite"), "{refused}");
    // The group is there, without him; by the link he comes in.
    let link = world.ok(ANNA, &["group", "invite", "Cinema"]);
    let link = link.split_whitespace().find(|word| word.contains("/join#")).expect("there is a link");
    world.ok(BRAM, &["group", "join", link]);
    until("he is in", || {
        world.json(ANNA, &["group", "info", "Cinema"])[0]["members"].as_array().is_some_and(|all| all.len() == 2)
    });

    world.ok(BRAM, &["contacts", "add", ANNA, "Anna"]);
    until("Anna is a contact at the server", || {
        world.ok(BRAM, &["contacts", "find"]);
        world.run(&["--as", ANNA, "group", "create", "Chess", BRAM]).code == Some(0)
    });
    let set = world.json(BRAM, &["privacy", "--picture", "nobody", "--about", "contacts"]);
    assert_eq!((&set[0]["picture"], &set[0]["about"]), (&json!("nobody"), &json!("contacts")));
}
