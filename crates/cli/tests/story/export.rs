//! One's own data, taken out.

use crate::world::{ANNA, BRAM, World};
use serde_json::Value;
use std::fs::read_to_string;

#[test]
fn everything_one_has_can_be_taken_out() {
    let world = World::with_two();
    world.ok(ANNA, &["send", BRAM, "hello\nthere", "--wait", "sent"]);
    world.ok(BRAM, &["send", ANNA, "yes", "--wait", "sent"]);
    world.ok(ANNA, &["contacts", "add", BRAM, "Bram de Boer"]);
    let folder = world.folder.path().join("mine");
    let to = folder.to_str().expect("a plain path");
    let said = world.ok(ANNA, &["export", to]);
    assert!(said.contains("with 2 messages"), "{said}");
    let account: Value = serde_json::from_str(&read_to_string(folder.join("account.json")).unwrap()).unwrap();
    assert_eq!(account["phone"], ANNA);
    let book: Value = serde_json::from_str(&read_to_string(folder.join("contacts.json")).unwrap()).unwrap();
    assert_eq!((&book[0]["name"], &book[0]["phone"]), (&"Bram de Boer".into(), &BRAM.into()));
    let names: Vec<String> =
        folder.read_dir().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let file = |ending: &str| {
        let name = names.iter().find(|name| name.ends_with(ending)).expect("it is there");
        read_to_string(folder.join(name)).unwrap()
    };
    let texts: Vec<Value> = file(".jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&texts[0]["text"], &texts[1]["text"]), (&"hello\nthere".into(), &"yes".into()));
    assert!(file(".txt").contains("yes"));
    // What is there is not written over.
    let again = world.fails(ANNA, &["export", to]);
    assert!(again.contains("cannot be made"), "{again}");
}
