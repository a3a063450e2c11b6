//! Who may put somebody into a group.

use crate::member::{create, join, member, packages, post, rules_of};
use crate::mls::{Intent, group_conversation};
use crate::world::{Person, World};
use reqwest::Method;
use tidings_proto::http::{Audience, Create, Created, Privacy, PutContacts};
use tidings_proto::id::AccountId;
use tidings_proto::problem::Code;

async fn allow(world: &World, who: &Person, add_me: Audience) {
    let everyone = Audience::Everyone;
    let privacy = Privacy { last_seen: everyone, read_receipts: true, find_me: everyone, add_me };
    let body = serde_json::to_vec(&privacy).unwrap();
    world.tell(who, Method::PUT, "/v1/me/privacy", Some(body)).await.unwrap();
    assert_eq!(world.get::<Privacy>(who, "/v1/me/privacy").await, Ok(privacy));
}

async fn know(world: &World, who: &Person, accounts: Vec<AccountId>) {
    let body = serde_json::to_vec(&PutContacts { accounts }).unwrap();
    world.tell(who, Method::PUT, "/v1/me/contacts", Some(body)).await.unwrap();
}

#[tokio::test]
async fn nobody_is_put_into_a_group_who_does_not_allow_it() {
    let world = World::new().await;
    let (mut a, mut b, mut c) = (member(&world).await, member(&world).await, member(&world).await);
    allow(&world, &c.person, Audience::Nobody).await;
    // Neither when it is made,
    let commit = a.mls.create(group_conversation(), &rules_of(&a), packages(&[&b, &c]));
    let refused = world.post::<Created>(&a.person, "/v1/conversations", &Create { commit }).await.unwrap_err();
    assert_eq!((refused.code, refused.accounts), (Code::InviteNeeded, vec![c.person.account()]));
    // nor later.
    let group = create(&world, rules_of(&a), &mut a, &mut [&mut b]).await;
    let add = a.mls.commit(group, Intent { add: packages(&[&c]), ..Intent::default() });
    let refused = post(&world, &a.person, &add).await.unwrap_err();
    assert_eq!((refused.code, refused.accounts), (Code::InviteNeeded, vec![c.person.account()]));
    // Contacts may; the others not.
    allow(&world, &c.person, Audience::Contacts).await;
    know(&world, &c.person, vec![b.person.account()]).await;
    assert_eq!(post(&world, &a.person, &add).await.unwrap_err().code, Code::InviteNeeded);
    know(&world, &c.person, vec![b.person.account(), a.person.account()]).await;
    assert_eq!(post(&world, &a.person, &add).await.unwrap().seq, 2);
    a.mls.merge();
    b.mls.process(add.payload.as_slice());
    join(&world, &mut c, group, &add).await;
    // Who is in it stays, whatever they say now.
    allow(&world, &c.person, Audience::Nobody).await;
    let update = a.mls.commit(group, Intent::default());
    assert_eq!(post(&world, &a.person, &update).await.unwrap().seq, 3);
}

#[tokio::test]
async fn nobody_is_put_into_a_group_by_whom_they_block() {
    let world = World::new().await;
    let (mut a, mut b, mut c) = (member(&world).await, member(&world).await, member(&world).await);
    let block = format!("/v1/blocks/{}", a.person.account());
    world.tell(&c.person, Method::PUT, &block, None).await.unwrap();
    let commit = a.mls.create(group_conversation(), &rules_of(&a), packages(&[&b, &c]));
    let refused = world.post::<Created>(&a.person, "/v1/conversations", &Create { commit }).await.unwrap_err();
    assert_eq!((refused.code, refused.accounts), (Code::InviteNeeded, vec![c.person.account()]));
    let group = create(&world, rules_of(&a), &mut a, &mut [&mut b]).await;
    let add = a.mls.commit(group, Intent { add: packages(&[&c]), ..Intent::default() });
    let refused = post(&world, &a.person, &add).await.unwrap_err();
    assert_eq!((refused.code, refused.accounts), (Code::InviteNeeded, vec![c.person.account()]));
    world.tell(&c.person, Method::DELETE, &block, None).await.unwrap();
    assert_eq!(post(&world, &a.person, &add).await.unwrap().seq, 2);
    a.mls.merge();
    join(&world, &mut c, group, &add).await;
}
