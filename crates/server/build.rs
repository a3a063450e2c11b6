//! Lists the files of the web app (web/dist, made by `cargo xtask web`) for src/gateway/web.rs. Without them the server
//! builds too, and its page says how to get the web app.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    let dist = Path::new(&env::var("CARGO_MANIFEST_DIR").expect("Cargo sets it")).join("../../web/dist");
    println!("cargo:rerun-if-changed={}", dist.display());
    println!("cargo:rerun-if-changed=build.rs");
    let mut files = Vec::new();
    // The stamp is written last: without it, the bundle is not whole.
    if dist.join(".stamp").exists() {
        collect(&dist, &mut files);
    }
    files.sort();
    let mut list = String::from("&[\n");
    for file in &files {
        let name = file.strip_prefix(&dist).expect("it was found there").to_string_lossy().replace('\\', "/");
        let small = file.with_file_name(format!("{}.br", file.file_name().unwrap_or_default().to_string_lossy()));
        let small = if small.exists() { format!("Some(include_bytes!({small:?}))") } else { "None".into() };
        writeln!(list, "    Asset {{ name: {name:?}, bytes: include_bytes!({file:?}), brotli: {small} }},")
            .expect("writing to a string does not fail");
    }
    list.push_str("]\n");
    let out = Path::new(&env::var("OUT_DIR").expect("Cargo sets it")).join("web_assets.rs");
    fs::write(out, list).expect("the build's own folder can be written");
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder that was just seen").flatten() {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if path.is_dir() {
            collect(&path, files);
        } else if !name.starts_with('.') && !name.ends_with(".br") {
            files.push(path);
        }
    }
}
