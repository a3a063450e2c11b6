//! The guest's side of the door.

use super::door::{self, Asked, Greeting, Lines, Told};
use super::seat::Left;
use super::{Call, Ends, raised};
use crate::failure::Failure;
use std::collections::{HashMap, VecDeque};
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;
use tokio::net::UnixStream;
use tokio::net::unix::OwnedWriteHalf;
use tokio::time::timeout;

const GREETING_TIMEOUT: Duration = Duration::from_secs(10);

/// Another process holds the account; this one asks it.
pub struct Guest {
    lines: Lines,
    writer: OwnedWriteHalf,
}

/// Enters through the door; `None` if there is none (yet, or any more).
pub async fn join(folder: &Path) -> Result<Option<Guest>, Failure> {
    let Ok(stream) = UnixStream::connect(door::path(folder)).await else { return Ok(None) };
    let (reader, writer) = stream.into_split();
    let mut lines = Lines::new(reader);
    let other_version = || {
        Failure::with("another tidings process of a different version holds this account", "End it, then try again.")
    };
    match timeout(GREETING_TIMEOUT, lines.next::<Greeting>()).await {
        Ok(Ok(Some(Greeting { tidings_door: door::VERSION }))) => Ok(Some(Guest { lines, writer })),
        Ok(Ok(Some(_))) => Err(other_version()),
        Ok(Err(error)) if error.kind() == ErrorKind::InvalidData => Err(other_version()),
        // It left while we came in, or it is stuck: the caller asks again for a while.
        _ => Ok(None),
    }
}

/// A command on its way.
struct Pending {
    call: Call,
    taken: bool,
}

impl Guest {
    pub async fn run(mut self, ends: &mut Ends) -> Left {
        let mut next_id = 0;
        let mut pending: HashMap<u64, Pending> = HashMap::new();
        loop {
            tokio::select! {
                () = raised(&mut ends.stop) => return Left::Stopped,
                Some(call) = ends.calls.next() => {
                    next_id += 1;
                    let asked = Asked { id: next_id, command: call.command.clone() };
                    pending.insert(next_id, Pending { call, taken: false });
                    // If the holder is gone, reading says so as well, after what it still told us.
                    let _ = door::tell(&mut self.writer, &asked).await;
                }
                told = self.lines.next::<Told>() => match told {
                    Ok(Some(Told::Taken { id })) => {
                        if let Some(it) = pending.get_mut(&id) {
                            it.taken = true;
                        }
                    }
                    Ok(Some(Told::Reply { id, result })) => {
                        if let Some(it) = pending.remove(&id) {
                            let _ = it.call.reply.send(result);
                        }
                    }
                    Ok(Some(Told::News { news })) => {
                        let _ = ends.news.send(news);
                    }
                    Ok(None) | Err(_) => {
                        ends.calls.again = not_taken(pending);
                        return Left::HolderGone;
                    }
                },
            }
        }
    }
}

/// What the former holder never took can be asked again; of the rest nobody knows, and dropping it says so.
fn not_taken(pending: HashMap<u64, Pending>) -> VecDeque<Call> {
    let mut pending: Vec<_> = pending.into_iter().filter(|(_, it)| !it.taken).collect();
    pending.sort_by_key(|(id, _)| *id);
    pending.into_iter().map(|(_, it)| it.call).collect()
}
