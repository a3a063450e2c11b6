//! Send, acknowledge, deliver, receipt: with both there, and with one away.

use crate::peer::{Peer, message, text};
use crate::world::{World, create_commit, payload};
use reqwest::Method;
use tidings_proto::codec::Format;
use tidings_proto::entry::Body;
use tidings_proto::frame::{ClientFrame, ServerFrame, Watermark};
use tidings_proto::http::{Conversation, Conversations, Create, Post, Posted, PutReceipts};
use tidings_proto::id::{AccountId, ConversationId};
use tidings_proto::problem::Code;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_fifty_who_create_at_once_one_wins_and_all_learn_of_it() {
    let world = World::new().await;
    let (a, b) = (world.person().await, world.person().await);
    let tries = (0..50).map(|number| {
        let (by, other) = if number % 2 == 0 { (&a, &b) } else { (&b, &a) };
        let (world, commit) = (&world, create_commit(by, &[other]));
        async move { world.post::<serde_json::Value>(by, "/v1/conversations", &Create { commit }).await }
    });
    let results = futures_util::future::join_all(tries).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    for problem in results.into_iter().filter_map(Result::err) {
        assert_eq!((problem.code, problem.epoch, problem.head), (Code::Exists, Some(1), Some(1)));
    }
    let id = ConversationId::direct(a.account(), b.account());
    for person in [&a, &b] {
        let list: Conversations = world.get(person, "/v1/conversations").await.unwrap();
        let [only] = &list.conversations[..] else { panic!("{list:?}") };
        assert_eq!((only.conversation, only.epoch, only.head), (id, 1, 1));
        assert_eq!(only.members, [a.account(), b.account()]);
    }
    // The welcome that counts is the winner's, and its commit stands in the log.
    let (mut peer, plan) = Peer::hello(&world, &b, Format::Cbor, 0).await;
    let winner = peer.sync(id, 0, 10).await.entries.remove(0);
    if winner.sender == a.sender {
        assert_eq!(plan.logs[0].log, b.sender.device.into());
        let inbox = peer.sync(b.sender.device, 0, 256).await;
        let named = |body: &Body| matches!(body, Body::Welcome { commit, conversation, .. } if *commit == winner.message_id && *conversation == id);
        assert_eq!(inbox.entries.iter().filter(|entry| named(&entry.body)).count(), 1);
    }
}

/// Watermarks without their times.
fn timeless(watermarks: &[Watermark]) -> Vec<(AccountId, u64, u64)> {
    watermarks.iter().map(|mark| (mark.account, mark.delivered, mark.read)).collect()
}

fn receipts(frame: ServerFrame) -> (ConversationId, Vec<(AccountId, u64, u64)>) {
    let ServerFrame::Receipts { conversation, watermarks } = frame else { panic!("{frame:?}") };
    (conversation, timeless(&watermarks))
}

async fn message_with_receipts(format: Format) {
    let world = World::new().await;
    let (a, b, conversation) = world.pair().await;
    let (mut from, _) = Peer::hello(&world, &a, format, 0).await;
    let (mut to, _) = Peer::hello(&world, &b, format, 0).await;

    assert_eq!(from.say(conversation, "hello").await, 2);
    let entry = to.entry().await;
    assert_eq!((entry.seq, entry.epoch, entry.sender, text(&entry).as_str()), (2, 1, a.sender, "hello"));
    assert_eq!((entry.log, entry.commit_seq, entry.ordinal), (conversation.into(), 1, 1));

    let watermark = |delivered, read| (conversation, vec![(b.account(), delivered, read)]);
    to.send(&ClientFrame::Cursor { log: conversation.into(), seq: 2 }).await;
    assert_eq!(receipts(from.next().await), watermark(2, 0));
    to.send(&ClientFrame::Read { conversation, seq: 2 }).await;
    assert_eq!(receipts(from.next().await), watermark(2, 2));
    // What was told already is not told again, and nobody has what is not there.
    to.send(&ClientFrame::Cursor { log: conversation.into(), seq: 1 }).await;
    to.send(&ClientFrame::Cursor { log: conversation.into(), seq: 99 }).await;
    to.send(&ClientFrame::Read { conversation, seq: 99 }).await;
    to.expect_nothing().await;
    from.expect_nothing().await;

    to.send(&ClientFrame::Signal { conversation, payload: payload("typing") }).await;
    let signal = ServerFrame::Signal { conversation, sender: b.sender, payload: payload("typing") };
    assert_eq!(from.next().await, signal);
}

#[tokio::test]
async fn a_message_gets_its_ticks_in_cbor() {
    message_with_receipts(Format::Cbor).await;
}

#[tokio::test]
async fn a_message_gets_its_ticks_in_json() {
    message_with_receipts(Format::Json).await;
}

#[tokio::test]
async fn all_devices_of_both_people_get_it_but_not_the_one_that_sent_it() {
    let world = World::new().await;
    let (a, b) = (world.person().await, world.person().await);
    let a2 = world.device_of(a.account(), 2).await;
    let conversation = world.create(&a, &[&a2, &b]).await.unwrap();
    let (mut one, mut two, mut other) =
        (Peer::connect(&world, &a).await, Peer::connect(&world, &a2).await, Peer::connect(&world, &b).await);
    assert_eq!(one.say(conversation, "hi").await, 2);
    assert_eq!(text(&two.entry().await), "hi");
    assert_eq!(text(&other.entry().await), "hi");
    one.expect_nothing().await;
    // One's own other device learns what was read here.
    one.send(&ClientFrame::Read { conversation, seq: 2 }).await;
    assert_eq!(receipts(two.next().await), (conversation, vec![(a.account(), 2, 2)]));
    one.expect_nothing().await;
}

#[tokio::test]
async fn who_was_away_gets_everything_from_the_plan_on() {
    let world = World::new().await;
    let (a, b, conversation) = world.pair().await;
    let mut from = Peer::connect(&world, &a).await;
    for number in 0..10 {
        from.say(conversation, &number.to_string()).await;
    }
    let (mut to, plan) = Peer::hello(&world, &b, Format::Cbor, 0).await;
    let [inbox, moved] = &plan.logs[..] else { panic!("{plan:?}") };
    assert_eq!((inbox.log, inbox.head, inbox.cursor), (b.sender.device.into(), 1, 0));
    assert_eq!((moved.log, moved.head, moved.oldest, moved.cursor, moved.unread), (conversation.into(), 11, 1, 0, 10));
    let first = to.sync(conversation, 0, 4).await;
    assert_eq!((first.entries.len(), first.head, first.caught_up), (4, 11, false));
    let rest = to.sync(conversation, 4, 256).await;
    assert!(rest.caught_up);
    let seqs: Vec<u64> = first.entries.iter().chain(&rest.entries).map(|entry| entry.seq).collect();
    assert_eq!(seqs, (1..=11).collect::<Vec<_>>());
    to.send(&ClientFrame::Cursor { log: conversation.into(), seq: 11 }).await;
    to.send(&ClientFrame::Cursor { log: b.sender.device.into(), seq: 1 }).await;
    to.send(&ClientFrame::Read { conversation, seq: 6 }).await;
    to.expect_nothing().await;
    drop(to);
    // Nothing is planned any more but what moved lately, and that only for those who ask since when.
    let (_, plan) = Peer::hello(&world, &b, Format::Cbor, u64::MAX).await;
    assert_eq!(plan.logs, []);
    let (_, plan) = Peer::hello(&world, &b, Format::Cbor, 0).await;
    let [moved] = &plan.logs[..] else { panic!("{plan:?}") };
    assert_eq!((moved.cursor, moved.unread), (11, 5));
    assert_eq!(timeless(&moved.watermarks), [(b.account(), 11, 6)]);
}

#[tokio::test]
async fn plain_http_is_enough_to_send_read_and_confirm() {
    let world = World::new().await;
    let (a, b, conversation) = world.pair().await;
    let path = format!("/v1/conversations/{conversation}/messages");
    let append = message(conversation, 1, "by post");
    let post =
        Post { message_id: append.message_id, epoch: 1, payload: append.payload, silent: false, expires_in_s: None };
    let first: Posted = world.post(&a, &path, &post).await.unwrap();
    let again: Posted = world.post(&a, &path, &post).await.unwrap();
    assert_eq!((first.seq, &first), (2, &again));
    let receipts = serde_json::to_vec(&PutReceipts { delivered: Some(2), read: Some(1) }).unwrap();
    world.tell(&b, Method::PUT, &format!("/v1/conversations/{conversation}/receipts"), Some(receipts)).await.unwrap();
    let shown: Conversation = world.get(&a, &format!("/v1/conversations/{conversation}")).await.unwrap();
    assert_eq!(timeless(&shown.watermarks), [(b.account(), 2, 1)]);
}
