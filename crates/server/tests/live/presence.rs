//! Online and last seen: who sees whom, when, and that nobody stays online who is gone.

use crate::peer::Peer;
use crate::world::{Person, World};
use reqwest::Method;
use tidings_proto::frame::{ClientFrame, Presence, ServerFrame};
use tidings_proto::http::{Audience, Privacy, PutContacts};
use tidings_proto::id::AccountId;
use tidings_proto::limit::WATCHES_MAX;

/// The next word about this person.
async fn told(peer: &mut Peer, account: AccountId) -> Presence {
    loop {
        if let ServerFrame::Presence(presence) = peer.next().await
            && presence.account == account
        {
            return presence;
        }
    }
}

async fn watch(peer: &mut Peer, account: AccountId) -> Presence {
    peer.send(&ClientFrame::Watch { account, on: true }).await;
    told(peer, account).await
}

async fn share(world: &World, who: &Person, last_seen: Audience) {
    let body = serde_json::to_vec(&Privacy {
        last_seen,
        read_receipts: true,
        find_me: Audience::Everyone,
        add_me: Audience::Everyone,
    })
    .unwrap();
    world.tell(who, Method::PUT, "/v1/me/privacy", Some(body)).await.unwrap();
}

/// From now on they are contacts of this person.
async fn know(world: &World, who: &Person, contacts: &[&Person]) {
    let body = PutContacts { accounts: contacts.iter().map(|it| it.account()).collect() };
    world.tell(who, Method::PUT, "/v1/me/contacts", Some(serde_json::to_vec(&body).unwrap())).await.unwrap();
}

async fn shown(world: &World, to: &Person, of: &Person) -> (bool, bool) {
    let presence: Presence = world.get(to, &format!("/v1/accounts/{}/presence", of.account())).await.unwrap();
    (presence.online, presence.last_seen_ms.is_some())
}

#[tokio::test]
async fn a_watcher_sees_somebody_come_and_go() {
    let world = World::new().await;
    let (a, b) = (world.person().await, world.person().await);
    let b2 = world.device_of(b.account(), 2).await;
    let mut watcher = Peer::connect(&world, &a).await;
    let first = watch(&mut watcher, b.account()).await;
    assert_eq!((first.online, first.last_seen_ms), (false, None));
    // Being connected is not being there.
    let mut one = Peer::connect(&world, &b).await;
    one.send(&ClientFrame::Active { on: true }).await;
    let there = told(&mut watcher, b.account()).await;
    assert_eq!((there.online, there.last_seen_ms), (true, None));
    // A second device, the end of the first one, and a hasty return change nothing for those who watch.
    let mut two = Peer::connect(&world, &b2).await;
    two.send(&ClientFrame::Active { on: true }).await;
    two.expect_nothing().await;
    drop(one);
    two.send(&ClientFrame::Active { on: false }).await;
    let gone = told(&mut watcher, b.account()).await;
    assert!(!gone.online && gone.last_seen_ms.is_some_and(|ms| ms > 1_600_000_000_000), "{gone:?}");
    assert_eq!(shown(&world, &a, &b).await, (false, true));
    // Who has closed the chat is told nothing more.
    watcher.send(&ClientFrame::Watch { account: b.account(), on: false }).await;
    watcher.expect_nothing().await;
    two.send(&ClientFrame::Active { on: true }).await;
    two.expect_nothing().await;
    assert_eq!(shown(&world, &a, &b).await, (true, false));
    watcher.expect_nothing().await;
}

#[tokio::test]
async fn a_connection_that_is_cut_leaves_nobody_online() {
    let world = World::new().await;
    let (a, b) = (world.person().await, world.person().await);
    let mut watcher = Peer::connect(&world, &a).await;
    watch(&mut watcher, b.account()).await;
    let mut there = Peer::connect(&world, &b).await;
    there.send(&ClientFrame::Active { on: true }).await;
    assert!(told(&mut watcher, b.account()).await.online);
    drop(there);
    let gone = told(&mut watcher, b.account()).await;
    assert!(!gone.online && gone.last_seen_ms.is_some());
    // What was put down is in the store for the time after a crash.
    world.server.online.flush(&world.server).await.unwrap();
    let key = tidings_store::Key::new(tidings_store::Table::LastSeen, b.account().as_bytes(), []);
    assert!(world.server.store.get(&key).await.unwrap().is_some());
}

#[tokio::test]
async fn privacy_is_reciprocal_and_takes_effect_at_once() {
    let world = World::new().await;
    let (a, b, _) = world.pair().await;
    let stranger = world.person().await;
    let mut there = Peer::connect(&world, &b).await;
    there.send(&ClientFrame::Active { on: true }).await;
    there.expect_nothing().await;
    let privacy: Privacy = world.get(&b, "/v1/me/privacy").await.unwrap();
    let everyone = Audience::Everyone;
    assert_eq!(privacy, Privacy { last_seen: everyone, read_receipts: true, find_me: everyone, add_me: everyone });
    know(&world, &b, &[&a]).await;
    know(&world, &a, &[&b]).await;
    for (audience, to_contact, to_stranger) in
        [(Audience::Everyone, true, true), (Audience::Contacts, true, false), (Audience::Nobody, false, false)]
    {
        share(&world, &b, audience).await;
        assert_eq!(shown(&world, &a, &b).await.0, to_contact, "{audience:?}");
        assert_eq!(shown(&world, &stranger, &b).await, (to_stranger, false), "{audience:?}");
    }
    // What one does not share one does not see.
    share(&world, &b, Audience::Everyone).await;
    share(&world, &stranger, Audience::Contacts).await;
    assert_eq!(shown(&world, &stranger, &b).await, (false, false));
    share(&world, &a, Audience::Nobody).await;
    assert_eq!(shown(&world, &a, &b).await, (false, false));
    assert!(shown(&world, &b, &b).await.0);
    // Those who watch learn of a change.
    share(&world, &a, Audience::Contacts).await;
    let mut watcher = Peer::connect(&world, &a).await;
    assert!(watch(&mut watcher, b.account()).await.online);
    share(&world, &b, Audience::Nobody).await;
    assert_eq!(
        told(&mut watcher, b.account()).await,
        Presence { account: b.account(), online: false, last_seen_ms: None }
    );
    share(&world, &b, Audience::Contacts).await;
    assert!(told(&mut watcher, b.account()).await.online);
    // So they do when they are no contacts any more.
    know(&world, &b, &[&stranger]).await;
    assert!(!told(&mut watcher, b.account()).await.online);
    know(&world, &b, &[]).await;
    know(&world, &b, &[&stranger, &a]).await;
    assert!(told(&mut watcher, b.account()).await.online);
    share(&world, &a, Audience::Nobody).await;
    assert!(!told(&mut watcher, b.account()).await.online);
}

#[tokio::test]
async fn who_is_blocked_sees_nothing_and_who_blocks_neither() {
    let world = World::new().await;
    let (a, b, _) = world.pair().await;
    let mut watcher = Peer::connect(&world, &a).await;
    let mut there = Peer::connect(&world, &b).await;
    there.send(&ClientFrame::Active { on: true }).await;
    there.expect_nothing().await;
    assert!(watch(&mut watcher, b.account()).await.online);
    let path = format!("/v1/blocks/{}", a.account());
    world.tell(&b, Method::PUT, &path, None).await.unwrap();
    assert_eq!(
        told(&mut watcher, b.account()).await,
        Presence { account: b.account(), online: false, last_seen_ms: None }
    );
    watcher.send(&ClientFrame::Active { on: true }).await;
    watcher.expect_nothing().await;
    assert_eq!(shown(&world, &b, &a).await, (false, false));
    world.tell(&b, Method::DELETE, &path, None).await.unwrap();
    assert!(told(&mut watcher, b.account()).await.online);
}

#[tokio::test]
async fn of_too_many_watches_the_oldest_end() {
    let world = World::new().await;
    let (a, b) = (world.person().await, world.person().await);
    let mut watcher = Peer::connect(&world, &a).await;
    watch(&mut watcher, b.account()).await;
    for number in 0..WATCHES_MAX as u8 {
        watch(&mut watcher, AccountId::from_bytes([200, number, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, number])).await;
    }
    let mut there = Peer::connect(&world, &b).await;
    there.send(&ClientFrame::Active { on: true }).await;
    there.expect_nothing().await;
    // A new watch is answered with what holds now; in between, nothing came.
    watcher.send(&ClientFrame::Watch { account: b.account(), on: true }).await;
    let ServerFrame::Presence(presence) = watcher.next().await else { panic!() };
    assert_eq!((presence.account, presence.online), (b.account(), true));
}
