//! Pages both ways, polls, and slow readers.

use crate::peer::{Peer, text};
use crate::world::{World, code};
use std::time::Duration;
use tidings_proto::codec::Format;
use tidings_proto::entry::Entry;
use tidings_proto::frame::{ClientFrame, ServerFrame};
use tidings_proto::http::{CursorAt, Messages, PutCursors, Synced};
use tidings_proto::problem::Code;

#[tokio::test]
async fn history_pages_both_ways_over_http() {
    let world = World::new().await;
    let (a, b, conversation) = world.pair().await;
    let mut from = Peer::connect(&world, &a).await;
    for number in 2..=25 {
        assert_eq!(from.say(conversation, &number.to_string()).await, number);
    }
    let path = format!("/v1/conversations/{conversation}/messages");
    let seqs = |page: &Messages| page.entries.iter().map(|entry| entry.seq).collect::<Vec<_>>();
    let newest: Messages = world.get(&b, &format!("{path}?limit=10")).await.unwrap();
    assert_eq!((seqs(&newest), newest.head, newest.oldest), ((16..=25).collect(), 25, 1));
    let mut back = Vec::new();
    let mut before = 26;
    while before > 1 {
        let page: Messages = world.get(&b, &format!("{path}?before={before}&limit=7")).await.unwrap();
        before = page.entries[0].seq;
        back.splice(0..0, page.entries);
    }
    let mut forth = Vec::new();
    loop {
        let after = forth.last().map_or(0, |entry: &Entry| entry.seq);
        let page: Messages = world.get(&b, &format!("{path}?after={after}&limit=7")).await.unwrap();
        if page.entries.is_empty() {
            break;
        }
        forth.extend(page.entries);
    }
    assert_eq!(back, forth);
    assert_eq!(forth.iter().map(|entry| entry.seq).collect::<Vec<_>>(), (1..=25).collect::<Vec<_>>());
    assert_eq!(code(world.get::<Messages>(&b, &format!("{path}?after=1&before=9")).await), Code::BadRequest);
}

#[tokio::test]
async fn a_poll_gives_the_entries_of_the_socket_and_comes_as_soon_as_there_is_one() {
    let world = World::new().await;
    let (a, b, conversation) = world.pair().await;
    let b2 = world.device_of(b.account(), 2).await;
    let mut from = Peer::connect(&world, &a).await;
    let mut socket = Peer::connect(&world, &b).await;

    let first: Synced = world.get(&b2, "/v1/sync?wait=0").await.unwrap();
    assert_eq!(first.pages.iter().map(|page| page.log).collect::<Vec<_>>(), [conversation.into()]);
    assert!(first.caught_up);
    let confirm = |seq| PutCursors { cursors: vec![CursorAt { log: conversation.into(), seq }] };
    let path = "/v1/cursors";
    world.tell(&b2, reqwest::Method::POST, path, Some(serde_json::to_vec(&confirm(1)).unwrap())).await.unwrap();
    let nothing: Synced = world.get(&b2, "/v1/sync?wait=0").await.unwrap();
    assert_eq!((nothing.pages.len(), nothing.plan.len(), nothing.caught_up), (0, 0, true));

    let (polled, _) = tokio::join!(world.get::<Synced>(&b2, "/v1/sync?wait=30"), async {
        while world.server.metrics.polls.get() == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        from.say(conversation, "now").await;
    });
    let polled = polled.unwrap();
    let [page] = &polled.pages[..] else { panic!("{polled:?}") };
    let mut live = socket.entry().await;
    if live.seq == 1 {
        // Readers are woken after the author is answered: the first entry may still have been on its way.
        live = socket.entry().await;
    }
    assert_eq!(page.entries, [live]);
    assert_eq!(code(world.get::<Synced>(&b2, "/v1/sync?wait=61").await), Code::BadRequest);
    let empty: Synced = {
        world.tell(&b2, reqwest::Method::POST, path, Some(serde_json::to_vec(&confirm(2)).unwrap())).await.unwrap();
        world.get(&b2, "/v1/sync?wait=1").await.unwrap()
    };
    assert_eq!(empty.pages, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_reader_loses_live_entries_and_gets_everything_in_the_end() {
    const MESSAGES: u64 = 6_000;
    let world = World::new().await;
    let (a, b, conversation) = world.pair().await;
    let mut slow = Peer::connect(&world, &b).await;
    let mut from = Peer::connect(&world, &a).await;
    let body = "x".repeat(4_000);
    let (mut sent, mut answered) = (0, 0);
    // More than the kernel's buffers and the session's queue hold, while nobody reads.
    while answered < MESSAGES {
        while sent < MESSAGES && sent - answered < 60 {
            from.append(conversation, 1, &body).await;
            sent += 1;
        }
        assert!(matches!(from.next().await, ServerFrame::Appended { .. }));
        answered += 1;
    }
    let head = MESSAGES + 1;
    let (mut cursor, mut announced, mut asked, mut moved) = (1, 0, false, false);
    while cursor < head {
        match slow.next().await {
            ServerFrame::Entry(entry) if entry.seq == cursor + 1 => cursor += 1,
            ServerFrame::Entry(entry) => announced = announced.max(entry.seq),
            ServerFrame::Moved { log, head } => {
                assert_eq!(log, conversation.into());
                (announced, moved) = (announced.max(head), true);
            }
            ServerFrame::Page(page) => {
                asked = false;
                for entry in &page.entries {
                    if entry.seq <= cursor {
                        continue;
                    }
                    assert_eq!(entry.seq, cursor + 1);
                    assert_eq!(text(entry).len(), body.len());
                    cursor = entry.seq;
                }
            }
            other => panic!("{other:?}"),
        }
        if announced > cursor && !asked {
            asked = true;
            slow.send(&ClientFrame::Sync { log: conversation.into(), after: cursor, limit: 256 }).await;
        }
    }
    assert!(moved, "everything was pushed: the reader was not slow enough for this test");
    slow.expect_nothing().await;
}

#[tokio::test]
async fn a_plan_of_many_conversations_comes_in_parts_newest_first() {
    let world = World::new().await;
    let a = world.person().await;
    let mut conversations = Vec::new();
    for _ in 0..12 {
        let other = world.person().await;
        conversations.push(world.create(&other, &[&a]).await.unwrap());
    }
    // The oldest is the last to speak.
    let path = format!("/v1/conversations/{}/messages", conversations[0]);
    tokio::time::sleep(Duration::from_millis(2)).await;
    let append = crate::peer::message(conversations[0], 1, "late");
    let post = serde_json::json!({ "message_id": append.message_id, "epoch": 1, "payload": append.payload });
    world.post::<serde_json::Value>(&a, &path, &post).await.unwrap();
    let (_, plan) = Peer::hello(&world, &a, Format::Json, 0).await;
    assert_eq!(plan.logs.len(), 13);
    assert_eq!((plan.logs[0].log, plan.logs[0].head), (a.sender.device.into(), 12));
    assert_eq!((plan.logs[1].log, plan.logs[1].head), (conversations[0].into(), 2));
}
