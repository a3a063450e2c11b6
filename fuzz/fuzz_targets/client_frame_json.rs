//! What a client sends to the server over a WebSocket, in JSON.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tidings_fuzz::same_after_a_round_trip;
use tidings_proto::codec::Format;
use tidings_proto::frame::ClientFrame;

fuzz_target!(|bytes: &[u8]| same_after_a_round_trip::<ClientFrame>(Format::Json, bytes));
