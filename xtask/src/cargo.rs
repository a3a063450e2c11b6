//! Cargo, run by a program that Cargo runs.

use std::process::Command;

/// What Cargo tells the program that it runs. Build scripts that look at these (that of `ring`) would take the nested
/// run for another one, and everything above them would be compiled anew, back and forth.
const ABOUT_US: [&str; 5] =
    ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_CRATE_NAME", "CARGO_BIN_NAME", "CARGO_PRIMARY_PACKAGE"];

/// The Cargo that built this program.
pub fn cargo() -> Command {
    let mut command = Command::new(env!("CARGO"));
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| ABOUT_US.iter().any(|prefix| name.starts_with(prefix))) {
            command.env_remove(name);
        }
    }
    command
}
