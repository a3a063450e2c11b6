//! Writes well-formed inputs into the corpus of each target: `cargo run --all-features --bin seeds` in this folder.

use std::fs;
use std::path::Path;
use tidings_fuzz::sample;
use tidings_proto::codec::Format;

fn main() -> std::io::Result<()> {
    let encode = |format: Format| move |frame: &_| format.encode::<tidings_proto::frame::ClientFrame>(frame).to_vec();
    let encode_server =
        |format: Format| move |frame: &_| format.encode::<tidings_proto::frame::ServerFrame>(frame).to_vec();
    write("client_frame_cbor", sample::client_frames().iter().map(encode(Format::Cbor)))?;
    write("client_frame_json", sample::client_frames().iter().map(encode(Format::Json)))?;
    write("server_frame_cbor", sample::server_frames().iter().map(encode_server(Format::Cbor)))?;
    write("server_frame_json", sample::server_frames().iter().map(encode_server(Format::Json)))?;
    write("stored_entry", sample::stored_entries().into_iter())?;
    write("http_body", sample::bodies().into_iter())?;
    write("credential", sample::credentials().into_iter())?;
    #[cfg(feature = "client")]
    {
        write("content", sample::contents().into_iter())?;
        write("archive", sample::archives().into_iter())?;
        write("link", sample::pasted().into_iter())?;
        write("vcard", sample::VCARDS.iter().map(|card| card.as_bytes().to_vec()))?;
        for (target, seeds) in tidings_fuzz::mls::samples() {
            write(target, seeds.into_iter())?;
        }
    }
    Ok(())
}

fn write(target: &str, seeds: impl Iterator<Item = Vec<u8>>) -> std::io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    fs::create_dir_all(&folder)?;
    for (number, seed) in seeds.enumerate() {
        fs::write(folder.join(format!("seed-{number}")), seed)?;
    }
    Ok(())
}
