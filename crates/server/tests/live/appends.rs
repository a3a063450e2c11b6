//! Order, repeats and epochs of appends.

use crate::peer::{Peer, message, text};
use crate::world::World;
use std::collections::BTreeMap;
use tidings_proto::frame::{ClientFrame, Refused, ServerFrame};
use tidings_proto::id::MessageId;
use tidings_proto::problem::Code;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pipelined_appends_keep_their_order_and_every_reader_sees_the_same() {
    const EACH: usize = 500;
    let world = World::new().await;
    let (a, b, conversation) = world.pair().await;
    // Both are there before the first message.
    let (one, other) = (Peer::connect(&world, &a).await, Peer::connect(&world, &b).await);
    let run = |mut peer: Peer, other: u64| {
        async move {
            let (mut waiting, mut own, mut seen) = (BTreeMap::<MessageId, usize>::new(), vec![0; EACH], Vec::new());
            let (mut sent, mut answered) = (0, 0);
            while answered < EACH || seen.len() < EACH {
                // As a client would: a window of appends that wait for their answers.
                while sent < EACH && waiting.len() < 32 {
                    waiting.insert(peer.append(conversation, 1, &format!("{other}/{sent}")).await, sent);
                    sent += 1;
                }
                match peer.next().await {
                    ServerFrame::Appended { message_id, seq, .. } => {
                        own[waiting.remove(&message_id).unwrap()] = seq;
                        answered += 1;
                    }
                    ServerFrame::Entry(entry) => seen.push((entry.seq, text(&entry))),
                    other => panic!("{other:?}"),
                }
            }
            (own, seen)
        }
    };
    let ((own_a, seen_a), (own_b, seen_b)) = tokio::join!(run(one, 0), run(other, 1));
    for (own, seen_by_other, number) in [(own_a, seen_b, 0), (own_b, seen_a, 1)] {
        assert!(own.is_sorted());
        let expected: Vec<(u64, String)> =
            own.iter().enumerate().map(|(at, seq)| (*seq, format!("{number}/{at}"))).collect();
        assert_eq!(seen_by_other, expected);
    }
}

#[tokio::test]
async fn a_repeat_gets_the_old_seq_and_nobody_hears_of_it_twice() {
    let world = World::new().await;
    let (a, b, conversation) = world.pair().await;
    let (mut from, mut to) = (Peer::connect(&world, &a).await, Peer::connect(&world, &b).await);
    let append = message(conversation, 1, "once");
    from.send(&ClientFrame::Append(append.clone())).await;
    from.send(&ClientFrame::Append(append.clone())).await;
    let (first, second) = (from.next().await, from.next().await);
    assert!(matches!(first, ServerFrame::Appended { seq: 2, .. }), "{first:?}");
    assert_eq!(first, second);
    // Encrypted again, for another epoch: it is the same message all the same.
    let again = tidings_proto::frame::Append { epoch: 7, payload: crate::world::payload("other bytes"), ..append };
    from.send(&ClientFrame::Append(again.clone())).await;
    assert_eq!(from.next().await, first);
    assert_eq!(text(&to.entry().await), "once");
    to.expect_nothing().await;
    // The same id from another device is another message.
    to.send(&ClientFrame::Append(tidings_proto::frame::Append { epoch: 1, ..again })).await;
    assert!(matches!(to.next().await, ServerFrame::Appended { seq: 3, .. }));
}

#[tokio::test]
async fn another_epoch_is_refused_with_where_the_conversation_is() {
    let world = World::new().await;
    let (a, _, conversation) = world.pair().await;
    let mut from = Peer::connect(&world, &a).await;
    for epoch in [0, 2] {
        let stale = from.append(conversation, epoch, "stale").await;
        let ServerFrame::Refused(Refused { message_id, code, epoch, head, .. }) = from.next().await else {
            panic!("taken")
        };
        assert_eq!((message_id, code, epoch, head), (stale, Code::StaleEpoch, Some(1), Some(1)));
    }
    assert_eq!(from.say(conversation, "fresh").await, 2);
}

#[tokio::test]
async fn a_lane_that_was_dropped_comes_back_as_it_was() {
    let clock = tidings_store::Clock::system();
    let store = tidings_store::Store::memory(clock.clone());
    let world = World::over(store, clock, |server| server.lanes = tidings_server::lane::Lanes::with_max(1)).await;
    let mut pairs = Vec::new();
    for _ in 0..60 {
        let (a, b, conversation) = world.pair().await;
        pairs.push((Peer::connect(&world, &a).await, b, conversation));
    }
    for round in 0..3 {
        for (from, to, conversation) in &mut pairs {
            assert_eq!(from.say(*conversation, "again").await, round + 2);
            let mut reader = Peer::connect(&world, to).await;
            let page = reader.sync(*conversation, round + 1, 10).await;
            assert_eq!((page.entries.len(), page.head), (1, round + 2));
            reader.send(&ClientFrame::Read { conversation: *conversation, seq: round + 2 }).await;
            reader.expect_nothing().await;
            assert!(matches!(from.next().await, ServerFrame::Receipts { .. }));
        }
    }
}
