//! Brotli twins of the bundle's files, made once and served as they are; and their sizes, held to the budget.

use super::Result;
use std::fs;
use std::path::Path;

const QUALITY: i32 = 11;
/// Of what only tests load.
const QUICK_QUALITY: i32 = 4;
const WINDOW_BITS: i32 = 24;
/// Smaller files are not worth it.
const MIN_BYTES: usize = 512;
/// What the first load may weigh, compressed.
const PAGE_MAX_BYTES: usize = 250 * 1024;
const CORE_MAX_BYTES: usize = 1536 * 1024;

/// What is `quick` was not made to be small: of it, only the page is held to its budget.
pub fn all(dist: &Path, quick: bool) -> Result<()> {
    let mut sizes = Sizes::default();
    folder(dist, if quick { QUICK_QUALITY } else { QUALITY }, &mut sizes)?;
    let Sizes { page, core } = sizes;
    println!("web: {} KB of scripts and styles, {} KB of WebAssembly (brotli)", page / 1024, core / 1024);
    if page > PAGE_MAX_BYTES || (core > CORE_MAX_BYTES && !quick) {
        return Err(format!("too heavy: at most {PAGE_MAX_BYTES} and {CORE_MAX_BYTES} bytes"));
    }
    Ok(())
}

#[derive(Default)]
struct Sizes {
    page: usize,
    core: usize,
}

fn folder(path: &Path, quality: i32, sizes: &mut Sizes) -> Result<()> {
    let wrong = |error: std::io::Error| error.to_string();
    for entry in fs::read_dir(path).map_err(wrong)? {
        let path = entry.map_err(wrong)?.path();
        if path.is_dir() {
            folder(&path, quality, sizes)?;
            continue;
        }
        let extension = path.extension().and_then(|text| text.to_str()).unwrap_or_default().to_owned();
        if !["js", "css", "html", "wasm", "svg", "webmanifest"].contains(&extension.as_str()) {
            continue;
        }
        let bytes = fs::read(&path).map_err(wrong)?;
        let mut small = Vec::new();
        let params = brotli::enc::BrotliEncoderParams {
            quality,
            lgwin: WINDOW_BITS,
            size_hint: bytes.len(),
            ..Default::default()
        };
        brotli::BrotliCompress(&mut bytes.as_slice(), &mut small, &params).map_err(wrong)?;
        match extension.as_str() {
            "wasm" => sizes.core += small.len(),
            "js" | "css" => sizes.page += small.len(),
            _ => {}
        }
        if bytes.len() >= MIN_BYTES {
            fs::write(path.with_extension(format!("{extension}.br")), small).map_err(wrong)?;
        }
    }
    Ok(())
}
