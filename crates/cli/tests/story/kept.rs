//! What one keeps about chats: stars, pins, mutes, archives, drafts; and how one finds things again.

use crate::agent::Agent;
use crate::terminal::Terminal;
use crate::world::{ANNA, BRAM, World, until};
use serde_json::json;

#[test]
fn messages_are_starred_for_oneself_and_pinned_for_everybody() {
    let world = World::with_two();
    world.ok(ANNA, &["send", BRAM, "the code is 4711"]);
    world.ok(ANNA, &["send", BRAM, "see you"]);
    let number = world.json(BRAM, &["history", ANNA])[0]["number"].to_string();
    world.ok(BRAM, &["star", ANNA, &number]);
    world.ok(BRAM, &["pin", ANNA, &number]);
    assert!(world.ok(BRAM, &["starred"]).contains("the code is 4711"));
    assert!(world.ok(ANNA, &["starred"]).contains("Nothing is starred"));
    until("the pin is with Anna", || world.ok(ANNA, &["pins", BRAM]).contains("the code is 4711"));
    let history = world.ok(ANNA, &["history", BRAM]);
    assert!(history.contains("⚑ pinned") && !history.contains("★"), "{history}");
    world.ok(ANNA, &["pin", BRAM, &number, "--off"]);
    world.ok(BRAM, &["star", ANNA, &number, "--off"]);
    until("it is pinned no more", || world.ok(BRAM, &["pins", ANNA]).contains("Nothing is pinned"));
    assert!(world.ok(BRAM, &["starred", "--in", ANNA]).contains("Nothing is starred"));
}

#[test]
fn the_list_is_as_the_person_wants_it() {
    let world = World::with_two();
    world.ok(ANNA, &["send", BRAM, "hello"]);
    world.ok(BRAM, &["list"]);
    world.ok(BRAM, &["mute", ANNA, "--for", "8h"]);
    world.ok(BRAM, &["pin", ANNA]);
    world.ok(BRAM, &["draft", ANNA, "I think that"]);
    let shown = world.ok(BRAM, &["list"]);
    assert!(shown.contains("1 unread  pinned  muted  draft: I think that"), "{shown}");
    assert!(world.ok(BRAM, &["status"]).contains("1  (1 in muted conversations)"));
    world.ok(BRAM, &["history", ANNA, "--mark-read"]);
    world.ok(BRAM, &["unread", ANNA]);
    assert!(world.ok(BRAM, &["list"]).contains("marked unread"));

    world.ok(BRAM, &["archive", ANNA]);
    assert!(world.ok(BRAM, &["list"]).contains("1 archived"));
    world.ok(ANNA, &["send", BRAM, "are you there?"]);
    let rows = world.json(BRAM, &["list", "--all"]);
    assert_eq!((&rows[0]["archived"], &rows[0]["unread"]), (&json!(true), &json!(1)), "it is muted");
    world.ok(BRAM, &["mute", ANNA, "--off"]);
    world.ok(ANNA, &["send", BRAM, "please"]);
    until("it comes back", || world.json(BRAM, &["list"]).iter().any(|row| row["unread"] == 2));
}

#[test]
fn a_chat_keeps_what_was_not_sent() {
    let world = World::with_two();
    world.ok(ANNA, &["send", BRAM, "read this"]);
    let number = world.json(ANNA, &["history", BRAM])[0]["number"].to_string();
    let mut anna = Terminal::start(&world, 24, 80, &["chat", BRAM]);
    anna.shows("connected");
    anna.type_in(&format!("/pin {number}\r"));
    anna.shows("⚑ pinned");
    anna.type_in(&format!("/star {number}\r"));
    anna.shows("★ starred");
    anna.type_in("/search this\r");
    anna.shows("any key");
    anna.type_in("q/mute\r");
    anna.shows("Muted");
    anna.type_in("/unmute\r");
    anna.type_in("half a sen");
    anna.shows("> half a sen");
    anna.type_in("\u{3}");
    assert_eq!(anna.wait(), Some(0));
    let mut anna = Terminal::start(&world, 24, 80, &["chat", BRAM]);
    anna.shows("> half a sen");
    anna.type_in("tence\r");
    anna.shows("You: half a sentence");
    anna.type_in("\u{3}");
    assert_eq!(anna.wait(), Some(0));
    assert_eq!(world.json(ANNA, &["list"])[0]["draft"], json!(null));
}

#[test]
fn a_script_keeps_chats_in_order() {
    let world = World::with_two();
    let agent = Agent::start(&world, ANNA);
    let sent = agent.ask("POST", "/v1/messages", Some(json!({ "to": BRAM, "text": "hello", "wait": "sent" })));
    let id = sent.json()["id"].as_str().expect("it has an id").to_owned();
    assert_eq!(agent.ask("PUT", &format!("/v1/messages/{id}/star"), None).status, 204);
    assert_eq!(agent.ask("PUT", &format!("/v1/messages/{id}/pin"), None).json()["pinned"], true);
    assert_eq!(agent.ask("GET", "/v1/starred", None).json()["messages"][0]["id"], json!(id));
    let pins = format!("/v1/conversations/{BRAM}/pins");
    until("it is pinned", || agent.ask("GET", &pins, None).json()["messages"][0]["id"] == json!(id));
    assert_eq!(agent.ask("DELETE", &format!("/v1/messages/{id}/star"), None).status, 204);
    assert_eq!(agent.ask("GET", "/v1/starred", None).json()["messages"], json!([]));

    let path = format!("/v1/conversations/{BRAM}");
    let keep = |body| agent.ask("PATCH", &path, Some(body)).status;
    assert_eq!(keep(json!({ "muted": true, "mute_for_s": 3600, "pinned": true, "unread": true, "draft": "so" })), 204);
    let row = agent.ask("GET", "/v1/conversations", None).json()["conversations"][0].clone();
    assert!(row["muted_until"].as_str().is_some_and(|until| until.ends_with('Z')), "{row}");
    assert_eq!((&row["pinned"], &row["marked_unread"], &row["draft"]), (&json!(true), &json!(true), &json!("so")));
    assert_eq!(keep(json!({ "mute_for_s": 3600 })), 400);
    assert_eq!(keep(json!({ "unread": false })), 400);
    assert_eq!(keep(json!({ "archived": true, "muted": false })), 204);
    let row = agent.ask("GET", "/v1/conversations", None).json()["conversations"][0].clone();
    assert_eq!((&row["archived"], &row["pinned"], &row["muted_until"]), (&json!(true), &json!(false), &json!(null)));
}

#[test]
fn messages_can_disappear_and_groups_can_be_renamed() {
    let world = World::with_two();
    world.ok(ANNA, &["timer", BRAM, "30s"]);
    world.ok(ANNA, &["send", BRAM, "soon gone"]);
    let shown = world.ok(BRAM, &["history", ANNA]);
    assert!(shown.contains("set messages to disappear after 30 seconds"), "{shown}");
    let said = world.json(BRAM, &["history", ANNA]);
    assert!(said.iter().any(|it| it["text"] == "soon gone" && it["disappears"].is_string()), "{said:?}");
    assert!(world.fails(ANNA, &["timer", BRAM, "1s"]).contains("30 seconds to 90 days"));

    world.ok(ANNA, &["group", "create", "Cinema", BRAM]);
    world.ok(ANNA, &["group", "name", "Cinema", "Film club"]);
    until("Bram knows", || world.ok(BRAM, &["list"]).contains("Film club"));
}

#[test]
fn what_was_said_is_found_again_on_this_device() {
    let world = World::with_two();
    world.ok(ANNA, &["send", BRAM, "Candles for the Café"]);
    world.ok(ANNA, &["send", BRAM, "我们明天在北京见面"]);
    world.ok(ANNA, &["send", "me", "candles: 12"]);
    assert!(world.ok(ANNA, &["search", "cafe"]).contains("Candles for the Café"));
    assert_eq!(world.json(ANNA, &["search", "candle"]).len(), 2);
    assert_eq!(world.json(ANNA, &["search", "candle", "--in", "me"]).len(), 1);
    world.json(BRAM, &["history", ANNA]);
    assert_eq!(world.json(BRAM, &["search", "北京"]).len(), 1);
    assert!(world.ok(BRAM, &["search", "matches"]).contains("Nothing was found"));

    let agent = Agent::start(&world, ANNA);
    let page = agent.ask("GET", "/v1/search?text=candle&limit=1", None).json();
    assert_eq!(page["messages"][0]["text"], "candles: 12");
    let before = page["before"].as_str().expect("there is more");
    let page = agent.ask("GET", &format!("/v1/search?text=candle&before={before}"), None).json();
    assert_eq!((page["messages"][0]["text"].as_str(), &page["before"]), (Some("Candles for the Café"), &json!(null)));
    assert_eq!(agent.ask("GET", "/v1/search", None).status, 400);
}
