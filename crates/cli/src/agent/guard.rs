//! Who may ask: programs that know the token, under a name that is the agent's.
//!
//! A page in a browser can make a name of its own point to this machine (DNS rebinding) and then ask as if it were ours;
//! so the `Host` has to be one of ours, and an `Origin`, if there is one, too.

use super::problem::Problem;
use super::{Access, Agent};
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, HOST, ORIGIN};
use axum::http::{HeaderMap, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::sync::Arc;
use subtle::ConstantTimeEq;
use tokio::sync::Semaphore;

/// Requests at once.
const REQUESTS_MAX: usize = 256;

pub struct Guard {
    token: String,
    /// With port, in small letters.
    hosts: Vec<String>,
    any_host: bool,
    requests: Semaphore,
}

impl Guard {
    pub fn new(access: Access) -> Self {
        let port = access.address.port();
        let mut hosts: Vec<String> = ["localhost", "127.0.0.1", "[::1]"].map(|host| format!("{host}:{port}")).into();
        hosts.push(access.address.to_string());
        for host in &access.hosts {
            let host = host.to_ascii_lowercase();
            hosts.push(format!("{host}:{port}"));
            hosts.push(host);
        }
        // Whoever opens it to the network without naming it has only the token.
        let any_host = access.allow_remote && access.hosts.is_empty();
        Self { token: access.token, hosts, any_host, requests: Semaphore::new(REQUESTS_MAX) }
    }

    fn knows_host(&self, headers: &HeaderMap, uri: &Uri) -> bool {
        let named = match headers.get(HOST) {
            Some(host) => host.to_str().ok(),
            None => uri.authority().map(|authority| authority.as_str()),
        };
        self.any_host || named.is_some_and(|host| self.hosts.contains(&host.to_ascii_lowercase()))
    }

    fn knows_origin(&self, headers: &HeaderMap) -> bool {
        let Some(origin) = headers.get(ORIGIN) else { return true };
        let origin = origin.to_str().unwrap_or_default().to_ascii_lowercase();
        let host = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        host.is_some_and(|host| self.hosts.iter().any(|known| known == host))
    }

    fn knows_token(&self, headers: &HeaderMap) -> bool {
        let shown = headers.get(AUTHORIZATION).map(|value| value.as_bytes()).unwrap_or_default();
        let is_bearer = shown.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"bearer "));
        is_bearer && bool::from(shown[7..].trim_ascii().ct_eq(self.token.as_bytes()))
    }
}

pub async fn around(State(agent): State<Arc<Agent>>, request: Request, next: Next) -> Response {
    let guard = &agent.guard;
    if !guard.knows_host(request.headers(), request.uri()) {
        return Problem::new(
            421,
            "wrong_host",
            "The agent does not answer under this name. Use localhost, or allow the name with --allow-host.",
        )
        .into_response();
    }
    if !guard.knows_origin(request.headers()) {
        return Problem::new(403, "wrong_origin", "Pages of other sites may not use the agent.").into_response();
    }
    let is_public = matches!(request.uri().path(), "/" | "/openapi.json") || request.uri().path().starts_with("/docs");
    if !is_public && !guard.knows_token(request.headers()) {
        let detail = "Send `Authorization: Bearer TOKEN`; the agent printed in which file the token is.";
        let problem = Problem::new(401, "unauthorized", detail).into_response();
        return ([("www-authenticate", "Bearer")], problem).into_response();
    }
    let Ok(_permit) = guard.requests.try_acquire() else {
        return Problem::new(503, "overloaded", "Too many requests at once; try again.").into_response();
    };
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn guard(allow_remote: bool, hosts: &[&str]) -> Guard {
        Guard::new(Access {
            token: "secret-token".into(),
            address: "127.0.0.1:3010".parse().unwrap(),
            hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
            allow_remote,
        })
    }

    fn header(name: axum::http::HeaderName, value: &str) -> HeaderMap {
        [(name, HeaderValue::from_str(value).unwrap())].into_iter().collect()
    }

    #[test]
    fn only_our_own_names_are_answered() {
        let uri = Uri::from_static("/v1/status");
        let local = guard(false, &["agent.example"]);
        for host in ["localhost:3010", "127.0.0.1:3010", "LOCALHOST:3010", "[::1]:3010", "agent.example"] {
            assert!(local.knows_host(&header(HOST, host), &uri), "{host}");
        }
        for host in ["evil.example", "evil.example:3010", "localhost", "localhost:3011", "127.0.0.1.evil.example:3010"]
        {
            assert!(!local.knows_host(&header(HOST, host), &uri), "{host}");
        }
        assert!(!local.knows_host(&HeaderMap::new(), &uri));
        assert!(guard(true, &[]).knows_host(&header(HOST, "anything"), &uri));
        assert!(!guard(true, &["agent.example"]).knows_host(&header(HOST, "anything"), &uri));
    }

    #[test]
    fn pages_of_other_sites_are_sent_away() {
        let local = guard(false, &[]);
        assert!(local.knows_origin(&HeaderMap::new()));
        assert!(local.knows_origin(&header(ORIGIN, "http://localhost:3010")));
        for origin in ["null", "http://evil.example", "http://localhost:3000", "file://localhost:3010"] {
            assert!(!local.knows_origin(&header(ORIGIN, origin)), "{origin}");
        }
    }

    #[test]
    fn only_the_whole_token_opens() {
        let local = guard(false, &[]);
        assert!(local.knows_token(&header(AUTHORIZATION, "Bearer secret-token")));
        assert!(local.knows_token(&header(AUTHORIZATION, "bearer secret-token")));
        for shown in
            ["Bearer secret-toke", "Bearer secret-tokenx", "Bearer", "Basic secret-token", "secret-token", "Bearer "]
        {
            assert!(!local.knows_token(&header(AUTHORIZATION, shown)), "{shown}");
        }
        assert!(!local.knows_token(&HeaderMap::new()));
    }
}
