//! The server as a process of its own, and the other end of its SMS webhook.

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// From the start of the process until it answers, also after a crash.
const READY_TIMEOUT: Duration = Duration::from_secs(30);
const CODE_TIMEOUT: Duration = Duration::from_secs(5);

pub struct ServerProcess {
    folder: tempfile::TempDir,
    address: SocketAddr,
    sms_url: String,
    child: Option<Child>,
}

impl ServerProcess {
    pub async fn start(sms: &Sms) -> Self {
        // Free now; the server takes it again and again.
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it has an address");
        drop(listener);
        let folder = tempfile::tempdir().expect("a folder can be made");
        let mut server = Self { folder, address, sms_url: sms.url(), child: None };
        server.restart().await;
        server
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn base(&self) -> String {
        format!("http://{}", self.address)
    }

    pub async fn restart(&mut self) {
        let child = Command::new(env!("CARGO_BIN_EXE_tidings"))
            .arg("serve")
            .env("TIDINGS_LISTEN", self.address.to_string())
            .env("TIDINGS_DATA", self.folder.path().join("data"))
            .env("TIDINGS_SMS_ADAPTER", "webhook")
            .env("TIDINGS_SMS_URL", &self.sms_url)
            .env("TIDINGS_LOG_LEVEL", "warn")
            .env("TIDINGS_LIMITS_CODES_PER_ADDRESS_PER_HOUR", "1000000")
            .env("TIDINGS_LIMITS_CODES_PER_MINUTE", "1000000")
            .env("TIDINGS_LIMITS_LOGINS_PER_ADDRESS_PER_HOUR", "1000000")
            .env("TIDINGS_LIMITS_REQUESTS_PER_ADDRESS_PER_S", "1000000")
            .env("TIDINGS_LIMITS_APPENDS_PER_DEVICE_PER_S", "1000000")
            .env("TIDINGS_LIMITS_APPENDS_PER_DEVICE_BURST", "1000000")
            .env("TIDINGS_LIMITS_CLAIMS_PER_ACCOUNT_PER_HOUR", "1000000")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn();
        self.child = Some(child.expect("the binary starts"));
        let begin = Instant::now();
        while !self.is_ready().await {
            assert!(begin.elapsed() < READY_TIMEOUT, "the server does not answer");
            let ended = self.child.as_mut().and_then(|child| child.try_wait().ok().flatten());
            assert!(ended.is_none(), "the server ended: {ended:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn is_ready(&self) -> bool {
        let answer = reqwest::get(format!("{}/readyz", self.base())).await;
        answer.is_ok_and(|answer| answer.status().is_success())
    }

    /// SIGKILL, and waits until the process is gone.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("it is our own process");
            child.wait().expect("it is our own process");
        }
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Codes by phone number, as they were sent last.
#[derive(Clone)]
pub struct Sms {
    address: SocketAddr,
    codes: Arc<Mutex<HashMap<String, String>>>,
}

#[derive(serde::Deserialize)]
struct Posted {
    phone: String,
    code: String,
}

impl Sms {
    pub async fn listen() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("it has an address");
        let codes: Arc<Mutex<HashMap<String, String>>> = Arc::default();
        let app = Router::new().route("/sms", post(receive)).with_state(codes.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { address, codes }
    }

    fn url(&self) -> String {
        format!("http://{}/sms", self.address)
    }

    /// The code that was sent to this number, once.
    pub async fn code(&self, phone: &str) -> Option<String> {
        let begin = Instant::now();
        while begin.elapsed() < CODE_TIMEOUT {
            if let Some(code) = self.codes.lock().expect("nobody panics with it").remove(phone) {
                return Some(code);
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        None
    }
}

async fn receive(State(codes): State<Arc<Mutex<HashMap<String, String>>>>, Json(posted): Json<Posted>) -> StatusCode {
    codes.lock().expect("nobody panics with it").insert(posted.phone, posted.code);
    StatusCode::NO_CONTENT
}
