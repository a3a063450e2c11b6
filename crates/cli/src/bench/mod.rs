//! `tidings bench`: drives a server and says what it takes.

use crate::failure::Failure;

#[derive(clap::Args)]
pub struct Args {}

pub fn run(_args: Args) -> Result<(), Failure> {
    Err(Failure::new("there is no benchmark in this build"))
}
