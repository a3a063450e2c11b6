//! Accounts and conversations for the load, made through the public HTTP API as any client makes them.

use super::error::{BenchError, Doing, Result};
use super::target::Target;
use ed25519_dalek::SigningKey;
use futures_util::{StreamExt, TryStreamExt, stream};
use reqwest::{Client, Method, StatusCode};
use serde::Serialize;
use std::cell::Cell;
use std::io::{IsTerminal, Write};
use std::time::Duration;
use tidings_proto::credential::Credential;
use tidings_proto::entry::{Change, ConversationKind, Sender};
use tidings_proto::frame::{Commit, Welcome};
use tidings_proto::http::{Create, Created, Login, PutCredential, Register, Tokens};
use tidings_proto::id::{AccountId, ConversationId, DeviceId, MessageId};
use tidings_proto::problem::{Code, Problem};

/// Requests under way at once.
const PARALLEL: usize = 32;
/// One request with all its repeats.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
const REPEATS_MAX: u32 = 20;
/// What MLS gives for two devices with suite 0x004F, roughly.
const COMMIT_BYTES: usize = 2_000;
const WELCOME_BYTES: usize = 6_000;

/// An account with its one device.
#[derive(Clone, Debug)]
pub struct Person {
    pub phone: String,
    pub account: AccountId,
    pub device: DeviceId,
    pub token: String,
}

impl Person {
    pub fn sender(&self) -> Sender {
        Sender { account: self.account, device: self.device }
    }
}

/// Two people with a conversation.
#[derive(Clone, Debug)]
pub struct Pair {
    pub from: Person,
    pub to: Person,
    pub conversation: ConversationId,
}

#[derive(Debug)]
pub struct People<'a> {
    http: Client,
    target: &'a Target,
    /// Each number signs up once, for a second code would have to wait.
    next_number: Cell<u64>,
}

impl<'a> People<'a> {
    pub fn new(target: &'a Target) -> Result<Self> {
        let http = Client::builder()
            .timeout(REQUEST_TIMEOUT)
            .pool_max_idle_per_host(PARALLEL)
            .build()
            .setup("making the HTTP client")?;
        // A server that has seen a run before should not see the same numbers again.
        Ok(Self { http, target, next_number: Cell::new(rand::random_range(0..40_000_000)) })
    }

    /// Signs accounts up; `with_credential` also makes them able to receive.
    pub async fn sign_up(&self, count: usize, with_credential: bool) -> Result<Vec<Person>> {
        let mut people = Vec::with_capacity(count);
        let first = self.next_number.replace(self.next_number.get() + count as u64);
        let mut stream = stream::iter(first..first + count as u64)
            .map(|number| self.sign_up_one(number, with_credential))
            .buffered(PARALLEL);
        while let Some(person) = stream.next().await {
            people.push(person?);
            progress("accounts", people.len(), count);
        }
        Ok(people)
    }

    /// Nobody's yet.
    pub fn fresh_number(&self) -> String {
        let number = self.next_number.get();
        self.next_number.set(number + 1);
        phone(number)
    }

    async fn sign_up_one(&self, number: u64, with_credential: bool) -> Result<Person> {
        let phone = phone(number);
        let code = self.target.sms.expect(&phone);
        self.request(Method::POST, "register", None, &Register { phone: phone.clone() }).await?;
        let login = Login {
            phone: phone.clone(),
            code: code.arrives().await?,
            device_name: "bench".into(),
            pin: None,
            forgot_pin: false,
        };
        let tokens: Tokens = json(&self.request(Method::POST, "login", None, &login).await?)?;
        let person = Person { phone, account: tokens.account, device: tokens.device, token: tokens.access_token };
        if with_credential {
            let identity = SigningKey::from_bytes(&rand::random());
            let signature = SigningKey::from_bytes(&rand::random()).verifying_key().to_bytes();
            let credential = Credential::issue(&identity, person.account, person.device, signature, u64::MAX / 2);
            let body = PutCredential { credential: credential.as_bytes().to_vec().into() };
            self.request(Method::PUT, "keys/credential", Some(&person.token), &body).await?;
        }
        Ok(person)
    }

    /// Makes a conversation of each two neighbours.
    pub async fn pair_up(&self, people: Vec<Person>) -> Result<Vec<Pair>> {
        let mut people = people.into_iter();
        self.pair(std::iter::from_fn(|| Some((people.next()?, people.next()?))).collect()).await
    }

    /// Makes a conversation of each two.
    pub async fn pair(&self, twos: Vec<(Person, Person)>) -> Result<Vec<Pair>> {
        let count = twos.len();
        let mut pairs = Vec::with_capacity(count);
        let mut making = stream::iter(twos).map(|(from, to)| self.create(from, to)).buffered(PARALLEL);
        while let Some(pair) = making.try_next().await? {
            pairs.push(pair);
            progress("conversations", pairs.len(), count);
        }
        Ok(pairs)
    }

    /// The first commit of a direct conversation. Its MLS parts are as large as real ones, and noise: the server looks
    /// into neither.
    async fn create(&self, from: Person, to: Person) -> Result<Pair> {
        let conversation = ConversationId::direct(from.account, to.account);
        let commit = Commit {
            conversation,
            message_id: message_id(),
            epoch: 0,
            payload: noise(COMMIT_BYTES).into(),
            change: Change {
                create: Some(ConversationKind::Direct),
                added: vec![from.sender(), to.sender()],
                ..Change::default()
            },
            welcomes: vec![Welcome { account: to.account, device: to.device, payload: noise(WELCOME_BYTES).into() }],
            group_info: noise(WELCOME_BYTES).into(),
            origin: None,
        };
        let answer = self.request(Method::POST, "conversations", Some(&from.token), &Create { commit }).await?;
        let created: Created = json(&answer)?;
        if created.conversation != conversation || created.seq != 1 {
            return Err(BenchError::Broken(format!("a new conversation begins with {created:?}")));
        }
        Ok(Pair { from, to, conversation })
    }

    /// Repeats what the server asks to repeat.
    pub async fn request(
        &self,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: &impl Serialize,
    ) -> Result<Vec<u8>> {
        let mut repeats = 0;
        loop {
            let mut request = self.http.request(method.clone(), format!("{}/v1/{path}", self.target.base)).json(body);
            if let Some(token) = token {
                request = request.bearer_auth(token);
            }
            let response = request.send().await.server(path)?;
            let status = response.status();
            let bytes = response.bytes().await.server(path)?;
            if status.is_success() {
                return Ok(bytes.to_vec());
            }
            let problem: Option<Problem> = serde_json::from_slice(&bytes).ok();
            let wait_ms = problem.as_ref().and_then(|problem| problem.retry_after_ms).unwrap_or(200);
            let code = problem.as_ref().map(|problem| problem.code);
            if repeats >= REPEATS_MAX || wait_ms > 5_000 || !may_repeat(status, code) {
                let said = problem.map_or_else(|| status.to_string(), |problem| problem.detail);
                let hint = if code == Some(Code::RateLimited) {
                    " (a server that is to be measured needs higher limits, see docs/benchmarks.md)"
                } else {
                    ""
                };
                return Err(BenchError::Server(format!("{path}: {said}{hint}")));
            }
            repeats += 1;
            tokio::time::sleep(Duration::from_millis(wait_ms)).await;
        }
    }
}

/// Dutch mobile numbers: 06 and eight digits, of which the first is 1 to 5 here.
fn phone(number: u64) -> String {
    format!("+316{:08}", 10_000_000 + number)
}

fn may_repeat(status: StatusCode, code: Option<Code>) -> bool {
    matches!(code, Some(Code::Overloaded | Code::RateLimited)) || status == StatusCode::SERVICE_UNAVAILABLE
}

fn json<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|error| BenchError::Broken(format!("an answer does not decode: {error}")))
}

pub fn message_id() -> MessageId {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("the clock is after 1970");
    MessageId::new(now.as_millis() as u64, rand::random())
}

fn noise(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|_| rand::random()).collect()
}

/// One line on a terminal that counts; silent elsewhere.
pub fn progress(what: &str, done: usize, of: usize) {
    let mut stderr = std::io::stderr();
    if stderr.is_terminal() && (done.is_multiple_of(100) || done == of) {
        let _ = write!(stderr, "\r{what} {done}/{of}{}", if done == of { "\n" } else { "" });
        let _ = stderr.flush();
    }
}
