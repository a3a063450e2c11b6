//! A script talks through the agent, in plain JSON.

use crate::web::{Answer, ask};
use crate::world::{ANNA, BRAM, CARLA, PATIENCE, Running, World, mode};
use serde_json::json;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};

pub struct Agent {
    address: SocketAddr,
    token: String,
    running: Running,
}

impl Agent {
    pub fn start(world: &World, who: &str) -> Self {
        let running = world.spawn(&["--as", who, "agent", "--listen", "127.0.0.1:0"]);
        let line = running.says("listens on ");
        let address = line.rsplit("http://").next().and_then(|it| it.parse().ok()).expect("it says where");
        let line = running.says("Token: ");
        let path = line.strip_prefix("Token: ").expect("it says which file");
        assert_eq!(mode(path.as_ref()), 0o600);
        let token = std::fs::read_to_string(path).expect("it is there");
        assert!(!line.contains(&token), "the token itself is not printed");
        Self { address, token, running }
    }

    pub fn ask(&self, method: &str, path: &str, body: Option<serde_json::Value>) -> Answer {
        let token = format!("Authorization: Bearer {}", self.token);
        ask(self.address, method, path, &[&token], body.map(|it| it.to_string()).as_deref())
    }
}

#[test]
fn a_script_sends_and_receives_in_plain_json() {
    let world = World::with_two();
    let agent = Agent::start(&world, ANNA);
    let start = agent.ask("GET", "/v1/events", None).json()["next"].as_u64().expect("there is a number");
    let bram = world.listen(BRAM);

    let sent = agent.ask("POST", "/v1/messages", Some(json!({ "to": BRAM, "text": "hello", "wait": "delivered" })));
    assert_eq!((sent.status, sent.json()["tick"].as_str()), (201, Some("delivered")), "{sent:?}");
    bram.message("message", "hello");
    let id = sent.json()["id"].as_str().expect("it has an id").to_owned();

    let reply = world.json(BRAM, &["send", ANNA, "hi", "--reply-to", &id, "--wait", "delivered"]);
    let theirs = reply[0]["id"].as_str().expect("it has an id");
    let (mut after, mut heard) = (start, false);
    while !heard {
        let page = agent.ask("GET", &format!("/v1/events?after={after}&wait=30"), None).json();
        assert_eq!(page["missed"], false);
        heard = page["events"].as_array().is_some_and(|all| all.iter().any(|it| it["message"]["text"] == "hi"));
        let next = page["next"].as_u64().expect("there is a number");
        assert!(heard || next > after, "a page that was waited for has something: {page}");
        after = next;
    }

    let reacted = agent.ask("POST", &format!("/v1/messages/{theirs}/reactions"), Some(json!({ "emoji": "👍" })));
    assert_eq!(reacted.status, 200, "{reacted:?}");
    assert_eq!(agent.ask("POST", &format!("/v1/messages/{theirs}/read"), None).status, 204);
    assert_eq!(agent.ask("POST", &format!("/v1/messages/{id}/edit"), Some(json!({ "text": "hello!" }))).status, 200);
    bram.event(|event| event["event"] == "message_changed" && event["message"]["text"] == "hello!");
    bram.event(|event| event["event"] == "message_changed" && event["message"]["reactions"][0]["emoji"] == "👍");

    let page = agent.ask("GET", &format!("/v1/conversations/{BRAM}/messages?limit=1"), None).json();
    assert_eq!(page["messages"][0]["text"], "hi");
    let before = page["before"].as_str().expect("there are older ones");
    let older = agent.ask("GET", &format!("/v1/conversations/{BRAM}/messages?before={before}"), None).json();
    assert_eq!((older["messages"][0]["text"].as_str(), older["before"].as_str()), (Some("hello!"), None));
    let list = agent.ask("GET", "/v1/conversations", None).json();
    assert_eq!(list["conversations"][0]["unread"], 0);

    let number = agent.ask("GET", &format!("/v1/people/{BRAM}/safety-number"), None).json();
    assert_eq!(number["safety_number"], world.json(BRAM, &["verify", ANNA])[0]["safety_number"]);
    assert_eq!(agent.ask("PUT", &format!("/v1/blocks/{BRAM}"), None).status, 204);
    assert_eq!(agent.ask("DELETE", &format!("/v1/blocks/{BRAM}"), None).status, 204);
    assert_eq!(agent.ask("POST", &format!("/v1/messages/{id}/delete"), None).json()["kind"], "deleted");
    assert_eq!(agent.ask("GET", "/v1/status", None).json()["phone"], ANNA);
    // Commands work beside it, and it ends when it is told to.
    assert_eq!(world.json(ANNA, &["status"])[0]["connection"], "live");
    assert_eq!(agent.running.stop().code, Some(0));
}

#[test]
fn events_come_as_a_stream_too() {
    let world = World::with_two();
    let agent = Agent::start(&world, ANNA);
    let mut stream = TcpStream::connect(agent.address).expect("it listens");
    let head = format!(
        "GET /v1/events HTTP/1.1\r\nHost: {}\r\nAccept: text/event-stream\r\nAuthorization: Bearer {}\r\n\r\n",
        agent.address, agent.token
    );
    stream.write_all(head.as_bytes()).expect("it reads");
    stream.set_read_timeout(Some(PATIENCE)).expect("it is not zero");
    let mut lines = BufReader::new(stream).lines().map(|line| line.expect("it goes on"));
    assert!(lines.next().is_some_and(|line| line.ends_with("200 OK")));
    world.ok(BRAM, &["send", ANNA, "streamed"]);
    let data =
        lines.find_map(|line| line.strip_prefix("data: ").filter(|data| data.contains("streamed")).map(str::to_owned));
    let event: serde_json::Value = serde_json::from_str(&data.expect("it came")).expect("it is an object");
    assert!(event["id"].is_u64(), "{event}");
    // A stream does not hold up the end.
    assert_eq!(agent.running.stop().code, Some(0));
    assert_eq!(lines.last().as_deref(), Some(""), "the stream ends as it should");
}

#[test]
fn nobody_but_who_has_the_token_gets_anything() {
    let world = World::start();
    world.register(ANNA);
    let agent = Agent::start(&world, ANNA);
    let token = format!("Authorization: Bearer {}", agent.token);
    let asked = |headers: &[&str]| ask(agent.address, "GET", "/v1/status", headers, None);
    assert_eq!(asked(&[&token]).status, 200);
    for (headers, status, code) in [
        (vec![], 401, "unauthorized"),
        (vec!["Authorization: Bearer nonsense"], 401, "unauthorized"),
        (vec![token.as_str(), "Host: evil.example"], 421, "wrong_host"),
        (vec![token.as_str(), "Origin: http://evil.example"], 403, "wrong_origin"),
    ] {
        let answer = asked(&headers);
        assert_eq!((answer.status, answer.json()["code"].as_str()), (status, Some(code)), "{answer:?}");
        assert!(answer.head.contains("application/problem+json"));
    }
    // The description is for everybody.
    assert_eq!(ask(agent.address, "GET", "/openapi.json", &[], None).json()["info"]["title"], "Tidings agent");
    assert_eq!(ask(agent.address, "GET", "/docs/", &[], None).status, 200);
}

#[test]
fn wrong_requests_get_a_problem_document() {
    let world = World::start();
    world.register(ANNA);
    let agent = Agent::start(&world, ANNA);
    let uuid = "01a1fc5e-9579-7752-ae85-2ded59eaa900";
    for (method, path, body, status, code) in [
        ("POST", "/v1/messages".to_owned(), Some(json!({ "to": "0612", "text": "x" })), 400, "bad_request"),
        ("POST", "/v1/messages".to_owned(), Some(json!({ "to": "+3161", "text": "x" })), 422, "invalid_phone"),
        ("POST", "/v1/messages".to_owned(), Some(json!({ "to": "+31611111111", "text": "x" })), 404, "no_such_person"),
        ("POST", "/v1/messages".to_owned(), Some(json!({ "to": ANNA })), 422, "bad_request"),
        ("POST", "/v1/messages".to_owned(), Some(json!({ "to": ANNA, "text": "x".repeat(500_000) })), 413, "too_long"),
        ("GET", format!("/v1/messages/{uuid}"), None, 404, "no_such_message"),
        ("GET", "/v1/messages/nonsense".to_owned(), None, 400, "bad_request"),
        ("GET", format!("/v1/conversations/{uuid}/messages"), None, 404, "no_such_conversation"),
        ("GET", format!("/v1/conversations/{uuid}/messages?limit=0"), None, 400, "bad_request"),
        ("GET", "/v1/events?wait=1000".to_owned(), None, 400, "bad_request"),
        ("GET", "/v1/nothing".to_owned(), None, 404, "not_found"),
        ("DELETE", "/v1/status".to_owned(), None, 405, "method_not_allowed"),
    ] {
        let answer = agent.ask(method, &path, body);
        let found = answer.json();
        assert_eq!((answer.status, found["code"].as_str()), (status, Some(code)), "{method} {path}: {answer:?}");
        assert!(found["detail"].as_str().is_some_and(|detail| !detail.is_empty()));
    }
}

#[test]
fn a_script_makes_a_group_and_lets_people_in() {
    let world = World::with_two();
    world.register(CARLA);
    let agent = Agent::start(&world, ANNA);
    let made = agent.ask("POST", "/v1/groups", Some(json!({ "name": "Cinema", "members": [BRAM] })));
    assert_eq!((made.status, made.json()["name"].as_str()), (201, Some("Cinema")), "{made:?}");
    let id = made.json()["id"].as_str().expect("it has an id").to_owned();
    let group = format!("/v1/groups/{id}");

    // Texts, pages and message info, as in every other conversation.
    let bram = world.listen(BRAM);
    let sent = agent.ask("POST", "/v1/messages", Some(json!({ "to": id, "text": "Friday?", "wait": "delivered" })));
    assert_eq!((sent.status, sent.json()["tick"].as_str()), (201, Some("delivered")), "{sent:?}");
    bram.message("message", "Friday?");
    let message = sent.json()["id"].as_str().expect("it has an id").to_owned();
    let info = agent.ask("GET", &format!("/v1/messages/{message}/info"), None).json();
    assert_eq!(
        (info["members"][0]["delivered"].as_bool(), info["members"][0]["read"].as_bool()),
        (Some(true), Some(false))
    );
    let page = agent.ask("GET", &format!("/v1/conversations/{id}/messages?limit=1"), None).json();
    assert_eq!(page["messages"][0]["text"], "Friday?");

    let invite = agent.ask("POST", &format!("{group}/invites"), Some(json!({ "approval": true }))).json();
    let link = invite["link"].as_str().expect("there is a link");
    world.ok(CARLA, &["group", "join", link]);
    let waiting = agent.ask("GET", &format!("{group}/requests"), None).json();
    let carla = waiting["requests"][0]["account"].as_str().expect("she waits").to_owned();
    assert_eq!(agent.ask("PUT", &format!("{group}/requests/{carla}"), None).status, 204);
    let key = invite["key"].as_str().expect("it has a name");
    assert_eq!(agent.ask("DELETE", &format!("{group}/invites/{key}"), None).status, 204);

    let admin = agent.ask("PUT", &format!("{group}/admins/{BRAM}"), None).json();
    let admins = admin["members"].as_array().expect("there are members").iter().filter(|it| it["admin"] == true);
    assert_eq!((admin["members"].as_array().map(Vec::len), admins.count()), (Some(3), 2), "{admin}");
    let rules = agent.ask("PATCH", &format!("{group}/rules"), Some(json!({ "posting": "admins" }))).json();
    assert_eq!((&rules["rules"]["posting"], &rules["rules"]["adding"]), (&json!("admins"), &json!("members")));
    let removed = agent.ask("DELETE", &format!("{group}/members/{carla}"), None).json();
    assert_eq!(removed["members"].as_array().map(Vec::len), Some(2), "{removed}");
    assert_eq!(agent.ask("POST", &format!("{group}/leave"), None).status, 204);
    for (method, path, body, status, code) in [
        ("GET", "/v1/groups/nonsense".to_owned(), None, 400, "bad_request"),
        ("GET", "/v1/groups/01a1fc5e-9579-4752-ae85-2ded59eaa900".to_owned(), None, 404, "no_such_conversation"),
        ("POST", format!("{group}/members"), Some(json!({ "members": [CARLA] })), 403, "not_allowed"),
        (
            "POST",
            "/v1/groups/join".to_owned(),
            Some(json!({ "link": "https://other.example/join#x" })),
            400,
            "bad_request",
        ),
        ("PATCH", format!("{group}/rules"), Some(json!({ "posting": "nobody" })), 422, "bad_request"),
    ] {
        let answer = agent.ask(method, &path, body);
        let found = answer.json();
        assert_eq!((answer.status, found["code"].as_str()), (status, Some(code)), "{method} {path}: {answer:?}");
    }
}
