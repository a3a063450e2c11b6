//! Fetches a page for its preview. The text may come from somebody else (forwarded, pasted), so a link must not become a
//! way to reach what only this machine can reach: every address that a name stands for is looked at before it is used,
//! after each redirect anew, and the connection goes to exactly that address.

use futures_util::StreamExt;
use reqwest::header::{ACCEPT, CONTENT_TYPE, LOCATION};
use reqwest::{Client, Response, StatusCode, Url};
use rustls::ClientConfig;
use rustls_platform_verifier::ConfigVerifierExt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;
use tokio::time::timeout;

/// For everything: names, connections, redirects, the page.
const TIME_MAX: Duration = Duration::from_secs(5);
/// What a page says of itself stands at its beginning.
const PAGE_MAX_BYTES: usize = 256 * 1024;
const REDIRECTS_MAX: usize = 3;

#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    #[error("it took too long")]
    TooLong,
    #[error("only http and https")]
    Scheme,
    #[error("the name stands for no address that may be reached")]
    Address,
    #[error("the page did not come: {0}")]
    Http(String),
    #[error("too many redirects, or one that leads nowhere")]
    Redirects,
    #[error("it is no page of text")]
    NoPage,
}

/// Where a link may lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Public addresses only.
    Public,
    /// Anywhere, if the person asks for it: a page of their own network.
    Anywhere,
}

impl Reach {
    fn covers(self, ip: IpAddr) -> bool {
        self == Self::Anywhere || is_public(ip)
    }
}

pub async fn page(url: &Url, reach: Reach) -> Result<String, FetchError> {
    timeout(TIME_MAX, follow(url.clone(), reach)).await.map_err(|_| FetchError::TooLong)?
}

async fn follow(mut url: Url, reach: Reach) -> Result<String, FetchError> {
    for _ in 0..=REDIRECTS_MAX {
        let response = get(&url, reach).await?;
        if !response.status().is_redirection() {
            return read(response).await;
        }
        let to = response.headers().get(LOCATION).and_then(|to| to.to_str().ok()).ok_or(FetchError::Redirects)?;
        url = url.join(to).map_err(|_| FetchError::Redirects)?;
    }
    Err(FetchError::Redirects)
}

async fn get(url: &Url, reach: Reach) -> Result<Response, FetchError> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(FetchError::Scheme);
    }
    let host = url.host_str().ok_or(FetchError::Scheme)?;
    let port = url.port_or_known_default().ok_or(FetchError::Scheme)?;
    let found =
        tokio::net::lookup_host((host.trim_matches(['[', ']']), port)).await.map_err(|_| FetchError::Address)?;
    let allowed: Vec<SocketAddr> = found.filter(|address| reach.covers(address.ip())).collect();
    if allowed.is_empty() {
        return Err(FetchError::Address);
    }
    let failed = |error: reqwest::Error| FetchError::Http(error.without_url().to_string());
    let tls = ClientConfig::with_platform_verifier().map_err(|error| FetchError::Http(error.to_string()))?;
    let client = Client::builder()
        .tls_backend_preconfigured(tls)
        // The addresses that were looked at, and no other.
        .resolve_to_addrs(host, &allowed)
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("tidings/", env!("CARGO_PKG_VERSION"), " (link preview)"))
        .build()
        .map_err(failed)?;
    client.get(url.clone()).header(ACCEPT, "text/html, application/xhtml+xml").send().await.map_err(failed)
}

async fn read(response: Response) -> Result<String, FetchError> {
    if response.status() != StatusCode::OK {
        return Err(FetchError::Http(response.status().to_string()));
    }
    let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !kind.starts_with("text/html") && !kind.starts_with("application/xhtml+xml") {
        return Err(FetchError::NoPage);
    }
    let mut bytes = Vec::new();
    let mut stream = std::pin::pin!(chunks(response));
    while let Some(chunk) = stream.next().await {
        bytes.extend_from_slice(&chunk?);
        if bytes.len() >= PAGE_MAX_BYTES {
            bytes.truncate(PAGE_MAX_BYTES);
            break;
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn chunks(response: Response) -> impl futures_util::Stream<Item = Result<bytes::Bytes, FetchError>> {
    futures_util::stream::unfold(response, |mut response| async move {
        match response.chunk().await {
            Ok(Some(chunk)) => Some((Ok(chunk), response)),
            Ok(None) => None,
            Err(error) => Some((Err(FetchError::Http(error.without_url().to_string())), response)),
        }
    })
}

/// Whether everybody on the internet could reach it (IANA's registries of special-purpose addresses).
fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    let special = ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_documentation()
        || ip.is_multicast()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (18..20).contains(&b));
    !special
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    let segments = ip.segments();
    if let Some(inner) = ip.to_ipv4_mapped() {
        return is_public_v4(inner);
    }
    let inner = |high: u16, low: u16| is_public_v4(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)));
    match segments {
        // Addresses of version 4 in other clothes.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => inner(high, low),
        // Teredo, benchmarking, ORCHID and documentation.
        [0x2001, second, ..] if second < 0x200 || second == 0xdb8 => false,
        [0x3fff, second, ..] if second < 0x1000 => false,
        // All that is given out lies here.
        [first, ..] => (0x2000..0x4000).contains(&first),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    /// Answers every connection with this, then closes it.
    async fn serve(answer: &'static str) -> SocketAddr {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = [0; 2048];
                let _ = stream.read(&mut request).await;
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        address
    }

    fn url(address: SocketAddr) -> Url {
        Url::parse(&format!("http://{address}/")).unwrap()
    }

    #[tokio::test]
    async fn a_page_comes_within_bounds() {
        let html = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n<title>x</title>";
        let address = serve(html).await;
        assert_eq!(page(&url(address), Reach::Anywhere).await.unwrap(), "<title>x</title>");
        assert!(matches!(page(&url(address), Reach::Public).await, Err(FetchError::Address)), "not from a public text");
        let picture = serve("HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nConnection: close\r\n\r\nx").await;
        assert!(matches!(page(&url(picture), Reach::Anywhere).await, Err(FetchError::NoPage)));
        let circle = serve("HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").await;
        assert!(matches!(page(&url(circle), Reach::Anywhere).await, Err(FetchError::Redirects)));
        let away = serve("HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nConnection: close\r\n\r\n").await;
        assert!(matches!(page(&url(away), Reach::Anywhere).await, Err(FetchError::Scheme)));
    }

    #[test]
    fn only_public_addresses_are_public() {
        for ip in ["93.184.215.14", "1.1.1.1", "2606:4700::1111", "2a00:1450::1", "::ffff:1.1.1.1", "64:ff9b::101:101"]
        {
            assert!(is_public(ip.parse().unwrap()), "{ip}");
        }
        for ip in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "192.0.0.8",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fe80::1",
            "fd00::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "2001:db8::1",
            "2001::1",
            "::7f00:1",
        ] {
            assert!(!is_public(ip.parse().unwrap()), "{ip}");
        }
    }
}
