//! Stories with whole clients over a server in memory.

mod server;
mod talk;
mod world;
