//! When the store fails under a commit, and when somebody else appends to the same logs.

use crate::peer::{Peer, message};
use crate::world::World;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tidings_proto::frame::{Append, ClientFrame, Refused, ServerFrame};
use tidings_proto::id::MessageId;
use tidings_proto::problem::{Code, Next};
use tidings_store::{Clock, CommitLatency, MemoryDisk};

async fn over(disk: &MemoryDisk) -> World {
    World::over(disk.open(), Clock::system(), |_| ()).await
}

/// Sends each until it is answered with a seq, as an outbox would.
async fn send_all(peer: &mut Peer, messages: &[Append]) -> BTreeMap<MessageId, u64> {
    let by_id: BTreeMap<MessageId, &Append> = messages.iter().map(|append| (append.message_id, append)).collect();
    let mut waiting: BTreeSet<MessageId> = BTreeSet::new();
    let mut unsent: Vec<MessageId> = messages.iter().rev().map(|append| append.message_id).collect();
    let mut seqs = BTreeMap::new();
    while seqs.len() < messages.len() {
        while waiting.len() < 16
            && let Some(next) = unsent.pop()
        {
            peer.send(&ClientFrame::Append(by_id[&next].clone())).await;
            waiting.insert(next);
        }
        match peer.next().await {
            ServerFrame::Appended { message_id, seq, .. } => {
                assert!(waiting.remove(&message_id) && seqs.insert(message_id, seq).is_none());
            }
            ServerFrame::Refused(Refused { message_id, code, .. }) => {
                assert_eq!(code.next(), Next::Retry, "{code:?}");
                assert!(waiting.remove(&message_id));
                unsent.push(message_id);
            }
            ServerFrame::Entry(_) | ServerFrame::Moved { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    seqs
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_over_one_store_never_give_a_seq_twice() {
    const EACH: usize = 300;
    let disk = MemoryDisk::new(Clock::system());
    let (one, two) = (over(&disk).await, over(&disk).await);
    let (a, b, conversation) = one.pair().await;
    let (mut from_one, mut from_two) = (Peer::connect(&one, &a).await, Peer::connect(&two, &b).await);
    let messages = |name: &str| -> Vec<Append> {
        (0..EACH).map(|number| message(conversation, 1, &format!("{name}/{number}"))).collect()
    };
    let (of_one, of_two) = (messages("one"), messages("two"));
    let (seqs_one, seqs_two) = tokio::join!(send_all(&mut from_one, &of_one), send_all(&mut from_two, &of_two));
    let all: BTreeSet<u64> = seqs_one.values().chain(seqs_two.values()).copied().collect();
    assert_eq!(all, (2..=2 * EACH as u64 + 1).collect());
    // A node that was overtaken finds out with its next append, and its readers with it.
    let head = all.len() as u64 + 2;
    let last = send_all(&mut from_one, &[message(conversation, 1, "last")]).await;
    assert_eq!(last.into_values().collect::<Vec<_>>(), [head]);
    assert_eq!(from_one.sync(conversation, head - 1, 1).await.head, head);
}

#[tokio::test]
async fn after_a_crash_under_appends_each_message_stands_once_and_what_was_answered_stands_where_it_was() {
    let disk = MemoryDisk::new(Clock::system());
    let world = over(&disk).await;
    let (a, b, conversation) = world.pair().await;
    let mut peer = Peer::connect(&world, &a).await;
    let messages: Vec<Append> = (0..40).map(|number| message(conversation, 1, &number.to_string())).collect();
    let slow = Duration::from_millis(20);
    disk.set_latency(move || CommitLatency { before: slow, after: slow });
    let (mut answered, mut refused) = (BTreeMap::new(), 0);
    for (number, append) in messages.iter().enumerate() {
        peer.send(&ClientFrame::Append(append.clone())).await;
        if number == 10 {
            // One answer, so that some are behind and some are under way.
            let ServerFrame::Appended { message_id, seq, .. } = peer.next().await else { panic!("refused") };
            answered.insert(message_id, seq);
        }
    }
    let mut crashed = false;
    while answered.len() + refused < messages.len() {
        match peer.next().await {
            ServerFrame::Appended { message_id, seq, .. } => {
                answered.insert(message_id, seq);
            }
            ServerFrame::Refused(Refused { code, .. }) => {
                assert_eq!(code, Code::Internal);
                refused += 1;
            }
            other => panic!("{other:?}"),
        }
        if !std::mem::replace(&mut crashed, true) {
            disk.crash();
        }
    }
    assert!(refused > 0);
    drop(world);

    let world = over(&disk).await;
    let mut peer = Peer::connect(&world, &a).await;
    let seqs = send_all(&mut peer, &messages).await;
    for (message_id, seq) in &answered {
        assert_eq!(seqs[message_id], *seq);
    }
    let page = Peer::connect(&world, &b).await.sync(conversation, 1, 256).await;
    let stored: BTreeMap<MessageId, u64> = page.entries.iter().map(|entry| (entry.message_id, entry.seq)).collect();
    assert_eq!((stored.len(), page.entries.len()), (messages.len(), messages.len()));
    assert_eq!(stored, seqs);
}
