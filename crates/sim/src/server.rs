//! The server's machine: boots a server over its disk, crashes it, starts it again with what was durable.

use crate::clock::WallClock;
use crate::entropy::Chance;
use crate::network::{IN_FLIGHT_MAX, SessionEnds};
use crate::story::Story;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, header};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tidings_client::io::{HttpBody, HttpRequest, Method};
use tidings_proto::limit;
use tidings_server::sms::{Message, Sms};
use tidings_server::{Config, Server, gateway};
use tidings_store::{CommitLatency, MemoryDisk, Store};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tower::ServiceExt;

pub struct Machine {
    config: Config,
    clock: WallClock,
    disk: MemoryDisk,
    story: Story,
    running: RefCell<Option<Running>>,
    /// The newest code for each phone number, as the text messages say. Emptied when somebody reads it.
    codes: Codes,
}

pub type Codes = Arc<Mutex<BTreeMap<String, String>>>;

struct Running {
    server: Arc<Server>,
    router: axum::Router,
    /// Sessions and requests: they end when the process does.
    tasks: Rc<RefCell<JoinSet<()>>>,
}

impl Machine {
    pub fn new(config: Config, clock: WallClock, chance: &Chance, story: Story) -> Self {
        let disk = MemoryDisk::new(clock.for_store());
        // The engine asks from wherever it is polled, so its dice are behind a lock.
        let dice = Mutex::new(chance.bytes()[0]);
        disk.set_latency(move || {
            let mut dice = dice.lock().unwrap_or_else(PoisonError::into_inner);
            // A small generator is enough for how long a disk takes.
            *dice = dice.wrapping_mul(141).wrapping_add(3);
            let ms = |byte: u8| Duration::from_millis(u64::from(byte % 6));
            CommitLatency { before: ms(*dice >> 2), after: ms(*dice >> 5) }
        });
        Self { config, clock, disk, story, running: RefCell::new(None), codes: Codes::default() }
    }

    pub fn runs(&self) -> bool {
        self.running.borrow().is_some()
    }

    /// What is on the disk now, for an observer.
    pub fn store(&self) -> Store {
        self.disk.open()
    }

    pub fn set_skew_ms(&self, skew_ms: i64) {
        self.clock.set_skew_ms(skew_ms);
    }

    pub fn now_ms(&self) -> u64 {
        self.clock.now_ms()
    }

    pub async fn start(&self) {
        if self.runs() {
            return;
        }
        match Server::open(self.config.clone(), self.disk.open(), self.clock.for_store()).await {
            Ok(mut server) => {
                let codes = self.codes.clone();
                server.sms = Sms::capture(move |Message { phone, code, .. }| {
                    codes.lock().unwrap_or_else(PoisonError::into_inner).insert(phone, code);
                });
                let server = Arc::new(server);
                let router = gateway::router(server.clone());
                let tasks = Rc::new(RefCell::new(JoinSet::new()));
                *self.running.borrow_mut() = Some(Running { server, router, tasks });
                self.story.tell("server starts");
            }
            Err(error) => self.story.violate(format!("the server does not start: {error}")),
        }
    }

    /// Everything stops at once; what was not durable is lost.
    pub fn crash(&self) {
        let Some(running) = self.running.borrow_mut().take() else { return };
        self.story.tell("server crashes");
        self.disk.crash();
        running.tasks.borrow_mut().abort_all();
    }

    /// The code that was sent to this number last.
    pub fn take_code(&self, phone: &str) -> Option<String> {
        self.codes.lock().unwrap_or_else(PoisonError::into_inner).remove(phone)
    }

    /// Opens a session; gives the client's ends. `None`: nobody is there.
    pub fn connect(&self) -> Option<SessionEnds> {
        let (server, tasks) = {
            let running = self.running.borrow();
            let running = running.as_ref()?;
            (running.server.clone(), running.tasks.clone())
        };
        let (to_server, inbound) = mpsc::channel(IN_FLIGHT_MAX);
        let (outbound, from_server) = mpsc::channel(IN_FLIGHT_MAX);
        tasks.borrow_mut().spawn_local(crate::session::run(server, inbound, outbound));
        Some((to_server, from_server))
    }

    /// Status and body of the answer. `None`: the process was not there, or ended before it answered.
    pub async fn http(&self, request: HttpRequest) -> Option<(u16, Vec<u8>)> {
        let (router, tasks) = {
            let running = self.running.borrow();
            let running = running.as_ref()?;
            (running.router.clone(), running.tasks.clone())
        };
        let (answer, answered) = tokio::sync::oneshot::channel();
        tasks.borrow_mut().spawn_local(async move {
            let response = router.oneshot(to_http(request)).await.expect("a router answers");
            let status = response.status().as_u16();
            // A body that breaks off is an answer that did not come.
            if let Ok(body) = axum::body::to_bytes(response.into_body(), limit::BODY_MAX_BYTES).await {
                let _ = answer.send((status, body.to_vec()));
            }
        });
        answered.await.ok()
    }
}

fn to_http(request: HttpRequest) -> Request<Body> {
    let method = match request.method {
        Method::Get => "GET",
        Method::Post => "POST",
        Method::Put => "PUT",
        Method::Delete => "DELETE",
    };
    let address: SocketAddr = ([127, 0, 0, 1], 40_000).into();
    let mut builder = Request::builder().method(method).uri(request.path).extension(ConnectInfo(address));
    if let Some(bearer) = request.bearer {
        builder = builder.header(header::AUTHORIZATION, format!("Bearer {bearer}"));
    }
    let (kind, body) = match request.body {
        HttpBody::Empty => (None, Body::empty()),
        HttpBody::Json(json) => (Some("application/json"), Body::from(json)),
        HttpBody::Bytes(bytes) => (Some("application/octet-stream"), Body::from(bytes)),
        HttpBody::Form(form) => (Some("application/x-www-form-urlencoded"), Body::from(form)),
    };
    if let Some(kind) = kind {
        builder = builder.header(header::CONTENT_TYPE, kind);
    }
    builder.body(body).expect("the client makes valid requests")
}
