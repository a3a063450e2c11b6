//! A person with several devices.

use crate::world::{ANNA, BRAM, Running, World, until};
use serde_json::Value;

/// Another machine of the same world.
pub struct Machine<'a> {
    world: &'a World,
    name: &'a str,
}

impl<'a> Machine<'a> {
    pub fn new(world: &'a World, name: &'a str) -> Self {
        Self { world, name }
    }

    pub fn spawn(&self, args: &[&str]) -> Running {
        let mut command = self.world.command(args);
        command.env("TIDINGS_HOME", self.world.folder.path().join(self.name));
        Running::start(command)
    }

    pub fn ok(&self, args: &[&str]) -> String {
        let ended = self.spawn(args).wait();
        assert_eq!(ended.code, Some(0), "{args:?}: {ended:?}");
        ended.stdout
    }

    pub fn json(&self, args: &[&str]) -> Vec<Value> {
        let args = [args, &["--json"]].concat();
        self.ok(&args).lines().map(|line| serde_json::from_str(line).expect("each line is an object")).collect()
    }

    /// Becomes a device of this person's.
    pub fn link(&self, who: &str) -> String {
        let linking = self.spawn(&["link", "--device-name", self.name]);
        let code = linking.says("tidings:link#");
        self.world.ok(who, &["link", "approve", &code]);
        let ended = linking.wait();
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(ended.stdout.contains(who), "{ended:?}");
        code
    }
}

fn texts(history: &[Value]) -> Vec<&str> {
    history.iter().filter_map(|it| it["text"].as_str()).collect()
}

#[test]
fn a_laptop_is_linked_sees_everything_and_is_thrown_out() {
    let world = World::with_two();
    world.ok(ANNA, &["send", BRAM, "before the laptop", "--wait", "sent"]);
    world.ok(BRAM, &["history", ANNA]);
    let laptop = Machine::new(&world, "laptop");
    let code = laptop.link(ANNA);
    laptop.ok(&["list"]);

    // A code is good for one device.
    let again = world.fails(ANNA, &["link", "approve", &code]);
    assert!(again.contains("used already"), "{again}");
    let wrong = world.fails(ANNA, &["link", "approve", "tidings:link#AAAA"]);
    assert!(wrong.contains("no code of a new device"), "{wrong}");

    world.ok(BRAM, &["send", ANNA, "to both of you", "--wait", "sent"]);
    laptop.ok(&["send", BRAM, "from the laptop", "--wait", "sent"]);
    assert_eq!(
        texts(&world.json(ANNA, &["history", BRAM])),
        ["before the laptop", "to both of you", "from the laptop"]
    );
    let on_laptop = laptop.json(&["history", BRAM]);
    assert!(texts(&on_laptop).ends_with(&["to both of you", "from the laptop"]), "{on_laptop:?}");
    let told = world.json(BRAM, &["history", ANNA]);
    assert_eq!(texts(&told), ["before the laptop", "to both of you", "from the laptop"], "and no changed number");
    assert!(told.iter().all(|it| it["kind"] == "text"), "{told:?}");

    world.ok(ANNA, &["devices", "rename", "laptop", "old laptop"]);
    let listed = world.json(ANNA, &["devices"]);
    assert_eq!(listed.len(), 2);
    assert!(listed.iter().any(|device| device["name"] == "old laptop" && device["current"] == false), "{listed:?}");

    world.ok(ANNA, &["devices", "revoke", "old laptop"]);
    assert_eq!(world.json(ANNA, &["devices"]).len(), 1);
    world.ok(BRAM, &["send", ANNA, "without the laptop", "--wait", "sent"]);
    let out = laptop.spawn(&["list"]).wait();
    assert!(out.code == Some(1) && out.stderr.contains("logged out"), "{out:?}");
    until("Anna's phone goes on", || {
        texts(&world.json(ANNA, &["history", BRAM])).last() == Some(&"without the laptop")
    });
}

/// All that a device shows of a conversation, but for what is its own: numbers.
fn view(of: impl Fn(&[&str]) -> Vec<Value>) -> Vec<Value> {
    let mut view = Vec::new();
    for args in [&["history", BRAM][..], &["list", "--all"], &["starred"], &["pins", BRAM]] {
        view.extend(of(args).into_iter().map(|mut row| {
            for own in ["number", "last", "tick"] {
                if let Some(row) = row.as_object_mut() {
                    row.remove(own);
                }
            }
            row
        }));
    }
    view
}

#[test]
fn a_new_device_gets_the_history_and_shows_the_same() {
    let world = World::with_two();
    for text in ["one", "two", "three"] {
        world.ok(ANNA, &["send", BRAM, text, "--wait", "sent"]);
        world.ok(BRAM, &["send", ANNA, &format!("{text}, yes"), "--wait", "sent"]);
    }
    let number = |text: &str| {
        let history = world.json(ANNA, &["history", BRAM]);
        history.iter().find(|it| it["text"] == text).map(|it| it["number"].to_string()).expect("it is there")
    };
    world.ok(ANNA, &["react", BRAM, &number("one, yes"), "👍"]);
    world.ok(ANNA, &["edit", BRAM, &number("two"), "two and a half"]);
    world.ok(ANNA, &["delete", BRAM, &number("three")]);
    world.ok(ANNA, &["star", BRAM, &number("two, yes")]);
    world.ok(ANNA, &["pin", BRAM, &number("one")]);
    world.ok(ANNA, &["mute", BRAM]);
    world.ok(ANNA, &["history", BRAM, "--mark-read"]);
    world.ok(BRAM, &["send", ANNA, "not read yet", "--wait", "sent"]);
    world.ok(ANNA, &["list"]);

    let laptop = Machine::new(&world, "laptop");
    laptop.link(ANNA);
    let shown = |args: &[&str]| laptop.json(args);
    until("both show the same", || view(|args| world.json(ANNA, args)) == view(shown));
    let texts = laptop.json(&["history", BRAM]);
    assert!(texts.iter().any(|it| it["text"] == "two and a half"), "{texts:?}");
    assert_eq!(laptop.json(&["starred"]).len(), 1);

    // And it stays so.
    laptop.ok(&["mute", BRAM, "--off"]);
    laptop.ok(&["archive", BRAM]);
    laptop.ok(&["status"]);
    until("the phone follows", || {
        let rows = world.json(ANNA, &["list", "--all"]);
        rows.iter().any(|row| row["archived"] == true) && view(|args| world.json(ANNA, args)) == view(shown)
    });
}
