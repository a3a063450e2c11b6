//! A group for the load: made with the real MLS of the client, since the server follows a group's public state and takes
//! nothing else.

use super::error::{BenchError, Doing, Result};
use super::people::{People, Person, message_id, progress};
use reqwest::Method;
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use tidings_client::db::Db;
use tidings_client::mls::key_package::Invitee;
use tidings_client::mls::{CommitBundle, Identity, Mls, MlsError};
use tidings_proto::entry::Sender;
use tidings_proto::group::GroupRules;
use tidings_proto::http::{Create, Created, PutCredential, PutKeyPackages};
use tidings_proto::id::ConversationId;

/// A group with its first commit in the log.
#[derive(Debug)]
pub struct Founded {
    pub conversation: ConversationId,
    /// Bytes of the request that made it.
    pub request_bytes: usize,
    /// How long the founder's device worked, and how long the server took to answer.
    pub made_ms: u64,
    pub answered_ms: u64,
}

/// Gives everybody a credential, and makes the first one found a group with all the others.
pub async fn found(people: &People<'_>, members: &[Person]) -> Result<Founded> {
    let mut db = Db::open_memory().map_err(failed)?;
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is after 1970").as_secs();
    let (founder, others) = members.split_first().expect("a group has members");
    let mut packages: Vec<(Sender, Vec<u8>)> = Vec::with_capacity(others.len());
    for person in others {
        let mls = identify(people, &mut db, person, now_s).await?;
        let made = db.transaction(|tx| mls.make_key_packages(tx, 1, false, now_s)).map_err(failed)?;
        packages.extend(made.into_iter().map(|package| (person.sender(), package.payload)));
    }
    let mls = identify(people, &mut db, founder, now_s).await?;
    let conversation = ConversationId::group(rand::random());
    let rules = GroupRules { admins: vec![founder.account], ..GroupRules::default() };
    let invitees: Vec<Invitee<'_>> =
        packages.iter().map(|(device, package)| Invitee { device: *device, package }).collect();
    let start = Instant::now();
    let bundle: CommitBundle =
        db.transaction(|tx| mls.create_group(tx, conversation, &rules, &invitees, now_s)).map_err(failed)?;
    let made_ms = start.elapsed().as_millis() as u64;
    let body = Create { commit: bundle.into_frame(conversation, message_id()) };
    let request_bytes = serde_json::to_vec(&body).map_or(0, |bytes| bytes.len());
    let start = Instant::now();
    let answer = people.request(Method::POST, "conversations", Some(&founder.token), &body).await?;
    let answered_ms = start.elapsed().as_millis() as u64;
    let created: Created = serde_json::from_slice(&answer).server("reading its answer")?;
    if created.conversation != conversation || created.seq != 1 {
        return Err(BenchError::Broken(format!("a new group begins with {created:?}")));
    }
    Ok(Founded { conversation, request_bytes, made_ms, answered_ms })
}

/// Gives everybody a credential and a key package at the server, by which they can be added.
pub async fn make_reachable(people: &People<'_>, members: &[Person]) -> Result<()> {
    let mut db = Db::open_memory().map_err(failed)?;
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is after 1970").as_secs();
    for (done, person) in members.iter().enumerate() {
        let mls = identify(people, &mut db, person, now_s).await?;
        let made = db.transaction(|tx| mls.make_key_packages(tx, 1, false, now_s)).map_err(failed)?;
        let packages = made.into_iter().map(|package| package.payload.into()).collect();
        let body = PutKeyPackages { packages, last_resort: None };
        people.request(Method::POST, "keys/packages", Some(&person.token), &body).await?;
        progress("key packages", done + 1, members.len());
    }
    Ok(())
}

/// A fresh identity for a device, and its credential on the server. The database is that of the last one.
async fn identify(people: &People<'_>, db: &mut Db, person: &Person, now_s: u64) -> Result<Mls> {
    let identity = db
        .transaction(|tx| Identity::create(tx, &mut rand::rng(), None, person.account, person.device, now_s))
        .map_err(|error: MlsError| failed(error))?;
    let body = PutCredential { credential: identity.credential.as_bytes().to_vec().into() };
    people.request(Method::PUT, "keys/credential", Some(&person.token), &body).await?;
    Ok(Mls::new(identity, rand::random()))
}

fn failed(error: impl std::fmt::Display) -> BenchError {
    BenchError::Setup(format!("making the group: {error}"))
}
