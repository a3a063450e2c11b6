//! Coming into a group by a link: at once, with an admin's approval, and not at all.

use crate::group::{has, knows, texts};
use crate::world::{ANNA, BRAM, CARLA, DORA, World};

fn link(world: &World, args: &[&str]) -> String {
    let made = world.json(ANNA, &[&["group", "invite", "Cinema"], args].concat());
    made[0]["link"].as_str().expect("there is a link").to_owned()
}

fn with_cinema() -> World {
    let world = World::with_four();
    world.ok(ANNA, &["group", "create", "Cinema", BRAM]);
    knows(&world, BRAM, "Cinema");
    world
}

#[test]
fn a_link_lets_people_in_at_once_until_it_is_revoked() {
    let world = with_cinema();
    world.ok(ANNA, &["send", "Cinema", "before Carla", "--wait", "sent"]);
    let link = link(&world, &["--expires", "7d"]);
    assert!(link.starts_with(&world.url()), "{link}");
    // Only one device has to be there for the newcomer to learn the group's name: Bram's.
    let bram = world.listen(BRAM);
    let joined = world.json(CARLA, &["group", "join", &link]);
    assert_eq!(joined[0]["joined"], true);
    bram.event(|event| event["message"]["text"].as_str().is_some_and(|text| text.contains("joined by a link")));
    knows(&world, CARLA, "Cinema");
    world.ok(CARLA, &["send", "Cinema", "hello, all", "--wait", "sent"]);
    bram.message("message", "hello, all");
    assert_eq!(texts(&world, CARLA, "Cinema"), ["hello, all"], "nothing from before");
    has(&world, ANNA, "Cinema", &["before Carla", "hello, all"]);

    // Links are for admins to make and to revoke.
    let complaint = world.fails(CARLA, &["group", "invite", "Cinema"]);
    assert!(complaint.contains("admin"), "{complaint}");
    world.ok(ANNA, &["group", "revoke", "Cinema", &link]);
    let complaint = world.fails(DORA, &["group", "join", &link]);
    assert!(complaint.contains("revoked") || complaint.contains("not valid"), "{complaint}");
    let info = &world.json(ANNA, &["group", "info", "Cinema"])[0];
    assert_eq!(info["invites"].as_array().map(Vec::len), Some(0));
}

#[test]
fn an_admin_decides_who_comes_by_a_link_with_approval() {
    let world = with_cinema();
    let anna = world.listen(ANNA);
    let link = link(&world, &["--approval"]);
    for who in [CARLA, DORA] {
        let asked = world.json(who, &["group", "join", &link]);
        assert_eq!((asked[0]["joined"].as_bool(), asked[0]["requested"].as_bool()), (Some(false), Some(true)));
    }
    anna.event(|event| event["event"] == "join_requested");
    let waiting = world.json(ANNA, &["group", "requests", "Cinema"]);
    assert_eq!(waiting.len(), 2, "{waiting:?}");
    world.ok(ANNA, &["group", "approve", "Cinema", CARLA]);
    world.ok(ANNA, &["group", "deny", "Cinema", DORA]);
    assert_eq!(world.json(ANNA, &["group", "requests", "Cinema"]).len(), 0);
    knows(&world, CARLA, "Cinema");
    world.ok(CARLA, &["send", "Cinema", "thank you", "--wait", "sent"]);
    anna.message("message", "thank you");
    assert!(world.json(DORA, &["group", "list"]).iter().all(|row| row["member"] == false));
}

#[test]
fn links_that_are_none_are_explained() {
    let world = with_cinema();
    for (link, says) in
        [("nonsense!", "no invite"), ("AQMD", "not complete"), ("https://other.example/join#AQMD", "other.example")]
    {
        let complaint = world.fails(CARLA, &["group", "join", link]);
        assert!(complaint.contains(says), "{link}: {complaint}");
    }
}
