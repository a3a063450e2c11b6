//! Who may ask how often: token buckets (GCRA) in memory, by the server's clock.

use crate::config::Limits;
use crate::error::{Error, Result};
use governor::clock::{self, Reference};
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota, RateLimiter};
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tidings_proto::problem::Code;
use tidings_store::Clock;

/// Keys that one limit remembers; full buckets are forgotten when it comes to this.
const KEYS_MAX: usize = 200_000;
/// Full buckets are looked for after so many requests.
const SWEEP_EVERY: u32 = 16_384;
/// How many seconds' worth of requests may come at once.
const REQUEST_BURST_S: u32 = 10;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

/// Every limit that is counted by time.
#[derive(Debug)]
pub struct Rates {
    pub codes: Rate,
    pub codes_per_number: Rate,
    /// `None`: switched off.
    pub code_interval: Option<Rate>,
    pub codes_per_address: Rate,
    pub logins_per_address: Rate,
    pub requests_per_address: Rate,
    pub appends_per_device: Rate,
    pub lookups_per_account: Rate,
    pub claims_per_account: Rate,
    pub reports_per_account: Rate,
}

impl Rates {
    pub fn new(limits: &Limits, clock: &Clock) -> Self {
        let rate = |what, count, per| Rate::new(what, count, per, count, clock);
        Self {
            codes: rate("codes on this server", limits.codes_per_minute, MINUTE),
            codes_per_number: rate("codes for this number", limits.codes_per_number_per_hour, HOUR),
            code_interval: (limits.code_interval_s > 0).then(|| {
                let interval = Duration::from_secs(limits.code_interval_s.into());
                rate("codes for this number", 1, interval)
            }),
            codes_per_address: rate("codes from this address", limits.codes_per_address_per_hour, HOUR),
            logins_per_address: rate("attempts from this address", limits.logins_per_address_per_hour, HOUR),
            requests_per_address: Rate::new(
                "requests from this address",
                limits.requests_per_address_per_s,
                Duration::from_secs(1),
                limits.requests_per_address_per_s.saturating_mul(REQUEST_BURST_S),
                clock,
            ),
            appends_per_device: Rate::new(
                "messages from this device",
                limits.appends_per_device_per_s,
                Duration::from_secs(1),
                limits.appends_per_device_burst,
                clock,
            ),
            lookups_per_account: rate("numbers looked up", limits.lookups_per_account_per_hour, HOUR),
            reports_per_account: rate("reports", limits.reports_per_account_per_day, DAY),
            claims_per_account: rate("claims of key packages", limits.claims_per_account_per_hour, HOUR),
        }
    }
}

/// Who is counted: an id, an address, the beginning of a hash.
pub type Who = [u8; 16];

/// The one key of limits that count everybody.
pub const EVERYBODY: Who = [0; 16];

/// An address as it is counted: IPv4 whole, IPv6 by its /64.
pub fn by_address(address: IpAddr) -> Who {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => {
            let mut who = address.octets();
            who[8..].fill(0);
            who
        }
    }
}

/// One limit.
#[derive(Debug)]
pub struct Rate {
    what: &'static str,
    limiter: RateLimiter<Who, DefaultKeyedStateStore<Who>, ServerClock, NoOpMiddleware<Instant>>,
    clock: ServerClock,
    asked: AtomicU32,
}

impl Rate {
    /// `count` in each `per`, and `burst` at once.
    fn new(what: &'static str, count: u32, per: Duration, burst: u32, clock: &Clock) -> Self {
        let count = count.max(1);
        let burst = NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN);
        // At least a nanosecond, since a period of nothing is no quota.
        let period = (per / count).max(Duration::from_nanos(1));
        let quota = Quota::with_period(period).expect("the period is not zero").allow_burst(burst);
        let clock = ServerClock(clock.clone());
        let limiter = RateLimiter::new(quota, DefaultKeyedStateStore::default(), clock.clone());
        Self { what, limiter, clock, asked: AtomicU32::new(0) }
    }

    /// Takes one, or says when to come back.
    pub fn take(&self, who: Who) -> Result<()> {
        self.take_many(who, NonZeroU32::MIN)
    }

    /// Takes all of `count`, or none.
    pub fn take_many(&self, who: Who, count: NonZeroU32) -> Result<()> {
        self.sweep()?;
        match self.limiter.check_key_n(&who, count) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(until)) => {
                let wait = until.wait_time_from(clock::Clock::now(&self.clock));
                let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).max(1);
                Err(Error::new(Code::RateLimited, format!("Too many {}; wait.", self.what)).retry_after_ms(wait_ms))
            }
            Err(most) => Err(Error::new(Code::TooLarge, format!("At most {} {} at once.", most.0, self.what))),
        }
    }

    fn sweep(&self) -> Result<()> {
        let asked = self.asked.fetch_add(1, Ordering::Relaxed);
        if asked % SWEEP_EVERY == SWEEP_EVERY - 1 || self.limiter.len() >= KEYS_MAX {
            self.limiter.retain_recent();
            self.limiter.shrink_to_fit();
            if self.limiter.len() >= KEYS_MAX {
                return Err(Error::new(Code::Overloaded, "Too many people at once; wait.").retry_after_ms(5_000));
            }
        }
        Ok(())
    }
}

/// The server's clock as governor wants it.
#[derive(Clone, Debug)]
struct ServerClock(Clock);

/// Nanoseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Instant(Nanos);

impl clock::Clock for ServerClock {
    type Instant = Instant;

    fn now(&self) -> Instant {
        Instant(Duration::from_millis(self.0.now_ms()).into())
    }
}

impl std::ops::Add<Nanos> for Instant {
    type Output = Self;

    fn add(self, nanos: Nanos) -> Self {
        Self(self.0 + nanos)
    }
}

impl Reference for Instant {
    fn duration_since(&self, earlier: Self) -> Nanos {
        self.0.duration_since(earlier.0)
    }

    fn saturating_sub(&self, duration: Nanos) -> Self {
        Self(Reference::saturating_sub(&self.0, duration))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::AtomicU64;

    #[test]
    fn a_limit_says_how_long_to_wait_and_holds_for_each_alone() {
        let now = Arc::new(AtomicU64::new(1_700_000_000_000));
        let clock = Clock::new({
            let now = now.clone();
            move || now.load(Ordering::Relaxed)
        });
        let rate = Rate::new("knocks", 5, HOUR, 5, &clock);
        for _ in 0..5 {
            rate.take([1; 16]).unwrap();
        }
        let refused = rate.take([1; 16]).unwrap_err();
        assert_eq!(refused.code, Code::RateLimited);
        assert_eq!(refused.retry_after_ms, Some(720_000));
        rate.take([2; 16]).unwrap();
        now.fetch_add(720_000, Ordering::Relaxed);
        rate.take([1; 16]).unwrap();
        assert!(rate.take([1; 16]).is_err());
        assert_eq!(rate.take_many([3; 16], NonZeroU32::new(6).unwrap()).unwrap_err().code, Code::TooLarge);
    }

    #[test]
    fn addresses_of_one_home_count_together() {
        let who = |text: &str| by_address(text.parse().unwrap());
        assert_eq!(who("2001:db8::1"), who("2001:db8::ffff:1"));
        assert_ne!(who("2001:db8::1"), who("2001:db8:0:1::1"));
        assert_eq!(who("192.0.2.1"), who("::ffff:192.0.2.1"));
        assert_ne!(who("192.0.2.1"), who("192.0.2.2"));
    }
}
