//! A device: one whole client, and its driver on the simulated network.
//!
//! The driver's law is the client's own: hand over one input, carry out every output in order, wait. A crash may fall
//! between any two outputs: the state machine is dropped, its database stays, and what was not carried out is lost.

mod wire;

use crate::clock::WallClock;
use crate::entropy::Chance;
use crate::intent::Intent;
use crate::model::Who;
use crate::network::{Cut, Link};
use crate::rollback::Copy;
use crate::world::World;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use tidings_client::db::Db;
use tidings_client::event::Connection;
use tidings_client::io::{CallId, HttpOutcome, HttpRequest};
use tidings_client::{Client, ClientError, Command, Event, Input, Options, Output, Reply};
use wire::Wire;

/// So much of a frame is told.
const FRAME_CHARS: usize = 400;

pub struct Device {
    pub who: Who,
    /// Which of the person's devices.
    pub life: usize,
    pub link: Link,
    clock: WallClock,
    seed: Chance,
    world: Rc<World>,
    state: RefCell<State>,
    /// Thrown away: nothing reaches it any more.
    gone: Cell<bool>,
}

#[derive(Default)]
struct State {
    client: Option<Client>,
    /// While there is no client.
    storage: Option<Db>,
    /// Crashes so far: what belongs to a former run does not reach this one.
    run: u64,
    wire: Option<Wire>,
    wires: u64,
    wake: u64,
    calls: CallId,
    pending: BTreeMap<CallId, Intent>,
    answered: BTreeSet<CallId>,
    /// Crash after so many more outputs.
    crash_after: Option<usize>,
    connection: Option<Connection>,
    evil: crate::evil::Evil,
    /// An older copy of its database.
    copy: Option<Copy>,
}

impl Device {
    pub fn new(world: &Rc<World>, who: Who, life: usize, skew_ms: i64) -> Rc<Self> {
        let db = Db::open_memory().expect("a database in memory opens");
        let stream = 1_000 + (who * 100 + life) as u64;
        let device = Rc::new(Self {
            who,
            life,
            link: Link::new(world.chance_of(stream)),
            clock: world.clock.sibling(skew_ms),
            seed: world.chance_of(stream + 100_000),
            world: world.clone(),
            state: RefCell::new(State { storage: Some(db), ..State::default() }),
            gone: Cell::new(false),
        });
        device.start();
        device
    }

    pub fn name(&self) -> String {
        if self.life == 0 { format!("p{}", self.who) } else { format!("p{}'{}", self.who, self.life) }
    }

    fn tell(&self, line: impl AsRef<str>) {
        self.world.story.tell(format!("{} {}", self.name(), line.as_ref()));
    }

    /// Frames are told only aloud: they would push everything else out of a failure's last lines.
    fn tell_frame(&self, way: &str, frame: &impl std::fmt::Debug) {
        if self.world.settings.aloud {
            let mut text = format!("{way} {frame:?}");
            text.truncate(text.char_indices().nth(FRAME_CHARS).map_or(text.len(), |(at, _)| at));
            self.tell(text);
        }
    }

    pub fn runs(&self) -> bool {
        self.state.borrow().client.is_some()
    }

    pub fn connection(&self) -> Option<Connection> {
        self.state.borrow().connection
    }

    /// Opens the state machine over the database that a crash left.
    pub fn start(self: &Rc<Self>) {
        let Some(db) = self.state.borrow_mut().storage.take() else { return };
        self.tell("starts");
        match Client::open(db, Options::new(self.seed.bytes())) {
            Ok(client) => self.state.borrow_mut().client = Some(client),
            Err(error) => return self.world.story.violate(format!("{} does not open: {error}", self.name())),
        }
        self.feed(Input::Tick);
    }

    /// Drops the state machine. What its replies would have said nobody will know.
    pub fn crash(&self) {
        let pending = {
            let mut state = self.state.borrow_mut();
            let Some(client) = state.client.take() else { return };
            state.storage = Some(client.into_db());
            state.run += 1;
            state.crash_after = None;
            state.connection = None;
            if let Some(wire) = state.wire.take() {
                wire.cut(Cut::noticed(&self.world.chance));
            }
            std::mem::take(&mut state.pending)
        };
        self.tell("crashes");
        for intent in pending.into_values() {
            self.world.swallowed(self, intent);
        }
    }

    /// The next crash falls after so many outputs, in the middle of carrying them out.
    pub fn crash_after(&self, outputs: usize) {
        self.state.borrow_mut().crash_after = Some(outputs);
    }

    /// Works on the database while no client has it open.
    pub fn with_storage(&self, work: impl FnOnce(&mut Db)) {
        if let Some(db) = self.state.borrow_mut().storage.as_mut() {
            work(db);
        }
    }

    pub fn keep_copy(&self, copy: Copy) {
        self.state.borrow_mut().copy = Some(copy);
    }

    pub fn take_copy(&self) -> Option<Copy> {
        self.state.borrow_mut().copy.take()
    }

    /// It starts again with this database instead of its own.
    pub fn put_back(&self, db: Db) {
        self.state.borrow_mut().storage = Some(db);
    }

    /// Nobody will ever see this device again.
    pub fn throw_away(&self) {
        self.crash();
        self.gone.set(true);
    }

    pub fn cut(&self, cut: Cut) {
        if let Some(wire) = &self.state.borrow().wire {
            self.tell(format!("is cut off: {cut:?}"));
            wire.cut(cut);
        }
    }

    /// Asks the client to do something; the world hears of the reply.
    pub fn command(self: &Rc<Self>, command: Command, intent: Intent) {
        if !self.runs() {
            return;
        }
        let id = self.new_call(intent);
        self.feed(Input::Command { id, command });
    }

    /// A query, which is answered at once.
    pub fn ask(self: &Rc<Self>, command: Command) -> Option<Result<Reply, ClientError>> {
        if !self.runs() {
            return None;
        }
        let answer = Rc::new(RefCell::new(None));
        let id = self.new_call(Intent::Ask(answer.clone()));
        self.feed(Input::Command { id, command });
        let answer = answer.borrow_mut().take();
        if answer.is_none() && self.runs() {
            self.world.story.violate(format!("{} did not answer a query at once", self.name()));
        }
        answer
    }

    /// Commands that were not answered yet.
    pub fn unanswered(&self) -> Vec<String> {
        self.state.borrow().pending.values().map(|intent| format!("{intent:?}")).collect()
    }

    fn new_call(&self, intent: Intent) -> CallId {
        let mut state = self.state.borrow_mut();
        state.calls += 1;
        let id = state.calls;
        state.pending.insert(id, intent);
        id
    }

    pub fn feed(self: &Rc<Self>, input: Input) {
        let outputs = {
            let mut state = self.state.borrow_mut();
            let Some(client) = state.client.as_mut() else { return };
            client.handle(input, self.clock.now_ms())
        };
        for output in outputs {
            let crash = {
                let mut state = self.state.borrow_mut();
                state.crash_after = state.crash_after.map(|outputs| outputs.saturating_sub(1));
                state.crash_after == Some(0)
            };
            if crash {
                self.tell(format!("has carried out some outputs, but not {}", brief(&output)));
                return self.crash();
            }
            self.carry_out(output);
        }
    }

    fn carry_out(self: &Rc<Self>, output: Output) {
        match output {
            Output::Connect => self.connect(),
            Output::Disconnect => self.disconnect(),
            Output::Send(frame) => {
                let mut state = self.state.borrow_mut();
                let more = if self.world.traits.evil == Some(self.who) {
                    let (me, others) = self.world.devices_for(self);
                    state.evil.tamper(&self.seed, me, &others, &frame)
                } else {
                    Vec::new()
                };
                let state = state;
                for more in &more {
                    self.tell("says something evil");
                    self.tell_frame(">!", more);
                    if let Some(wire) = &state.wire {
                        wire.send(more);
                    }
                }
                self.tell_frame(">", &frame);
                if let Some(wire) = &state.wire {
                    wire.send(&frame);
                }
            }
            Output::Request(request) => self.request(request),
            Output::Reply { id, result } => self.reply(id, result),
            Output::Event(event) => self.event(event),
            Output::WakeAt(at_ms) => self.wake_at(at_ms),
        }
    }

    fn reply(self: &Rc<Self>, id: CallId, result: Result<Reply, ClientError>) {
        let intent = {
            let mut state = self.state.borrow_mut();
            let intent = state.pending.remove(&id);
            if !state.answered.insert(id) {
                self.world.story.violate(format!("{} answered command {id} twice: {result:?}", self.name()));
            }
            intent
        };
        match intent {
            Some(Intent::Ask(answer)) => *answer.borrow_mut() = Some(result),
            Some(intent) => {
                let outcome = match &result {
                    Ok(Reply::LoggedIn { .. }) => "logged in".to_owned(),
                    Ok(Reply::LinkCode { .. }) => "a code".to_owned(),
                    other => format!("{other:?}"),
                };
                self.tell(format!("{intent:?} -> {outcome}"));
                self.world.answered(self, intent, result);
            }
            None => {
                self.world.story.violate(format!("{} answered a command that nobody gave: {result:?}", self.name()))
            }
        }
    }

    fn event(self: &Rc<Self>, event: Event) {
        match event {
            Event::Connection { state } => {
                self.state.borrow_mut().connection = Some(state);
                self.tell(format!("is {state:?}"));
            }
            Event::LoggedOut { reason } => {
                self.tell(format!("is logged out: {reason}"));
                self.world.was_logged_out(self, &reason);
            }
            Event::CaughtUp => self.tell("is caught up"),
            _ => {}
        }
    }

    fn wake_at(self: &Rc<Self>, at_ms: u64) {
        let (wake, run) = {
            let mut state = self.state.borrow_mut();
            state.wake += 1;
            (state.wake, state.run)
        };
        let at = self.clock.instant_of(at_ms);
        let device = self.clone();
        self.world.spawn(async move {
            tokio::time::sleep_until(at).await;
            let current = { device.state.borrow().wake == wake && device.is_in(run) };
            if current {
                device.feed(Input::Tick);
            }
        });
    }

    fn is_in(&self, run: u64) -> bool {
        !self.gone.get() && self.state.borrow().run == run
    }

    fn request(self: &Rc<Self>, request: HttpRequest) {
        let device = self.clone();
        let run = self.state.borrow().run;
        let id = request.id;
        let line = format!("{:?} {}", request.method, crate::story::without_ids(&request.path));
        self.world.spawn(async move {
            // A refresh of a process that has died stays away from the server: if it came after its successor had used a
            // newer token, it would be reuse, which is to log the device out. Everything else may come late.
            let is_refresh = request.path == "/v1/oauth/token";
            let work = async {
                if is_refresh && !device.is_in(run) {
                    return None;
                }
                device.world.server.http(request).await
            };
            let answer = device.link.exchange(work).await;
            match &answer {
                Some((status, _)) => device.tell(format!("{line}: {status}")),
                None => device.tell(format!("{line}: lost")),
            }
            if device.is_in(run) {
                let outcome = answer.map_or(HttpOutcome::Lost, |(status, body)| HttpOutcome::Answer { status, body });
                device.feed(Input::Response { id, outcome });
            }
        });
    }
}

fn brief(output: &Output) -> String {
    let text = format!("{output:?}");
    text.chars().take_while(|letter| letter.is_alphanumeric()).collect()
}
