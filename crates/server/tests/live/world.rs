//! A server on a port of its own, and people who have accounts there.

use reqwest::{Method, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use tidings_proto::entry::{Body, Change, ConversationKind, Sender};
use tidings_proto::frame::{Commit, Welcome};
use tidings_proto::group::GroupRules;
use tidings_proto::http::Create;
use tidings_proto::id::{AccountId, ConversationId, DeviceId, MessageId};
use tidings_proto::payload::Payload;
use tidings_proto::problem::{Code, Problem};
use tidings_server::auth::{Claims, Kind};
use tidings_server::directory::{Account, Device};
use tidings_server::lane::Reply;
use tidings_server::{Config, Server, gateway, stored};
use tidings_store::log::NewEntry;
use tidings_store::table::Family;
use tidings_store::{Batch, Clock, Store, Table};

pub struct World {
    pub server: Arc<Server>,
    pub address: SocketAddr,
    people: AtomicU8,
    http: reqwest::Client,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for World {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A signed-in device.
#[derive(Clone, Debug)]
pub struct Person {
    pub sender: Sender,
    pub token: String,
}

impl Person {
    pub fn account(&self) -> AccountId {
        self.sender.account
    }
}

/// A fresh message id.
pub fn id() -> MessageId {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let mut random = [0; 10];
    random[2..].copy_from_slice(&NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes());
    MessageId::new(1_700_000_000_000, random)
}

/// The number of the world's person of this number.
pub fn phone(number: u8) -> String {
    format!("+31612345{number:03}")
}

pub fn payload(text: &str) -> Payload {
    text.as_bytes().to_vec().into()
}

impl World {
    pub async fn new() -> Self {
        let clock = Clock::system();
        Self::over(Store::memory(clock.clone()), clock, |_| ()).await
    }

    pub async fn over(store: Store, clock: Clock, adapt: impl FnOnce(&mut Server)) -> Self {
        Self::set_up(store, clock, false, adapt).await
    }

    /// A server that deletes what every device has.
    pub async fn forgetful() -> Self {
        let clock = Clock::system();
        Self::set_up(Store::memory(clock.clone()), clock, true, |_| ()).await
    }

    async fn set_up(store: Store, clock: Clock, delete_delivered: bool, adapt: impl FnOnce(&mut Server)) -> Self {
        let mut config = Config::default();
        config.limits.appends_per_device_per_s = 100_000;
        config.limits.appends_per_device_burst = 100_000;
        config.limits.requests_per_address_per_s = 100_000;
        config.delete_delivered = delete_delivered;
        let mut server = Server::open(config, store, clock).await.unwrap();
        adapt(&mut server);
        let server = Arc::new(server);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let service = gateway::router(server.clone()).into_make_service_with_connect_info::<SocketAddr>();
        let task = tokio::spawn(async move { axum::serve(listener, service).await.unwrap() });
        // A client cannot be built without one, although no test uses TLS.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self { server, address, people: AtomicU8::new(1), http: reqwest::Client::new(), task }
    }

    /// A new account with one device.
    pub async fn person(&self) -> Person {
        let number = self.people.fetch_add(1, Ordering::Relaxed);
        let account = AccountId::from_bytes([number; 16]);
        let secrets = &self.server.secrets;
        let phone = secrets.seal_phone(&self.server.random, account, &phone(number));
        let row = Account { phone, identity_key: None, created_ms: 1, logins: 0 };
        let batch = Batch::new(Family::Account, account.as_bytes()).put(Table::Account, [], stored::encode(&row));
        self.server.store.commit(batch).await.unwrap();
        let hash = secrets.phone_hash(&self::phone(number));
        let batch = Batch::new(Family::Phone, hash).put(Table::Phone, [], account.as_bytes().to_vec());
        self.server.store.commit(batch).await.unwrap();
        self.device_of(account, 1).await
    }

    /// A further device of an account.
    pub async fn device_of(&self, account: AccountId, number: u8) -> Person {
        let mut device = *account.as_bytes();
        device[0] = number;
        device[1] = 0xd0;
        let sender = Sender { account, device: DeviceId::from_bytes(device) };
        let owner = Batch::new(Family::DeviceOwner, device).put(Table::DeviceOwner, [], account.as_bytes().to_vec());
        self.server.store.commit(owner).await.unwrap();
        let row = Device { name: "test".into(), created_ms: 1, generation: 1, confirmed: true };
        let batch = Batch::new(Family::Account, account.as_bytes()).put(Table::Device, device, stored::encode(&row));
        self.server.store.commit(batch).await.unwrap();
        let claims = Claims { kind: Kind::Access, device: sender, generation: 1, expires_s: 32_503_680_000 };
        Person { sender, token: claims.issue(&self.server) }
    }

    /// Two people and their conversation.
    pub async fn pair(&self) -> (Person, Person, ConversationId) {
        let (a, b) = (self.person().await, self.person().await);
        let conversation = self.create(&a, &[&b]).await.unwrap();
        (a, b, conversation)
    }

    pub async fn create(&self, by: &Person, others: &[&Person]) -> Result<ConversationId, Problem> {
        let commit = create_commit(by, others);
        let conversation = commit.conversation;
        self.post::<serde_json::Value>(by, "/v1/conversations", &Create { commit }).await?;
        Ok(conversation)
    }

    /// A group of these people, as if its creation had been checked: what is in its MLS group is not of interest here.
    pub async fn group(&self, people: &[&Person]) -> ConversationId {
        let conversation = ConversationId::group(id().as_bytes().to_owned());
        for person in people {
            let row = Batch::new(Family::Account, person.account().as_bytes());
            let row = row.put(Table::Membership, conversation.as_bytes(), Vec::new());
            self.server.store.commit(row).await.unwrap();
        }
        let rules = GroupRules { admins: vec![people[0].account()], ..GroupRules::default() };
        let change = Change {
            create: Some(ConversationKind::Group),
            added: people.iter().map(|person| person.sender).collect(),
            rules: Some(rules),
            ..Change::default()
        };
        self.append_commit(conversation, people[0].sender, 0, change).await;
        conversation
    }

    /// Appends a commit that nobody checks.
    pub async fn append_commit(&self, conversation: ConversationId, sender: Sender, epoch: u64, change: Change) {
        let lane = self.server.lanes.open(&self.server, conversation.into()).await.unwrap();
        let body = Body::Commit { payload: payload("commit"), change: Box::new(change) };
        let entry = NewEntry { message_id: id(), sender, epoch, body, expires_in_ms: None };
        let (answer, answered) = tokio::sync::oneshot::channel();
        lane.append_checked(&self.server, entry, Reply::Call(answer)).unwrap();
        answered.await.unwrap().unwrap();
    }

    pub async fn call(&self, who: Option<&Person>, method: Method, path: &str, body: Option<Vec<u8>>) -> Response {
        let mut request = self.http.request(method, format!("http://{}{path}", self.address));
        if let Some(who) = who {
            request = request.bearer_auth(&who.token);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body);
        }
        request.send().await.unwrap()
    }

    pub async fn get<T: DeserializeOwned>(&self, who: &Person, path: &str) -> Result<T, Problem> {
        read(self.call(Some(who), Method::GET, path, None).await).await
    }

    pub async fn post<T: DeserializeOwned>(
        &self,
        who: &Person,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, Problem> {
        read(self.call(Some(who), Method::POST, path, Some(serde_json::to_vec(body).unwrap())).await).await
    }

    /// For requests that are answered by nothing but 204.
    pub async fn tell(&self, who: &Person, method: Method, path: &str, body: Option<Vec<u8>>) -> Result<(), Problem> {
        let response = self.call(Some(who), method, path, body).await;
        if response.status() == 204 { Ok(()) } else { Err(response.json().await.unwrap()) }
    }
}

async fn read<T: DeserializeOwned>(response: Response) -> Result<T, Problem> {
    let (ok, status) = (response.status().is_success(), response.status().as_u16());
    let text = response.text().await.unwrap();
    if ok {
        return Ok(serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}")));
    }
    let problem: Problem = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{status} {error}: {text}"));
    assert_eq!(problem.status, status);
    Err(problem)
}

pub fn code<T: std::fmt::Debug>(result: Result<T, Problem>) -> Code {
    result.unwrap_err().code
}

/// The commit that creates the direct conversation of `by` and the account of the others.
pub fn create_commit(by: &Person, others: &[&Person]) -> Commit {
    let peer = others.iter().map(|other| other.account()).find(|account| *account != by.account());
    let devices = others.iter().map(|other| other.sender).filter(|other| *other != by.sender);
    let added: Vec<Sender> = std::iter::once(by.sender).chain(devices).collect();
    Commit {
        conversation: ConversationId::direct(by.account(), peer.unwrap_or(by.account())),
        message_id: id(),
        epoch: 0,
        payload: payload("create"),
        change: Change { create: Some(ConversationKind::Direct), added: added.clone(), ..Change::default() },
        welcomes: welcomes(&added[1..]),
        group_info: payload("group info"),
        origin: None,
    }
}

pub fn welcomes(devices: &[Sender]) -> Vec<Welcome> {
    let welcome = |to: &Sender| Welcome { account: to.account, device: to.device, payload: payload("welcome") };
    devices.iter().map(welcome).collect()
}
