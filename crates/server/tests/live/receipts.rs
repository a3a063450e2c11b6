//! Receipts: gathered in groups, at once between two, and only as far as they are shared.

use crate::peer::Peer;
use crate::world::{Person, World};
use reqwest::Method;
use std::collections::BTreeMap;
use tidings_proto::codec::Format;
use tidings_proto::entry::Change;
use tidings_proto::frame::{ClientFrame, Floor, ServerFrame};
use tidings_proto::http::{Audience, Privacy, Watermarks};
use tidings_proto::id::{AccountId, ConversationId};

/// Reads receipts until everybody is at least where `until` says; returns how many frames it took.
async fn receipts(peer: &mut Peer, conversation: ConversationId, until: &[(AccountId, u64, u64)]) -> usize {
    let mut known: BTreeMap<AccountId, (u64, u64)> = BTreeMap::new();
    for frames in 1.. {
        let ServerFrame::Receipts { conversation: of, watermarks } = peer.next().await else { panic!("no receipts") };
        assert_eq!(of, conversation);
        for mark in watermarks {
            let before = known.insert(mark.account, (mark.delivered, mark.read)).unwrap_or_default();
            assert!(mark.delivered >= before.0 && mark.read >= before.1, "a watermark ran backwards");
        }
        let reached = |(account, delivered, read): &(AccountId, u64, u64)| {
            known.get(account).is_some_and(|known| known.0 >= *delivered && known.1 >= *read)
        };
        if until.iter().all(reached) {
            return frames;
        }
    }
    unreachable!()
}

async fn read_receipts(world: &World, who: &Person, read_receipts: bool) {
    let body = serde_json::to_vec(&Privacy {
        last_seen: Audience::Everyone,
        read_receipts,
        find_me: Audience::Everyone,
        add_me: Audience::Everyone,
    })
    .unwrap();
    world.tell(who, Method::PUT, "/v1/me/privacy", Some(body)).await.unwrap();
}

async fn marks(world: &World, who: &Person, conversation: ConversationId) -> BTreeMap<AccountId, (u64, u64)> {
    let path = format!("/v1/conversations/{conversation}/watermarks");
    let all: Watermarks = world.get(who, &path).await.unwrap();
    all.watermarks.into_iter().map(|mark| (mark.account, (mark.delivered, mark.read))).collect()
}

#[tokio::test]
async fn a_groups_receipts_come_gathered_and_to_authors_only() {
    let world = World::new().await;
    let mut people = Vec::new();
    for _ in 0..20 {
        people.push(world.person().await);
    }
    let conversation = world.group(&people.iter().collect::<Vec<_>>()).await;
    let mut author = Peer::connect(&world, &people[0]).await;
    let mut others = Vec::new();
    for person in &people[1..] {
        others.push(Peer::connect(&world, person).await);
    }
    assert_eq!(author.say(conversation, "hello").await, 2);
    for other in &mut others {
        assert_eq!(other.entry().await.seq, 2);
        other.send(&ClientFrame::Cursor { log: conversation.into(), seq: 2 }).await;
        other.send(&ClientFrame::Read { conversation, seq: 2 }).await;
        other.expect_nothing().await;
    }
    let all: Vec<_> = people[1..].iter().map(|person| (person.account(), 2, 2)).collect();
    let frames = receipts(&mut author, conversation, &all).await;
    assert!(frames <= 10, "{frames} frames for 38 moves");
    // Nobody else heard of it.
    for other in &mut others {
        other.expect_nothing().await;
    }
    let known = marks(&world, &people[3], conversation).await;
    assert_eq!(known.len(), 20);
    assert_eq!(known[&people[7].account()], (2, 2));
}

#[tokio::test]
async fn ones_other_devices_learn_what_was_read_here() {
    let world = World::new().await;
    let (a, b) = (world.person().await, world.person().await);
    let b2 = world.device_of(b.account(), 2).await;
    let conversation = world.group(&[&a, &b, &b2]).await;
    let (mut from, mut one, mut two) =
        (Peer::connect(&world, &a).await, Peer::connect(&world, &b).await, Peer::connect(&world, &b2).await);
    from.say(conversation, "hi").await;
    one.entry().await;
    two.entry().await;
    one.send(&ClientFrame::Read { conversation, seq: 2 }).await;
    receipts(&mut two, conversation, &[(b.account(), 2, 2)]).await;
    receipts(&mut from, conversation, &[(b.account(), 2, 2)]).await;
    one.expect_nothing().await;
}

#[tokio::test]
async fn a_plan_of_a_group_has_ones_own_watermark_and_the_floor_of_the_others() {
    let world = World::new().await;
    let people = [world.person().await, world.person().await, world.person().await];
    let [a, b, c] = &people;
    let conversation = world.group(&[a, b]).await;
    let mut from = Peer::connect(&world, a).await;
    from.say(conversation, "before").await;
    let row = tidings_store::Batch::new(tidings_store::table::Family::Account, c.account().as_bytes());
    let row = row.put(tidings_store::Table::Membership, conversation.as_bytes(), Vec::new());
    world.server.store.commit(row).await.unwrap();
    let change = Change { added: vec![c.sender], ..Change::default() };
    world.append_commit(conversation, a.sender, 1, change).await;
    from.append(conversation, 2, "after").await;
    while !matches!(from.next().await, ServerFrame::Appended { seq: 4, .. }) {}
    // Who joined later has what came before.
    assert_eq!(marks(&world, a, conversation).await[&c.account()], (3, 3));
    let mut to = Peer::connect(&world, b).await;
    to.send(&ClientFrame::Cursor { log: conversation.into(), seq: 4 }).await;
    to.send(&ClientFrame::Read { conversation, seq: 2 }).await;
    receipts(&mut from, conversation, &[(b.account(), 4, 2)]).await;
    drop(from);
    let (_, plan) = Peer::hello(&world, a, Format::Cbor, 0).await;
    let planned = plan.logs.iter().find(|planned| planned.log == conversation.into()).unwrap();
    assert_eq!(planned.floor, Some(Floor { delivered: 3, read: 2 }));
    assert!(planned.watermarks.iter().all(|mark| mark.account == a.account()), "{planned:?}");
    // As read from the store it is the same.
    world.server.lanes.flush(&world.server).await.unwrap();
    let mut later = Peer::connect(&world, c).await;
    later.send(&ClientFrame::Cursor { log: conversation.into(), seq: 4 }).await;
    later.send(&ClientFrame::Read { conversation, seq: 4 }).await;
    later.expect_nothing().await;
    let (_, plan) = Peer::hello(&world, a, Format::Cbor, 0).await;
    let planned = plan.logs.iter().find(|planned| planned.log == conversation.into()).unwrap();
    assert_eq!(planned.floor, Some(Floor { delivered: 4, read: 2 }));
}

#[tokio::test]
async fn who_shares_no_reading_is_told_of_nobodys() {
    let world = World::new().await;
    let (a, b, conversation) = world.pair().await;
    let (mut from, mut to) = (Peer::connect(&world, &a).await, Peer::connect(&world, &b).await);
    read_receipts(&world, &b, false).await;
    from.say(conversation, "one").await;
    to.entry().await;
    to.send(&ClientFrame::Read { conversation, seq: 2 }).await;
    // Read is delivered, and more is not said.
    receipts(&mut from, conversation, &[(b.account(), 2, 0)]).await;
    assert_eq!(marks(&world, &a, conversation).await[&b.account()], (2, 0));
    assert_eq!(marks(&world, &b, conversation).await[&b.account()], (2, 2));
    let (_, plan) = Peer::hello(&world, &a, Format::Cbor, 0).await;
    let told = plan.logs.iter().flat_map(|log| &log.watermarks).find(|mark| mark.account == b.account()).unwrap();
    assert_eq!((told.delivered, told.read), (2, 0));
    let mut from = Peer::connect(&world, &a).await;
    // The other way round: what a reads is not told to b.
    to.say(conversation, "two").await;
    from.entry().await;
    from.send(&ClientFrame::Read { conversation, seq: 3 }).await;
    receipts(&mut to, conversation, &[(a.account(), 3, 0)]).await;
    assert_eq!(marks(&world, &b, conversation).await[&a.account()], (3, 0));
    from.send(&ClientFrame::Read { conversation, seq: 3 }).await;
    to.expect_nothing().await;
    // Switched on again, what is read from then on is told.
    read_receipts(&world, &b, true).await;
    assert_eq!(marks(&world, &b, conversation).await[&a.account()], (3, 3));
    assert_eq!(marks(&world, &a, conversation).await[&b.account()].1, 0, "read meanwhile");
    assert_eq!(marks(&world, &b, conversation).await[&b.account()].1, 2);
    from.say(conversation, "three").await;
    to.entry().await;
    to.send(&ClientFrame::Read { conversation, seq: 4 }).await;
    receipts(&mut from, conversation, &[(b.account(), 4, 4)]).await;
    assert_eq!(marks(&world, &a, conversation).await[&b.account()], (4, 4));
}

#[tokio::test]
async fn in_a_group_reading_that_is_not_shared_stays_out_of_receipts_and_floor() {
    let world = World::new().await;
    let (a, b, c) = (world.person().await, world.person().await, world.person().await);
    read_receipts(&world, &b, false).await;
    let conversation = world.group(&[&a, &b, &c]).await;
    let mut from = Peer::connect(&world, &a).await;
    let (mut hidden, mut open) = (Peer::connect(&world, &b).await, Peer::connect(&world, &c).await);
    from.say(conversation, "hi").await;
    for peer in [&mut hidden, &mut open] {
        peer.entry().await;
        peer.send(&ClientFrame::Read { conversation, seq: 2 }).await;
    }
    receipts(&mut from, conversation, &[(b.account(), 2, 0), (c.account(), 2, 2)]).await;
    assert_eq!(marks(&world, &a, conversation).await[&b.account()], (2, 0));
    let (_, plan) = Peer::hello(&world, &a, Format::Cbor, 0).await;
    let planned = plan.logs.iter().find(|planned| planned.log == conversation.into()).unwrap();
    assert_eq!(planned.floor, Some(Floor { delivered: 2, read: 0 }));
}
