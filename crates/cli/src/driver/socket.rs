//! The live connection: one WebSocket, as a task that lives as long as it.

use super::network::Network;
use futures_util::{SinkExt, StreamExt};
use std::time::Duration;
use tidings_proto::codec::Format;
use tidings_proto::frame::{ClientFrame, SUBPROTOCOL_CBOR, ServerFrame};
use tidings_proto::limit::{FRAME_MAX_BYTES, PING_INTERVAL_MS};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{Connector, MaybeTlsStream, WebSocketStream, client_async_tls_with_config};

type Stream = WebSocketStream<MaybeTlsStream<TcpStream>>;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The server pings; a line that was silent for this long is dead.
const SILENCE_MAX: Duration = Duration::from_millis(PING_INTERVAL_MS * 5 / 2);
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// What a connection says to the holder. `connection` counts connections, so that what an old one still says is told
/// apart.
pub enum Said {
    Connected { connection: u64 },
    Frame { connection: u64, frame: ServerFrame },
    Disconnected { connection: u64 },
}

/// Opens the connection, and carries frames until it ends or the holder drops `frames`.
pub async fn run(network: Network, connection: u64, said: mpsc::Sender<Said>, frames: mpsc::Receiver<ClientFrame>) {
    match timeout(CONNECT_TIMEOUT, connect(&network)).await {
        Ok(Ok(stream)) => {
            if said.send(Said::Connected { connection }).await.is_ok()
                && let Err(error) = carry(stream, connection, &said, frames).await
            {
                tracing::debug!(%error, "the connection ended");
            }
        }
        Ok(Err(error)) => tracing::debug!(%error, "the connection could not be opened"),
        Err(_) => tracing::debug!("the connection could not be opened in time"),
    }
    let _ = said.send(Said::Disconnected { connection }).await;
}

async fn connect(network: &Network) -> Result<Stream, tungstenite::Error> {
    let url = network.url("/v1/socket").replacen("http", "ws", 1);
    let mut request = url.into_client_request()?;
    request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static(SUBPROTOCOL_CBOR));
    let host = network.server.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let stream = TcpStream::connect((host, network.server.port_or_known_default().unwrap_or(443))).await?;
    // Small frames must not wait for each other.
    stream.set_nodelay(true)?;
    let limits =
        WebSocketConfig::default().max_message_size(Some(FRAME_MAX_BYTES)).max_frame_size(Some(FRAME_MAX_BYTES));
    let connector = match network.server.scheme() {
        "https" => Connector::Rustls(network.tls.clone()),
        _ => Connector::Plain,
    };
    Ok(client_async_tls_with_config(request, stream, Some(limits), Some(connector)).await?.0)
}

async fn carry(
    mut stream: Stream,
    connection: u64,
    said: &mpsc::Sender<Said>,
    mut frames: mpsc::Receiver<ClientFrame>,
) -> Result<(), tungstenite::Error> {
    let mut heard = Instant::now();
    loop {
        tokio::select! {
            message = timeout_at(heard + SILENCE_MAX, stream.next()) => {
                let Ok(Some(message)) = message else { return Ok(()) };
                heard = Instant::now();
                match message? {
                    Message::Binary(bytes) => match Format::Cbor.decode(&bytes) {
                        Ok(frame) => {
                            if said.send(Said::Frame { connection, frame }).await.is_err() {
                                return Ok(());
                            }
                        }
                        // A newer server's frame: what is lost with it, gap detection finds.
                        Err(error) => tracing::debug!(%error, "a frame was not understood"),
                    },
                    Message::Close(_) => return Ok(()),
                    _ => {}
                }
            }
            frame = frames.recv() => {
                let Some(frame) = frame else {
                    let _ = timeout(CLOSE_TIMEOUT, stream.close(None)).await;
                    return Ok(());
                };
                let Ok(written) = timeout(WRITE_TIMEOUT, write(&mut stream, frame, &mut frames)).await else {
                    return Ok(());
                };
                written?;
            }
        }
    }
}

/// Writes this frame and all that wait behind it with one flush.
async fn write(
    stream: &mut Stream,
    first: ClientFrame,
    frames: &mut mpsc::Receiver<ClientFrame>,
) -> Result<(), tungstenite::Error> {
    stream.feed(Message::Binary(Format::Cbor.encode(&first))).await?;
    while let Ok(frame) = frames.try_recv() {
        stream.feed(Message::Binary(Format::Cbor.encode(&frame))).await?;
    }
    stream.flush().await
}
