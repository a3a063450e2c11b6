//! Stories with whole clients over a server in memory.

mod block;
mod faults;
mod heal;
mod people;
mod receipt;
mod server;
mod signing_in;
mod talk;
mod world;
