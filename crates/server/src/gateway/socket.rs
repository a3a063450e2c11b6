//! `GET /v1/socket`: the WebSocket (RFC 6455) that carries a session.

use super::decode;
use super::session::{self, Inbound, Outbound};
use crate::error::Error;
use crate::server::Server;
use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{Sink, Stream, StreamExt};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tidings_proto::codec::Format;
use tidings_proto::frame::{SUBPROTOCOL_CBOR, SUBPROTOCOL_JSON};
use tidings_proto::limit::FRAME_MAX_BYTES;
use tidings_proto::problem::{Code, Problem};

/// Buffers of one connection. The library's 128 KiB cost 138 KB per connection and 7 µs per message.
const READ_BUFFER_BYTES: usize = 2 * 1024;
const WRITE_BUFFER_BYTES: usize = 8 * 1024;
/// What may wait in the library's own buffer above that: one frame, since the writer flushes before it comes back.
const WRITE_BUFFER_MAX_BYTES: usize = 2 * FRAME_MAX_BYTES;

/// The live connection. Subprotocols: `tidings.v1.cbor` (binary frames) and `tidings.v1.json` (text frames; also
/// without any). The first frame is `hello`; see docs/protocol.md.
#[utoipa::path(
    get, path = "/v1/socket", tag = "sync",
    responses((status = 101, description = "Switching protocols"), (status = "4XX", body = Problem)),
)]
pub async fn get(
    State(server): State<Arc<Server>>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let upgrade = match upgrade {
        Ok(upgrade) => upgrade,
        Err(rejection) => return Error::new(Code::BadRequest, rejection.body_text()).into_response(),
    };
    let upgrade = upgrade.protocols([SUBPROTOCOL_CBOR, SUBPROTOCOL_JSON]);
    let format = match upgrade.selected_protocol().map(|protocol| protocol.as_bytes()) {
        Some(protocol) if protocol == SUBPROTOCOL_CBOR.as_bytes() => Format::Cbor,
        Some(_) => Format::Json,
        None if upgrade.requested_protocols().next().is_none() => Format::Json,
        None => {
            let detail = format!("The subprotocols are {SUBPROTOCOL_CBOR} and {SUBPROTOCOL_JSON}.");
            return Error::new(Code::BadRequest, detail).into_response();
        }
    };
    upgrade
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(WRITE_BUFFER_BYTES)
        .max_write_buffer_size(WRITE_BUFFER_MAX_BYTES)
        .max_message_size(FRAME_MAX_BYTES)
        .max_frame_size(FRAME_MAX_BYTES)
        .on_upgrade(move |socket| {
            let (sink, stream) = socket.split();
            session::run(server, format, Incoming { stream, format }, Outgoing { sink, format })
        })
}

struct Incoming {
    stream: SplitStream<WebSocket>,
    format: Format,
}

impl Stream for Incoming {
    type Item = Inbound;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Inbound>> {
        Poll::Ready(match ready!(self.stream.poll_next_unpin(cx)) {
            None | Some(Ok(Message::Close(_))) => None,
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => Some(Inbound::Alive),
            Some(Ok(Message::Binary(bytes))) if self.format == Format::Cbor => Some(read(Format::Cbor, &bytes)),
            Some(Ok(Message::Text(text))) if self.format == Format::Json => Some(read(Format::Json, &text.into())),
            Some(Ok(Message::Binary(_))) => Some(Inbound::Malformed("Frames of this subprotocol are text.".into())),
            Some(Ok(Message::Text(_))) => Some(Inbound::Malformed("Frames of this subprotocol are binary.".into())),
            Some(Err(error)) => unreadable(&error),
        })
    }
}

fn read(format: Format, bytes: &Bytes) -> Inbound {
    match decode::frame(format, bytes) {
        Ok(frame) => Inbound::Frame(frame),
        Err(error) => Inbound::Malformed(format!("This is not a frame: {error}")),
    }
}

/// The library hides its error's type; of its words only these matter, and a test holds them.
fn unreadable(error: &axum::Error) -> Option<Inbound> {
    let text = error.to_string();
    if text.contains("too long") {
        Some(Inbound::TooLarge)
    } else if text.contains("protocol error") || text.contains("UTF-8") {
        Some(Inbound::Malformed(text))
    } else {
        None
    }
}

struct Outgoing {
    sink: SplitSink<WebSocket, Message>,
    format: Format,
}

impl Sink<Outbound> for Outgoing {
    type Error = axum::Error;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), axum::Error>> {
        Pin::new(&mut self.sink).poll_ready(cx)
    }

    fn start_send(mut self: Pin<&mut Self>, item: Outbound) -> Result<(), axum::Error> {
        let message = match item {
            Outbound::Frame(bytes) if self.format == Format::Cbor => Message::Binary(bytes),
            Outbound::Frame(bytes) => Message::Text(Utf8Bytes::try_from(bytes).expect("JSON is UTF-8")),
            Outbound::Ping => Message::Ping(Default::default()),
            Outbound::Close(code) => {
                Message::Close(Some(CloseFrame { code: close_code(code), reason: code.as_str().into() }))
            }
        };
        Pin::new(&mut self.sink).start_send(message)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), axum::Error>> {
        Pin::new(&mut self.sink).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), axum::Error>> {
        Pin::new(&mut self.sink).poll_close(cx)
    }
}

/// RFC 6455 section 7.4.1, and the registry's 1012 to 1013; the frame before says more.
fn close_code(code: Code) -> u16 {
    match code {
        Code::TooLarge => 1009,
        Code::BadRequest => 1002,
        Code::ShuttingDown => 1012,
        Code::Overloaded | Code::Timeout => 1013,
        Code::Internal => 1011,
        _ => 1008,
    }
}
