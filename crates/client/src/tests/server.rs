//! A server in memory, as the protocol describes it: enough to drive clients against, and no more.

use super::server_backup::TestBackups;
use super::server_group::TestGroup;
use super::server_link::TestLink;
use super::server_presence::TestPresence;
use crate::io::{HttpBody, HttpOutcome, HttpRequest, Method};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use tidings_proto::credential::Credential;
use tidings_proto::entry::{Body, Entry, Sender};
use tidings_proto::frame::*;
use tidings_proto::http::*;
use tidings_proto::id::{AccountId, ConversationId, DeviceId, LinkId, LogId, MessageId};
use tidings_proto::payload::Payload;
use tidings_proto::problem::{Code, Problem};

pub type ConnectionId = u64;

#[derive(Clone, Default)]
pub struct TestServer {
    pub now_ms: u64,
    pub accounts: BTreeMap<String, AccountId>,
    pub devices: BTreeMap<DeviceId, TestDevice>,
    pub logs: BTreeMap<LogId, TestLog>,
    pub blocks: BTreeSet<(AccountId, AccountId)>,
    pub connections: BTreeMap<ConnectionId, Option<DeviceId>>,
    /// Frames that wait to be delivered.
    pub out: VecDeque<(ConnectionId, ServerFrame)>,
    pub links: BTreeMap<LinkId, TestLink>,
    next: u64,
    pub presence: TestPresence,
    /// The next appends are refused with this.
    pub refuse: VecDeque<Code>,
    pub backups: TestBackups,
    /// The next commit of a group gets a membership tag that only members can see to be wrong.
    pub poison: bool,
    /// It lets devices in beside the others of an account, whichever key vouches for them.
    pub lying: bool,
}

#[derive(Clone)]
pub struct TestDevice {
    pub account: AccountId,
    pub generation: u64,
    pub credential: Option<Vec<u8>>,
    pub packages: VecDeque<Payload>,
    pub last_resort: Option<Payload>,
    pub out: bool,
    pub cursors: BTreeMap<LogId, u64>,
    /// The highest count that it said.
    pub hellos: u64,
}

#[derive(Clone, Default)]
pub struct TestLog {
    /// `None`: expired.
    pub entries: Vec<Option<Entry>>,
    pub sent: BTreeMap<(MessageId, DeviceId), (u64, u64)>,
    pub members: BTreeSet<AccountId>,
    pub group_info: Option<Payload>,
    pub epoch: u64,
    pub commit_seq: u64,
    pub ordinal: u64,
    pub watermarks: BTreeMap<AccountId, (Watermark, u64)>,
    pub group: Option<TestGroup>,
    /// Devices with a leaf, and those of them that were logged out.
    pub leaves: BTreeSet<Sender>,
    pub gone: BTreeSet<Sender>,
}

impl TestLog {
    pub fn head(&self) -> u64 {
        self.entries.len() as u64
    }

    pub fn oldest(&self) -> u64 {
        self.entries.iter().position(Option::is_some).map_or(self.head() + 1, |index| index as u64 + 1)
    }
}

impl TestLog {
    /// What all other members of a group have.
    fn floor(&self, account: AccountId) -> Option<Floor> {
        let group = self.group.as_ref()?;
        let of = |member: &AccountId| {
            let since = group.reach.get(member).map_or(0, |(from, _)| from - 1);
            let watermark = self.watermarks.get(member).map(|(watermark, _)| *watermark);
            let (delivered, read) = watermark.map_or((0, 0), |watermark| (watermark.delivered, watermark.read));
            (delivered.max(since), read.max(since))
        };
        let others: Vec<(u64, u64)> = self.members.iter().filter(|member| **member != account).map(of).collect();
        Some(Floor {
            delivered: others.iter().map(|(delivered, _)| *delivered).min().unwrap_or(self.head()),
            read: others.iter().map(|(_, read)| *read).min().unwrap_or(self.head()),
        })
    }
}

pub type Answer = Result<Vec<u8>, Box<Problem>>;

pub fn refuse<T>(code: Code) -> Result<T, Box<Problem>> {
    Err(Box::new(Problem::new(code, format!("refused: {}", code.as_str()))))
}

pub fn json<T: Serialize>(value: &T) -> Answer {
    Ok(serde_json::to_vec(value).unwrap())
}

pub fn body<T: DeserializeOwned>(request: &HttpRequest) -> T {
    let HttpBody::Json(bytes) = &request.body else { panic!("{} without JSON", request.path) };
    serde_json::from_slice(bytes).unwrap()
}

impl TestServer {
    pub fn number(&mut self) -> [u8; 16] {
        self.next += 1;
        let mut bytes = [0xaa; 16];
        bytes[8..].copy_from_slice(&self.next.to_be_bytes());
        bytes
    }

    pub fn http(&mut self, request: &HttpRequest) -> HttpOutcome {
        match self.answer(request) {
            Ok(body) => HttpOutcome::Answer { status: 200, body },
            Err(problem) => HttpOutcome::Answer { status: problem.status, body: serde_json::to_vec(&problem).unwrap() },
        }
    }

    fn answer(&mut self, request: &HttpRequest) -> Answer {
        let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
        let path: Vec<&str> = path.trim_start_matches("/v1/").split('/').collect();
        match (request.method, path.as_slice()) {
            (Method::Post, ["register"]) => json(&Registered { expires_in_s: 600, retry_after_s: 60 }),
            (Method::Post, ["login"]) => self.login(&body(request)),
            (Method::Post, ["links"]) => self.open_link(),
            (Method::Get, ["links", id]) => self.get_link(id),
            (Method::Post, ["links", id, "redeem"]) => self.redeem_link(id, &body(request)),
            (Method::Post, ["oauth", what]) => self.oauth(what, request),
            _ => {
                let device = self.device(request.bearer.as_deref())?;
                self.signed(device, request, &path, query)
            }
        }
    }

    fn device(&self, token: Option<&str>) -> Result<DeviceId, Box<Problem>> {
        let (device, generation) = token.and_then(parse_token).ok_or(Box::new(Problem::new(Code::Unauthorized, "")))?;
        match self.devices.get(&device) {
            Some(found) if found.out => refuse(Code::LoggedOut),
            Some(found) if found.generation == generation => Ok(device),
            _ => refuse(Code::Unauthorized),
        }
    }

    fn signed(&mut self, device: DeviceId, request: &HttpRequest, path: &[&str], query: &str) -> Answer {
        if let ["conversations", id, rest @ ..] = path
            && let Ok(conversation) = id.parse::<ConversationId>()
            && conversation.may_be_group()
        {
            return self.group(device, conversation, request, rest, query);
        }
        if matches!(path, ["blobs" | "backup", ..]) {
            return self.backup(self.devices[&device].account, request, path, query);
        }
        match (request.method, path) {
            (Method::Put, ["keys", "credential"]) => self.credential(device, body(request)),
            (Method::Post, ["keys", "packages"]) => {
                let put: PutKeyPackages = body(request);
                let keys = self.devices.get_mut(&device).unwrap();
                for package in put.packages {
                    if !keys.packages.contains(&package) {
                        keys.packages.push_back(package);
                    }
                }
                keys.last_resort = put.last_resort.or(keys.last_resort.take());
                self.count(device)
            }
            (Method::Get, ["keys", "packages"]) => self.count(device),
            (Method::Get, ["accounts", account, "devices"]) => self.account_devices(account.parse().unwrap()),
            (Method::Post, ["accounts", account, "key-packages", "claim"]) => self.claim(account.parse().unwrap()),
            (Method::Put, ["links", id]) => self.put_link(device, id, body(request)),
            (Method::Get, ["devices"]) => self.own_devices(device, request, None),
            (Method::Put, ["devices", id]) => self.own_devices(device, request, Some(id)),
            (Method::Post, ["devices", id, "revoke"]) => self.throw_out(device, id.parse().unwrap(), body(request)),
            (Method::Post, ["contacts", "lookup"]) => {
                let lookup: Lookup = body(request);
                let matches = lookup
                    .phones
                    .into_iter()
                    .filter_map(|phone| self.accounts.get(&phone).map(|account| Match { phone, account: *account }))
                    .filter(|found| self.lets(found.account, |it| it.find_me, self.devices[&device].account));
                json(&Found { matches: matches.collect() })
            }
            (Method::Post, ["conversations"]) => {
                let commit = body::<Create>(request).commit;
                let conversation = commit.conversation;
                let (seq, time_ms) = self.commit(device, commit)?;
                json(&Created { conversation, seq, time_ms })
            }
            (Method::Get, ["conversations", id, "group-info"]) => {
                let log = self.logs.get(&id.parse().unwrap()).ok_or(Box::new(Problem::new(Code::NotFound, "")))?;
                let group_info = log.group_info.clone().unwrap();
                let gone = log.gone.iter().copied().collect();
                json(&GroupInfo { epoch: log.epoch, commit_seq: log.commit_seq, group_info, tree: None, gone })
            }
            (Method::Get, ["conversations", id, "leave"]) => {
                let log = self.logs.get(&id.parse().unwrap()).ok_or(Box::new(Problem::new(Code::NotFound, "")))?;
                json(&Leavers { epoch: log.epoch, left: vec![], gone: log.gone.iter().copied().collect() })
            }
            (Method::Get, ["blocks"]) => {
                let me = self.devices[&device].account;
                let mine = self.blocks.iter().filter(|(by, _)| *by == me);
                json(&Blocks { accounts: mine.map(|(_, blocked)| *blocked).collect() })
            }
            (method, ["blocks", account]) => {
                let pair = (self.devices[&device].account, account.parse().unwrap());
                if method == Method::Put {
                    self.blocks.insert(pair);
                } else {
                    self.blocks.remove(&pair);
                    self.show_watermarks(pair.0, ConversationId::direct(pair.0, pair.1));
                }
                Ok(vec![])
            }
            (_, ["me", "privacy" | "contacts"]) | (_, ["accounts", _, "presence"]) => {
                self.presence_http(device, request, path)
            }
            other => panic!("the test server knows no {other:?}"),
        }
    }

    fn login(&mut self, login: &Login) -> Answer {
        if login.code != "000000" {
            return refuse(Code::InvalidCode);
        }
        let fresh = AccountId::from_bytes(self.number());
        let account = *self.accounts.entry(login.phone.clone()).or_insert(fresh);
        let device = self.make_device(account);
        self.tokens(device)
    }

    pub fn make_device(&mut self, account: AccountId) -> DeviceId {
        let device = DeviceId::from_bytes(self.number());
        self.devices.insert(
            device,
            TestDevice {
                account,
                generation: 0,
                credential: None,
                packages: VecDeque::new(),
                last_resort: None,
                out: false,
                cursors: BTreeMap::new(),
                hellos: 0,
            },
        );
        device
    }

    pub fn tokens(&self, device: DeviceId) -> Answer {
        let TestDevice { account, generation, .. } = self.devices[&device];
        json(&Tokens {
            access_token: format!("{device}.{generation}"),
            token_type: "Bearer".into(),
            expires_in: 3_600,
            refresh_token: format!("{device}.{generation}"),
            account,
            device,
        })
    }

    fn oauth(&mut self, what: &str, request: &HttpRequest) -> Answer {
        let HttpBody::Form(form) = &request.body else { panic!("no form") };
        let (form, _) = form.split_once("&proof=").unwrap_or((form, ""));
        let (device, _) = form.rsplit_once('=').and_then(|(_, token)| parse_token(token)).unwrap();
        let found = self.devices.get_mut(&device).unwrap();
        if what == "revoke" {
            found.out = true;
            return Ok(vec![]);
        }
        if found.out {
            return refuse(Code::InvalidGrant);
        }
        found.generation += 1;
        self.tokens(device)
    }

    fn credential(&mut self, device: DeviceId, put: PutCredential) -> Answer {
        let credential = Credential::verify(put.credential.as_slice()).unwrap();
        let account = self.devices[&device].account;
        assert_eq!((credential.account, credential.device), (account, device));
        let mut replaced = Vec::new();
        for (other, found) in
            self.devices.iter_mut().filter(|(other, found)| **other != device && found.account == account)
        {
            let same = found
                .credential
                .as_ref()
                .is_some_and(|bytes| Credential::verify(bytes).unwrap().identity_key == credential.identity_key);
            if !same && !found.out && !self.lying {
                found.out = true;
                replaced.push(*other);
            }
        }
        for other in replaced {
            self.goodbye(other, Code::LoggedOut);
            self.tell_gone(Sender { account, device: other }, None);
        }
        self.devices.get_mut(&device).unwrap().credential = Some(credential.as_bytes().to_vec());
        Ok(vec![])
    }

    pub fn goodbye(&mut self, device: DeviceId, code: Code) {
        for (connection, _) in self.connections.iter().filter(|(_, of)| **of == Some(device)) {
            let goodbye = ServerFrame::Goodbye { code, detail: code.as_str().into(), retry_after_ms: None };
            self.out.push_back((*connection, goodbye));
        }
    }

    fn count(&self, device: DeviceId) -> Answer {
        let keys = &self.devices[&device];
        json(&KeyPackageCount { count: keys.packages.len() as u32, last_resort: keys.last_resort.is_some() })
    }

    pub fn of_account(&self, account: AccountId) -> Vec<DeviceId> {
        let with_keys = |found: &TestDevice| found.account == account && !found.out && found.credential.is_some();
        self.devices.iter().filter(|(_, found)| with_keys(found)).map(|(device, _)| *device).collect()
    }

    fn account_devices(&self, account: AccountId) -> Answer {
        let devices = self.of_account(account).into_iter().map(|device| DeviceCredential {
            device,
            credential: self.devices[&device].credential.clone().unwrap().into(),
        });
        json(&AccountDevices { account, devices: devices.collect() })
    }

    fn claim(&mut self, account: AccountId) -> Answer {
        let mut packages = Vec::new();
        for device in self.of_account(account) {
            let keys = self.devices.get_mut(&device).unwrap();
            let single = keys.packages.pop_front();
            let last_resort = single.is_none();
            if let Some(package) = single.or(keys.last_resort.clone()) {
                packages.push(ClaimedPackage { device, package, last_resort });
            }
        }
        if packages.is_empty() { refuse(Code::NoDevice) } else { json(&Claimed { packages }) }
    }

    pub fn connect(&mut self) -> ConnectionId {
        self.next += 1;
        self.connections.insert(self.next, None);
        self.next
    }

    pub fn disconnect(&mut self, connection: ConnectionId) {
        self.end_looks(connection);
        self.connections.remove(&connection);
        self.out.retain(|(other, _)| *other != connection);
    }

    pub fn frame(&mut self, connection: ConnectionId, frame: ClientFrame) {
        if let ClientFrame::Hello { token, since_ms, count } = frame {
            return self.hello(connection, &token, since_ms, count);
        }
        let device = self.connections[&connection].expect("hello comes first");
        let account = self.devices[&device].account;
        let reply = match frame {
            ClientFrame::Hello { .. } => unreachable!("handled above"),
            ClientFrame::Append(append) => {
                let Append { conversation, message_id, epoch, payload, silent, expires_in_s } = append;
                let body = Body::Message { payload, silent };
                let result = self.append(device, conversation, message_id, epoch, body);
                if let (Ok((seq, time_ms)), Some(seconds)) = (&result, expires_in_s) {
                    let entries = &mut self.logs.get_mut(&conversation.into()).unwrap().entries;
                    entries[*seq as usize - 1].as_mut().unwrap().expires_ms = time_ms + seconds * 1_000;
                }
                Some(placed(conversation, message_id, result))
            }
            ClientFrame::Commit(commit) => {
                let (conversation, message_id) = (commit.conversation, commit.message_id);
                let mut commit = *commit;
                if conversation.may_be_group() && std::mem::take(&mut self.poison) {
                    let mut bytes = commit.payload.as_slice().to_vec();
                    *bytes.last_mut().unwrap() ^= 1;
                    commit.payload = bytes.into();
                }
                Some(placed(conversation, message_id, self.commit(device, commit)))
            }
            ClientFrame::Sync { log, after, limit } => Some(self.page(account, log, after, limit)),
            ClientFrame::Cursor { log, seq } => {
                self.cursor(device, log, seq);
                None
            }
            ClientFrame::Read { conversation, seq } => {
                self.watermark(conversation, account, |watermark| watermark.read = watermark.read.max(seq));
                None
            }
            ClientFrame::Signal { conversation, payload } => {
                let frame = ServerFrame::Signal { conversation, sender: Sender { account, device }, payload };
                self.tell(conversation, Some(device), &frame);
                None
            }
            ClientFrame::Active { on } => {
                self.look(connection, account, on);
                None
            }
            ClientFrame::Watch { account: of, on } => self.watch(connection, account, of, on),
            ClientFrame::Ping { nonce } => Some(ServerFrame::Pong { nonce }),
        };
        self.out.extend(reply.map(|reply| (connection, reply)));
    }

    fn hello(&mut self, connection: ConnectionId, token: &str, since_ms: u64, count: u64) {
        let device = match self.device(Some(token)) {
            Ok(device) => device,
            Err(problem) => {
                let detail = problem.detail.clone();
                let goodbye = ServerFrame::Goodbye { code: problem.code, detail, retry_after_ms: None };
                return self.out.push_back((connection, goodbye));
            }
        };
        self.goodbye(device, Code::Replaced);
        self.connections.retain(|_, of| *of != Some(device));
        self.connections.insert(connection, Some(device));
        let counted = self.devices.get_mut(&device).unwrap();
        let rolled_back = (count <= counted.hellos).then_some(counted.hellos);
        counted.hellos = counted.hellos.max(count);
        let found = &self.devices[&device];
        let mut logs = Vec::new();
        for (id, log) in &self.logs {
            let cursor = found.cursors.get(id).copied().filter(|_| rolled_back.is_none()).unwrap_or(0);
            let moved = log.head() > cursor || log.watermarks.values().any(|(_, at_ms)| *at_ms >= since_ms);
            let reach = log.group.as_ref().and_then(|group| group.reach.get(&found.account)).copied();
            let mine = *id == LogId::from(device) || log.members.contains(&found.account) || reach.is_some();
            let head = reach.and_then(|(_, to)| to).unwrap_or(log.head());
            let moved = moved && (reach.is_none() || head > cursor || log.members.contains(&found.account));
            if mine && moved && !self.is_withheld(*id, found.account) {
                let watermarks = log.watermarks.values().map(|(watermark, _)| *watermark);
                let watermarks = watermarks.filter(|of| log.group.is_none() || of.account == found.account).collect();
                let planned = PlanLog {
                    log: *id,
                    head,
                    oldest: log.oldest().max(reach.map_or(0, |(from, _)| from)),
                    cursor,
                    unread: 0,
                    watermarks,
                    floor: log.floor(found.account),
                };
                if *id == LogId::from(device) { logs.insert(0, planned) } else { logs.push(planned) }
            }
        }
        let plan = Plan { now_ms: self.now_ms, logs, done: true, rolled_back };
        self.out.push_back((connection, ServerFrame::Plan(plan)));
    }

    /// Whether this account blocks the other one of a direct conversation.
    fn is_withheld(&self, log: LogId, account: AccountId) -> bool {
        let Some(log) = self.logs.get(&log) else { return false };
        log.members.iter().any(|other| self.blocks.contains(&(account, *other)))
    }

    fn page(&self, account: AccountId, id: LogId, after: u64, limit: u32) -> ServerFrame {
        let empty = TestLog::default();
        let log = if self.is_withheld(id, account) { &empty } else { self.logs.get(&id).unwrap_or(&empty) };
        let reach = log.group.as_ref().map(|group| group.reach.get(&account).copied().unwrap_or((u64::MAX, Some(0))));
        let (from, to) = reach.unwrap_or((0, None));
        let to = to.unwrap_or(log.head());
        let within = |entry: &&Entry| entry.seq >= from && entry.seq <= to && entry.expires_ms > self.now_ms;
        let rest: Vec<Entry> = log.entries.iter().skip(after as usize).flatten().filter(within).cloned().collect();
        let entries: Vec<Entry> = rest.iter().take(limit as usize).cloned().collect();
        let caught_up = entries.len() == rest.len();
        ServerFrame::Page(Page { log: id, entries, head: to, oldest: log.oldest().max(from), caught_up })
    }

    fn commit(&mut self, device: DeviceId, commit: Commit) -> Result<(u64, u64), Box<Problem>> {
        let whole = commit.clone();
        let Commit { conversation, message_id, epoch, payload, change, welcomes, group_info, origin } = commit;
        let id = LogId::from(conversation);
        let known = self.logs.get(&id).is_some_and(|log| log.sent.contains_key(&(message_id, device)));
        if !known && change.added.iter().any(|added| self.devices.get(&added.device).is_none_or(|found| found.out)) {
            return refuse(Code::NoDevice);
        }
        if change.create.is_some() && !known {
            if self.logs.get(&id).is_some_and(|log| log.head() > 0) {
                return refuse(Code::Exists);
            }
            let members = change.added.iter().map(|sender| sender.account).collect();
            let group = origin.as_ref().map(TestGroup::new);
            self.logs.insert(id, TestLog { members, group, ..TestLog::default() });
        }
        if !known && self.logs.get(&id).is_some_and(|log| log.group.is_some()) {
            return self.commit_to_group(device, whole);
        }
        if !known {
            for welcome in welcomes {
                let inbox = LogId::from(welcome.device);
                let body = Body::Welcome { conversation, commit: message_id, payload: welcome.payload };
                let sender = Sender { account: self.devices[&device].account, device };
                let id = MessageId::from_bytes(self.number());
                self.push(inbox, sender, id, body);
            }
        }
        let placed =
            self.append(device, conversation, message_id, epoch, Body::Commit { payload, change: Box::new(change) })?;
        if !known {
            self.logs.get_mut(&id).unwrap().group_info = Some(group_info);
        }
        Ok(placed)
    }

    fn append(
        &mut self,
        device: DeviceId,
        conversation: ConversationId,
        message_id: MessageId,
        epoch: u64,
        body: Body,
    ) -> Result<(u64, u64), Box<Problem>> {
        if let Some(code) = self.refuse.pop_front() {
            return refuse(code);
        }
        let account = self.devices[&device].account;
        let id = LogId::from(conversation);
        let Some(log) = self.logs.get_mut(&id).filter(|log| log.members.contains(&account)) else {
            return refuse(Code::NotFound);
        };
        if let Some(placed) = log.sent.get(&(message_id, device)) {
            return Ok(*placed);
        }
        let (now_epoch, head) = (log.epoch, log.head());
        if epoch != now_epoch {
            let mut problem = Problem::new(Code::StaleEpoch, "another epoch");
            problem.epoch = Some(now_epoch);
            problem.head = Some(head);
            return Err(Box::new(problem));
        }
        if self.is_withheld(id, account) {
            return refuse(Code::Blocked);
        }
        let removes_all = |gone: &Sender| matches!(&body, Body::Commit { change, .. } if change.external || change.removed.contains(gone));
        if !self.logs[&id].gone.iter().all(removes_all) {
            return refuse(Code::CommitFirst);
        }
        if let Some(group) = &self.logs[&id].group {
            if !group.left.is_empty() {
                return refuse(Code::CommitFirst);
            }
            let rules = group.rules();
            if matches!(body, Body::Message { silent: false, .. }) && !rules.allows(rules.posting, account) {
                return refuse(Code::Forbidden);
            }
        }
        Ok(self.push(id, Sender { account, device }, message_id, body))
    }

    pub fn push(&mut self, id: LogId, sender: Sender, message_id: MessageId, body: Body) -> (u64, u64) {
        let log = self.logs.entry(id).or_default();
        let seq = log.head() + 1;
        let counts = matches!(body, Body::Message { silent: false, .. });
        if let Body::Commit { change, .. } = &body {
            for gone in &change.removed {
                log.leaves.remove(gone);
                log.gone.remove(gone);
            }
            log.leaves.extend(&change.added);
        }
        let is_commit = matches!(body, Body::Commit { .. });
        log.ordinal += u64::from(counts);
        let entry = Entry {
            log: id,
            seq,
            time_ms: self.now_ms,
            epoch: log.epoch,
            message_id,
            sender,
            commit_seq: if is_commit { seq } else { log.commit_seq },
            ordinal: log.ordinal,
            expires_ms: u64::MAX,
            body,
        };
        log.epoch += u64::from(is_commit);
        log.commit_seq = entry.commit_seq;
        log.sent.insert((message_id, sender.device), (seq, self.now_ms));
        log.entries.push(Some(entry.clone()));
        let inbox = DeviceId::from_bytes(id.as_conversation().as_bytes().to_owned());
        if self.devices.contains_key(&inbox) {
            let to: Vec<ConnectionId> = self.connections_of(|device| device == inbox);
            self.out.extend(to.into_iter().map(|to| (to, ServerFrame::Entry(entry.clone()))));
        } else {
            self.tell(id.as_conversation(), Some(sender.device), &ServerFrame::Entry(entry));
        }
        (seq, self.now_ms)
    }

    fn connections_of(&self, which: impl Fn(DeviceId) -> bool) -> Vec<ConnectionId> {
        let of = self.connections.iter().filter(|(_, of)| of.is_some_and(&which));
        of.map(|(connection, _)| *connection).collect()
    }

    fn tell(&mut self, conversation: ConversationId, except: Option<DeviceId>, frame: &ServerFrame) {
        let id = LogId::from(conversation);
        let members = &self.logs[&id].members;
        let to = self.connections_of(|device| {
            let account = self.devices[&device].account;
            Some(device) != except && members.contains(&account) && !self.is_withheld(id, account)
        });
        self.out.extend(to.into_iter().map(|to| (to, frame.clone())));
    }

    /// What a block kept from an account.
    fn show_watermarks(&mut self, account: AccountId, conversation: ConversationId) {
        let Some(log) = self.logs.get(&conversation.into()) else { return };
        let watermarks: Vec<Watermark> = log.watermarks.values().map(|(watermark, _)| *watermark).collect();
        let to = self.connections_of(|device| self.devices[&device].account == account);
        for (to, watermark) in to.into_iter().flat_map(|to| watermarks.iter().map(move |watermark| (to, *watermark))) {
            self.out.push_back((to, ServerFrame::Receipts { conversation, watermarks: vec![watermark] }));
        }
    }

    fn cursor(&mut self, device: DeviceId, log: LogId, seq: u64) {
        let account = self.devices[&device].account;
        let head = self.logs.get(&log).map_or(0, TestLog::head);
        assert!(seq <= head, "a cursor beyond the head");
        let cursor = self.devices.get_mut(&device).unwrap().cursors.entry(log).or_default();
        *cursor = (*cursor).max(seq);
        if log != LogId::from(device) {
            let conversation = log.as_conversation();
            self.watermark(conversation, account, |watermark| watermark.delivered = watermark.delivered.max(seq));
        }
    }

    fn watermark(&mut self, conversation: ConversationId, account: AccountId, raise: impl Fn(&mut Watermark)) {
        let Some(log) = self.logs.get_mut(&conversation.into()) else { return };
        let now_ms = self.now_ms;
        let (watermark, at_ms) =
            log.watermarks.entry(account).or_insert((Watermark { account, delivered: 0, read: 0, time_ms: 0 }, 0));
        let before = *watermark;
        raise(watermark);
        let after = *watermark;
        let blocking = log.members.iter().any(|other| self.blocks.contains(&(account, *other)));
        if blocking {
            *watermark = before;
        } else if before != after {
            *at_ms = now_ms;
            self.tell(conversation, None, &ServerFrame::Receipts { conversation, watermarks: vec![after] });
        }
    }
}

fn parse_token(token: &str) -> Option<(DeviceId, u64)> {
    let (device, generation) = token.rsplit_once('.')?;
    Some((device.parse().ok()?, generation.parse().ok()?))
}

fn placed(
    conversation: ConversationId,
    message_id: MessageId,
    result: Result<(u64, u64), Box<Problem>>,
) -> ServerFrame {
    match result {
        Ok((seq, time_ms)) => ServerFrame::Appended { conversation, message_id, seq, time_ms },
        Err(problem) => ServerFrame::Refused(Refused {
            conversation,
            message_id,
            code: problem.code,
            detail: problem.detail,
            retry_after_ms: problem.retry_after_ms,
            epoch: problem.epoch,
            head: problem.head,
            accounts: problem.accounts,
        }),
    }
}
