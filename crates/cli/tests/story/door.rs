//! Several commands on one account at the same time.

use crate::world::{ANNA, BRAM, Running, World, mode, until};
use std::collections::BTreeSet;

#[test]
fn many_commands_at_once_share_an_account() {
    let world = World::with_two();
    let bram = world.listen(BRAM);
    // Whoever comes first holds the account, the others are its guests, and guests take over when it ends.
    let sending: Vec<_> =
        (0..8).map(|n| world.spawn(&["--as", ANNA, "send", BRAM, &format!("message {n}"), "--wait", "sent"])).collect();
    let ended: Vec<_> = sending.into_iter().map(Running::wait).collect();
    assert!(ended.iter().all(|it| it.code == Some(0)), "{ended:#?}");
    let ids: BTreeSet<String> = ended.iter().map(|it| it.stdout.trim().to_owned()).collect();
    assert_eq!(ids.len(), 8);
    for n in 0..8 {
        bram.message("message", &format!("message {n}"));
    }
    let here: BTreeSet<_> = world
        .json(BRAM, &["history", ANNA])
        .iter()
        .map(|it| it["id"].as_str().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(here, ids, "nothing is lost, nothing is doubled");
}

#[test]
fn a_guest_takes_over_when_the_holder_is_killed() {
    let world = World::with_two();
    let holder = world.listen(ANNA);
    until("the door is there", || world.account(ANNA).join("door").exists());
    assert_eq!(mode(&world.account(ANNA).join("door")), 0o600);
    let guest = world.listen(ANNA);
    world.ok(BRAM, &["send", ANNA, "to both", "--wait", "delivered"]);
    for it in [&holder, &guest] {
        it.message("message", "to both");
    }
    holder.kill();
    // The guest opens the account by itself, and goes on where the other one was.
    guest.event(|event| event["event"] == "missed");
    world.ok(BRAM, &["send", ANNA, "to one", "--wait", "delivered"]);
    guest.message("message", "to one");
    assert_eq!(world.json(ANNA, &["status"])[0]["connection"], "live");
    assert_eq!(guest.stop().code, Some(0));
    assert!(!world.account(ANNA).join("door").exists(), "who leaves shuts the door");
}
