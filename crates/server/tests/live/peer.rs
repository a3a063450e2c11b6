//! One end of a WebSocket, as a client of any make would hold it.

use crate::world::{Person, World, id, payload};
use futures_util::{SinkExt, StreamExt};
use std::time::Duration;
use tidings_proto::codec::Format;
use tidings_proto::entry::{Body, Entry};
use tidings_proto::frame::{Append, ClientFrame, Page, Plan, SUBPROTOCOL_CBOR, SUBPROTOCOL_JSON, ServerFrame};
use tidings_proto::id::{ConversationId, LogId, MessageId};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

/// A test that waits longer has failed.
const PATIENCE: Duration = Duration::from_secs(20);

pub struct Peer {
    pub socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    pub format: Format,
}

/// What came instead of a frame.
#[derive(Debug, PartialEq, Eq)]
pub enum Closed {
    With(u16, String),
    Cut,
}

impl Peer {
    /// A connection that has not said hello.
    pub async fn open(world: &World, format: Format) -> Self {
        let mut request = format!("ws://{}/v1/socket", world.address).into_client_request().unwrap();
        let protocol = match format {
            Format::Cbor => SUBPROTOCOL_CBOR,
            Format::Json => SUBPROTOCOL_JSON,
        };
        request.headers_mut().insert("sec-websocket-protocol", protocol.parse().unwrap());
        let (socket, response) = tokio_tungstenite::connect_async(request).await.unwrap();
        assert_eq!(response.headers()["sec-websocket-protocol"], protocol);
        Self { socket, format }
    }

    /// A connection that has said hello and got its plan.
    pub async fn hello(world: &World, person: &Person, format: Format, since_ms: u64) -> (Self, Plan) {
        let mut peer = Self::open(world, format).await;
        peer.send(&ClientFrame::Hello { token: person.token.clone(), since_ms, count: 0 }).await;
        let mut whole: Option<Plan> = None;
        loop {
            let ServerFrame::Plan(part) = peer.next().await else { panic!("no plan") };
            let plan = whole.get_or_insert(Plan {
                now_ms: part.now_ms,
                logs: Vec::new(),
                done: true,
                rolled_back: part.rolled_back,
            });
            plan.logs.extend(part.logs);
            if part.done {
                return (peer, whole.unwrap());
            }
        }
    }

    pub async fn connect(world: &World, person: &Person) -> Self {
        Self::hello(world, person, Format::Cbor, 0).await.0
    }

    pub async fn send(&mut self, frame: &ClientFrame) {
        let bytes = self.format.encode(frame);
        let message = match self.format {
            Format::Cbor => Message::Binary(bytes),
            Format::Json => Message::Text(String::from_utf8(bytes.to_vec()).unwrap().into()),
        };
        self.socket.send(message).await.unwrap();
    }

    /// Sends a message, without waiting for its answer.
    pub async fn append(&mut self, conversation: ConversationId, epoch: u64, text: &str) -> MessageId {
        let append = message(conversation, epoch, text);
        let message_id = append.message_id;
        self.send(&ClientFrame::Append(append)).await;
        message_id
    }

    /// Sends a message of epoch 1 and waits for its seq.
    pub async fn say(&mut self, conversation: ConversationId, text: &str) -> u64 {
        let message = self.append(conversation, 1, text).await;
        loop {
            match self.next().await {
                ServerFrame::Appended { message_id, seq, .. } if message_id == message => return seq,
                ServerFrame::Receipts { .. } => {}
                other => panic!("{other:?}"),
            }
        }
    }

    pub async fn sync(&mut self, log: impl Into<LogId>, after: u64, limit: u32) -> Page {
        self.send(&ClientFrame::Sync { log: log.into(), after, limit }).await;
        loop {
            if let ServerFrame::Page(page) = self.next().await {
                return page;
            }
        }
    }

    pub async fn next(&mut self) -> ServerFrame {
        self.next_or_closed().await.unwrap()
    }

    /// The next entry; receipts before it are of no interest.
    pub async fn entry(&mut self) -> Entry {
        loop {
            match self.next().await {
                ServerFrame::Entry(entry) => return entry,
                ServerFrame::Receipts { .. } => {}
                other => panic!("{other:?}"),
            }
        }
    }

    pub async fn next_or_closed(&mut self) -> Result<ServerFrame, Closed> {
        loop {
            let message = tokio::time::timeout(PATIENCE, self.socket.next()).await.expect("a frame in time");
            return match message {
                Some(Ok(Message::Binary(bytes))) => Ok(self.format.decode(&bytes).unwrap()),
                Some(Ok(Message::Text(text))) => Ok(self.format.decode(text.as_bytes()).unwrap()),
                Some(Ok(Message::Close(Some(close)))) => Err(Closed::With(close.code.into(), close.reason.to_string())),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
                Some(Ok(_) | Err(_)) | None => Err(Closed::Cut),
            };
        }
    }

    /// Asks for a pong, and asserts that nothing comes before it.
    pub async fn expect_nothing(&mut self) {
        self.send(&ClientFrame::Ping { nonce: 77 }).await;
        assert_eq!(self.next().await, ServerFrame::Pong { nonce: 77 });
    }
}

pub fn message(conversation: ConversationId, epoch: u64, text: &str) -> Append {
    Append { conversation, message_id: id(), epoch, payload: payload(text), silent: false, expires_in_s: None }
}

pub fn text(entry: &Entry) -> String {
    match &entry.body {
        Body::Message { payload, .. } | Body::Commit { payload, .. } | Body::Welcome { payload, .. } => {
            String::from_utf8(payload.as_slice().to_vec()).unwrap()
        }
        Body::Leave { .. } | Body::Gone { .. } | Body::LockReset { .. } | Body::JoinRequest { .. } => String::new(),
    }
}
