//! The network between the devices and the server: delay, cuts, silence, stalls, lost answers.
//!
//! Inside one direction of one connection bytes keep their order, as TCP promises; between connections, and between a
//! connection and HTTP requests, nothing keeps any order. A cut loses what is on its way in both directions, and each end
//! learns of it at its own time, or only through its own timeouts.

use crate::entropy::Chance;
use bytes::Bytes;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};

/// Frames on their way in one direction; whoever sends more waits.
pub const IN_FLIGHT_MAX: usize = 64;
/// An end that never learns of a cut by itself would wait longer than any timeout.
const NEVER: Duration = Duration::from_secs(3_600);
/// How long a driver waits for the answer to a request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// What travels on a live connection.
#[derive(Clone, Debug)]
pub enum Packet {
    /// A frame of the protocol in CBOR.
    Frame(Bytes),
    /// The carrier's own signs of life, which every WebSocket library answers by itself.
    Ping,
    Pong,
}

/// The client's ends of a session of the server.
pub type SessionEnds = (mpsc::Sender<Packet>, mpsc::Receiver<Packet>);

/// A device's way to the server.
pub struct Link {
    chance: Chance,
    online: Cell<bool>,
    delay_ms: RefCell<RangeInclusive<u64>>,
    stalled_until: Cell<Instant>,
    lost_percent: Cell<u64>,
}

impl Link {
    pub fn new(chance: Chance) -> Self {
        Self {
            chance,
            online: Cell::new(true),
            delay_ms: RefCell::new(5..=40),
            stalled_until: Cell::new(Instant::now()),
            lost_percent: Cell::new(0),
        }
    }

    pub fn online(&self) -> bool {
        self.online.get()
    }

    pub fn set_online(&self, online: bool) {
        self.online.set(online);
    }

    pub fn set_delay_ms(&self, delay_ms: RangeInclusive<u64>) {
        *self.delay_ms.borrow_mut() = delay_ms;
    }

    /// How often a request or its answer gets lost.
    pub fn set_lost_percent(&self, percent: u64) {
        self.lost_percent.set(percent);
    }

    /// Nothing arrives in either direction for this long; then all of it does.
    pub fn stall(&self, time: Duration) {
        self.stalled_until.set(Instant::now() + time);
    }

    /// Makes a good link of it.
    pub fn heal(&self) {
        self.online.set(true);
        self.set_delay_ms(5..=40);
        self.stalled_until.set(Instant::now());
        self.lost_percent.set(0);
    }

    fn arrival(&self) -> Instant {
        let delay = Duration::from_millis(self.chance.between(self.delay_ms.borrow().clone()));
        (Instant::now() + delay).max(self.stalled_until.get())
    }

    /// One way through the network.
    pub async fn travel(&self) {
        sleep_until(self.arrival()).await;
    }

    /// A request goes to the server and its answer comes back. `None`: it got lost on the way there, or the answer on the
    /// way back, after the server had done the work.
    pub async fn exchange<T>(&self, work: impl Future<Output = Option<T>>) -> Option<T> {
        let there_and_back = async {
            self.travel().await;
            if !self.online() || self.chance.percent(self.lost_percent.get()) {
                return None;
            }
            let answer = work.await?;
            self.travel().await;
            let lost = !self.online() || self.chance.percent(self.lost_percent.get());
            if lost { None } else { Some(answer) }
        };
        let answer = tokio::time::timeout(REQUEST_TIMEOUT, there_and_back).await.ok().flatten();
        if answer.is_none() {
            sleep(Duration::from_millis(self.chance.between(10..=2_000))).await;
        }
        answer
    }
}

/// When each end learns that the connection is gone.
#[derive(Clone, Copy, Debug)]
pub struct Cut {
    pub client_after: Duration,
    pub server_after: Duration,
}

impl Cut {
    /// Both ends hear of it, each in its own time.
    pub fn noticed(chance: &Chance) -> Self {
        Self {
            client_after: Duration::from_millis(chance.between(0..=3_000)),
            server_after: Duration::from_millis(chance.between(0..=20_000)),
        }
    }

    /// No end hears anything any more.
    pub fn silent() -> Self {
        Self { client_after: NEVER, server_after: NEVER }
    }
}

/// A switch that cuts one connection.
pub type CutSwitch = watch::Sender<Option<Cut>>;
pub type CutWatch = watch::Receiver<Option<Cut>>;

/// How a direction of a connection ended.
pub enum End {
    /// The sending end closed it, and everything has arrived.
    Closed,
    Cut(Cut),
    /// The receiving end is gone.
    Refused,
}

/// Carries what comes out of `sent` to `deliver`, in order, as the link allows. `deliver` gets everything that arrives
/// at one moment, and says whether the receiving end is still there.
pub async fn carry<T>(
    mut sent: mpsc::Receiver<T>,
    link: &Link,
    cut: &mut CutWatch,
    mut deliver: impl AsyncFnMut(Vec<T>) -> bool,
) -> End {
    let mut on_the_way: VecDeque<(Instant, T)> = VecDeque::new();
    let mut closed = false;
    loop {
        if closed && on_the_way.is_empty() {
            return End::Closed;
        }
        let next_arrival = on_the_way.front().map(|(at, _)| *at);
        tokio::select! {
            biased;
            cut = cut_happened(cut) => return End::Cut(cut),
            item = sent.recv(), if !closed && on_the_way.len() < IN_FLIGHT_MAX => match item {
                Some(item) => {
                    let after_the_former = on_the_way.back().map_or_else(Instant::now, |(at, _)| *at);
                    on_the_way.push_back((link.arrival().max(after_the_former), item));
                }
                None => closed = true,
            },
            () = sleep_until(next_arrival.unwrap_or_else(Instant::now)), if next_arrival.is_some() => {
                let now = Instant::now();
                let mut arrived = Vec::new();
                while on_the_way.front().is_some_and(|(at, _)| *at <= now) {
                    arrived.extend(on_the_way.pop_front().map(|(_, item)| item));
                }
                let there = tokio::select! {
                    biased;
                    cut = cut_happened(cut) => return End::Cut(cut),
                    there = deliver(arrived) => there,
                };
                if !there {
                    return End::Refused;
                }
            }
        }
    }
}

async fn cut_happened(cut: &mut CutWatch) -> Cut {
    match cut.wait_for(Option::is_some).await.map(|cut| *cut) {
        Ok(Some(cut)) => cut,
        // The switch is gone with its device: nobody cuts any more.
        _ => std::future::pending().await,
    }
}
