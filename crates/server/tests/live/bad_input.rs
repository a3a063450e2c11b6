//! What is malformed, oversized or not one's own.

use crate::peer::{Closed, Peer, message};
use crate::world::{World, code, id, payload};
use futures_util::SinkExt;
use reqwest::Method;
use tidings_proto::codec::Format;
use tidings_proto::frame::{ClientFrame, Refused, ServerFrame};
use tidings_proto::http::{Conversation, Conversations, GroupInfo, Messages, Posted, Synced};
use tidings_proto::id::{ConversationId, LogId};
use tidings_proto::limit::{FRAME_MAX_BYTES, PAYLOAD_MAX_BYTES, SIGNAL_MAX_BYTES};
use tidings_proto::problem::Code;
use tokio_tungstenite::tungstenite::Message;

/// The connection says why, and closes.
async fn ends_with(peer: &mut Peer, expected: Code, close: u16) {
    loop {
        match peer.next_or_closed().await {
            Ok(ServerFrame::Goodbye { code, .. }) => {
                assert_eq!(code, expected);
                assert_eq!(peer.next_or_closed().await, Err(Closed::With(close, expected.as_str().into())));
                return;
            }
            Ok(_) => {}
            Err(closed) => panic!("{closed:?} without a goodbye"),
        }
    }
}

#[tokio::test]
async fn garbage_ends_the_connection_with_a_reason_and_nobody_else_notices() {
    let world = World::new().await;
    let (a, b, conversation) = world.pair().await;
    let mut other = Peer::connect(&world, &b).await;
    for (format, garbage) in [
        (Format::Cbor, Message::Binary(vec![0xff, 0x00, 0x13].into())),
        (Format::Cbor, Message::Binary(Vec::new().into())),
        (Format::Cbor, Message::Binary(Format::Cbor.encode(&ClientFrame::Ping { nonce: 1 }).slice(..4))),
        (Format::Cbor, Message::Text("{}".into())),
        (Format::Json, Message::Text("{".into())),
        (Format::Json, Message::Text(r#"{"shout":{}}"#.into())),
        (Format::Json, Message::Text(r#"{"ping":{"nonce":-1}}"#.into())),
        (Format::Json, Message::Binary(vec![1].into())),
        (Format::Json, Message::Text(format!(r#"{{"read":{{"conversation":"{}","seq":1}}}}"#, "x".repeat(99)).into())),
    ] {
        // Both before and after hello.
        let mut fresh = Peer::open(&world, format).await;
        fresh.socket.send(garbage.clone()).await.unwrap();
        ends_with(&mut fresh, Code::BadRequest, 1002).await;
        let mut known = Peer::hello(&world, &a, format, 0).await.0;
        known.socket.send(garbage).await.unwrap();
        ends_with(&mut known, Code::BadRequest, 1002).await;
    }
    other.say(conversation, "all is well").await;
}

#[tokio::test]
async fn the_first_frame_is_hello_and_it_comes_once() {
    let world = World::new().await;
    let a = world.person().await;
    let mut hasty = Peer::open(&world, Format::Cbor).await;
    hasty.send(&ClientFrame::Ping { nonce: 1 }).await;
    ends_with(&mut hasty, Code::BadRequest, 1002).await;
    let mut twice = Peer::connect(&world, &a).await;
    twice.send(&ClientFrame::Hello { token: a.token.clone(), since_ms: 0, count: 0 }).await;
    ends_with(&mut twice, Code::BadRequest, 1002).await;
    let mut forger = Peer::open(&world, Format::Json).await;
    forger.send(&ClientFrame::Hello { token: "tda_forged".into(), since_ms: 0, count: 0 }).await;
    ends_with(&mut forger, Code::Unauthorized, 1008).await;
}

#[tokio::test]
async fn what_is_too_large_is_refused_or_ends_the_connection() {
    let world = World::new().await;
    let (a, _, conversation) = world.pair().await;
    let mut peer = Peer::connect(&world, &a).await;
    let mut large = message(conversation, 1, "");
    large.payload = vec![0; PAYLOAD_MAX_BYTES + 1].into();
    peer.send(&ClientFrame::Append(large.clone())).await;
    assert!(matches!(peer.next().await, ServerFrame::Refused(Refused { code: Code::TooLarge, .. })));
    large.payload = vec![0; PAYLOAD_MAX_BYTES].into();
    large.message_id = id();
    peer.send(&ClientFrame::Append(large)).await;
    assert!(matches!(peer.next().await, ServerFrame::Appended { seq: 2, .. }));
    let signal = ClientFrame::Signal { conversation, payload: vec![0; SIGNAL_MAX_BYTES + 1].into() };
    peer.send(&signal).await;
    ends_with(&mut peer, Code::TooLarge, 1009).await;

    let mut peer = Peer::connect(&world, &a).await;
    // The header is enough for the server to say no; what follows may find the connection closed.
    let _ = peer.socket.send(Message::Binary(vec![0; FRAME_MAX_BYTES + 1].into())).await;
    ends_with(&mut peer, Code::TooLarge, 1009).await;
}

#[tokio::test]
async fn other_peoples_conversations_do_not_exist() {
    let world = World::new().await;
    let (a, b, conversation) = world.pair().await;
    let stranger = world.person().await;
    let mut peer = Peer::connect(&world, &stranger).await;
    let nowhere = ConversationId::direct(a.account(), stranger.account());
    for id in [conversation, nowhere] {
        peer.append(id, 1, "let me in").await;
        let ServerFrame::Refused(Refused { code: Code::NotFound, epoch: None, head: None, .. }) = peer.next().await
        else {
            panic!("taken")
        };
        let path = format!("/v1/conversations/{id}");
        assert_eq!(code(world.get::<Conversation>(&stranger, &path).await), Code::NotFound);
        assert_eq!(code(world.get::<Messages>(&stranger, &format!("{path}/messages")).await), Code::NotFound);
        assert_eq!(code(world.get::<GroupInfo>(&stranger, &format!("{path}/group-info")).await), Code::NotFound);
        let receipts = Some(br#"{"read":1}"#.to_vec());
        let told = world.tell(&stranger, Method::PUT, &format!("{path}/receipts"), receipts).await;
        assert_eq!(code(told), Code::NotFound);
        let post = serde_json::json!({ "message_id": crate::world::id(), "epoch": 1, "payload": "AAAA" });
        assert_eq!(code(world.post::<Posted>(&stranger, &format!("{path}/messages"), &post).await), Code::NotFound);
        peer.send(&ClientFrame::Read { conversation: id, seq: 1 }).await;
        peer.send(&ClientFrame::Signal { conversation: id, payload: payload("boo") }).await;
    }
    let inboxes: [LogId; 2] = [b.sender.device.into(), stranger.sender.device.into()];
    for log in inboxes.into_iter().chain([conversation.into(), nowhere.into()]) {
        let page = peer.sync(log, 0, 100).await;
        assert_eq!((page.log, page.entries.len(), page.head, page.caught_up), (log, 0, 0, true));
        peer.send(&ClientFrame::Cursor { log, seq: 1 }).await;
    }
    let cursors = format!(r#"{{"cursors":[{{"log":"{conversation}","seq":1}}]}}"#);
    let told = world.tell(&stranger, Method::POST, "/v1/cursors", Some(cursors.into_bytes())).await;
    assert_eq!(code(told), Code::NotFound);
    let synced: Synced = world.get(&stranger, "/v1/sync").await.unwrap();
    assert_eq!((synced.pages.len(), synced.plan.len()), (0, 0));
    let list: Conversations = world.get(&stranger, "/v1/conversations").await.unwrap();
    assert_eq!(list.conversations, []);
    peer.expect_nothing().await;
    // And the two never heard of it.
    let shown: Conversation = world.get(&a, &format!("/v1/conversations/{conversation}")).await.unwrap();
    assert_eq!((shown.head, shown.watermarks), (1, Vec::new()));
}

#[tokio::test]
async fn an_upgrade_with_foreign_subprotocols_is_refused() {
    let world = World::new().await;
    use tokio_tungstenite::tungstenite::client::IntoClientRequest;
    let mut request = format!("ws://{}/v1/socket", world.address).into_client_request().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", "mqtt".parse().unwrap());
    let error = tokio_tungstenite::connect_async(request).await.unwrap_err();
    assert!(error.to_string().contains("400"), "{error}");
    let plain = world.call(None, Method::GET, "/v1/socket", None).await;
    assert_eq!(plain.status(), 400);
}
