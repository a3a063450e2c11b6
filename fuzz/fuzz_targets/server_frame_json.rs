//! What a server sends to the client over a WebSocket, in JSON.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tidings_fuzz::same_after_a_round_trip;
use tidings_proto::codec::Format;
use tidings_proto::frame::ServerFrame;

fuzz_target!(|bytes: &[u8]| same_after_a_round_trip::<ServerFrame>(Format::Json, bytes));
