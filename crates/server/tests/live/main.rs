//! Stories of the live path, over real sockets with opaque payloads.

mod appends;
mod bad_input;
mod blocks;
mod catching_up;
mod commits;
mod consent;
mod deletions;
mod delivery;
mod ending;
mod failures;
mod gone;
mod groups;
mod invites;
mod member;
mod mls;
mod peer;
mod presence;
mod receipts;
mod retention;
mod world;
