//! Commits: who may change what, one winner per epoch, rejoining.

use crate::peer::{Peer, text};
use crate::world::{Person, World, code, create_commit, id, payload, welcomes};
use tidings_proto::entry::{Body, Change, Sender};
use tidings_proto::frame::{ClientFrame, Commit, Refused, ServerFrame};
use tidings_proto::http::{Create, Created, GroupInfo, Posted};
use tidings_proto::id::ConversationId;
use tidings_proto::problem::{Code, Problem};
use tidings_store::table::Family;
use tidings_store::{Batch, Table};

fn change_commit(conversation: ConversationId, epoch: u64, change: Change, by: Sender) -> Commit {
    let added: Vec<Sender> = change.added.iter().copied().filter(|device| *device != by).collect();
    let (message_id, group_info) = (id(), payload(&format!("group info after {epoch}")));
    Commit {
        conversation,
        message_id,
        epoch,
        payload: payload("commit"),
        change,
        welcomes: welcomes(&added),
        group_info,
        origin: None,
    }
}

async fn post(world: &World, by: &Person, commit: &Commit) -> Result<Posted, Problem> {
    world.post(by, &format!("/v1/conversations/{}/commits", commit.conversation), commit).await
}

async fn log_out(world: &World, person: &Person) {
    let (account, device) = (person.account(), person.sender.device);
    let batch = Batch::new(Family::Account, account.as_bytes()).delete(Table::Device, device.as_bytes());
    world.server.store.commit(batch).await.unwrap();
}

#[tokio::test]
async fn creating_again_with_the_same_commit_gives_the_same_answer_and_one_welcome() {
    let world = World::new().await;
    let (a, b) = (world.person().await, world.person().await);
    let create = Create { commit: create_commit(&a, &[&b]) };
    let first: Created = world.post(&a, "/v1/conversations", &create).await.unwrap();
    let again: Created = world.post(&a, "/v1/conversations", &create).await.unwrap();
    assert_eq!(first, again);
    let inbox = Peer::connect(&world, &b).await.sync(b.sender.device, 0, 10).await;
    assert_eq!(inbox.entries.len(), 1);
    // The same commit in a frame.
    let mut peer = Peer::connect(&world, &a).await;
    peer.send(&ClientFrame::Commit(Box::new(create.commit))).await;
    assert!(matches!(peer.next().await, ServerFrame::Appended { seq: 1, .. }));
}

#[tokio::test]
async fn a_conversation_is_created_only_in_its_proper_form() {
    let world = World::new().await;
    let (a, b, c) = (world.person().await, world.person().await, world.person().await);
    let good = create_commit(&a, &[&b]);
    let bad = |spoil: &dyn Fn(&mut Commit)| {
        let mut commit = Commit { message_id: id(), ..good.clone() };
        spoil(&mut commit);
        Create { commit }
    };
    let ghost = Sender { account: b.account(), device: c.sender.device };
    let cases: [(Create, Code); 10] = [
        (bad(&|commit| commit.epoch = 1), Code::BadRequest),
        (bad(&|commit| commit.change.create = None), Code::BadRequest),
        (bad(&|commit| commit.conversation = ConversationId::direct(a.account(), c.account())), Code::BadRequest),
        (bad(&|commit| commit.change.removed = vec![a.sender]), Code::BadRequest),
        (bad(&|commit| commit.change.added = vec![a.sender, a.sender]), Code::BadRequest),
        (bad(&|commit| commit.welcomes.clear()), Code::BadRequest),
        (bad(&|commit| commit.welcomes.push(commit.welcomes[0].clone())), Code::BadRequest),
        (bad(&|commit| commit.payload = vec![0; 9 << 20].into()), Code::TooLarge),
        (Create { commit: create_commit(&a, &[&b, &c]) }, Code::BadRequest),
        (
            bad(&|commit| {
                commit.change.added = vec![a.sender, ghost];
                commit.welcomes = welcomes(&[ghost]);
            }),
            Code::NoDevice,
        ),
    ];
    for (number, (create, expected)) in cases.into_iter().enumerate() {
        let result = world.post::<Created>(&a, "/v1/conversations", &create).await;
        assert_eq!(code(result), expected, "case {number}");
    }
    // Of the failed attempts nothing is left.
    let created: Created = world.post(&a, "/v1/conversations", &Create { commit: good }).await.unwrap();
    assert_eq!(created.seq, 1);
}

#[tokio::test]
async fn one_commit_wins_an_epoch_and_moves_everybody_to_the_next() {
    let world = World::new().await;
    let (a, b, conversation) = world.pair().await;
    let b2 = world.device_of(b.account(), 2).await;
    let mut listener = Peer::connect(&world, &a).await;
    let change = Change { added: vec![b2.sender], ..Change::default() };
    let commit = change_commit(conversation, 1, change, b.sender);
    let rival = change_commit(conversation, 1, Change::default(), a.sender);
    let won = post(&world, &b, &commit).await.unwrap();
    assert_eq!(won.seq, 2);
    let lost = post(&world, &a, &rival).await.unwrap_err();
    assert_eq!((lost.code, lost.epoch, lost.head), (Code::StaleEpoch, Some(2), Some(2)));
    assert_eq!(post(&world, &b, &commit).await.unwrap(), won);
    assert!(matches!(listener.entry().await.body, Body::Commit { change, .. } if change.added == [b2.sender]));

    let mut added = Peer::connect(&world, &b2).await;
    let inbox = added.sync(b2.sender.device, 0, 10).await;
    assert!(matches!(&inbox.entries[0].body, Body::Welcome { commit: id, .. } if *id == commit.message_id));
    let info: GroupInfo = world.get(&a, &format!("/v1/conversations/{conversation}/group-info")).await.unwrap();
    assert_eq!((info.epoch, info.commit_seq, info.group_info), (2, 2, commit.group_info));
    listener.append(conversation, 2, "after").await;
    assert_eq!(text(&added.entry().await), "after");
}

#[tokio::test]
async fn a_message_behind_a_commit_in_the_same_breath_is_judged_after_it() {
    let world = World::new().await;
    let (a, _, conversation) = world.pair().await;
    let mut peer = Peer::connect(&world, &a).await;
    peer.append(conversation, 1, "old").await;
    peer.send(&ClientFrame::Commit(Box::new(change_commit(conversation, 1, Change::default(), a.sender)))).await;
    peer.append(conversation, 1, "too old").await;
    peer.append(conversation, 2, "new").await;
    let mut answers = Vec::new();
    for _ in 0..4 {
        answers.push(match peer.next().await {
            ServerFrame::Appended { seq, .. } => Ok(seq),
            ServerFrame::Refused(Refused { code: Code::StaleEpoch, epoch, head, .. }) => Err((epoch, head)),
            other => panic!("{other:?}"),
        });
    }
    assert_eq!(answers, [Ok(2), Ok(3), Err((Some(2), Some(3))), Ok(4)]);
}

#[tokio::test]
async fn a_device_that_lost_its_state_comes_back_by_an_external_commit() {
    let world = World::new().await;
    let (a, b, conversation) = world.pair().await;
    let external = |by: Sender, removed| Change { added: vec![by], removed, external: true, ..Change::default() };
    // A device with a leaf replaces it.
    let again = change_commit(conversation, 1, external(b.sender, vec![b.sender]), b.sender);
    assert_eq!(post(&world, &b, &again).await.unwrap().seq, 2);
    // A new device of a member, which takes the leaf of its lost predecessor with it.
    log_out(&world, &b).await;
    let b2 = world.device_of(b.account(), 2).await;
    let joins = change_commit(conversation, 2, external(b2.sender, vec![b.sender]), b2.sender);
    assert_eq!(post(&world, &b2, &joins).await.unwrap().seq, 3);
    let mut peer = Peer::connect(&world, &b2).await;
    peer.append(conversation, 3, "back").await;
    assert!(matches!(peer.next().await, ServerFrame::Appended { seq: 4, .. }));
    let info: GroupInfo = world.get(&a, &format!("/v1/conversations/{conversation}/group-info")).await.unwrap();
    assert_eq!((info.epoch, info.commit_seq), (3, 3));
}

#[tokio::test]
async fn nobody_changes_what_is_not_theirs() {
    let world = World::new().await;
    let (a, b, conversation) = world.pair().await;
    let stranger = world.person().await;
    let a2 = world.device_of(a.account(), 2).await;
    let change = |added: &[&Person], removed: &[&Person], external| Change {
        added: added.iter().map(|person| person.sender).collect(),
        removed: removed.iter().map(|person| person.sender).collect(),
        external,
        ..Change::default()
    };
    let cases = [
        (&stranger, change(&[], &[], false), Code::NotFound),
        (&stranger, change(&[&stranger], &[], true), Code::NotFound),
        (&a, change(&[&stranger], &[], false), Code::Forbidden),
        (&a, change(&[], &[&b], false), Code::Forbidden),
        (&a, change(&[&a], &[], false), Code::BadRequest),
        (&a, change(&[], &[&a2], false), Code::BadRequest),
        (&a2, change(&[], &[], false), Code::Forbidden),
        (&a2, change(&[&a2, &b], &[], true), Code::BadRequest),
        (&a2, change(&[&a], &[], true), Code::BadRequest),
    ];
    for (number, (by, change, expected)) in cases.into_iter().enumerate() {
        let commit = change_commit(conversation, 1, change, by.sender);
        assert_eq!(code(post(&world, by, &commit).await), expected, "case {number}");
    }
    // A device that its own account logged out may be removed by the other one.
    log_out(&world, &b).await;
    let commit = change_commit(conversation, 1, change(&[], &[&b], false), a.sender);
    assert_eq!(post(&world, &a, &commit).await.unwrap().seq, 2);
}
