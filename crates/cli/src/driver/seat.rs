//! Who holds the account: this process, or another one whose guest we are.

use super::{Ends, News, holder, lock};
use crate::failure::Failure;
use crate::profile::Profile;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::time::Instant;

/// How long somebody may hold the lock without opening the door: it is starting, or leaving.
const TAKE_TIMEOUT: Duration = Duration::from_secs(20);
const TAKE_RETRY: Duration = Duration::from_millis(25);

pub enum Seat {
    Holder(Box<holder::Holder>),
    #[cfg(unix)]
    Guest(super::guest::Guest),
}

/// Why a seat was left.
pub enum Left {
    Stopped,
    #[cfg(unix)]
    HolderGone,
}

/// Takes the account, or joins whoever has it.
pub async fn take(profile: &Profile) -> Result<Seat, Failure> {
    let give_up = Instant::now() + TAKE_TIMEOUT;
    loop {
        let lock = lock::take(&profile.folder).map_err(|error| {
            Failure::new(format!("the folder {} cannot be used: {error}", profile.folder.display()))
        })?;
        if let Some(lock) = lock {
            if let Some(holder) = holder::Holder::open(profile, lock)? {
                return Ok(Seat::Holder(Box::new(holder)));
            }
        } else {
            #[cfg(unix)]
            if let Some(guest) = super::guest::join(&profile.folder).await? {
                return Ok(Seat::Guest(guest));
            }
        }
        if Instant::now() > give_up || cfg!(not(unix)) {
            return Err(busy(profile));
        }
        tokio::time::sleep(TAKE_RETRY).await;
    }
}

fn busy(profile: &Profile) -> Failure {
    let who = lock::holder(&profile.folder).map(|pid| format!(" (process {pid})")).unwrap_or_default();
    Failure::with(
        format!("another tidings process{who} holds the account {} and does not answer", profile.phone),
        "End it, or wait until it has ended; then try again.",
    )
}

/// Keeps the account until it is stopped, from whichever seat.
pub async fn keep(mut seat: Seat, profile: Profile, mut ends: Ends, lost: Arc<OnceLock<String>>) {
    loop {
        let left = match seat {
            Seat::Holder(holder) => holder.run(&mut ends).await,
            #[cfg(unix)]
            Seat::Guest(guest) => guest.run(&mut ends).await,
        };
        if let Left::Stopped = left {
            return;
        }
        seat = match take(&profile).await {
            Ok(seat) => seat,
            Err(failure) => {
                let _ = lost.set(failure.what().to_owned());
                return;
            }
        };
        let _ = ends.news.send(News::Missed);
    }
}
