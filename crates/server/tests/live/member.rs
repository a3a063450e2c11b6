//! People with real MLS, and what they do in groups.

use crate::mls::{MlsDevice, group_conversation, identity};
use crate::world::{Person, World, id, payload};
use openmls::prelude::KeyPackage;
use tidings_proto::credential::Credential;
use tidings_proto::frame::Commit;
use tidings_proto::group::{GroupRules, Invite, InviteKey, JoinProof};
use tidings_proto::http::{Conversation, Create, Created, GroupInfo, Join, Post, PostLeave, Posted};
use tidings_proto::id::ConversationId;
use tidings_proto::problem::Problem;
use tidings_server::directory::{self, Account};
use tidings_server::stored;
use tidings_store::table::Family;
use tidings_store::{Batch, Table};

/// What the links of these tests hold.
const SECRET: [u8; 32] = [5; 32];

/// A person's device with its MLS.
pub struct Member {
    pub person: Person,
    pub mls: MlsDevice,
}

/// Signs somebody up whose device has published its credential.
pub async fn member(world: &World) -> Member {
    publish(world, world.person().await).await
}

pub async fn publish(world: &World, person: Person) -> Member {
    let mls = MlsDevice::new(person.sender);
    let key = identity(person.account()).verifying_key().to_bytes();
    let row = directory::account(&world.server.store, person.account()).await.unwrap().unwrap().value;
    let row = Account { identity_key: Some(key.into()), ..row };
    let batch = Batch::new(Family::Account, person.account().as_bytes());
    world.server.store.commit(batch.put(Table::Account, [], stored::encode(&row))).await.unwrap();
    put_credential(world, &person, &mls.credential).await;
    Member { person, mls }
}

pub async fn put_credential(world: &World, person: &Person, credential: &Credential) {
    let batch = Batch::new(Family::Keys, person.sender.device.as_bytes());
    let batch = batch.put(Table::DeviceKey, b"credential", credential.as_bytes().to_vec());
    world.server.store.commit(batch).await.unwrap();
}

pub fn packages(members: &[&Member]) -> Vec<KeyPackage> {
    members.iter().map(|member| member.mls.key_package()).collect()
}

/// Creates a group; everybody has joined it.
pub async fn create(
    world: &World,
    rules: GroupRules,
    admin: &mut Member,
    others: &mut [&mut Member],
) -> ConversationId {
    let conversation = group_conversation();
    let add = others.iter().map(|member| member.mls.key_package()).collect();
    let commit = admin.mls.create(conversation, &rules, add);
    let created: Created =
        world.post(&admin.person, "/v1/conversations", &Create { commit: commit.clone() }).await.unwrap();
    assert_eq!((created.conversation, created.seq), (conversation, 1));
    for member in others {
        join(world, member, conversation, &commit).await;
    }
    conversation
}

/// Joins by welcome, with the tree that the server has as of the commit.
pub async fn join(world: &World, member: &mut Member, conversation: ConversationId, commit: &Commit) {
    let path = format!("/v1/conversations/{conversation}/group-info?commit={}", commit.message_id);
    let info: GroupInfo = world.get(&member.person, &path).await.unwrap();
    let welcome = commit.welcomes.iter().find(|welcome| welcome.device == member.person.sender.device).unwrap();
    member.mls.join(welcome.payload.as_slice(), info.tree.unwrap().as_slice());
}

pub async fn post(world: &World, by: &Person, commit: &Commit) -> Result<Posted, Problem> {
    world.post(by, &format!("/v1/conversations/{}/commits", commit.conversation), commit).await
}

pub async fn say(world: &World, by: &Member, conversation: ConversationId, silent: bool) -> Result<Posted, Problem> {
    let epoch = by.mls.epoch();
    let post = Post { message_id: id(), epoch, payload: payload("hello"), silent, expires_in_s: None };
    world.post(&by.person, &format!("/v1/conversations/{conversation}/messages"), &post).await
}

pub async fn leave(world: &World, who: &Member, conversation: ConversationId) -> Result<Posted, Problem> {
    let proof = who.mls.leave_proof(conversation);
    let body = PostLeave { message_id: id(), epoch: who.mls.epoch(), proof };
    world.post(&who.person, &format!("/v1/conversations/{conversation}/leave"), &body).await
}

pub async fn show(world: &World, who: &Member, conversation: ConversationId) -> Result<Conversation, Problem> {
    world.get(&who.person, &format!("/v1/conversations/{conversation}")).await
}

pub fn rules_of(admin: &Member) -> GroupRules {
    GroupRules::of_creator(admin.person.account())
}

pub fn invited(admin: &Member, approval: bool, expires_s: Option<u64>) -> GroupRules {
    let invites = vec![Invite { key: InviteKey::of(&SECRET), expires_s, approval }];
    GroupRules { invites, ..rules_of(admin) }
}

pub fn proof(member: &Member, conversation: ConversationId) -> Join {
    Join { proof: JoinProof::sign(&SECRET, conversation, member.person.sender) }
}

/// Asks for the group info with the link, and makes the commit that joins.
pub async fn joining(world: &World, who: &mut Member, conversation: ConversationId) -> Result<Commit, Problem> {
    let shown = proof(who, conversation);
    let path = format!("/v1/conversations/{conversation}/group-info");
    let info: GroupInfo = world.post(&who.person, &path, &shown).await?;
    let (info, tree) = (info.group_info, info.tree.unwrap());
    Ok(who.mls.join_by_commit(conversation, info.as_slice(), tree.as_slice(), Some(shown.proof)))
}
