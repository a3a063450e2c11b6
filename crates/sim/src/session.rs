//! A carrier of the server's sessions, over channels instead of a socket.

use crate::network::Packet;
use futures_util::{Sink, Stream, sink, stream};
use std::sync::Arc;
use tidings_proto::codec::Format;
use tidings_server::Server;
use tidings_server::gateway::session::{self, Inbound, Outbound};
use tokio::sync::mpsc;

/// Runs one session to its end.
pub async fn run(server: Arc<Server>, inbound: mpsc::Receiver<Packet>, outbound: mpsc::Sender<Packet>) {
    session::run(server, Format::Cbor, Box::pin(arriving(inbound)), Box::pin(leaving(outbound))).await;
}

fn arriving(inbound: mpsc::Receiver<Packet>) -> impl Stream<Item = Inbound> + Send {
    stream::unfold(inbound, |mut inbound| async move {
        let arrived = match inbound.recv().await? {
            Packet::Frame(bytes) => match Format::Cbor.decode(&bytes) {
                Ok(frame) => Inbound::Frame(frame),
                Err(error) => Inbound::Malformed(error.to_string()),
            },
            Packet::Ping | Packet::Pong => Inbound::Alive,
        };
        Some((arrived, inbound))
    })
}

/// The client's end is gone.
struct Gone;

fn leaving(outbound: mpsc::Sender<Packet>) -> impl Sink<Outbound, Error = Gone> + Send + 'static {
    sink::unfold(Some(outbound), |outbound, leaving| async move {
        let Some(channel) = outbound else { return Err(Gone) };
        let packet = match leaving {
            Outbound::Frame(bytes) => Packet::Frame(bytes),
            Outbound::Ping => Packet::Ping,
            // Closing is dropping the channel.
            Outbound::Close(_) => return Ok(None),
        };
        channel.send(packet).await.map_err(|_| Gone)?;
        Ok(Some(channel))
    })
}
