//! Accounts that are deleted, at the server's own face: who may, what is left, and what their people are told.

use crate::member::{Member, create, member, post, publish, rules_of, say, show};
use crate::mls::{Intent, identity};
use crate::peer::Peer;
use crate::world::{Person, World, code, phone};
use reqwest::Method;
use std::sync::Arc;
use tidings_proto::account::DeleteAccount;
use tidings_proto::credential::deletion;
use tidings_proto::entry::{Body, Sender};
use tidings_proto::frame::ServerFrame;
use tidings_proto::http::{Found, Lookup, Me};
use tidings_proto::id::{AccountId, ConversationId};
use tidings_proto::payload::Payload;
use tidings_proto::problem::{Code, Problem};
use tidings_server::deletion::{self as work, Work};
use tidings_server::{Config, Server, directory};
use tidings_store::{Clock, Key, MemoryDisk, Scan, Table};

/// A has two devices, and is with B in a group of which B is the admin, and in a direct conversation.
struct Scene {
    world: World,
    a: Member,
    laptop: Member,
    b: Member,
    group: ConversationId,
    direct: ConversationId,
}

async fn scene(world: World) -> Scene {
    let (mut a, mut b) = (member(&world).await, member(&world).await);
    let mut laptop = publish(&world, world.device_of(a.person.account(), 2).await).await;
    let group = create(&world, rules_of(&b), &mut b, &mut [&mut laptop, &mut a]).await;
    let direct = world.create(&a.person, &[&b.person, &laptop.person]).await.unwrap();
    Scene { world, a, laptop, b, group, direct }
}

fn proof(account: AccountId) -> Payload {
    deletion(&identity(account), account).to_vec().into()
}

fn good(account: AccountId) -> DeleteAccount {
    DeleteAccount { phone: phone(1), deletion: proof(account), pin: None, left: Vec::new(), check: false }
}

async fn delete(world: &World, who: &Person, body: &DeleteAccount) -> Result<(), Problem> {
    world.tell(who, Method::DELETE, "/v1/account", Some(serde_json::to_vec(body).unwrap())).await
}

/// What the server keeps under an account: how many rows of which table.
async fn kept(server: &Server, account: AccountId, devices: &[Sender]) -> Vec<(Table, usize)> {
    let mut partitions = vec![account.as_bytes().to_vec(), ConversationId::self_chat(account).as_bytes().to_vec()];
    partitions.extend(devices.iter().map(|device| device.device.as_bytes().to_vec()));
    let logs: Vec<Vec<u8>> = partitions.iter().map(|id| [&id[..], &0_u64.to_be_bytes()].concat()).collect();
    let mut found = Vec::new();
    for table in Table::ALL.into_iter().filter(|table| *table != Table::Sent) {
        let mut rows = 0;
        for partition in partitions.iter().chain(&logs) {
            rows += match table {
                Table::Head => usize::from(server.store.get(&Key::new(table, partition, [])).await.unwrap().is_some()),
                _ => server.store.scan(&Scan::all(table, partition, 100)).await.unwrap().len(),
            };
        }
        if rows > 0 {
            found.push((table, rows));
        }
    }
    found
}

#[tokio::test]
async fn only_the_account_itself_deletes_it() {
    let Scene { world, a, b, .. } = scene(World::new().await).await;
    let account = a.person.account();
    let other_number = DeleteAccount { phone: phone(2), ..good(account) };
    assert_eq!(code(delete(&world, &a.person, &other_number).await), Code::Forbidden);
    let unsigned = DeleteAccount { deletion: Payload::default(), ..good(account) };
    assert_eq!(code(delete(&world, &a.person, &unsigned).await), Code::InvalidKey);
    let signed_by_b = DeleteAccount { deletion: proof(b.person.account()), ..good(account) };
    assert_eq!(code(delete(&world, &a.person, &signed_by_b).await), Code::InvalidKey);
    assert_eq!(code(delete(&world, &b.person, &good(account)).await), Code::Forbidden, "B's token, A's number");
    let only_asked = DeleteAccount { check: true, ..good(account) };
    delete(&world, &a.person, &only_asked).await.unwrap();
    world.get::<Me>(&a.person, "/v1/me").await.unwrap();
}

#[tokio::test]
async fn nothing_of_a_deleted_account_is_left_and_its_people_are_told() {
    let Scene { world, a, laptop, mut b, group, direct } = scene(World::new().await).await;
    let (account, devices) = (a.person.account(), [a.person.sender, laptop.person.sender]);
    let blob = format!("/v1/blobs/{}", crate::world::id());
    world.tell(&a.person, Method::PUT, &format!("/v1/blocks/{}", b.person.account()), None).await.unwrap();
    world.tell(&a.person, Method::DELETE, &format!("/v1/blocks/{}", b.person.account()), None).await.unwrap();
    let _ = world.call(Some(&a.person), Method::PUT, &blob, Some(vec![1; 100])).await;
    let (mut listener, mut other) =
        (Peer::connect(&world, &b.person).await, Peer::connect(&world, &laptop.person).await);
    assert!(!kept(&world.server, account, &devices).await.is_empty());

    delete(&world, &a.person, &good(account)).await.unwrap();

    assert_eq!(kept(&world.server, account, &devices).await, []);
    for log in [group, direct] {
        for table in [Table::Delivered, Table::Read] {
            let mark = Key::new(table, log.as_bytes(), account.as_bytes());
            assert_eq!(world.server.store.get(&mark).await.unwrap(), None);
        }
    }
    assert!(world.server.store.scan(&Scan::all(Table::Deletion, [], 9)).await.unwrap().is_empty());
    let goodbye = other.next().await;
    let said =
        matches!(&goodbye, ServerFrame::Goodbye { code: Code::LoggedOut, detail, .. } if detail.contains("deleted"));
    assert!(said, "{goodbye:?}");
    for gone in [&a.person, &laptop.person] {
        let problem = world.get::<Me>(gone, "/v1/me").await.unwrap_err();
        assert!(problem.code == Code::LoggedOut && problem.detail.contains("deleted"), "{problem:?}");
    }

    // In both conversations: both devices are gone, one of them says why.
    let mut told = Vec::new();
    for _ in 0..4 {
        let entry = listener.entry().await;
        let Body::Gone { revoked: None, deleted } = &entry.body else { panic!("{entry:?}") };
        told.push((entry.log.as_conversation(), entry.sender, deleted.clone()));
    }
    for log in [group, direct] {
        assert!(told.contains(&(log, a.person.sender, Some(proof(account)))), "{told:?}");
        assert!(told.contains(&(log, laptop.person.sender, None)), "{told:?}");
    }
    assert_eq!(code(say(&world, &b, group, false).await), Code::CommitFirst);
    let out = b.mls.commit(group, Intent { remove: devices.to_vec(), ..Intent::default() });
    post(&world, &b.person, &out).await.unwrap();
    b.mls.merge();
    say(&world, &b, group, false).await.unwrap();
    assert_eq!(show(&world, &b, group).await.unwrap().members, [b.person.account()]);

    // The number is free.
    let found: Found = world.post(&b.person, "/v1/contacts/lookup", &Lookup { phones: vec![phone(1)] }).await.unwrap();
    assert_eq!(found.matches, []);
    // A repeat of what was lost on its way finds nobody to sign in.
    assert_eq!(code(delete(&world, &a.person, &good(account)).await), Code::LoggedOut);
}

#[tokio::test]
async fn a_deletion_that_was_cut_short_is_finished_by_the_next_server() {
    for cut_after in [0, 1, 2, 3, 5, 8, 13, 21, 34] {
        let clock = Clock::system();
        let disk = MemoryDisk::new(clock.clone());
        let Scene { world, a, laptop, .. } = scene(World::over(disk.open(), clock.clone(), |_| ()).await).await;
        let (account, devices) = (a.person.account(), [a.person.sender, laptop.person.sender]);
        let asked = Work {
            phone_hash: world.server.secrets.phone_hash(&phone(1)).into(),
            asked_by: a.person.sender.device,
            devices: [a.person.sender.device].into(),
            proof: proof(account).as_slice().to_vec().into(),
            left: Vec::new(),
        };
        work::begin(&world.server, account, &asked).await.unwrap();
        let before = world.server.store.stats().commits;
        let finishing = tokio::spawn({
            let server = world.server.clone();
            async move { work::finish(&server, account).await }
        });
        while !finishing.is_finished() && world.server.store.stats().commits < before + cut_after {
            tokio::task::yield_now().await;
        }
        disk.crash();
        let _ = finishing.await;
        drop(world);
        let server = Arc::new(Server::open(Config::default(), disk.open(), clock).await.unwrap());
        work::finish_all(&server).await.unwrap();
        assert_eq!(kept(&server, account, &devices).await, [], "cut after {cut_after} commits");
        assert!(directory::account_of_phone(&server.store, &asked.phone_hash).await.unwrap().is_none());
        assert!(server.store.scan(&Scan::all(Table::Deletion, [], 9)).await.unwrap().is_empty());
    }
}
