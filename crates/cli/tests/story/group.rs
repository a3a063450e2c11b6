//! A group of four: who gets what, message info, removing, leaving, rules, being offline, a killed server.

use crate::world::{ANNA, BRAM, CARLA, DORA, World, until};
use serde_json::Value;

const OTHERS: [&str; 3] = [BRAM, CARLA, DORA];

/// Anna's group with everybody in it; gives its id.
pub fn cinema(world: &World) -> String {
    let group = world.json(ANNA, &["group", "create", "Cinema", BRAM, CARLA, DORA]);
    assert_eq!(group[0]["members"].as_array().map(Vec::len), Some(4), "{group:?}");
    let id = group[0]["id"].as_str().expect("it has an id").to_owned();
    OTHERS.iter().for_each(|who| knows(world, who, "Cinema"));
    id
}

/// The group is here, with its name.
pub fn knows(world: &World, who: &str, name: &str) {
    until(&format!("{who} knows {name}"), || {
        world.json(who, &["group", "list"]).iter().any(|row| row["with"]["title"] == name && row["member"] == true)
    });
}

pub fn texts(world: &World, who: &str, group: &str) -> Vec<String> {
    let history = world.json(who, &["history", group]);
    let texts = history.iter().filter(|it| it["kind"] == "text");
    texts.filter_map(|it| it["text"].as_str().map(str::to_owned)).collect()
}

/// Waits until these are the texts that somebody has.
pub fn has(world: &World, who: &str, group: &str, expected: &[&str]) {
    let mut found = Vec::new();
    let give_up = std::time::Instant::now() + crate::world::PATIENCE;
    while found != expected {
        assert!(std::time::Instant::now() < give_up, "{who} has {found:?}, and not {expected:?}");
        // The group itself may still be on its way.
        found = if is_there(world, who, group) { texts(world, who, group) } else { Vec::new() };
    }
}

fn is_there(world: &World, who: &str, group: &str) -> bool {
    world.json(who, &["group", "list"]).iter().any(|row| row["with"]["title"] == group || row["id"] == group)
}

fn number(world: &World, who: &str, group: &str, text: &str) -> String {
    let history = world.json(who, &["history", group]);
    let found = history.iter().find(|it| it["text"] == text).expect("it is there");
    found["number"].to_string()
}

fn member<'a>(info: &'a Value, phone: &str) -> &'a Value {
    let members = info["members"].as_array().expect("there are members");
    members.iter().find(|it| it["who"]["title"] == phone).unwrap_or_else(|| panic!("{phone} is not in {info}"))
}

#[test]
fn four_people_talk_and_each_tick_is_known() {
    let world = World::with_four();
    let id = cinema(&world);
    // Dora is away; the others listen.
    let (bram, carla) = (world.listen(BRAM), world.listen(CARLA));
    let sent = world.json(ANNA, &["send", "cinema", "Friday, eight o'clock?", "--wait", "sent"]);
    for listener in [&bram, &carla] {
        let heard = listener.message("message", "Friday, eight o'clock?");
        assert_eq!((&heard["id"], heard["conversation"].as_str()), (&sent[0]["id"], Some(id.as_str())));
    }
    let number = sent[0]["number"].to_string();
    world.ok(BRAM, &["history", "Cinema", "--mark-read"]);
    until("Anna knows who has it and who has read it", || {
        let info = &world.json(ANNA, &["info", "Cinema", &number])[0];
        member(info, BRAM)["read"] == true
            && member(info, CARLA)["delivered"] == true
            && member(info, CARLA)["read"] == false
            && member(info, DORA)["delivered"] == false
    });
    let shown = world.ok(ANNA, &["info", "Cinema", &number]);
    assert!(shown.starts_with("Read by:") && shown.contains("Not delivered yet to:"), "{shown}");

    // Ticks are those of all members.
    let anna = world.listen(ANNA);
    assert_eq!(world.json(ANNA, &["history", &id])[0]["conversation"].as_str(), Some(id.as_str()));
    has(&world, DORA, "Cinema", &["Friday, eight o'clock?"]);
    let is_at = |event: &Value, tick: &str| {
        event["event"] == "tick" && event["message"]["id"] == sent[0]["id"] && event["message"]["tick"] == tick
    };
    anna.event(|event| is_at(event, "delivered"));
    for who in [CARLA, DORA] {
        world.ok(who, &["history", "Cinema", "--mark-read"]);
    }
    anna.event(|event| is_at(event, "read"));

    // Replies and reactions work as with one person.
    world.ok(CARLA, &["react", "Cinema", &number, "🍿"]);
    let reply = world.json(BRAM, &["send", "Cinema", "I'm in", "--reply-to", &number, "--wait", "sent"]);
    assert_eq!(reply[0]["reply_to"]["text"], "Friday, eight o'clock?");
    anna.event(|event| event["event"] == "message_changed" && event["message"]["reactions"][0]["emoji"] == "🍿");
}

#[test]
fn who_is_removed_reads_nothing_more() {
    let world = World::with_four();
    cinema(&world);
    let dora = world.listen(DORA);
    world.ok(ANNA, &["send", "Cinema", "before", "--wait", "sent"]);
    world.ok(ANNA, &["group", "remove", "Cinema", DORA]);
    // The very next message is not for her any more.
    world.ok(ANNA, &["send", "Cinema", "after", "--wait", "sent"]);
    dora.event(|event| {
        event["event"] == "message"
            && event["message"]["kind"] == "notice"
            && event["message"]["text"].as_str().is_some_and(|it| it.contains("removed you"))
    });
    has(&world, CARLA, "Cinema", &["before", "after"]);
    assert_eq!(texts(&world, DORA, "Cinema"), ["before"]);
    let complaint = world.fails(DORA, &["send", "Cinema", "let me in"]);
    assert!(complaint.contains("not in this group"), "{complaint}");
    let info = &world.json(BRAM, &["group", "info", "Cinema"])[0];
    assert_eq!(info["members"].as_array().map(Vec::len), Some(3));
    // Only admins do that.
    let complaint = world.fails(BRAM, &["group", "remove", "Cinema", CARLA]);
    assert!(complaint.contains("admin"), "{complaint}");

    // Added again, she reads what is said from then on.
    world.ok(ANNA, &["group", "add", "Cinema", DORA]);
    world.ok(ANNA, &["send", "Cinema", "welcome back", "--wait", "sent"]);
    has(&world, DORA, "Cinema", &["before", "welcome back"]);
    // Whoever is banned stays out.
    world.ok(ANNA, &["group", "ban", "Cinema", DORA]);
    let complaint = world.fails(ANNA, &["group", "add", "Cinema", DORA]);
    assert!(complaint.contains("banned"), "{complaint}");
    world.ok(ANNA, &["group", "unban", "Cinema", DORA]);
    world.ok(ANNA, &["group", "add", "Cinema", DORA]);
}

#[test]
fn the_last_admin_who_leaves_passes_it_on() {
    let world = World::with_four();
    cinema(&world);
    world.ok(ANNA, &["group", "leave", "Cinema"]);
    let complaint = world.fails(ANNA, &["send", "Cinema", "one more thing"]);
    assert!(complaint.contains("not in this group"), "{complaint}");
    let mut admins = Vec::new();
    until("somebody else is an admin, and Anna is gone", || {
        let info = world.json(BRAM, &["group", "info", "Cinema"]).remove(0);
        let members = info["members"].as_array().cloned().unwrap_or_default();
        admins = members.iter().filter(|it| it["admin"] == true).cloned().collect();
        members.len() == 3 && admins.len() == 1
    });
    world.ok(BRAM, &["send", "Cinema", "without Anna", "--wait", "sent"]);
    assert!(!texts(&world, ANNA, "Cinema").contains(&"without Anna".to_owned()));
    for who in [CARLA, DORA] {
        has(&world, who, "Cinema", &["without Anna"]);
    }
}

#[test]
fn in_announcement_mode_only_admins_post() {
    let world = World::with_four();
    cinema(&world);
    let complaint = world.fails(BRAM, &["group", "rules", "Cinema", "--posting", "admins"]);
    assert!(complaint.contains("admin"), "{complaint}");
    let shown = world.ok(ANNA, &["group", "rules", "Cinema", "--posting", "admins"]);
    assert!(shown.contains("Posting: admins only"), "{shown}");
    world.ok(ANNA, &["send", "Cinema", "The film begins at eight.", "--wait", "sent"]);
    let complaint = world.fails(BRAM, &["send", "Cinema", "May I?"]);
    assert!(complaint.contains("admin"), "{complaint}");
    // Reactions are free to all.
    let number = number(&world, CARLA, "Cinema", "The film begins at eight.");
    world.ok(CARLA, &["react", "Cinema", &number, "🎉"]);
    world.ok(ANNA, &["group", "admin", "Cinema", BRAM]);
    until("Bram may post", || world.run(&["--as", BRAM, "send", "Cinema", "Thank you"]).code == Some(0));
    has(&world, DORA, "Cinema", &["The film begins at eight.", "Thank you"]);
}

#[test]
fn a_killed_server_loses_nothing_of_a_group() {
    let mut world = World::with_four();
    cinema(&world);
    let listeners: Vec<_> = [ANNA, BRAM, CARLA].map(|who| world.listen(who)).into();
    world.ok(ANNA, &["send", "Cinema", "before", "--wait", "sent"]);
    world.kill_server();
    for listener in &listeners {
        listener.event(|event| event["event"] == "connection" && event["state"] == "offline");
    }
    world.fails(ANNA, &["send", "Cinema", "meanwhile, Anna", "--timeout", "1"]);
    world.fails(BRAM, &["send", "Cinema", "meanwhile, Bram", "--timeout", "1"]);
    world.start_server();
    for listener in &listeners {
        listener.message("message", "meanwhile, Anna");
        listener.message("message", "meanwhile, Bram");
    }
    world.ok(CARLA, &["send", "Cinema", "after", "--wait", "sent"]);
    world.ok(ANNA, &["group", "remove", "Cinema", CARLA]);
    world.ok(ANNA, &["send", "Cinema", "at last", "--wait", "sent"]);
    let all = texts(&world, DORA, "Cinema");
    assert_eq!(all.len(), 5, "nothing is lost or doubled: {all:?}");
    for who in [ANNA, BRAM] {
        until("all have the same in the same order", || texts(&world, who, "Cinema") == all);
    }
    assert_eq!(texts(&world, CARLA, "Cinema"), all[..4]);
}

#[test]
fn names_that_several_groups_have_are_not_guessed() {
    let world = World::with_two();
    let ids: Vec<String> = (0..2)
        .map(|_| {
            let made = world.json(ANNA, &["group", "create", "Twice", BRAM]);
            made[0]["id"].as_str().expect("it has an id").to_owned()
        })
        .collect();
    let ended = world.run(&["--as", ANNA, "send", "Twice", "which one?"]);
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ids.iter().all(|id| ended.stderr.contains(id.as_str())), "the candidates are named: {ended:?}");
    world.ok(ANNA, &["send", &ids[1], "this one", "--wait", "sent"]);
    has(&world, BRAM, &ids[1], &["this one"]);
    assert_eq!(texts(&world, BRAM, &ids[0]), Vec::<String>::new());
    let complaint = world.fails(ANNA, &["send", "Nowhere", "x"]);
    assert!(complaint.contains("no group") && complaint.contains("group list"), "{complaint}");
}

#[test]
fn notes_to_oneself_are_a_conversation() {
    let world = World::start();
    world.register(ANNA);
    world.ok(ANNA, &["send", "me", "buy candles"]);
    let notes = world.json(ANNA, &["history", "me"]);
    assert_eq!((notes[0]["text"].as_str(), notes[0]["own"].as_bool()), (Some("buy candles"), Some(true)));
    let list = world.json(ANNA, &["list"]);
    assert_eq!((list[0]["kind"].as_str(), list[0]["unread"].as_u64()), (Some("self"), Some(0)));
}
