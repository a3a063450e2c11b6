//! Groups: who is in, what they may do, how one comes in and goes.
//!
//! A change of a group is an *intent* ("add these people"), stored before anything happens. The durable job of the
//! conversation works the intents off in order: each is turned into a commit from the group as it is then, and if
//! somebody else's commit was faster, into another one. What a commit in the log means is said in `membership`.
//!
//! * [`command`]: what people ask for. * [`intent`]: what is to be done. * [`work`]: the job. * [`claim`]: the key packages
//!   for who is added. * [`member`]: who is in. * [`notice`]: what is said of it in the chat.
//! * [`welcome`]: coming in because somebody added one. * [`invite`]: links. * [`join`]: coming in by one.
//!   * [`leave`]: going. * [`profile`]: name, picture, description. * [`repair`]: after a commit that nobody can follow.

pub(crate) mod claim;
pub(crate) mod command;
pub(crate) mod intent;
pub(crate) mod invite;
pub(crate) mod join;
pub(crate) mod leave;
pub(crate) mod member;
pub(crate) mod notice;
pub(crate) mod profile;
pub(crate) mod repair;
pub(crate) mod welcome;
pub(crate) mod work;
