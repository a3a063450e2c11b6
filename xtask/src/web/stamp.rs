//! The hash of everything that the web app is made of.

use super::Result;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

const INPUTS: &[&str] = &[
    "Cargo.lock",
    "Cargo.toml",
    "crates/browser",
    "crates/client/Cargo.toml",
    "crates/client/src",
    "crates/proto/Cargo.toml",
    "crates/proto/src",
    "rust-toolchain.toml",
    "web",
    "xtask/src/web",
    "xtask/src/web.rs",
];
/// Made, not written.
const OUTPUTS: &[&str] = &["node_modules", "dist", "core", "e2e", "test-results", "tests", "snapshots"];
const FILE: &str = ".stamp";

pub fn of(root: &Path) -> Result<String> {
    let mut files = Vec::new();
    for input in INPUTS {
        collect(&root.join(input), &mut files)?;
    }
    files.sort();
    let mut hasher = DefaultHasher::new();
    for file in files {
        file.strip_prefix(root).unwrap_or(&file).hash(&mut hasher);
        fs::read(&file).map_err(|error| format!("{}: {error}", file.display()))?.hash(&mut hasher);
    }
    Ok(format!("{:016x}", hasher.finish()))
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let wrong = |error: std::io::Error| format!("{}: {error}", path.display());
    if path.is_file() {
        files.push(path.to_owned());
        return Ok(());
    }
    for entry in fs::read_dir(path).map_err(wrong)? {
        let entry = entry.map_err(wrong)?;
        let output = entry.path().is_dir() && OUTPUTS.iter().any(|name| entry.file_name() == *name);
        // The core's own room has the name of its output: only what wasm-bindgen makes is left out.
        let written = entry.path().ends_with("src/lib/core");
        if !output || written {
            collect(&entry.path(), files)?;
        }
    }
    Ok(())
}

pub fn is(dist: &Path, stamp: &str) -> bool {
    fs::read_to_string(dist.join(FILE)).is_ok_and(|found| found == stamp)
}

pub fn write(dist: &Path, stamp: &str) -> Result<()> {
    fs::write(dist.join(FILE), stamp).map_err(|error| error.to_string())
}
