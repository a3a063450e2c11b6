//! `tidings admin`: for whoever runs a server, on the machine that it runs on.

mod account;
mod place;
mod reports;
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
    /// Show what is stored of an account, and prove that nothing is left of one that was deleted
    Account(account::Account),
    /// Read what people reported
    Reports(reports::Reports),
}

impl Admin {
    pub fn run(self) -> Result<(), Failure> {
        match self.which {
            Which::Retention(it) => it.run(),
            Which::Account(it) => it.run(),
            Which::Reports(it) => it.run(),
        }
    }
}
