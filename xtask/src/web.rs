//! `cargo xtask web`: the web app. The client core becomes WebAssembly, wasm-bindgen writes its door, Vite bundles the
//! page into web/dist, and every file gets a compressed twin. The server embeds that folder.
//!
//! Done again only when something that it is made of changed: the inputs' hash stands in web/dist/.stamp.

mod compress;
mod stamp;

use crate::cargo::cargo;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use wasm_bindgen_cli_support::Bindgen;

const TARGET: &str = "wasm32-unknown-unknown";
const NAME: &str = "tidings_browser";
/// Vite 8 needs this.
const NODE_MIN: (u32, u32) = (20, 19);

#[derive(clap::Args)]
pub struct Web {
    /// If something that it needs is missing, say so and end well: the server then says how to get the web app
    #[arg(long)]
    optional: bool,
    /// Compile faster, for tests: a larger download, not held to its budget
    #[arg(long)]
    quick: bool,
    /// Also if nothing changed
    #[arg(long)]
    force: bool,
}

/// What went wrong, for people.
pub type Result<T> = std::result::Result<T, String>;

impl Web {
    pub fn run(self) -> ExitCode {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        match self.build(&root) {
            Ok(()) => ExitCode::SUCCESS,
            Err(wrong) if self.optional => {
                eprintln!("The web app was not built: {wrong}");
                eprintln!("Everything else works; the server's page says how to get the web app.");
                ExitCode::SUCCESS
            }
            Err(wrong) => {
                eprintln!("The web app was not built: {wrong}");
                ExitCode::FAILURE
            }
        }
    }

    fn build(&self, root: &Path) -> Result<()> {
        let whole = stamp::of(root)?;
        let stamp = if self.quick { format!("{whole} quick") } else { whole.clone() };
        let dist = root.join("web/dist");
        // Who asks for a quick one is well served with a whole one.
        if !self.force && (stamp::is(&dist, &whole) || stamp::is(&dist, &stamp)) {
            return Ok(());
        }
        needs(root)?;
        core(root, if self.quick { "web-quick" } else { "web" })?;
        clear(&dist)?;
        page(root)?;
        compress::all(&dist, self.quick)?;
        stamp::write(&dist, &stamp)
    }
}

/// What building it needs besides Rust.
fn needs(root: &Path) -> Result<()> {
    let node = Command::new("node").arg("--version").output();
    let version = node.ok().and_then(|output| String::from_utf8(output.stdout).ok()).unwrap_or_default();
    let mut parts = version.trim().trim_start_matches('v').split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    let found = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    if found < NODE_MIN {
        let (major, minor) = NODE_MIN;
        return Err(format!("it needs Node.js {major}.{minor} or newer with npm (https://nodejs.org)"));
    }
    if Command::new("clang").arg("--version").output().is_err() {
        return Err("it needs clang, to make SQLite into WebAssembly (Debian and Ubuntu: apt-get install clang)".into());
    }
    let lock = root.join("web/package-lock.json");
    let installed = root.join("web/node_modules/.package-lock.json");
    let fresh = |a: &Path, b: &Path| Some(a.metadata().ok()?.modified().ok()? >= b.metadata().ok()?.modified().ok()?);
    if fresh(&installed, &lock) != Some(true) {
        run(Command::new("npm").args(["ci", "--no-audit", "--no-fund"]).current_dir(root.join("web")))?;
    }
    // Where rustup is, it brings the target; elsewhere the compiler says what it lacks.
    let _ = Command::new("rustup").args(["target", "add", TARGET]).output();
    Ok(())
}

/// The core as WebAssembly, and the JavaScript that calls it, into web/src/worker/core.
fn core(root: &Path, profile: &str) -> Result<()> {
    run(cargo()
        .args(["build", "--package", "tidings-browser", "--profile", profile, "--target", TARGET])
        .current_dir(root))?;
    let wasm = target_folder(root).join(TARGET).join(profile).join(format!("{NAME}.wasm"));
    let out = root.join("web/src/worker/core");
    let mut bindgen = Bindgen::new();
    bindgen.input_path(&wasm).typescript(true).remove_name_section(true).remove_producers_section(true);
    bindgen.web(true).and_then(|bindgen| bindgen.generate(&out)).map_err(|error| format!("wasm-bindgen: {error:#}"))?;
    let bound = out.join(format!("{NAME}_bg.wasm"));
    let optimizer = root.join("web/node_modules/.bin/wasm-opt");
    if optimizer.exists() {
        run(Command::new(optimizer).arg("-Os").arg("--all-features").arg(&bound).arg("-o").arg(&bound))?;
    }
    Ok(())
}

fn target_folder(root: &Path) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from)
}

fn page(root: &Path) -> Result<()> {
    run(Command::new("npm").args(["run", "--silent", "build"]).current_dir(root.join("web")))
}

/// Takes away what was built before. `.gitignore` keeps the folder in the repository.
fn clear(dist: &Path) -> Result<()> {
    let wrong = |error: std::io::Error| format!("{}: {error}", dist.display());
    for entry in fs::read_dir(dist).map_err(wrong)? {
        let path = entry.map_err(wrong)?.path();
        if path.file_name().is_some_and(|name| name == ".gitignore") {
            continue;
        }
        if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) }.map_err(wrong)?;
    }
    Ok(())
}

fn run(command: &mut Command) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{name} failed ({status})")),
        Err(error) => Err(format!("{name} cannot be run: {error}")),
    }
}
