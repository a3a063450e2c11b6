//! Coming into a group by oneself: links, requests, and a limit that holds however many come at once.

use crate::member::{Member, create, invited, joining, leave, member, packages, post, proof, rules_of, show};
use crate::mls::{Intent, group_conversation};
use crate::peer::Peer;
use crate::world::{World, code};
use reqwest::Method;
use tidings_proto::entry::{Body, Entry};
use tidings_proto::http::{Create, Created, InvitePreview, JoinRequests, PutMembers};
use tidings_proto::problem::Code;

#[tokio::test]
async fn a_request_can_be_refused_and_taken_back() {
    let world = World::new().await;
    let (mut a, b, c) = (member(&world).await, member(&world).await, member(&world).await);
    let rules = invited(&a, true, None);
    let group = create(&world, rules, &mut a, &mut []).await;
    let requests = format!("/v1/conversations/{group}/requests");
    for asking in [&b, &c] {
        let body = serde_json::to_vec(&proof(asking, group)).unwrap();
        assert_eq!(world.call(Some(&asking.person), Method::POST, &requests, Some(body)).await.status(), 202);
    }
    let of = |who: &Member| format!("{requests}/{}", who.person.account());
    assert_eq!(code(world.tell(&b.person, Method::DELETE, &of(&c), None).await), Code::NotFound);
    world.tell(&b.person, Method::DELETE, &of(&b), None).await.unwrap();
    let waiting: JoinRequests = world.get(&a.person, &requests).await.unwrap();
    assert_eq!(waiting.requests.iter().map(|request| request.account).collect::<Vec<_>>(), [c.person.account()]);
    world.tell(&a.person, Method::DELETE, &of(&c), None).await.unwrap();
    let waiting: JoinRequests = world.get(&a.person, &requests).await.unwrap();
    assert_eq!(waiting.requests, []);
    let put = PutMembers { commit: a.mls.commit(group, Intent::default()) };
    let path = format!("/v1/conversations/{group}/members");
    let put = world.call(Some(&a.person), Method::PUT, &path, Some(serde_json::to_vec(&put).unwrap())).await;
    assert_eq!(put.status(), 400, "it changes nothing about the members");
}

#[tokio::test]
async fn links_let_in_at_once_or_after_an_approval_and_not_those_who_are_banned() {
    let world = World::new().await;
    let (mut a, mut b, mut c) = (member(&world).await, member(&world).await, member(&world).await);
    let rules = invited(&a, false, None);
    let group = create(&world, rules, &mut a, &mut []).await;
    let path = |what: &str| format!("/v1/conversations/{group}/{what}");
    let preview: InvitePreview = world.post(&b.person, &path("join"), &proof(&b, group)).await.unwrap();
    assert_eq!((preview.members, preview.approval, preview.member), (1, false, false));
    assert_eq!(code(world.post::<InvitePreview>(&b.person, &path("join"), &proof(&c, group)).await), Code::Forbidden);
    let joins = joining(&world, &mut b, group).await.unwrap();
    post(&world, &b.person, &joins).await.unwrap();
    a.mls.process(joins.payload.as_slice());
    assert_eq!(show(&world, &b, group).await.unwrap().members.len(), 2);

    // From now on an admin approves.
    let change = a.mls.commit(group, Intent { rules: Some(invited(&a, true, None)), ..Intent::default() });
    post(&world, &a.person, &change).await.unwrap();
    a.mls.merge();
    b.mls.process(change.payload.as_slice());
    assert_eq!(code(joining(&world, &mut c, group).await.map(|_| ())), Code::ApprovalNeeded);
    let mut inbox = Peer::connect(&world, &a.person).await;
    let ask = serde_json::to_vec(&proof(&c, group)).unwrap();
    for _ in 0..2 {
        let asked = world.call(Some(&c.person), Method::POST, &path("requests"), Some(ask.clone())).await;
        assert_eq!(asked.status(), 202);
    }
    let told = inbox.entry().await;
    assert!(
        matches!(told, Entry { sender, body: Body::JoinRequest { conversation }, .. } if conversation == group && sender == c.person.sender)
    );
    assert_eq!(code(world.get::<JoinRequests>(&b.person, &path("requests")).await), Code::Forbidden);
    let waiting: JoinRequests = world.get(&a.person, &path("requests")).await.unwrap();
    assert_eq!(waiting.requests.len(), 1);
    let add = a.mls.commit(group, Intent { add: packages(&[&c]), ..Intent::default() });
    post(&world, &a.person, &add).await.unwrap();
    a.mls.merge();
    b.mls.process(add.payload.as_slice());
    let waiting: JoinRequests = world.get(&a.person, &path("requests")).await.unwrap();
    assert_eq!(waiting.requests, []);

    // Banned: neither by a link nor by a member.
    let mut ban = invited(&a, false, None);
    ban.banned = vec![c.person.account()];
    let intent = Intent { remove: vec![c.person.sender], rules: Some(ban), ..Intent::default() };
    let commit = a.mls.commit(group, intent);
    post(&world, &a.person, &commit).await.unwrap();
    a.mls.merge();
    b.mls.process(commit.payload.as_slice());
    assert_eq!(code(joining(&world, &mut c, group).await.map(|_| ())), Code::Forbidden);
    let add = b.mls.commit(group, Intent { add: packages(&[&c]), ..Intent::default() });
    assert_eq!(code(post(&world, &b.person, &add).await), Code::Forbidden);
    // Revoked and expired links.
    let change = a.mls.commit(group, Intent { rules: Some(invited(&a, false, Some(1))), ..Intent::default() });
    post(&world, &a.person, &change).await.unwrap();
    a.mls.merge();
    let mut d = member(&world).await;
    assert_eq!(code(joining(&world, &mut d, group).await.map(|_| ())), Code::Forbidden);
    let requested = world.call(Some(&d.person), Method::POST, &path("requests"), Some(ask)).await;
    assert_eq!(requested.status(), 403);
}

#[tokio::test]
async fn nobody_comes_into_a_group_that_everybody_has_left() {
    let world = World::new().await;
    let (mut a, mut b) = (member(&world).await, member(&world).await);
    let rules = invited(&a, false, None);
    let group = create(&world, rules, &mut a, &mut []).await;
    let commit = joining(&world, &mut b, group).await.unwrap();
    leave(&world, &a, group).await.unwrap();
    // There would be no admin, and whoever left could not be taken out.
    assert_eq!(code(post(&world, &b.person, &commit).await), Code::NotFound);
    assert_eq!(code(joining(&world, &mut b, group).await.map(|_| ())), Code::NotFound);
}

#[tokio::test]
async fn the_last_free_place_goes_to_one_of_many() {
    let clock = tidings_store::Clock::system();
    let store = tidings_store::Store::memory(clock.clone());
    let world = World::over(store, clock, |server| server.config.group.participants_max = 3).await;
    let (mut a, mut b) = (member(&world).await, member(&world).await);
    let rules = invited(&a, false, None);
    let group = create(&world, rules, &mut a, &mut [&mut b]).await;
    let mut commits = Vec::new();
    for _ in 0..100 {
        let mut joiner = member(&world).await;
        let commit = joining(&world, &mut joiner, group).await.unwrap();
        commits.push((joiner, commit));
    }
    let attempts = commits.iter().map(|(joiner, commit)| post(&world, &joiner.person, commit));
    let answers = futures_util::future::join_all(attempts).await;
    let won = answers.iter().filter(|answer| answer.is_ok()).count();
    let full =
        answers.iter().filter(|answer| matches!(answer, Err(problem) if problem.code == Code::GroupFull)).count();
    assert_eq!((won, full), (1, 99));
    let (late, _) =
        commits.iter_mut().zip(&answers).find(|(_, answer)| answer.is_err()).map(|(joiner, _)| joiner).unwrap();
    assert_eq!(code(joining(&world, late, group).await.map(|_| ())), Code::GroupFull);
    assert_eq!(show(&world, &a, group).await.unwrap().members.len(), 3);
    // A larger group cannot be made either.
    let (c, d, e) = (member(&world).await, member(&world).await, member(&world).await);
    let rules = rules_of(&a);
    let commit = a.mls.create(group_conversation(), &rules, packages(&[&c, &d, &e]));
    assert_eq!(code(world.post::<Created>(&a.person, "/v1/conversations", &Create { commit }).await), Code::GroupFull);
}
