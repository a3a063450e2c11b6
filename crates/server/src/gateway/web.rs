//! The web app, from the binary itself: the files of web/dist, with brotli twins made at the build. Files whose names
//! follow from their content are kept by browsers for ever; the others are asked for again every time.
//!
//! Without a built web app, the front page says what runs here and how to get it.

use crate::server::Server;
use axum::Router;
use axum::http::StatusCode;
use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderMap,
    HeaderName, HeaderValue, IF_NONE_MATCH, REFERRER_POLICY, VARY,
};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use sha2::{Digest, Sha256};
use std::sync::Arc;

struct Asset {
    name: &'static str,
    bytes: &'static [u8],
    brotli: Option<&'static [u8]>,
}

static ASSETS: &[Asset] = include!(concat!(env!("OUT_DIR"), "/web_assets.rs"));

const PAGE: &str = "index.html";
/// Where invite links lead. Their secret stands behind the `#`, which browsers do not send.
const INVITE: &str = "/join";
/// The bundler's folder: what is in it is named by its content.
const HASHED: &str = "assets/";

/// Scripts only from here and none in the page; WebAssembly may be compiled, text may not become code. No other server
/// is asked for anything, and nobody may frame the page.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; style-src 'self'; img-src 'self' blob:; \
     connect-src 'self'; manifest-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'; \
     require-trusted-types-for 'script'; trusted-types tidings svelte-trusted-html",
);
const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
const ASK_AGAIN: HeaderValue = HeaderValue::from_static("no-cache");
const NO_REFERRER: HeaderValue = HeaderValue::from_static("no-referrer");
/// The page is nobody's opener, and shares its process with no other origin.
const OPENER_POLICY: (HeaderName, HeaderValue) =
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin"));

pub fn routes() -> Router<Arc<Server>> {
    let about = get(|| std::future::ready(Html(include_str!("front.html"))));
    let mut router = Router::new().route("/about", about.clone());
    if !ASSETS.iter().any(|asset| asset.name == PAGE) {
        return router.route("/", about);
    }
    for asset in ASSETS {
        let path = if asset.name == PAGE { "/".to_owned() } else { format!("/{}", asset.name) };
        let etag = etag(asset);
        let serve = get(move |headers: HeaderMap| std::future::ready(answer(asset, &etag, &headers)));
        if asset.name == PAGE {
            router = router.route(INVITE, serve.clone());
        }
        router = router.route(&path, serve);
    }
    router
}

fn etag(asset: &Asset) -> HeaderValue {
    let hash = Sha256::digest(asset.bytes);
    let hex: String = hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    HeaderValue::from_str(&format!("\"{hex}\"")).expect("hex digits are a valid header")
}

fn answer(asset: &'static Asset, etag: &HeaderValue, asked: &HeaderMap) -> Response {
    let hashed = asset.name.starts_with(HASHED);
    let mut headers = HeaderMap::new();
    headers.insert(CACHE_CONTROL, if hashed { FOR_EVER } else { ASK_AGAIN });
    headers.insert(ETAG, etag.clone());
    headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    if asked.get(IF_NONE_MATCH) == Some(etag) {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type(asset.name)));
    // Also of workers: they have a policy of their own.
    headers.insert(CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(REFERRER_POLICY, NO_REFERRER);
    headers.insert(OPENER_POLICY.0, OPENER_POLICY.1);
    let brotli = asset.brotli.filter(|_| takes_brotli(asked));
    if brotli.is_some() {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("br"));
    }
    (headers, brotli.unwrap_or(asset.bytes)).into_response()
}

fn takes_brotli(asked: &HeaderMap) -> bool {
    let accepted = asked.get(ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
    accepted.split(',').any(|item| {
        let mut parts = item.split(';').map(str::trim);
        parts.next() == Some("br") && !parts.any(|part| matches!(part, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
    })
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "wasm" => "application/wasm",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "webmanifest" => "application/manifest+json",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static SCRIPT: Asset = Asset { name: "assets/app-1.js", bytes: b"let a = 1", brotli: Some(b"small") };
    static PAGE: Asset = Asset { name: "index.html", bytes: b"<p>", brotli: None };

    fn asked(name: HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())])
    }

    #[test]
    fn browsers_keep_what_is_named_by_its_content_and_ask_for_the_rest() {
        let none = HeaderMap::new();
        assert_eq!(answer(&SCRIPT, &etag(&SCRIPT), &none).headers()[CACHE_CONTROL], FOR_EVER);
        assert_eq!(answer(&PAGE, &etag(&PAGE), &none).headers()[CACHE_CONTROL], ASK_AGAIN);
        let known = asked(IF_NONE_MATCH, etag(&PAGE).to_str().unwrap());
        assert_eq!(answer(&PAGE, &etag(&PAGE), &known).status(), StatusCode::NOT_MODIFIED);
    }

    #[test]
    fn the_compressed_twin_goes_to_those_who_take_it() {
        let encoding = |accepted: &str| {
            let response = answer(&SCRIPT, &etag(&SCRIPT), &asked(ACCEPT_ENCODING, accepted));
            response.headers().get(CONTENT_ENCODING).cloned()
        };
        assert_eq!(encoding("gzip, deflate, br, zstd"), Some(HeaderValue::from_static("br")));
        assert_eq!(encoding("gzip"), None);
        assert_eq!(encoding("br;q=0, gzip"), None);
    }
}
