//! One call of the server's HTTP API.

use super::network::Network;
use std::time::Duration;
use tidings_client::io::{HttpBody, HttpOutcome, HttpRequest, Method};
use tidings_proto::backup::BLOB_TYPE;
use tidings_proto::limit::BODY_MAX_BYTES;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const TIMEOUT: Duration = Duration::from_secs(30);

pub fn client(tls: rustls::ClientConfig) -> reqwest::Result<reqwest::Client> {
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(TIMEOUT)
        // A token must not follow a redirect to somebody else.
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("tidings/", env!("CARGO_PKG_VERSION")))
        .build()
}

pub async fn call(network: &Network, request: HttpRequest) -> HttpOutcome {
    match answer(network, request).await {
        Ok(outcome) => outcome,
        Err(error) => {
            tracing::debug!(error = %error.without_url(), "a call was lost");
            HttpOutcome::Lost
        }
    }
}

async fn answer(network: &Network, request: HttpRequest) -> reqwest::Result<HttpOutcome> {
    let method = match request.method {
        Method::Get => reqwest::Method::GET,
        Method::Post => reqwest::Method::POST,
        Method::Put => reqwest::Method::PUT,
        Method::Delete => reqwest::Method::DELETE,
    };
    let mut builder = network.http.request(method, network.url(&request.path));
    if let Some(token) = request.bearer {
        builder = builder.bearer_auth(token);
    }
    builder = match request.body {
        HttpBody::Empty => builder,
        HttpBody::Json(body) => builder.header("content-type", "application/json").body(body),
        HttpBody::Form(body) => builder.header("content-type", "application/x-www-form-urlencoded").body(body),
        HttpBody::Bytes(body) => builder.header("content-type", BLOB_TYPE).body(body),
    };
    let mut response = builder.send().await?;
    let status = response.status().as_u16();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > BODY_MAX_BYTES {
            return Ok(HttpOutcome::Lost);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(HttpOutcome::Answer { status, body })
}
