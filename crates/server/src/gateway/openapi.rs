//! The OpenAPI 3.1 document at `/openapi.json`, kept in the repository as `docs/openapi.json`.

use tidings_proto::limit::BODY_MAX_BYTES;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{
    ComponentsBuilder, Content, Info, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, Ref, RefOr, Response,
    ResponseBuilder,
};

const PROBLEM_SCHEMA: &str = "#/components/schemas/Problem";
const PROBLEM_JSON: &str = "application/problem+json";

/// What stands above the endpoints.
pub fn base() -> OpenApi {
    let tag = |name: &str, text: &str| TagBuilder::new().name(name).description(Some(text)).build();
    let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    OpenApiBuilder::new()
        .info(info())
        .components(Some(ComponentsBuilder::new().security_scheme("access_token", bearer).build()))
        .security(Some([SecurityRequirement::new("access_token", Vec::<String>::new())]))
        .tags(Some([
            tag("account", "Signing up and in, devices, finding people."),
            tag("keys", "Credentials and key packages: what is needed to encrypt for a device."),
            tag("conversations", "Creating, appending, paging, receipts, blocking."),
            tag("groups", "Members, invite links, leaving."),
            tag("presence", "Online and last seen, and who sees them."),
            tag("backup", "Encrypted blobs, and the backup that they make up."),
            tag("sync", "Catching up and staying up to date: socket, long poll, cursors."),
        ]))
        .build()
}

fn info() -> Info {
    InfoBuilder::new()
        .title("Tidings")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(format!(
            "A private messenger that people run themselves. Payloads are end-to-end encrypted; the server moves bytes \
             that it cannot read.\n\nErrors are problem documents (RFC 9457) with a `code` from a closed set, listed \
             with what to do about each at [/docs/errors](/docs/errors). Where waiting helps there is `Retry-After`. \
             Bodies have at most {BODY_MAX_BYTES} bytes. Ids are UUIDs, payloads are base64 (RFC 4648, padded), times \
             are milliseconds since 1970."
        )))
        .license(Some(LicenseBuilder::new().name("MIT OR Apache-2.0").identifier(Some("MIT OR Apache-2.0")).build()))
        .build()
}

/// The socket's token comes in its first frame.
const SOCKET: &str = "/v1/socket";

/// What is the same for every endpoint: a unique operation id, a problem document for what else may go wrong, and problem
/// documents under their own media type.
pub fn finish(mut document: OpenApi) -> OpenApi {
    for (path, item) in &mut document.paths.paths {
        for (method, operation) in operations(item) {
            operation.operation_id = Some(operation_id(method, path));
            if path == SOCKET {
                operation.security = Some(Vec::new());
            }
            let responses = &mut operation.responses.responses;
            if !responses.contains_key("4XX") {
                responses.insert("default".into(), any_problem().into());
            }
            for response in operation.responses.responses.values_mut() {
                if let RefOr::T(response) = response {
                    rename_problem(response);
                }
            }
        }
    }
    document
}

fn any_problem() -> Response {
    let schema = Ref::new(PROBLEM_SCHEMA);
    ResponseBuilder::new()
        .description("What else may go wrong: see /docs/errors.")
        .content(PROBLEM_JSON, Content::new(Some(schema)))
        .build()
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = (&'static str, &mut Operation)> {
    let all = [("get", &mut item.get), ("put", &mut item.put), ("post", &mut item.post), ("delete", &mut item.delete)];
    all.into_iter().filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}

/// `POST /v1/accounts/{id}/key-packages/claim` is `post_accounts_id_key_packages_claim`.
fn operation_id(method: &str, path: &str) -> String {
    let words =
        path.trim_start_matches("/v1").split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.fold(method.to_owned(), |id, word| format!("{id}_{word}"))
}

fn rename_problem(response: &mut Response) {
    let is_problem = |content: &RefOr<Content>| match content {
        RefOr::T(Content { schema: Some(RefOr::Ref(schema)), .. }) => schema.ref_location == PROBLEM_SCHEMA,
        _ => false,
    };
    if response.content.get("application/json").is_some_and(is_problem)
        && let Some(content) = response.content.swap_remove("application/json")
    {
        response.content.insert(PROBLEM_JSON.to_owned(), content);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn document() -> OpenApi {
        finish(super::super::routes::api().into_openapi())
    }

    #[test]
    fn the_stored_document_is_what_the_routes_say() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");
        let text = document().to_pretty_json().unwrap() + "\n";
        if std::env::var_os("UPDATE_GENERATED").is_some() {
            std::fs::write(path, &text).unwrap();
        }
        let stored = std::fs::read_to_string(path).unwrap_or_default();
        assert!(stored == text, "docs/openapi.json is stale; run this test with UPDATE_GENERATED=1");
    }

    #[test]
    fn every_reference_leads_somewhere_and_every_operation_has_its_own_id() {
        let document = serde_json::to_value(document()).unwrap();
        assert_eq!(document["openapi"], "3.1.0");
        let mut references = BTreeSet::new();
        collect(&document, &mut references);
        assert!(references.contains(PROBLEM_SCHEMA));
        for reference in references {
            let pointer = reference.trim_start_matches('#');
            assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
        }
        let mut ids = BTreeSet::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                let id = operation["operationId"].as_str().unwrap().to_owned();
                assert!(ids.insert(id.clone()), "{method} {path}: {id} is taken");
            }
        }
    }

    fn collect(value: &serde_json::Value, into: &mut BTreeSet<String>) {
        match value {
            serde_json::Value::Object(map) => {
                if let Some(serde_json::Value::String(reference)) = map.get("$ref") {
                    into.insert(reference.clone());
                }
                map.values().for_each(|value| collect(value, into));
            }
            serde_json::Value::Array(values) => values.iter().for_each(|value| collect(value, into)),
            _ => {}
        }
    }
}
