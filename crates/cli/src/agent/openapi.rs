//! The description of the API, and the page that shows it. Both may be read without the token.

use super::Agent;
use axum::Router;
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::middleware;
use axum::response::{Redirect, Response};
use axum::routing::get;
use bytes::Bytes;
use std::sync::Arc;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{Info, OpenApi};
use utoipa_swagger_ui::{Config, SwaggerUi};

const DESCRIPTION: &str = "\
A device of yours that programs of this machine use. It holds the keys: what it takes and gives is plain text, what \
leaves the machine is end-to-end encrypted. Every request needs `Authorization: Bearer TOKEN`; the agent prints in \
which file the token is.";

/// Nothing on the page asks a third party. Swagger UI writes styles into the page.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'",
);

pub fn finish(mut document: OpenApi) -> OpenApi {
    document.info = Info::new("Tidings agent", env!("CARGO_PKG_VERSION"));
    document.info.description = Some(DESCRIPTION.to_owned());
    let token = SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build());
    document.components.get_or_insert_default().add_security_scheme("token", token);
    document.security = Some(vec![SecurityRequirement::new("token", Vec::<String>::new())]);
    document
}

pub fn routes(document: OpenApi) -> Router<Arc<Agent>> {
    let json: Bytes = document.to_json().expect("the document serializes").into();
    let config = Config::from("/openapi.json").validator_url("none").try_it_out_enabled(true);
    let page: Router<Arc<Agent>> = SwaggerUi::new("/docs").config(config).into();
    page.layer(middleware::map_response(with_policy))
        .route("/openapi.json", get(move || std::future::ready(([(CONTENT_TYPE, "application/json")], json.clone()))))
        .route("/", get(|| async { Redirect::temporary("/docs/") }))
}

async fn with_policy(mut response: Response) -> Response {
    response.headers_mut().insert(CONTENT_SECURITY_POLICY, POLICY);
    response
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_description_does_not_change_unnoticed() {
        let (_, document) = crate::agent::api().split_for_parts();
        insta::assert_snapshot!(super::finish(document).to_pretty_json().unwrap());
    }
}
