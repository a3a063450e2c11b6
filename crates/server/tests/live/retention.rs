//! What the server forgets, and when.

use crate::peer::{Peer, message, text};
use crate::world::{World, code};
use std::time::{Duration, Instant};
use tidings_proto::entry::Body;
use tidings_proto::frame::{ClientFrame, Refused, ServerFrame};
use tidings_proto::http::{Post, Posted};
use tidings_proto::id::LogId;
use tidings_proto::limit::{TIMER_MAX_S, TIMER_MIN_S};
use tidings_proto::problem::Code;
use tidings_store::{ManualClock, Store};

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

#[tokio::test]
async fn messages_live_as_long_as_their_timer_says_and_no_longer_than_the_retention() {
    let clock = ManualClock::new(1_700_000_000_000);
    let world = World::over(Store::memory(clock.clock()), clock.clock(), |_| ()).await;
    let (a, b, conversation) = world.pair().await;
    let mut from = Peer::connect(&world, &a).await;
    let start_ms = clock.now_ms();
    for (seconds, seq, lives_ms) in
        [(Some(TIMER_MIN_S), 2, TIMER_MIN_S * 1_000), (Some(TIMER_MAX_S), 3, 30 * DAY_MS), (None, 4, 30 * DAY_MS)]
    {
        let mut append = message(conversation, 1, "soon gone");
        append.expires_in_s = seconds;
        from.send(&ClientFrame::Append(append)).await;
        while !matches!(from.next().await, ServerFrame::Appended { .. }) {}
        let entry = world.server.log.entry(conversation.into(), seq).await.unwrap().unwrap().decode().unwrap();
        assert_eq!(entry.expires_ms, start_ms + lives_ms, "{seconds:?}");
    }
    clock.advance(TIMER_MIN_S * 1_000);
    world.server.store.sweep().await.unwrap();
    let mut to = Peer::connect(&world, &b).await;
    let page = to.sync(conversation, 0, 100).await;
    assert_eq!(page.entries.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [1, 3, 4]);
    clock.advance(30 * DAY_MS);
    world.server.store.sweep().await.unwrap();
    let page = to.sync(conversation, 0, 100).await;
    // The commit stays, so that the epochs can be followed.
    assert_eq!(page.entries.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [1]);
    assert!(page.caught_up && page.head == 4);
}

#[tokio::test]
async fn a_timer_out_of_bounds_is_refused() {
    let world = World::new().await;
    let (a, _, conversation) = world.pair().await;
    let mut from = Peer::connect(&world, &a).await;
    for seconds in [0, TIMER_MIN_S - 1, TIMER_MAX_S + 1, u64::MAX] {
        let mut append = message(conversation, 1, "x");
        append.expires_in_s = Some(seconds);
        let path = format!("/v1/conversations/{conversation}/messages");
        let (message_id, payload) = (append.message_id, append.payload.clone());
        let post = Post { message_id, epoch: 1, payload, silent: false, expires_in_s: Some(seconds) };
        assert_eq!(code(world.post::<Posted>(&a, &path, &post).await), Code::BadRequest);
        from.send(&ClientFrame::Append(append)).await;
        let ServerFrame::Refused(Refused { code, .. }) = from.next().await else { panic!() };
        assert_eq!(code, Code::BadRequest);
    }
    assert_eq!(from.say(conversation, "fine").await, 2);
}

/// The seqs that are stored.
async fn kept(world: &World, log: LogId) -> Vec<u64> {
    let head = world.server.log.head(log).await.unwrap();
    let page = world.server.log.page(log, &head, 0, 100, usize::MAX).await.unwrap();
    page.entries.iter().map(|entry| entry.decode().unwrap().seq).collect()
}

async fn until_kept(world: &World, log: impl Into<LogId>, seqs: &[u64]) {
    let (log, start) = (log.into(), Instant::now());
    while kept(world, log).await != seqs {
        assert!(start.elapsed() < Duration::from_secs(20), "{:?} are kept", kept(world, log).await);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn what_every_device_has_is_deleted_if_the_server_is_set_to() {
    let world = World::forgetful().await;
    let (a, b) = (world.person().await, world.person().await);
    let b2 = world.device_of(b.account(), 2).await;
    let conversation = world.create(&a, &[&b, &b2]).await.unwrap();
    let mut from = Peer::connect(&world, &a).await;
    for number in 0..4 {
        from.say(conversation, &number.to_string()).await;
    }
    from.send(&ClientFrame::Cursor { log: conversation.into(), seq: 5 }).await;
    let (mut one, mut two) = (Peer::connect(&world, &b).await, Peer::connect(&world, &b2).await);
    one.send(&ClientFrame::Cursor { log: conversation.into(), seq: 5 }).await;
    two.send(&ClientFrame::Cursor { log: conversation.into(), seq: 3 }).await;
    // As far as the slowest has it; commits stay.
    until_kept(&world, conversation, &[1, 4, 5]).await;
    let page = two.sync(conversation, 3, 100).await;
    assert_eq!(page.entries.iter().map(text).collect::<Vec<_>>(), ["2", "3"]);
    two.send(&ClientFrame::Cursor { log: conversation.into(), seq: 5 }).await;
    until_kept(&world, conversation, &[1]).await;
    // A welcome is for one device.
    let inbox = two.sync(b2.sender.device, 0, 100).await;
    assert!(matches!(inbox.entries[0].body, Body::Welcome { .. }));
    two.send(&ClientFrame::Cursor { log: b2.sender.device.into(), seq: 1 }).await;
    until_kept(&world, b2.sender.device, &[]).await;
    // The log goes on.
    assert_eq!(from.say(conversation, "more").await, 6);
    assert_eq!(text(&two.entry().await), "more");
}
