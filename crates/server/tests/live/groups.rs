//! Groups with real MLS: who may change what, and who reads what.

use crate::member::{create, join, leave, member, packages, post, publish, put_credential, rules_of, say, show};
use crate::mls::{Intent, MlsDevice, group_conversation, identity};
use crate::peer::{Peer, message};
use crate::world::{World, code, id, payload};
use reqwest::Method;
use tidings_proto::entry::{Body, Entry};
use tidings_proto::frame::{ClientFrame, Commit, Refused, ServerFrame};
use tidings_proto::group::{GroupRules, Who};
use tidings_proto::http::{Conversations, Create, Created, GroupInfo, Leavers, PostLeave, Posted, PutMembers};
use tidings_proto::id::ConversationId;
use tidings_proto::problem::Code;
use tidings_server::public_group::PublicState;
use tidings_store::table::Family;
use tidings_store::{Batch, Table};

#[tokio::test]
async fn a_group_is_made_grows_and_shrinks_and_everybody_reads_what_is_theirs() {
    let world = World::new().await;
    let (mut a, mut b, mut c) = (member(&world).await, member(&world).await, member(&world).await);
    let mut early = Peer::connect(&world, &b.person).await;
    let group = create(&world, rules_of(&a), &mut a, &mut [&mut b]).await;
    // The welcome in the inbox; then word that the log has something, which is not the commit itself.
    assert!(matches!(early.entry().await.body, Body::Welcome { conversation, .. } if conversation == group));
    assert!(matches!(early.next().await, ServerFrame::Moved { log, head: 1 } if log == group.into()));
    let page = early.sync(group, 0, 10).await;
    assert_eq!((page.entries.len(), page.head, page.oldest, page.caught_up), (0, 1, 2, true));
    let page = Peer::connect(&world, &a.person).await.sync(group, 0, 10).await;
    assert_eq!(page.entries.len(), 1, "its creator reads it from its first entry");

    assert_eq!(say(&world, &a, group, false).await.unwrap().seq, 2);
    assert!(matches!(early.entry().await.body, Body::Message { .. }));
    let add = a.mls.commit(group, Intent { add: packages(&[&c]), ..Intent::default() });
    let put = PutMembers { commit: add.clone() };
    let path = format!("/v1/conversations/{group}/members");
    let put = world.call(Some(&a.person), Method::PUT, &path, Some(serde_json::to_vec(&put).unwrap())).await;
    assert_eq!(put.status(), 201);
    a.mls.merge();
    assert!(matches!(early.entry().await, Entry { seq: 3, body: Body::Commit { .. }, .. }));
    b.mls.process(add.payload.as_slice());
    join(&world, &mut c, group, &add).await;
    say(&world, &c, group, false).await.unwrap();
    early.entry().await;
    let (_, plan) = Peer::hello(&world, &c.person, tidings_proto::codec::Format::Cbor, 0).await;
    assert_eq!(plan.logs.iter().find(|log| log.log == group.into()).unwrap().oldest, 4);
    let shown = show(&world, &c, group).await.unwrap();
    assert_eq!((shown.members.len(), shown.rules, shown.epoch), (3, Some(rules_of(&a)), 2));

    // B is expelled: it is told so, and reads no further, on any of its devices.
    let remove = a.mls.commit(group, Intent { remove: vec![b.person.sender], ..Intent::default() });
    assert_eq!(post(&world, &a.person, &remove).await.unwrap().seq, 5);
    a.mls.merge();
    say(&world, &a, group, false).await.unwrap();
    assert!(matches!(early.entry().await, Entry { seq: 5, .. }));
    early.expect_nothing().await;
    let page = early.sync(group, 4, 10).await;
    assert_eq!((page.entries.len(), page.entries[0].seq, page.head), (1, 5, 5));
    early.send(&ClientFrame::Cursor { log: group.into(), seq: 5 }).await;
    early.expect_nothing().await;
    let (_, plan) = Peer::hello(&world, &b.person, tidings_proto::codec::Format::Cbor, 0).await;
    assert!(plan.logs.iter().all(|log| log.log != group.into()), "the device has all that there is for it");
    assert_eq!(code(show(&world, &b, group).await), Code::NotFound);
    assert_eq!(code(say(&world, &b, group, false).await), Code::NotFound);
    let listed: Conversations = world.get(&b.person, "/v1/conversations").await.unwrap();
    assert!(listed.conversations.is_empty());
}

#[tokio::test]
async fn a_commit_that_is_not_right_is_refused_and_changes_nothing() {
    let world = World::new().await;
    let (mut a, mut b, c) = (member(&world).await, member(&world).await, member(&world).await);
    let group = create(&world, rules_of(&a), &mut a, &mut [&mut b]).await;
    let add = a.mls.commit(group, Intent { add: packages(&[&c]), ..Intent::default() });
    let with = |spoil: &dyn Fn(&mut Commit)| {
        let mut commit = Commit { message_id: id(), ..add.clone() };
        spoil(&mut commit);
        commit
    };
    let cases = [
        (&a, with(&|commit| commit.payload = payload("noise")), Code::BadRequest),
        (&a, with(&|commit| commit.group_info = payload("noise")), Code::BadRequest),
        (&a, with(&|commit| commit.change.removed = vec![b.person.sender]), Code::BadRequest),
        (&a, with(&|commit| commit.change.rules = Some(GroupRules::default())), Code::BadRequest),
        (&a, with(&|commit| (commit.change.added, commit.welcomes) = (vec![], vec![])), Code::BadRequest),
        (&a, with(&|commit| commit.welcomes.clear()), Code::BadRequest),
        (&a, with(&|commit| commit.epoch = 2), Code::StaleEpoch),
        // As if B had made it.
        (&b, with(&|_| ()), Code::BadRequest),
        // Who is not in it is not told that it exists.
        (&c, with(&|commit| (commit.change.added, commit.welcomes) = (vec![], vec![])), Code::NotFound),
    ];
    for (number, (by, commit, expected)) in cases.into_iter().enumerate() {
        assert_eq!(code(post(&world, &by.person, &commit).await), expected, "case {number}");
    }
    let expel = b.mls.commit(group, Intent { remove: vec![a.person.sender], ..Intent::default() });
    assert_eq!(code(post(&world, &b.person, &expel).await), Code::Forbidden);
    b.mls.drop_pending();
    // A confirmation tag that no member can agree with: the GroupInfo beside it says otherwise.
    let mut bytes = add.payload.as_slice().to_vec();
    let position = bytes.len() - 40;
    bytes[position] ^= 1;
    let poison = with(&|commit| commit.payload = bytes.clone().into());
    assert_eq!(code(post(&world, &a.person, &poison).await), Code::BadRequest);
    // The real one is still good, and good once.
    let sent = post(&world, &a.person, &add).await.unwrap();
    assert_eq!(sent.seq, 2);
    assert_eq!(post(&world, &a.person, &add).await.unwrap(), sent);
    let replayed = Commit { message_id: id(), ..add };
    assert_eq!(code(post(&world, &a.person, &replayed).await), Code::StaleEpoch);
    assert_eq!(code(post(&world, &a.person, &Commit { epoch: 2, ..replayed }).await), Code::BadRequest);
}

#[tokio::test]
async fn devices_that_are_added_exist_and_are_who_they_published() {
    let world = World::new().await;
    let (mut a, mut b, c) = (member(&world).await, member(&world).await, member(&world).await);
    let group = create(&world, rules_of(&a), &mut a, &mut [&mut b]).await;
    // The server's own invention: a key for C's device that C never published.
    let forged = MlsDevice::with_identity(c.person.sender, &identity(b.person.account()));
    let add = a.mls.commit(group, Intent { add: vec![forged.key_package()], ..Intent::default() });
    assert_eq!(code(post(&world, &a.person, &add).await), Code::InvalidKey);
    a.mls.drop_pending();
    let gone = Batch::new(Family::Account, c.person.account().as_bytes());
    let gone = gone.delete(Table::Device, c.person.sender.device.as_bytes());
    world.server.store.commit(gone).await.unwrap();
    let add = a.mls.commit(group, Intent { add: packages(&[&c]), ..Intent::default() });
    assert_eq!(code(post(&world, &a.person, &add).await), Code::NoDevice);
    a.mls.drop_pending();
    // One device of somebody who stays is removed once it is logged out, not before.
    let b2 = world.device_of(b.person.account(), 2).await;
    let mls = MlsDevice::new(b2.sender);
    put_credential(&world, &b2, &mls.credential).await;
    let add = a.mls.commit(group, Intent { add: vec![mls.key_package()], ..Intent::default() });
    post(&world, &a.person, &add).await.unwrap();
    a.mls.merge();
    let remove = a.mls.commit(group, Intent { remove: vec![b2.sender], ..Intent::default() });
    assert_eq!(code(post(&world, &a.person, &remove).await), Code::Forbidden);
    let gone = Batch::new(Family::Account, b.person.account().as_bytes());
    world.server.store.commit(gone.delete(Table::Device, b2.sender.device.as_bytes())).await.unwrap();
    post(&world, &a.person, &remove).await.unwrap();
}

#[tokio::test]
async fn a_group_is_created_only_in_its_proper_form() {
    let world = World::new().await;
    let (mut a, b) = (member(&world).await, member(&world).await);
    let conversation = group_conversation();
    let good = a.mls.create(conversation, &rules_of(&a), packages(&[&b]));
    let with = |spoil: &dyn Fn(&mut Commit)| {
        let mut commit = Commit { message_id: id(), ..good.clone() };
        spoil(&mut commit);
        Create { commit }
    };
    let direct = ConversationId::direct(a.person.account(), b.person.account());
    let inbox = ConversationId::from_bytes(*b.person.sender.device.as_bytes());
    let mut other_rules = rules_of(&a);
    other_rules.posting = Who::Admins;
    let cases = [
        (with(&|commit| commit.origin = None), Code::BadRequest),
        (with(&|commit| commit.epoch = 1), Code::BadRequest),
        (with(&|commit| commit.conversation = group_conversation()), Code::BadRequest),
        (with(&|commit| commit.conversation = direct), Code::BadRequest),
        (with(&|commit| commit.change.rules = Some(other_rules.clone())), Code::BadRequest),
        (with(&|commit| commit.change.rules = None), Code::BadRequest),
        (with(&|commit| commit.payload = payload("noise")), Code::BadRequest),
    ];
    for (number, (create, expected)) in cases.into_iter().enumerate() {
        assert_eq!(
            code(world.post::<Created>(&a.person, "/v1/conversations", &create).await),
            expected,
            "case {number}"
        );
    }
    let taken =
        world.post::<Created>(&a.person, "/v1/conversations", &with(&|commit| commit.conversation = inbox)).await;
    assert!(matches!(code(taken), Code::Exists | Code::BadRequest));
    let create = Create { commit: good };
    let created: Created = world.post(&a.person, "/v1/conversations", &create).await.unwrap();
    assert_eq!(world.post::<Created>(&a.person, "/v1/conversations", &create).await.unwrap(), created);
    assert_eq!(code(world.post::<Created>(&b.person, "/v1/conversations", &create).await), Code::BadRequest);
}

#[tokio::test]
async fn who_leaves_is_gone_at_once_and_is_taken_out_before_anything_is_said() {
    let world = World::new().await;
    let (mut a, mut b, mut c) = (member(&world).await, member(&world).await, member(&world).await);
    let group = create(&world, rules_of(&a), &mut a, &mut [&mut b, &mut c]).await;
    let mut listener = Peer::connect(&world, &c.person).await;
    let mut own = Peer::connect(&world, &b.person).await;
    assert_eq!(code(leave(&world, &a, group).await), Code::Forbidden, "the last admin");
    let mut forged = b.mls.leave_proof(group);
    forged.sender = c.person.sender;
    let body = PostLeave { message_id: id(), epoch: 1, proof: forged };
    let path = format!("/v1/conversations/{group}/leave");
    assert_eq!(code(world.post::<Posted>(&c.person, &path, &body).await), Code::BadRequest);

    let proof = b.mls.leave_proof(group);
    let body = PostLeave { message_id: id(), epoch: 1, proof: proof.clone() };
    let left: Posted = world.post(&b.person, &path, &body).await.unwrap();
    assert_eq!(world.post::<Posted>(&b.person, &path, &body).await.unwrap(), left, "a repeat gives the same answer");
    assert!(matches!(listener.entry().await.body, Body::Leave { .. }));
    assert!(matches!(own.sync(group, 1, 10).await.entries[..], [Entry { seq: 2, .. }]));
    assert_eq!(code(show(&world, &b, group).await), Code::NotFound);
    assert_eq!(show(&world, &a, group).await.unwrap().members.len(), 2);
    // Nobody says anything now, and no commit passes the leaver by.
    assert_eq!(code(say(&world, &a, group, false).await), Code::CommitFirst);
    listener.send(&ClientFrame::Append(message(group, 1, "too early"))).await;
    assert!(matches!(listener.next().await, ServerFrame::Refused(Refused { code: Code::CommitFirst, .. })));
    let update = c.mls.commit(group, Intent::default());
    assert_eq!(code(post(&world, &c.person, &update).await), Code::CommitFirst);
    c.mls.drop_pending();
    // Who came in since finds it here.
    let leavers: Leavers = world.get(&c.person, &path).await.unwrap();
    assert_eq!(leavers.left, std::slice::from_ref(&proof));
    assert_eq!(code(world.get::<Leavers>(&b.person, &path).await), Code::NotFound);
    let mut remove = c.mls.commit(group, Intent { remove: vec![b.person.sender], ..Intent::default() });
    assert_eq!(code(post(&world, &c.person, &remove).await), Code::Forbidden, "C is no admin, and shows no proof");
    remove.change.left = vec![proof];
    assert_eq!(post(&world, &c.person, &remove).await.unwrap().seq, 3);
    c.mls.merge();
    a.mls.process(remove.payload.as_slice());
    assert_eq!(world.get::<Leavers>(&c.person, &path).await.unwrap().left, []);
    say(&world, &a, group, false).await.unwrap();
    assert_eq!(own.sync(group, 2, 10).await.head, 2, "who left reads up to its leaving");
    // An admin lets it in again.
    let add = a.mls.commit(group, Intent { add: packages(&[&b]), ..Intent::default() });
    post(&world, &a.person, &add).await.unwrap();
    assert_eq!(show(&world, &b, group).await.unwrap().members.len(), 3);
}

#[tokio::test]
async fn of_two_admins_who_leave_at_once_one_stays() {
    let world = World::new().await;
    let (mut a, mut b, mut c) = (member(&world).await, member(&world).await, member(&world).await);
    let group = create(&world, rules_of(&a), &mut a, &mut [&mut b, &mut c]).await;
    let mut admins = vec![a.person.account(), b.person.account()];
    admins.sort_unstable();
    let rules = GroupRules { admins, ..GroupRules::default() };
    let commit = a.mls.commit(group, Intent { rules: Some(rules), ..Intent::default() });
    post(&world, &a.person, &commit).await.unwrap();
    a.mls.merge();
    b.mls.process(commit.payload.as_slice());
    let (one, other) = tokio::join!(leave(&world, &a, group), leave(&world, &b, group));
    let refused = if one.is_ok() { other } else { one };
    assert_eq!(code(refused), Code::Forbidden);
    assert_eq!(show(&world, &c, group).await.unwrap().members.len(), 2);
}

#[tokio::test]
async fn in_an_announcement_group_only_admins_post_and_everybody_reacts() {
    let world = World::new().await;
    let (mut a, mut b) = (member(&world).await, member(&world).await);
    let rules = GroupRules { posting: Who::Admins, ..rules_of(&a) };
    let group = create(&world, rules, &mut a, &mut [&mut b]).await;
    say(&world, &a, group, false).await.unwrap();
    assert_eq!(code(say(&world, &b, group, false).await), Code::Forbidden);
    say(&world, &b, group, true).await.unwrap();
}

#[tokio::test]
async fn the_tree_as_of_a_welcome_is_there_after_further_commits() {
    let world = World::new().await;
    let (mut a, mut b, mut c) = (member(&world).await, member(&world).await, member(&world).await);
    let group = create(&world, rules_of(&a), &mut a, &mut [&mut b]).await;
    let add = a.mls.commit(group, Intent { add: packages(&[&c]), ..Intent::default() });
    post(&world, &a.person, &add).await.unwrap();
    a.mls.merge();
    b.mls.process(add.payload.as_slice());
    let mut updates = Vec::new();
    for _ in 0..3 {
        let update = a.mls.commit(group, Intent::default());
        post(&world, &a.person, &update).await.unwrap();
        a.mls.merge();
        updates.push(update);
    }
    join(&world, &mut c, group, &add).await;
    for update in &updates {
        c.mls.process(update.payload.as_slice());
    }
    assert_eq!(c.mls.epoch(), a.mls.epoch());
    say(&world, &c, group, false).await.unwrap();
    // Trees of commits that welcomed nobody, or never were, are not kept.
    for commit in [updates[0].message_id, id()] {
        let path = format!("/v1/conversations/{group}/group-info?commit={commit}");
        assert_eq!(code(world.get::<GroupInfo>(&c.person, &path).await), Code::NotFound);
    }
    let newest: GroupInfo = world.get(&c.person, &format!("/v1/conversations/{group}/group-info")).await.unwrap();
    assert_eq!((newest.epoch, newest.commit_seq), (5, 5));
    let stranger = member(&world).await;
    let path = format!("/v1/conversations/{group}/group-info");
    assert_eq!(code(world.get::<GroupInfo>(&stranger.person, &path).await), Code::NotFound);
}

#[tokio::test]
async fn a_self_chat_is_one_and_ones_own() {
    let world = World::new().await;
    let (a, b) = (world.person().await, world.person().await);
    let a2 = world.device_of(a.account(), 2).await;
    let mut commit = crate::world::create_commit(&a, &[]);
    commit.change.create = Some(tidings_proto::entry::ConversationKind::SelfChat);
    commit.conversation = ConversationId::self_chat(a.account());
    let mut shared = crate::world::create_commit(&a, &[&b]);
    shared.change.create = commit.change.create;
    assert_eq!(
        code(world.post::<Created>(&a, "/v1/conversations", &Create { commit: shared }).await),
        Code::BadRequest
    );
    let create = Create { commit };
    let created: Created = world.post(&a, "/v1/conversations", &create).await.unwrap();
    let again = Create { commit: Commit { message_id: id(), ..create.commit } };
    assert_eq!(code(world.post::<Created>(&a, "/v1/conversations", &again).await), Code::Exists);
    let mut peer = Peer::connect(&world, &a).await;
    assert_eq!(peer.say(created.conversation, "note").await, 2);
    let change = tidings_proto::entry::Change {
        added: vec![a2.sender],
        external: true,
        ..tidings_proto::entry::Change::default()
    };
    let joins = Commit { message_id: id(), epoch: 1, change, welcomes: vec![], ..again.commit };
    post(&world, &a2, &joins).await.unwrap();
    let mut foreign = Commit { message_id: id(), ..joins };
    foreign.change.added = vec![b.sender];
    assert_eq!(code(post(&world, &b, &foreign).await), Code::NotFound);
}

#[tokio::test]
async fn a_server_that_starts_again_goes_on_from_what_is_stored() {
    let clock = tidings_store::Clock::system();
    let store = tidings_store::Store::memory(clock.clone());
    let world = World::over(store.clone(), clock.clone(), |_| ()).await;
    let (mut a, mut b) = (member(&world).await, member(&world).await);
    let group = create(&world, rules_of(&a), &mut a, &mut [&mut b]).await;
    leave(&world, &b, group).await.unwrap();
    drop(world);
    let world = World::over(store, clock, |_| ()).await;
    assert_eq!(code(say(&world, &a, group, false).await), Code::CommitFirst);
    let mut remove = a.mls.commit(group, Intent { remove: vec![b.person.sender], ..Intent::default() });
    remove.change.left = vec![b.mls.leave_proof(group)];
    assert_eq!(post(&world, &a.person, &remove).await.unwrap().seq, 3);
    a.mls.merge();
    say(&world, &a, group, false).await.unwrap();
}

/// Sizes and times of a group as large as there are; prints them.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement: run it by itself, with --release and --nocapture"]
async fn a_thousand_people_come_in_with_one_commit() {
    let folder = tempfile::tempdir().unwrap();
    let clock = tidings_store::Clock::system();
    let store = tidings_store::Store::embedded(folder.path(), clock.clone()).unwrap();
    let world = World::over(store, clock, |_| ()).await;
    let mut a = member(&world).await;
    let mut others = Vec::new();
    for number in 1..1_024_u64 {
        let mut account = [0xaa; 16];
        account[8..].copy_from_slice(&number.to_be_bytes());
        let person = world.device_of(tidings_proto::id::AccountId::from_bytes(account), 1).await;
        others.push(publish(&world, person).await);
    }
    let add = packages(&others.iter().collect::<Vec<_>>());
    let (conversation, rules) = (group_conversation(), rules_of(&a));
    let began = std::time::Instant::now();
    let commit = a.mls.create(conversation, &rules, add);
    let made = began.elapsed();
    let welcomes: usize = commit.welcomes.iter().map(|welcome| welcome.payload.len()).sum();
    println!(
        "made in {made:?}: commit {}, welcomes {welcomes} (each {}), group info {}, origin {}",
        commit.payload.len(),
        commit.welcomes[0].payload.len(),
        commit.group_info.len(),
        commit.origin.as_ref().unwrap().len()
    );
    let began = std::time::Instant::now();
    let mut peer = Peer::connect(&world, &a.person).await;
    peer.send(&ClientFrame::Commit(Box::new(commit.clone()))).await;
    assert!(matches!(peer.next().await, ServerFrame::Appended { seq: 1, .. }));
    println!("taken in {:?}", began.elapsed());
    let began = std::time::Instant::now();
    let update = a.mls.commit(conversation, Intent::default());
    println!("an update made in {:?}: {} bytes", began.elapsed(), update.payload.len());
    let began = std::time::Instant::now();
    peer.send(&ClientFrame::Commit(Box::new(update))).await;
    assert!(matches!(peer.next().await, ServerFrame::Appended { seq: 2, .. }));
    println!("taken in {:?}", began.elapsed());
    let info: GroupInfo =
        world.get(&others[0].person, &format!("/v1/conversations/{conversation}/group-info")).await.unwrap();
    let tree = info.tree.unwrap();
    let began = std::time::Instant::now();
    let load = || PublicState::load(conversation, info.group_info.as_slice(), tree.as_slice()).unwrap();
    // The first ones fill what was free.
    let mut states: Vec<PublicState> = (0..24).map(|_| load()).collect();
    let before = resident_kb();
    states.extend((0..24).map(|_| load()));
    let in_memory = (resident_kb() - before) / 24;
    println!("tree {}, in memory {in_memory} KB, loaded in {:?}", tree.len(), began.elapsed() / 48);
}

fn resident_kb() -> i64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.trim_end_matches("kB").trim().parse().unwrap_or(0)
}
