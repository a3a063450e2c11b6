//! The page's types, web/src/lib/core/types.ts, are made of ours. Stale ones fail the test; UPDATE_TYPES=1 writes them.

use crate::{ClientError, Command, Event, Reply};
use std::collections::BTreeMap;
use std::path::Path;
use ts_rs::{Config, TS, TypeVisitor};

const HEAD: &str = "\
// Made from the Rust types of crates/client: `UPDATE_TYPES=1 cargo test -p tidings-client types`. Do not edit.
// Times are milliseconds since 1970. A `seq` of what is not sent yet is beyond what a number holds exactly.
";

/// Declarations by name, of a type and all that it is made of.
struct Collected {
    config: Config,
    found: BTreeMap<String, String>,
}

impl TypeVisitor for Collected {
    fn visit<T: TS + 'static + ?Sized>(&mut self) {
        // Only what has a place of its own has a declaration; the rest is built in.
        if T::output_path().is_some() {
            let name = T::ident(&self.config);
            if self.found.contains_key(&name) {
                return;
            }
            let declaration = format!("{}export {}\n", T::docs().unwrap_or_default(), T::decl(&self.config));
            self.found.insert(name, declaration);
        }
        T::visit_dependencies(self);
        T::visit_generics(self);
    }
}

#[test]
fn the_types_of_the_page_are_fresh() {
    let mut collected = Collected { config: Config::new().with_large_int("number"), found: BTreeMap::new() };
    collected.visit::<Command>();
    collected.visit::<Reply>();
    collected.visit::<Event>();
    collected.visit::<ClientError>();
    let types: Vec<String> = collected.found.into_values().collect();
    let fresh = format!("{HEAD}\n{}", types.join("\n"));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../web/src/lib/core/types.ts");
    if std::env::var_os("UPDATE_TYPES").is_some() {
        std::fs::create_dir_all(path.parent().expect("the file is in a folder")).unwrap();
        std::fs::write(&path, &fresh).unwrap();
    }
    let checked_in = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        checked_in == fresh,
        "web/src/lib/core/types.ts is stale: run UPDATE_TYPES=1 cargo test -p tidings-client types, and look at it"
    );
}
