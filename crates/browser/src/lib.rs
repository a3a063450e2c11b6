//! The client core's door for browsers: WebAssembly that lives in a dedicated worker (web/src/worker).
//!
//! No logic is in here. `Core` takes an input and gives back the outputs, as `tidings_client::Client::handle` does;
//! the worker carries them out. Commands, replies and events cross as JSON, in the same types as everywhere; frames
//! cross as the CBOR bytes that the socket carries.
//!
//! * `open`: the database, encrypted, in the browser's private file system (OPFS). * `outputs`: what a call gives back.

#![cfg(target_family = "wasm")]

mod open;
mod outputs;

use js_sys::{Array, Uint8Array};
use tidings_client::io::HttpOutcome;
use tidings_client::{Client, Command, Input, Options};
use tidings_proto::codec::Format;
use tidings_proto::frame::ServerFrame;
use wasm_bindgen::prelude::*;
use zeroize::Zeroizing;

/// One device of one person. Every method gives a list of outputs; see [`outputs`].
#[wasm_bindgen]
pub struct Core {
    client: Client,
}

#[wasm_bindgen]
impl Core {
    /// Opens or makes the database. Fails with the error's text.
    pub async fn open(key: Vec<u8>, name: Option<String>) -> Result<Core, JsError> {
        console_error_panic_hook::set_once();
        let db = open::database(Zeroizing::new(key)).await.map_err(|error| JsError::new(&error))?;
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|error| JsError::new(&error.to_string()))?;
        let mut options = Options::new(seed);
        options.name = name;
        let client = Client::open(db, options).map_err(|error| JsError::new(&error.to_string()))?;
        Ok(Self { client })
    }

    pub fn tick(&mut self, now_ms: f64) -> Array {
        self.handle(Input::Tick, now_ms)
    }

    /// `command` is the JSON of a `Command`; one that is not understood throws.
    pub fn command(&mut self, id: f64, command: &str, now_ms: f64) -> Result<Array, JsError> {
        let command: Command = serde_json::from_str(command).map_err(|error| JsError::new(&error.to_string()))?;
        Ok(self.handle(Input::Command { id: id as u64, command }, now_ms))
    }

    pub fn connected(&mut self, now_ms: f64) -> Array {
        self.handle(Input::Connected, now_ms)
    }

    pub fn disconnected(&mut self, now_ms: f64) -> Array {
        self.handle(Input::Disconnected, now_ms)
    }

    /// Messages of the socket, in order. One of a newer server that is not understood is left out: what is lost with
    /// it, gap detection finds.
    pub fn frames(&mut self, frames: Vec<Uint8Array>, now_ms: f64) -> Array {
        let frames: Vec<ServerFrame> =
            frames.iter().filter_map(|bytes| Format::Cbor.decode(&bytes.to_vec()).ok()).collect();
        self.handle(Input::Frames(frames), now_ms)
    }

    pub fn answered(&mut self, id: f64, status: u16, body: Vec<u8>, now_ms: f64) -> Array {
        let outcome = HttpOutcome::Answer { status, body };
        self.handle(Input::Response { id: id as u64, outcome }, now_ms)
    }

    pub fn lost(&mut self, id: f64, now_ms: f64) -> Array {
        self.handle(Input::Response { id: id as u64, outcome: HttpOutcome::Lost }, now_ms)
    }

    #[wasm_bindgen(js_name = networkChanged)]
    pub fn network_changed(&mut self, now_ms: f64) -> Array {
        self.handle(Input::NetworkChanged, now_ms)
    }
}

impl Core {
    fn handle(&mut self, input: Input, now_ms: f64) -> Array {
        self.client.handle(input, now_ms as u64).into_iter().map(outputs::to_js).collect()
    }
}
