//! A WebSocket client that costs little: small buffers, and frames that are written together leave together.

use super::error::{BenchError, Doing, Result};
use bytes::Bytes;
use futures_util::{FutureExt, SinkExt, StreamExt};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tidings_proto::codec::{from_cbor, to_cbor};
use tidings_proto::frame::{ClientFrame, PlanLog, SUBPROTOCOL_CBOR, ServerFrame};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::{Message, WebSocketConfig};

/// From the start of a connection to the end of its plan.
const OPEN_TIMEOUT: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub struct Socket {
    stream: WebSocketStream<TcpStream>,
}

/// Where and how to connect.
#[derive(Clone, Copy, Debug)]
pub struct Dial {
    pub server: SocketAddr,
    /// A local address of one's own, when the ports of one do not suffice.
    pub source: Option<IpAddr>,
    pub read_buffer_bytes: usize,
}

impl Dial {
    pub fn new(server: SocketAddr) -> Self {
        Self { server, source: None, read_buffer_bytes: 4 * 1024 }
    }
}

impl Socket {
    /// Connects, says hello and reads the plan.
    pub async fn open(dial: Dial, token: &str) -> Result<(Self, Vec<PlanLog>)> {
        let open = async {
            let mut socket = Self::connect(dial).await?;
            socket.feed(&ClientFrame::Hello { token: token.to_owned(), since_ms: 0, count: 0 }).await?;
            socket.flush().await?;
            let mut logs = Vec::new();
            loop {
                if let ServerFrame::Plan(plan) = socket.next().await? {
                    logs.extend(plan.logs);
                    if plan.done {
                        return Ok((socket, logs));
                    }
                }
            }
        };
        timeout(OPEN_TIMEOUT, open).await.server("waiting for the plan of a new connection")?
    }

    async fn connect(dial: Dial) -> Result<Self> {
        let socket = TcpSocket::new_v4().setup("making a socket")?;
        if let Some(source) = dial.source {
            socket.bind(SocketAddr::new(source, 0)).setup("binding a local address")?;
        }
        let tcp = socket.connect(dial.server).await.server("connecting")?;
        tcp.set_nodelay(true).setup("setting TCP_NODELAY")?;
        let mut request =
            format!("ws://{}/v1/socket", dial.server).into_client_request().setup("making the request")?;
        request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static(SUBPROTOCOL_CBOR));
        let config = WebSocketConfig::default()
            .read_buffer_size(dial.read_buffer_bytes)
            .write_buffer_size(8 * 1024)
            .max_write_buffer_size(4 * 1024 * 1024);
        let (stream, _) = tokio_tungstenite::client_async_with_config(request, tcp, Some(config))
            .await
            .server("upgrading to a WebSocket")?;
        Ok(Self { stream })
    }

    /// Puts a frame into the buffer; [`Socket::flush`] sends what is in it.
    pub async fn feed(&mut self, frame: &ClientFrame) -> Result<()> {
        self.stream.feed(Message::Binary(to_cbor(frame))).await.server("writing to a connection")
    }

    pub async fn flush(&mut self) -> Result<()> {
        self.stream.flush().await.server("writing to a connection")
    }

    pub async fn send(&mut self, frame: &ClientFrame) -> Result<()> {
        self.feed(frame).await?;
        self.flush().await
    }

    pub async fn feed_bytes(&mut self, frame: Bytes) -> Result<()> {
        self.stream.feed(Message::Binary(frame)).await.server("writing to a connection")
    }

    /// The next frame as it came.
    pub async fn next_bytes(&mut self) -> Result<Bytes> {
        loop {
            let message = self.stream.next().await;
            if let Some(bytes) = Self::bytes(message)? {
                return Ok(bytes);
            }
        }
    }

    /// The next frame as it came, if it has arrived already.
    pub fn ready_bytes(&mut self) -> Result<Option<Bytes>> {
        while let Some(message) = self.stream.next().now_or_never() {
            if let Some(bytes) = Self::bytes(message)? {
                return Ok(Some(bytes));
            }
        }
        Ok(None)
    }

    /// The next frame.
    pub async fn next(&mut self) -> Result<ServerFrame> {
        loop {
            let message = self.stream.next().await;
            if let Some(frame) = Self::frame(message)? {
                return Ok(frame);
            }
        }
    }

    /// The next frame if it has arrived already.
    pub fn ready(&mut self) -> Result<Option<ServerFrame>> {
        while let Some(message) = self.stream.next().now_or_never() {
            if let Some(frame) = Self::frame(message)? {
                return Ok(Some(frame));
            }
        }
        Ok(None)
    }

    fn frame(
        message: Option<std::result::Result<Message, tokio_tungstenite::tungstenite::Error>>,
    ) -> Result<Option<ServerFrame>> {
        match Self::bytes(message)? {
            None => Ok(None),
            Some(bytes) => match from_cbor(&bytes) {
                Ok(ServerFrame::Goodbye { code, detail, .. }) => {
                    Err(BenchError::Server(format!("it said goodbye: {}: {detail}", code.as_str())))
                }
                Ok(ServerFrame::Refused(refused)) => {
                    Err(BenchError::Server(format!("it refused: {}: {}", refused.code.as_str(), refused.detail)))
                }
                Ok(frame) => Ok(Some(frame)),
                Err(error) => Err(BenchError::Broken(format!("a frame does not decode: {error}"))),
            },
        }
    }

    fn bytes(
        message: Option<std::result::Result<Message, tokio_tungstenite::tungstenite::Error>>,
    ) -> Result<Option<Bytes>> {
        match message {
            Some(Ok(Message::Binary(bytes))) => Ok(Some(bytes)),
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => Ok(None),
            Some(Ok(Message::Text(_))) => Err(BenchError::Broken("a text frame on a CBOR connection".into())),
            Some(Ok(Message::Close(frame))) => Err(BenchError::Server(format!("it closed a connection: {frame:?}"))),
            Some(Err(error)) => Err(BenchError::Server(format!("a connection failed: {error}"))),
            None => Err(BenchError::Server("it cut a connection".into())),
        }
    }

    /// Says goodbye and waits until the server has seen it.
    pub async fn close(mut self) {
        let _ = timeout(Duration::from_secs(5), async {
            if self.stream.close(None).await.is_ok() {
                while let Some(Ok(_)) = self.stream.next().await {}
            }
        })
        .await;
    }
}
