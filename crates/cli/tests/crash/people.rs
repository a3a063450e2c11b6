//! Accounts, conversations and the HTTP API, as any program uses it.

use crate::ledger::{Ack, Pending, Written};
use crate::process::Sms;
use ed25519_dalek::SigningKey;
use reqwest::{Method, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tidings_proto::credential::Credential;
use tidings_proto::entry::{Change, ConversationKind, Entry, Sender};
use tidings_proto::frame::{Commit, Welcome};
use tidings_proto::http::{Create, Created, Login, Me, Messages, Post, Posted, PutCredential, Register, Tokens};
use tidings_proto::id::{AccountId, ConversationId, DeviceId, MessageId};
use tidings_proto::limit;

/// The epoch after the commit that made the conversation.
pub const EPOCH: u64 = 1;

#[derive(Clone)]
pub struct Person {
    pub account: AccountId,
    pub device: DeviceId,
    pub token: String,
}

impl Person {
    fn sender(&self) -> Sender {
        Sender { account: self.account, device: self.device }
    }
}

#[derive(Clone)]
pub struct Pair {
    pub one: Person,
    pub other: Person,
    pub conversation: ConversationId,
}

#[derive(Clone)]
pub struct People {
    http: reqwest::Client,
    base: String,
    sms: Sms,
    number: Arc<AtomicU64>,
}

pub fn message_id() -> MessageId {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("the clock is after 1970");
    MessageId::new(now.as_millis() as u64, rand::random())
}

impl People {
    pub fn new(base: String, sms: Sms) -> Self {
        let http = reqwest::Client::builder().timeout(Duration::from_secs(10)).build();
        Self { http: http.expect("a client without TLS"), base, sms, number: Arc::default() }
    }

    /// `None`: no answer came, and nobody knows what became of the request.
    pub async fn call<A: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: Option<&impl Serialize>,
    ) -> Option<(StatusCode, Option<A>)> {
        let mut request = self.http.request(method, format!("{}/v1/{path}", self.base));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.ok()?;
        let status = answer.status();
        let bytes = answer.bytes().await.ok()?;
        Some((status, serde_json::from_slice(&bytes).ok()))
    }

    async fn get<A: DeserializeOwned>(&self, path: &str, token: &str) -> A {
        let answer = self.call(Method::GET, path, Some(token), None::<&()>).await;
        match answer {
            Some((StatusCode::OK, Some(body))) => body,
            Some((status, _)) => panic!("GET {path}: {status}"),
            None => panic!("GET {path}: no answer"),
        }
    }

    /// `None`: the server was killed meanwhile.
    async fn sign_up(&self) -> Option<Person> {
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        let phone = format!("+316{:08}", 10_000_000 + number);
        let register = Register { phone: phone.clone() };
        let (status, _) = self.call::<serde_json::Value>(Method::POST, "register", None, Some(&register)).await?;
        assert_eq!(status, StatusCode::ACCEPTED, "registering");
        let login = Login {
            code: self.sms.code(&phone).await?,
            phone,
            device_name: "crash".into(),
            pin: None,
            forgot_pin: false,
        };
        let (status, tokens) = self.call::<Tokens>(Method::POST, "login", None, Some(&login)).await?;
        assert_eq!(status, StatusCode::OK, "logging in");
        let tokens = tokens.expect("the answer to a login has tokens");
        Some(Person { account: tokens.account, device: tokens.device, token: tokens.access_token })
    }

    pub async fn new_pair(&self) -> Pair {
        let one = self.sign_up().await.expect("the server runs");
        let other = self.sign_up().await.expect("the server runs");
        for person in [&one, &other] {
            let signature = SigningKey::from_bytes(&rand::random()).verifying_key().to_bytes();
            let identity = SigningKey::from_bytes(&rand::random());
            let credential = Credential::issue(&identity, person.account, person.device, signature, u64::MAX / 2);
            let body = PutCredential { credential: credential.as_bytes().to_vec().into() };
            let path = "keys/credential";
            let answer = self.call::<serde_json::Value>(Method::PUT, path, Some(&person.token), Some(&body)).await;
            assert_eq!(answer.map(|(status, _)| status), Some(StatusCode::NO_CONTENT), "uploading a credential");
        }
        let conversation = ConversationId::direct(one.account, other.account);
        let commit = Commit {
            conversation,
            message_id: message_id(),
            epoch: 0,
            payload: vec![1; 500].into(),
            change: Change {
                create: Some(ConversationKind::Direct),
                added: vec![one.sender(), other.sender()],
                ..Change::default()
            },
            welcomes: vec![Welcome { account: other.account, device: other.device, payload: vec![2; 500].into() }],
            group_info: vec![3; 500].into(),
            origin: None,
        };
        let body = Create { commit };
        let answer = self.call::<Created>(Method::POST, "conversations", Some(&one.token), Some(&body)).await;
        assert_eq!(answer.map(|(status, _)| status), Some(StatusCode::CREATED), "creating a conversation");
        Pair { one, other, conversation }
    }

    /// The log from there to its head, page by page.
    pub async fn read_log(&self, person: &Person, conversation: ConversationId, after: u64) -> Vec<Entry> {
        let mut log: Vec<Entry> = Vec::new();
        loop {
            let after = log.last().map_or(after, |entry| entry.seq);
            let limit = limit::PAGE_MAX_ENTRIES;
            let path = format!("conversations/{conversation}/messages?after={after}&limit={limit}");
            let page: Messages = self.get(&path, &person.token).await;
            let end = page.entries.is_empty();
            log.extend(page.entries);
            if end || log.last().is_some_and(|entry| entry.seq >= page.head) {
                return log;
            }
        }
    }

    /// Over HTTP, one after the other, until each is acknowledged.
    pub async fn post_all(&self, person: &Person, conversation: ConversationId, pending: Vec<Pending>) -> Written {
        let mut written = Written::default();
        for Pending { message_id, payload } in pending {
            let path = format!("conversations/{conversation}/messages");
            let post =
                Post { message_id, epoch: EPOCH, payload: payload.clone().into(), silent: false, expires_in_s: None };
            let answer = self.call::<Posted>(Method::POST, &path, Some(&person.token), Some(&post)).await;
            let Some((StatusCode::CREATED, Some(Posted { seq, time_ms, .. }))) = answer else {
                panic!("a message is not taken again: {:?}", answer.map(|(status, _)| status));
            };
            written.acks.push(Ack { message_id, payload, seq, time_ms });
        }
        written
    }

    /// A registration that was acknowledged holds.
    pub async fn assert_known(&self, token: &str) {
        let _: Me = self.get("me", token).await;
    }

    pub async fn watermarks(&self, person: &Person, conversation: ConversationId) -> tidings_proto::http::Conversation {
        self.get(&format!("conversations/{conversation}"), &person.token).await
    }

    pub async fn key_packages(&self, person: &Person) -> tidings_proto::http::KeyPackageCount {
        self.get("keys/packages", &person.token).await
    }
}

/// New people keep coming until the server is gone. Gives the tokens of those who were let in.
pub async fn sign_up_until_the_end(people: People) -> Vec<String> {
    let mut tokens = Vec::new();
    while let Some(person) = people.sign_up().await {
        tokens.push(person.token);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    tokens
}
