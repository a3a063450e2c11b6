//! Some clients and a server, a clock that jumps to the next wake-up, and faults on demand.

use super::server::{ConnectionId, TestServer};
use crate::db::Db;
use crate::io::{CallId, HttpOutcome};
use crate::view::{self, Body, Tick};
use crate::{Client, ClientError, Command, Event, Input, Options, Output, Peer, Reply};
use rusqlite::types::Value;
use std::collections::{BTreeMap, VecDeque};
use tidings_proto::frame::ServerFrame;
use tidings_proto::id::{ConversationId, MessageId};

/// What goes wrong at one output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The program ends before it is carried out, or right after.
    CrashBefore,
    CrashAfter,
    /// The network fails: the output does not arrive, or its answer does not come back.
    CutBefore,
    CutAfter,
}

pub struct Person {
    pub phone: String,
    pub client: Option<Client>,
    pub connection: Option<ConnectionId>,
    inputs: VecDeque<Input>,
    pub replies: BTreeMap<CallId, Result<Reply, ClientError>>,
    pub events: Vec<Event>,
    pub requests: Vec<String>,
    wake_ms: Option<u64>,
    /// Outputs carried out so far.
    pub outputs: usize,
    pub fault: Option<(usize, Fault)>,
    /// Without a network nothing connects, and requests get lost.
    pub online: bool,
    pub crashes: usize,
}

pub struct World {
    pub server: TestServer,
    pub people: Vec<Person>,
    pub now_ms: u64,
    /// The server never hears of requests for these.
    pub lost_paths: Vec<&'static str>,
    calls: CallId,
    seeds: u8,
}

/// Inputs that a scenario may take before it counts as stuck.
const STEPS_MAX: usize = 20_000;
/// So often something is asked for again that a crash may have swallowed.
const TRIES_MAX: usize = 100;

impl World {
    /// People without clients.
    pub fn new(people: usize) -> Self {
        if std::env::var_os("TIDINGS_TELL").is_some() {
            let _ = tracing_subscriber::fmt().with_writer(std::io::stderr).try_init();
        }
        let mut world = Self {
            server: TestServer::default(),
            people: vec![],
            now_ms: 1_700_000_000_000,
            lost_paths: vec![],
            calls: 0,
            seeds: 0,
        };
        for index in 0..people {
            world.add(format!("+3161234567{index}"), Db::open_memory().unwrap());
        }
        world
    }

    /// People who are logged in and caught up.
    pub fn signed_in(people: usize) -> Self {
        let mut world = Self::new(people);
        for who in 0..people {
            world.login(who);
        }
        world
    }

    pub fn add(&mut self, phone: String, db: Db) -> usize {
        let client = Some(self.open(db));
        self.people.push(Person {
            phone,
            client,
            connection: None,
            inputs: VecDeque::from([Input::Tick]),
            replies: BTreeMap::new(),
            events: Vec::new(),
            requests: Vec::new(),
            wake_ms: None,
            outputs: 0,
            fault: None,
            online: true,
            crashes: 0,
        });
        self.people.len() - 1
    }

    fn open(&mut self, db: Db) -> Client {
        self.seeds += 1;
        Client::open(db, Options::new([self.seeds; 32])).unwrap()
    }

    pub fn login(&mut self, who: usize) {
        let phone = self.people[who].phone.clone();
        let login =
            Command::Login { phone, code: "000000".into(), device_name: "test".into(), pin: None, forgot_pin: false };
        let reply = self.ask(who, login).unwrap();
        assert!(matches!(reply, Reply::LoggedIn { .. }), "{reply:?}");
        self.settle();
    }

    /// The same world again: each client as after a restart.
    pub fn copy(&self) -> Self {
        let mut copy = Self {
            server: self.server.clone(),
            people: vec![],
            now_ms: self.now_ms,
            lost_paths: vec![],
            calls: 0,
            seeds: 100,
        };
        copy.server.connections.clear();
        copy.server.out.clear();
        for person in &self.people {
            let db = copy_db(&person.client.as_ref().unwrap().db);
            copy.add(person.phone.clone(), db);
        }
        copy.settle();
        for person in &mut copy.people {
            person.outputs = 0;
            person.requests.clear();
        }
        copy
    }

    pub fn command(&mut self, who: usize, command: Command) -> CallId {
        self.calls += 1;
        let id = self.calls;
        self.people[who].inputs.push_back(Input::Command { id, command });
        id
    }

    /// The reply; an error too if the program crashed meanwhile.
    pub fn ask(&mut self, who: usize, command: Command) -> Result<Reply, ClientError> {
        let id = self.command(who, command);
        let crashes = self.people[who].crashes;
        self.run(|world| world.people[who].replies.contains_key(&id) || world.people[who].crashes > crashes);
        let lost = ClientError::Database { detail: "crashed".into() };
        self.people[who].replies.remove(&id).unwrap_or(Err(lost))
    }

    /// Until everybody who is online is caught up, and nothing waits to be sent.
    pub fn settle(&mut self) {
        self.run(|world| world.is_settled());
    }

    fn is_settled(&self) -> bool {
        self.people.iter().all(|person| {
            let client = person.client.as_ref().unwrap();
            let busy = |sql: &str| client.db.connection().query_row(sql, [], |row| row.get::<_, bool>(0)).unwrap();
            let idle = crate::catch_up::is_idle(&client.memory.logs);
            person.inputs.is_empty()
                && self.server.out.is_empty()
                && (!person.online
                    || client.memory.me.is_none()
                    || (client.memory.session.is_up()
                        && idle
                        && client.memory.requests.open.is_empty()
                        && client.memory.unsent.lazy_cursors.is_empty()
                        && !busy("SELECT count(*) > 0 FROM outbox")
                        // The next backup is hours away, new keys are days away.
                        && !busy(&format!(
                            "SELECT count(*) > 0 FROM job WHERE kind NOT IN ('backup', 'rotate') OR next_try_ms < {}",
                            self.now_ms + 3_600_000
                        ))))
        })
    }

    /// Until the condition holds; the clock jumps when nothing else is to be done.
    pub fn run(&mut self, until: impl Fn(&Self) -> bool) {
        for _ in 0..STEPS_MAX {
            if self.step() {
                continue;
            }
            if until(self) {
                return;
            }
            self.sleep();
        }
        for person in &self.people {
            let memory = &person.client.as_ref().unwrap().memory;
            eprintln!("{}: {:?} {:?}", person.phone, memory.session.line, memory.logs.logs);
        }
        panic!("the world does not come to rest");
    }

    /// One input of somebody; false if there is none.
    pub fn step(&mut self) -> bool {
        if let Some(who) = (0..self.people.len()).find(|who| !self.people[*who].inputs.is_empty()) {
            let input = self.people[who].inputs.pop_front().unwrap();
            self.handle(who, input);
            return true;
        }
        match self.server.out.pop_front() {
            Some((to, frame)) => self.deliver(to, frame),
            None => return false,
        }
        true
    }

    /// Only what is on the way now; time stands still.
    pub fn drain(&mut self) {
        self.run(|_| true);
    }

    /// To the next wake-up.
    pub fn sleep(&mut self) {
        let next = self.people.iter().enumerate().filter_map(|(who, p)| p.wake_ms.map(|at_ms| (at_ms, who))).min();
        let (at_ms, who) = next.expect("nobody waits for anything");
        self.now_ms = self.now_ms.max(at_ms);
        self.people[who].wake_ms = None;
        self.people[who].inputs.push_back(Input::Tick);
    }

    pub fn pass(&mut self, ms: u64) {
        let until_ms = self.now_ms + ms;
        while self.people.iter().filter_map(|person| person.wake_ms).min().is_some_and(|at_ms| at_ms <= until_ms) {
            self.sleep();
            self.drain();
        }
        self.now_ms = until_ms;
    }

    fn deliver(&mut self, to: ConnectionId, frame: ServerFrame) {
        if let Some(person) = self.people.iter_mut().find(|person| person.connection == Some(to)) {
            person.inputs.push_back(Input::Frames(vec![frame]));
        }
    }

    fn handle(&mut self, who: usize, input: Input) {
        self.server.now_ms = self.now_ms;
        let told = std::env::var_os("TIDINGS_TELL").is_some();
        if told {
            eprintln!("{} {who} <- {}", self.now_ms % 1_000_000_000, short(&input));
        }
        let outputs = self.people[who].client.as_mut().unwrap().handle(input, self.now_ms);
        if told {
            outputs.iter().for_each(|output| eprintln!("        {who} -> {}", short(output)));
        }
        for output in outputs {
            let index = self.people[who].outputs;
            self.people[who].outputs += 1;
            let fault = self.people[who].fault.filter(|(at, _)| *at == index).map(|(_, fault)| fault);
            if fault == Some(Fault::CrashBefore) {
                return self.crash(who);
            }
            self.carry_out(who, output, fault);
            match fault {
                Some(Fault::CrashAfter) => return self.crash(who),
                Some(Fault::CutBefore | Fault::CutAfter) => self.cut(who),
                _ => {}
            }
        }
    }

    fn carry_out(&mut self, who: usize, output: Output, fault: Option<Fault>) {
        let person = &mut self.people[who];
        match output {
            Output::Connect => {
                self.hang_up(who);
                let online = self.people[who].online && fault.is_none();
                let answer = if online {
                    self.people[who].connection = Some(self.server.connect());
                    Input::Connected
                } else {
                    Input::Disconnected
                };
                self.people[who].inputs.push_back(answer);
            }
            Output::Disconnect => self.hang_up(who),
            Output::Send(frame) => {
                let Some(connection) = person.connection else { return };
                if fault != Some(Fault::CutBefore) && self.server.connections.contains_key(&connection) {
                    self.server.frame(connection, frame);
                }
            }
            Output::Request(request) => {
                person.requests.push(format!("{:?} {}", request.method, request.path));
                let id = request.id;
                let mut outcome = HttpOutcome::Lost;
                let lost = self.lost_paths.iter().any(|path| request.path.contains(path));
                if person.online && !lost && fault != Some(Fault::CutBefore) {
                    outcome = self.server.http(&request);
                }
                if fault.is_some() {
                    outcome = HttpOutcome::Lost;
                }
                self.people[who].inputs.push_back(Input::Response { id, outcome });
            }
            Output::Reply { id, result } => {
                person.replies.insert(id, result);
            }
            Output::Event(event) => person.events.push(event),
            Output::WakeAt(at_ms) => person.wake_ms = Some(at_ms),
        }
    }

    fn hang_up(&mut self, who: usize) {
        if let Some(connection) = self.people[who].connection.take() {
            self.server.disconnect(connection);
            self.people[who].inputs.retain(|input| !matches!(input, Input::Frames(_) | Input::Connected));
        }
    }

    /// The line breaks, and the client notices.
    pub fn cut(&mut self, who: usize) {
        if self.people[who].connection.is_some() {
            self.hang_up(who);
            self.people[who].inputs.push_back(Input::Disconnected);
        }
    }

    pub fn set_online(&mut self, who: usize, online: bool) {
        self.people[who].online = online;
        if online {
            self.people[who].inputs.push_back(Input::NetworkChanged);
        } else {
            self.cut(who);
        }
        self.drain();
    }

    /// The program ends, and is started again over what its database holds.
    pub fn crash(&mut self, who: usize) {
        self.hang_up(who);
        let db = self.people[who].client.take().unwrap().into_db();
        let db = Db::from_connection(db.into_connection()).unwrap();
        self.people[who].client = Some(self.open(db));
        self.people[who].inputs = VecDeque::from([Input::Tick]);
        self.people[who].wake_ms = None;
        self.people[who].crashes += 1;
    }

    /// What this device's database holds now, to be put back later.
    pub fn snapshot(&self, who: usize) -> Db {
        copy_db(&self.people[who].client.as_ref().unwrap().db)
    }

    /// The program ends; its database is an old copy when it starts again.
    pub fn put_back(&mut self, who: usize, db: Db) {
        self.hang_up(who);
        self.people[who].client = None;
        self.people[who].client = Some(self.open(db));
        self.people[who].inputs = VecDeque::from([Input::Tick]);
        self.people[who].wake_ms = None;
        self.people[who].crashes += 1;
    }

    pub fn peer(&self, who: usize) -> Peer {
        Peer::Phone(self.people[who].phone.clone())
    }

    /// Says something, again if a crash swallowed it.
    pub fn say(&mut self, who: usize, to: usize, text: &str) -> MessageId {
        for _ in 0..TRIES_MAX {
            let send = Command::text(self.peer(to), text, None);
            match self.ask(who, send) {
                Ok(Reply::Queued { message, .. }) => return message,
                Ok(other) => panic!("{other:?}"),
                Err(_) => {
                    if let Some(message) = self.find(who, text) {
                        return message;
                    }
                }
            }
        }
        panic!("{text:?} is refused again and again");
    }

    /// Says something unless it was said.
    pub fn say_once(&mut self, who: usize, to: usize, text: &str) {
        if self.find(who, text).is_none() {
            self.say(who, to, text);
        }
    }

    /// Does something until it is said to be done.
    pub fn must(&mut self, who: usize, command: &Command) -> Reply {
        for _ in 0..10 {
            if let Ok(reply) = self.ask(who, command.clone()) {
                return reply;
            }
        }
        panic!("{command:?} never works");
    }

    fn find(&mut self, who: usize, text: &str) -> Option<MessageId> {
        let Reply::Conversations(conversations) = self.must(who, &Command::Conversations) else { panic!() };
        for conversation in conversations {
            let of = Peer::Conversation(conversation.conversation);
            let Reply::Messages(messages) = self.must(who, &Command::Messages { of, before: None, limit: 100 }) else {
                panic!()
            };
            let found = messages.iter().find(|message| matches!(&message.body, Body::Text { text: t } if t == text));
            if let Some(message) = found {
                return Some(message.message);
            }
        }
        None
    }

    pub fn conversations(&mut self, who: usize) -> Vec<view::Conversation> {
        match self.must(who, &Command::Conversations) {
            Reply::Conversations(conversations) => conversations,
            other => panic!("{other:?}"),
        }
    }

    pub fn conversation(&mut self, who: usize) -> view::Conversation {
        let mut all = self.conversations(who);
        assert_eq!(all.len(), 1, "{all:?}");
        all.pop().unwrap()
    }

    pub fn messages(&mut self, who: usize, of: ConversationId) -> Vec<view::Message> {
        match self.must(who, &Command::Messages { of: Peer::Conversation(of), before: None, limit: 500 }) {
            Reply::Messages(messages) => messages,
            other => panic!("{other:?}"),
        }
    }

    /// What is shown, a line per message.
    pub fn shown(&mut self, who: usize) -> Vec<String> {
        let conversation = self.conversation(who).conversation;
        self.messages(who, conversation).iter().map(line).collect()
    }

    pub fn tick_of(&mut self, who: usize, message: MessageId) -> Option<Tick> {
        match self.must(who, &Command::Message { id: message }) {
            Reply::Message(message) => message.tick,
            other => panic!("{other:?}"),
        }
    }

    pub fn sql(&mut self, who: usize, sql: &str) {
        self.people[who].client.as_ref().unwrap().db.connection().execute_batch(sql).unwrap();
    }
}

/// For reading a story that went wrong: run with `TIDINGS_TELL=1`.
/// Says that somebody's safety number is another one.
pub fn is_new_number(body: &view::Body) -> bool {
    matches!(body, view::Body::Notice { notice: view::Notice::SafetyNumberChanged { .. } })
}

fn short(thing: &impl std::fmt::Debug) -> String {
    format!("{thing:?}").chars().take(300).collect()
}

pub fn line(message: &view::Message) -> String {
    let body = match &message.body {
        Body::Text { text } => text.clone(),
        other => format!("{other:?}"),
    };
    let mut line = body;
    if message.edited {
        line.push_str(" (edited)");
    }
    for reaction in &message.reactions {
        line.push_str(&format!(" [{}]", reaction.emoji));
    }
    line
}

fn copy_db(from: &Db) -> Db {
    let to = Db::open_memory().unwrap();
    let from = from.connection();
    let mut tables =
        // The full-text index makes itself again.
        from.prepare(
            "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite_%'",
        )
        .unwrap();
    let tables: Vec<String> = tables.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    for table in tables {
        let mut rows = from.prepare(&format!("SELECT * FROM \"{table}\"")).unwrap();
        let columns = rows.column_count();
        let places = vec!["?"; columns].join(", ");
        let mut insert = to.connection().prepare(&format!("INSERT INTO \"{table}\" VALUES ({places})")).unwrap();
        let mut rows = rows.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let values: Vec<Value> = (0..columns).map(|column| row.get(column).unwrap()).collect();
            insert.execute(rusqlite::params_from_iter(values)).unwrap();
        }
    }
    to
}
