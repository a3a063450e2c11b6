//! Stories with whole clients over a server in memory.

mod block;
mod chat_state;
mod faults;
mod group_faults;
mod groups;
mod heal;
mod people;
mod receipt;
mod server;
mod server_group;
mod server_group_http;
mod signing_in;
mod talk;
mod types;
mod world;
