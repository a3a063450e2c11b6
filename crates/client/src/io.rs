//! What goes into the core, and what comes out.

use crate::command::Command;
use crate::error::ClientError;
use crate::event::Event;
use crate::reply::Reply;
use tidings_proto::frame::{ClientFrame, ServerFrame};

/// Pairs a command with its reply, and a request with its response.
pub type CallId = u64;

#[derive(Clone, Debug)]
pub enum Input {
    /// The driver has just opened the core, or the time of the last `WakeAt` has come.
    Tick,
    /// Somebody asks for something. Answered by exactly one `Output::Reply` with the same id, at once or later.
    Command { id: CallId, command: Command },
    /// The connection that `Output::Connect` asked for is open.
    Connected,
    /// It could not be opened, or it ended.
    Disconnected,
    /// Frames that came, in order; as many as were there. They share one transaction.
    Frames(Vec<ServerFrame>),
    /// The answer to `Output::Request`.
    Response { id: CallId, outcome: HttpOutcome },
    /// The driver learnt that the network changed or came back: try at once instead of waiting.
    NetworkChanged,
}

#[derive(Clone, Debug)]
pub enum HttpOutcome {
    /// Any status; the body is JSON, or a blob's bytes.
    Answer { status: u16, body: Vec<u8> },
    /// No answer: whether the server did it is unknown.
    Lost,
}

#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "there are few at a time, and each is carried out at once")]
pub enum Output {
    /// Open the live connection (`GET /v1/socket`), once; ends a former one.
    Connect,
    /// Close it.
    Disconnect,
    Send(ClientFrame),
    Request(HttpRequest),
    Reply {
        id: CallId,
        result: Result<Reply, ClientError>,
    },
    /// Something changed that people see.
    Event(Event),
    /// Call with `Input::Tick` at this time (milliseconds since 1970) at the latest; replaces the former one.
    WakeAt(u64),
}

/// One call of the HTTP API. The driver adds the server's address in front of `path`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpRequest {
    pub id: CallId,
    pub method: Method,
    /// `/v1/…`, with query.
    pub path: String,
    pub body: HttpBody,
    /// The access token, if the call needs one.
    pub bearer: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    Get,
    Post,
    Put,
    Delete,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HttpBody {
    Empty,
    /// `application/json`
    Json(Vec<u8>),
    /// `application/x-www-form-urlencoded`
    Form(String),
    /// `application/octet-stream`
    Bytes(Vec<u8>),
}
