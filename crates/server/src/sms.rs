//! How a code reaches a phone: printed on the console, or posted to a webhook of the operator's.

use crate::config::{self, SmsAdapter};
use crate::error::{Error, Result};
use secrecy::{ExposeSecret, SecretString};
use std::fmt;
use std::io::Write;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tidings_proto::problem::Code;

/// When the person may ask for another code after one could not be sent.
const FAILED_RETRY_MS: u64 = 5_000;

/// One message.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Message {
    /// E.164.
    pub phone: String,
    pub code: String,
    pub text: String,
}

impl Message {
    pub fn new(phone: &str, code: &str) -> Self {
        Self { phone: phone.into(), code: code.into(), text: format!("Your Tidings code is {code}.") }
    }
}

pub struct Sms(Adapter);

enum Adapter {
    Console,
    Webhook(Webhook),
    Capture(Arc<dyn Fn(Message) + Send + Sync>),
}

struct Webhook {
    url: String,
    secret: Option<SecretString>,
    timeout: Duration,
    client: OnceLock<Option<reqwest::Client>>,
}

impl Sms {
    pub fn new(config: &config::Sms) -> Self {
        match (config.adapter, &config.url) {
            (SmsAdapter::Webhook, Some(url)) => Self(Adapter::Webhook(Webhook {
                url: url.clone(),
                secret: config.secret.clone(),
                timeout: Duration::from_millis(config.timeout_ms),
                client: OnceLock::new(),
            })),
            _ => Self(Adapter::Console),
        }
    }

    /// Hands messages to the caller instead of sending them: for simulations, which have no sockets.
    pub fn capture(take: impl Fn(Message) + Send + Sync + 'static) -> Self {
        Self(Adapter::Capture(Arc::new(take)))
    }

    pub async fn send(&self, message: Message) -> Result<()> {
        match &self.0 {
            Adapter::Console => {
                let Message { phone, text, .. } = message;
                // One write, so that lines of two people do not mix. A closed standard output loses nothing durable.
                let _ = std::io::stdout().write_all(format!("SMS to {phone}: {text}\n").as_bytes());
                Ok(())
            }
            Adapter::Webhook(webhook) => webhook.post(&message).await,
            Adapter::Capture(take) => {
                take(message);
                Ok(())
            }
        }
    }
}

impl Webhook {
    async fn post(&self, message: &Message) -> Result<()> {
        let client = self.client.get_or_init(client).as_ref().ok_or_else(failed)?;
        let mut request = client.post(&self.url).timeout(self.timeout).json(message);
        if let Some(secret) = &self.secret {
            request = request.bearer_auth(secret.expose_secret());
        }
        match request.send().await {
            Ok(response) if response.status().is_success() => Ok(()),
            Ok(response) => {
                tracing::error!(status = response.status().as_u16(), "the SMS webhook refused a code");
                Err(failed())
            }
            Err(error) => {
                // The URL may hold a secret of the operator's.
                tracing::error!(error = %error.without_url(), "the SMS webhook could not be reached");
                Err(failed())
            }
        }
    }
}

fn client() -> Option<reqwest::Client> {
    // Another part of the process may have chosen a provider before; then that one is used.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .user_agent(concat!("tidings/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .inspect_err(|error| tracing::error!(%error, "no HTTP client for the SMS webhook"))
        .ok()
}

fn failed() -> Error {
    Error::new(Code::SmsFailed, "The code could not be sent; try again in a moment.").retry_after_ms(FAILED_RETRY_MS)
}

impl fmt::Debug for Sms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.0 {
            Adapter::Console => "Sms(console)",
            Adapter::Webhook(_) => "Sms(webhook)",
            Adapter::Capture(_) => "Sms(capture)",
        })
    }
}
