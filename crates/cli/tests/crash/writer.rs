//! Appends over a WebSocket, a window of them at a time, until the connection breaks.

use crate::ledger::{Ack, Pending, Written};
use crate::people::{EPOCH, message_id};
use futures_util::{SinkExt, StreamExt};
use std::collections::VecDeque;
use std::net::SocketAddr;
use tidings_proto::codec::{from_cbor, to_cbor};
use tidings_proto::frame::{Append, ClientFrame, SUBPROTOCOL_CBOR, ServerFrame};
use tidings_proto::id::ConversationId;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;

/// Appends that wait for their acknowledgement.
const WINDOW: usize = 16;

type Socket = WebSocketStream<TcpStream>;

/// Begins with what is left from before the last crash, under the same ids.
pub async fn write(server: SocketAddr, token: String, conversation: ConversationId, pending: Vec<Pending>) -> Written {
    let mut written = Written { acks: Vec::new(), pending: Vec::new() };
    let mut to_send: VecDeque<Pending> = pending.into();
    let Some(mut socket) = open(server, token).await else {
        written.pending = to_send.into();
        return written;
    };
    let mut in_flight: Vec<Pending> = Vec::new();
    loop {
        while in_flight.len() < WINDOW {
            let next = to_send.pop_front().unwrap_or_else(new_message);
            let frame = ClientFrame::Append(append(conversation, &next));
            // Counts as sent before it is: a connection that breaks now may or may not have taken it.
            in_flight.push(next);
            if socket.feed(Message::Binary(to_cbor(&frame))).await.is_err() {
                break;
            }
        }
        if socket.flush().await.is_err() {
            break;
        }
        match next_frame(&mut socket).await {
            None => break,
            Some(ServerFrame::Appended { message_id, seq, time_ms, .. }) => {
                let index = in_flight.iter().position(|sent| sent.message_id == message_id);
                let Pending { message_id, payload } = in_flight.swap_remove(index.expect("it was sent, and once"));
                written.acks.push(Ack { message_id, payload, seq, time_ms });
            }
            Some(ServerFrame::Refused(refused)) => panic!("a message was refused: {refused:?}"),
            Some(_) => {}
        }
    }
    written.pending = in_flight;
    written.pending.extend(to_send);
    written
}

fn new_message() -> Pending {
    let length = rand::random_range(1..=600);
    Pending { message_id: message_id(), payload: (0..length).map(|_| rand::random()).collect() }
}

fn append(conversation: ConversationId, message: &Pending) -> Append {
    Append {
        conversation,
        message_id: message.message_id,
        epoch: EPOCH,
        payload: message.payload.clone().into(),
        silent: false,
        expires_in_s: None,
    }
}

async fn open(server: SocketAddr, token: String) -> Option<Socket> {
    let tcp = TcpStream::connect(server).await.ok()?;
    let mut request = format!("ws://{server}/v1/socket").into_client_request().expect("the address is valid");
    request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static(SUBPROTOCOL_CBOR));
    let (mut socket, _) = tokio_tungstenite::client_async(request, tcp).await.ok()?;
    let hello = ClientFrame::Hello { token, since_ms: 0, count: 0 };
    socket.send(Message::Binary(to_cbor(&hello))).await.ok()?;
    Some(socket)
}

async fn next_frame(socket: &mut Socket) -> Option<ServerFrame> {
    loop {
        match socket.next().await? {
            Ok(Message::Binary(bytes)) => return Some(from_cbor(&bytes).expect("the server speaks the protocol")),
            Ok(Message::Close(_)) | Err(_) => return None,
            Ok(_) => {}
        }
    }
}
