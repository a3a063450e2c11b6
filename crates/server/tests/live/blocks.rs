//! Blocking withholds, and unblocking gives back.

use crate::peer::{Peer, message, text};
use crate::world::{World, code};
use reqwest::Method;
use std::time::Duration;
use tidings_proto::codec::Format;
use tidings_proto::frame::{Append, ClientFrame, Refused, ServerFrame};
use tidings_proto::http::{Blocks, Conversation, Messages, Post, Posted};
use tidings_proto::id::LogId;
use tidings_proto::problem::Code;
use tidings_store::{Clock, CommitLatency, MemoryDisk};

#[tokio::test]
async fn who_is_blocked_notices_one_tick_and_who_blocks_hears_nothing_until_unblocking() {
    let world = World::new().await;
    let (a, b, conversation) = world.pair().await;
    let (mut blocked, mut blocker) = (Peer::connect(&world, &a).await, Peer::connect(&world, &b).await);
    assert_eq!(blocked.say(conversation, "before").await, 2);
    assert_eq!(text(&blocker.entry().await), "before");

    let path = format!("/v1/blocks/{}", a.account());
    world.tell(&b, Method::PUT, &path, None).await.unwrap();
    world.tell(&b, Method::PUT, &path, None).await.unwrap();
    assert_eq!(world.get::<Blocks>(&b, "/v1/blocks").await.unwrap().accounts, [a.account()]);
    assert_eq!(world.get::<Blocks>(&a, "/v1/blocks").await.unwrap().accounts, []);

    assert_eq!(blocked.say(conversation, "into the void").await, 3);
    blocked.send(&ClientFrame::Signal { conversation, payload: crate::world::payload("typing") }).await;
    blocked.send(&ClientFrame::Read { conversation, seq: 3 }).await;
    blocked.expect_nothing().await;
    blocker.expect_nothing().await;
    let page = blocker.sync(conversation, 0, 100).await;
    assert_eq!((page.entries.len(), page.head, page.caught_up), (2, 2, true));
    let messages: Messages = world.get(&b, &format!("/v1/conversations/{conversation}/messages")).await.unwrap();
    assert_eq!((messages.entries.len(), messages.head), (2, 2));
    let shown: Conversation = world.get(&b, &format!("/v1/conversations/{conversation}")).await.unwrap();
    assert!(shown.watermarks.iter().all(|mark| mark.read <= 2 && mark.delivered <= 2));

    // What the blocker does there shows nowhere.
    blocker.send(&ClientFrame::Cursor { log: conversation.into(), seq: 3 }).await;
    blocker.send(&ClientFrame::Read { conversation, seq: 2 }).await;
    blocker.append(conversation, 1, "no").await;
    let ServerFrame::Refused(Refused { code: Code::Blocked, .. }) = blocker.next().await else { panic!("taken") };
    blocked.expect_nothing().await;
    let (_, plan) = Peer::hello(&world, &b, Format::Cbor, 0).await;
    assert!(plan.logs.iter().all(|log| log.log != conversation.into()), "{plan:?}");

    let mut blocker = Peer::connect(&world, &b).await;
    world.tell(&b, Method::DELETE, &path, None).await.unwrap();
    assert_eq!(blocker.next().await, ServerFrame::Moved { log: conversation.into(), head: 3 });
    // What the block kept from moving moves now, and what it kept back is told.
    assert!(matches!(blocker.next().await, ServerFrame::Receipts { watermarks, .. } if watermarks[0].read == 3));
    assert!(matches!(blocked.next().await, ServerFrame::Receipts { watermarks, .. } if watermarks[0].delivered == 2));
    let page = blocker.sync(conversation, 2, 100).await;
    assert_eq!(page.entries.iter().map(text).collect::<Vec<_>>(), ["into the void"]);
    blocker.send(&ClientFrame::Cursor { log: conversation.into(), seq: 3 }).await;
    assert!(matches!(blocked.next().await, ServerFrame::Receipts { watermarks, .. } if watermarks[0].delivered == 3));
    assert_eq!(blocker.say(conversation, "yes").await, 4);
}

#[tokio::test]
async fn who_blocks_still_learns_what_became_of_what_was_sent_before() {
    let world = World::new().await;
    let (a, b, conversation) = world.pair().await;
    let mut peer = Peer::connect(&world, &b).await;
    let before = message(conversation, 1, "before");
    peer.send(&ClientFrame::Append(before.clone())).await;
    let answer = peer.next().await;
    assert!(matches!(answer, ServerFrame::Appended { seq: 2, .. }), "{answer:?}");
    world.tell(&b, Method::PUT, &format!("/v1/blocks/{}", a.account()), None).await.unwrap();

    // As if the answer had got lost.
    peer.send(&ClientFrame::Append(before.clone())).await;
    assert_eq!(peer.next().await, answer);
    peer.append(conversation, 1, "after").await;
    let ServerFrame::Refused(Refused { code: Code::Blocked, .. }) = peer.next().await else { panic!("taken") };
    let Append { message_id, epoch, payload, silent, expires_in_s, .. } = before;
    let path = format!("/v1/conversations/{conversation}/messages");
    let posted: Posted =
        world.post(&b, &path, &Post { message_id, epoch, payload, silent, expires_in_s }).await.unwrap();
    assert_eq!((posted.message_id, posted.seq), (message_id, 2));
}

#[tokio::test]
async fn what_was_taken_before_a_block_is_below_it() {
    let disk = MemoryDisk::new(Clock::system());
    let world = World::over(disk.open(), Clock::system(), |_| ()).await;
    let (a, b, conversation) = world.pair().await;
    let mut peer = Peer::connect(&world, &b).await;
    // The block is asked for while the message is on its way to the disk.
    let slow = Duration::from_millis(100);
    disk.set_latency(move || CommitLatency { before: slow, after: Duration::ZERO });
    let (last, path) = (message(conversation, 1, "my last word"), format!("/v1/blocks/{}", a.account()));
    peer.send(&ClientFrame::Append(last)).await;
    while world.server.metrics.appends_in_flight.get() == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    world.tell(&b, Method::PUT, &path, None).await.unwrap();
    assert!(matches!(peer.next().await, ServerFrame::Appended { seq: 2, .. }));
    assert_eq!(peer.sync(conversation, 0, 100).await.head, 2);
    // Also after the lane was loaded anew.
    disk.set_latency(CommitLatency::default);
    drop((peer, world));
    let world = World::over(disk.open(), Clock::system(), |_| ()).await;
    let (_, plan) = Peer::hello(&world, &b, Format::Cbor, 0).await;
    assert_eq!(plan.logs.iter().find(|log| log.log == conversation.into()).map(|log| log.head), Some(2));
}

#[tokio::test]
async fn a_conversation_that_begins_while_blocked_shows_after_unblocking() {
    let world = World::new().await;
    let (a, b) = (world.person().await, world.person().await);
    let path = format!("/v1/blocks/{}", a.account());
    world.tell(&b, Method::PUT, &path, None).await.unwrap();
    let conversation = world.create(&a, &[&b]).await.unwrap();
    // The welcome waits in the inbox, so that what is said meanwhile can be read later.
    let inbox = LogId::from(b.sender.device);
    let logs = async || -> Vec<LogId> {
        let (_, plan) = Peer::hello(&world, &b, Format::Cbor, 0).await;
        plan.logs.iter().map(|log| log.log).collect()
    };
    assert_eq!(logs().await, [inbox]);
    world.tell(&b, Method::DELETE, &path, None).await.unwrap();
    assert_eq!(logs().await, [inbox, conversation.into()]);
}

#[tokio::test]
async fn only_other_people_who_exist_can_be_blocked() {
    let world = World::new().await;
    let a = world.person().await;
    let own = world.tell(&a, Method::PUT, &format!("/v1/blocks/{}", a.account()), None).await;
    assert_eq!(code(own), Code::BadRequest);
    let nobody = world.tell(&a, Method::PUT, "/v1/blocks/00000000-0000-0000-0000-0000000000ff", None).await;
    assert_eq!(code(nobody), Code::NotFound);
}
