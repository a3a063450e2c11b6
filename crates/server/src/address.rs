//! Where a request comes from.
//!
//! The address of the connection, unless that is a proxy that the settings trust: then the last address in
//! `X-Forwarded-For` that is no trusted proxy itself. What stands before it anybody could have written.

use crate::server::Server;
use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

const FORWARDED_FOR: &str = "x-forwarded-for";
/// Hops that are looked at.
const HOPS_MAX: usize = 16;

/// Extractor: the address of who asks. Requests without a connection, as in a simulation, have `0.0.0.0`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

impl FromRequestParts<Arc<Server>> for ClientAddress {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, server: &Arc<Server>) -> Result<Self, Infallible> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let peer = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.0.ip().to_canonical());
        Ok(Self(behind_proxies(peer, &parts.headers, &server.config.http.trusted_proxies)))
    }
}

fn behind_proxies(peer: IpAddr, headers: &HeaderMap, trusted: &[IpAddr]) -> IpAddr {
    let mut address = peer;
    let hops = headers.get_all(FORWARDED_FOR).iter().rev().flat_map(|value| {
        // A header that is no text ends the chain, as does an address that is none.
        value.to_str().unwrap_or("?").rsplit(',').map(str::trim)
    });
    for hop in hops.take(HOPS_MAX) {
        if !trusted.iter().any(|proxy| proxy.to_canonical() == address) {
            break;
        }
        match hop.parse::<IpAddr>() {
            Ok(hop) => address = hop.to_canonical(),
            Err(_) => break,
        }
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(peer: &str, forwarded: &[&str], trusted: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append(FORWARDED_FOR, value.parse().unwrap());
        }
        let trusted: Vec<IpAddr> = trusted.iter().map(|proxy| proxy.parse().unwrap()).collect();
        behind_proxies(peer.parse().unwrap(), &headers, &trusted).to_string()
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        assert_eq!(from("192.0.2.1", &["198.51.100.1"], &[]), "192.0.2.1");
        assert_eq!(from("10.0.0.1", &["198.51.100.1"], &["10.0.0.1"]), "198.51.100.1");
        assert_eq!(from("10.0.0.1", &[], &["10.0.0.1"]), "10.0.0.1");
    }

    #[test]
    fn what_a_client_wrote_before_its_own_address_does_not_count() {
        assert_eq!(from("10.0.0.1", &["203.0.113.9, 198.51.100.1"], &["10.0.0.1"]), "198.51.100.1");
        assert_eq!(
            from("10.0.0.1", &["203.0.113.9, 198.51.100.1, 10.0.0.2"], &["10.0.0.1", "10.0.0.2"]),
            "198.51.100.1"
        );
        assert_eq!(from("10.0.0.1", &["203.0.113.9", "198.51.100.1"], &["10.0.0.1"]), "198.51.100.1");
        assert_eq!(from("10.0.0.1", &["nonsense"], &["10.0.0.1"]), "10.0.0.1");
    }
}
