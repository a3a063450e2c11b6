//! Stories with whole clients over a server in memory.

mod backup;
mod block;
mod chat_content;
mod chat_state;
mod devices;
mod faults;
mod group_faults;
mod groups;
mod heal;
mod newcomers;
mod people;
mod presence;
mod receipt;
mod rotate;
mod search;
mod server;
mod server_backup;
mod server_group;
mod server_group_http;
mod server_link;
mod server_presence;
mod signing_in;
mod talk;
mod timer;
mod types;
mod world;
