//! The other end of the server's HTTP webhook for SMS: it keeps the codes for those who wait for them.

use super::error::{BenchError, Doing, Result};
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// From the answer to `register` to the code.
const CODE_TIMEOUT: Duration = Duration::from_secs(30);

/// Codes by phone number, each for the one that waits for it.
type Waiting = Arc<Mutex<HashMap<String, oneshot::Sender<String>>>>;

#[derive(Debug)]
pub struct Sms {
    pub address: SocketAddr,
    waiting: Waiting,
}

impl Sms {
    /// Listens until the runtime ends.
    pub async fn listen(address: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind(address).await.setup("listening for the SMS webhook")?;
        let address = listener.local_addr().setup("listening for the SMS webhook")?;
        let waiting = Waiting::default();
        let app = Router::new().route("/sms", post(receive)).with_state(waiting.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Ok(Self { address, waiting })
    }

    pub fn url(&self) -> String {
        format!("http://{}/sms", self.address)
    }

    /// To be called before the code is asked for.
    pub fn expect(&self, phone: &str) -> Code {
        let (sender, receiver) = oneshot::channel();
        self.waiting.lock().expect("nobody panics with it").insert(phone.to_owned(), sender);
        Code(receiver)
    }
}

/// A code on its way.
#[derive(Debug)]
pub struct Code(oneshot::Receiver<String>);

impl Code {
    pub async fn arrives(self) -> Result<String> {
        match tokio::time::timeout(CODE_TIMEOUT, self.0).await {
            Ok(Ok(code)) => Ok(code),
            _ => Err(BenchError::Server(
                "no code came to the SMS webhook: is its address the one that --sms-listen gives?".into(),
            )),
        }
    }
}

/// What the server posts.
#[derive(Debug, serde::Deserialize)]
struct Posted {
    phone: String,
    code: String,
}

async fn receive(State(waiting): State<Waiting>, Json(posted): Json<Posted>) -> StatusCode {
    if let Some(sender) = waiting.lock().expect("nobody panics with it").remove(&posted.phone) {
        // Whoever waited may have given up.
        let _ = sender.send(posted.code);
    }
    StatusCode::NO_CONTENT
}
