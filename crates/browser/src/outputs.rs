//! What a call gives back: a list of `[name, …]`, to be carried out in order.
//!
//! | output | with |
//! |---|---|
//! | `connect`, `disconnect` | |
//! | `send` | the message for the socket, as bytes |
//! | `request` | id, method, path, content type or null, body, bearer or null |
//! | `reply` | id, whether it went well, JSON of the `Reply` or the `ClientError` |
//! | `event` | JSON of the `Event` |
//! | `wake` | when, in milliseconds since 1970 |

use js_sys::{Array, Uint8Array};
use serde::Serialize;
use tidings_client::Output;
use tidings_client::io::{HttpBody, HttpRequest, Method};
use tidings_proto::codec::Format;
use wasm_bindgen::JsValue;

pub fn to_js(output: Output) -> Array {
    match output {
        Output::Connect => list(["connect".into()]),
        Output::Disconnect => list(["disconnect".into()]),
        Output::Send(frame) => {
            let bytes = Format::Cbor.encode(&frame);
            list(["send".into(), Uint8Array::from(bytes.as_ref()).into()])
        }
        Output::Request(request) => ask(request),
        Output::Reply { id, result } => {
            let (well, json) = match result {
                Ok(reply) => (true, json(&reply)),
                Err(error) => (false, json(&error)),
            };
            list(["reply".into(), number(id), well.into(), json])
        }
        Output::Event(event) => list(["event".into(), json(&event)]),
        Output::WakeAt(at_ms) => list(["wake".into(), number(at_ms)]),
    }
}

fn ask(request: HttpRequest) -> Array {
    let method = match request.method {
        Method::Get => "GET",
        Method::Post => "POST",
        Method::Put => "PUT",
        Method::Delete => "DELETE",
    };
    let (content_type, body): (JsValue, JsValue) = match request.body {
        HttpBody::Empty => (JsValue::NULL, JsValue::NULL),
        HttpBody::Json(body) => ("application/json".into(), Uint8Array::from(body.as_slice()).into()),
        HttpBody::Bytes(body) => ("application/octet-stream".into(), Uint8Array::from(body.as_slice()).into()),
        HttpBody::Form(body) => ("application/x-www-form-urlencoded".into(), body.into()),
    };
    let bearer = request.bearer.map_or(JsValue::NULL, JsValue::from);
    list(["request".into(), number(request.id), method.into(), request.path.into(), content_type, body, bearer])
}

fn list<const N: usize>(items: [JsValue; N]) -> Array {
    items.into_iter().collect()
}

fn json(value: &impl Serialize) -> JsValue {
    serde_json::to_string(value).expect("our types always serialize").into()
}

/// Ids count from one and times are far below 2^53.
fn number(value: u64) -> JsValue {
    JsValue::from_f64(value as f64)
}
