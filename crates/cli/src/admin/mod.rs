//! `tidings admin`: for whoever runs a server, on the machine that it runs on.

mod retention;

use crate::failure::Failure;

#[derive(clap::Args, Debug)]
pub struct Admin {
    #[command(subcommand)]
    which: Which,
}

#[derive(clap::Subcommand, Debug)]
enum Which {
    /// Show how old the oldest stored messages are, and how much is stored
    Retention(retention::Retention),
}

impl Admin {
    pub fn run(self) -> Result<(), Failure> {
        match self.which {
            Which::Retention(it) => it.run(),
        }
    }
}
