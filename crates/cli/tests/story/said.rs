//! What is said otherwise than in a text, and how people present themselves.

use crate::agent::Agent;
use crate::terminal::Terminal;
use crate::world::{ANNA, BRAM, World, until};
use serde_json::json;

#[test]
fn people_ask_vote_show_places_and_send_things_on() {
    let world = World::with_two();
    world.ok(ANNA, &["group", "create", "Cinema", BRAM]);
    until("Bram is in it", || world.ok(BRAM, &["list"]).contains("Cinema"));
    world.ok(ANNA, &["poll", "Cinema", "Which day?", "Friday", "Sunday"]);
    let poll = |who| {
        let history = world.json(who, &["history", "Cinema"]);
        history.into_iter().find(|message| message["kind"] == "poll")
    };
    until("the poll is with Bram", || poll(BRAM).is_some());
    let number = poll(BRAM).expect("it is here")["number"].to_string();
    world.ok(BRAM, &["vote", "Cinema", &number, "2"]);
    until("the vote is with Anna", || {
        poll(ANNA).is_some_and(|poll| poll["poll"]["options"][1]["voters"].as_array().is_some_and(|it| it.len() == 1))
    });
    assert!(world.fails(BRAM, &["vote", "Cinema", &number, "3"]).contains("does not have these choices"));

    world.ok(ANNA, &["location", "Cinema", "52.370216", "4.895168", "--name", "Dam"]);
    world.ok(ANNA, &["card", "Cinema", "Carla", "+31655555555"]);
    world.ok(ANNA, &["send", BRAM, "the film begins at eight"]);
    let first = world.json(ANNA, &["history", BRAM])[0]["number"].to_string();
    world.ok(ANNA, &["forward", BRAM, &first, "Cinema"]);
    until("all of it is with Bram", || world.ok(BRAM, &["history", "Cinema"]).contains("↪ forwarded"));
    let history = world.ok(BRAM, &["history", "Cinema"]);
    for expected in ["📊 Which day?", "● 2. Sunday: 1", "📍 52.370216, 4.895168 (Dam)", "👤 Carla: +31655555555"]
    {
        assert!(history.contains(expected), "{expected}\n{history}");
    }
}

#[test]
fn messages_are_deleted_for_oneself_and_by_admins_for_everyone() {
    let world = World::with_two();
    world.ok(ANNA, &["group", "create", "Cinema", BRAM]);
    until("Bram is in it", || world.ok(BRAM, &["list"]).contains("Cinema"));
    world.ok(BRAM, &["send", "Cinema", "buy this"]);
    world.ok(BRAM, &["send", "Cinema", "and that"]);
    let number = |text: &str| {
        let history = world.json(ANNA, &["history", "Cinema"]);
        history.into_iter().find(|message| message["text"] == text).map(|message| message["number"].to_string())
    };
    until("they are with Anna", || number("and that").is_some());
    world.ok(ANNA, &["delete", "Cinema", &number("and that").expect("it is here"), "--for-me"]);
    assert_eq!(number("and that"), None);
    world.ok(ANNA, &["delete", "Cinema", &number("buy this").expect("it is here")]);
    until("it is gone at Bram's", || world.ok(BRAM, &["history", "Cinema"]).contains("deleted this message)"));
    let history = world.ok(BRAM, &["history", "Cinema"]);
    assert!(history.contains("and that") && !history.contains("buy this"), "{history}");
}

#[test]
fn people_and_groups_present_themselves() {
    let world = World::with_two();
    world.ok(ANNA, &["group", "create", "Cinema", BRAM]);
    world.ok(ANNA, &["send", BRAM, "hello"]);
    let picture = world.home().join("poster.png");
    std::fs::write(&picture, b"\x89PNG\r\n\x1a\n").expect("it can be written");
    let picture = picture.to_str().expect("it is text");
    world.ok(ANNA, &["group", "picture", "Cinema", picture]);
    world.ok(ANNA, &["profile", "--name", "Anna de Wit", "--about", "At sea", "--picture", picture]);
    assert!(world.ok(ANNA, &["profile"]).contains("At sea"));
    let agent = Agent::start(&world, BRAM);
    until("Bram knows", || agent.ask("GET", "/v1/conversations", None).body.contains("Anna de Wit"));
    let shown = agent.ask("GET", &format!("/v1/conversations/{ANNA}/picture"), None).json();
    assert_eq!(shown["picture"], json!("iVBORw0KGgo="));
    until("and the group", || {
        let rows = agent.ask("GET", "/v1/conversations", None).json();
        let rows = rows["conversations"].as_array().expect("it is a list").clone();
        rows.iter().any(|row| row["kind"] == "group" && row["picture"].is_string())
    });
}

#[test]
fn the_chat_has_commands_for_it() {
    let world = World::with_two();
    world.ok(ANNA, &["send", BRAM, "not for these walls"]);
    let number = world.json(ANNA, &["history", BRAM])[0]["number"].to_string();
    let mut anna = Terminal::start(&world, 24, 80, &["chat", BRAM]);
    anna.shows("not for these walls");
    anna.type_in(&format!("/hide {number}\r"));
    anna.type_in("/poll Which day? Friday / Sunday\r");
    anna.shows("2. Sunday");
    anna.type_in("\u{3}");
    assert_eq!(anna.wait(), Some(0));
    let kept = world.json(ANNA, &["history", BRAM]);
    let kinds: Vec<_> = kept.iter().map(|message| message["kind"].clone()).collect();
    assert_eq!(kinds, [json!("poll")]);
}
