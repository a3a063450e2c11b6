//! Where chance comes from: the machine, or a simulation's seed.

use rand::TryRngCore;
use std::fmt;
use std::sync::Arc;

/// Fills bytes with randomness.
#[derive(Clone)]
pub struct Random(Arc<Fill>);

type Fill = dyn Fn(&mut [u8]) + Send + Sync;

impl Random {
    /// The operating system's; good enough for keys.
    pub fn system() -> Self {
        Self::new(|bytes| rand::rngs::OsRng.try_fill_bytes(bytes).expect("the operating system gives randomness"))
    }

    pub fn new(fill: impl Fn(&mut [u8]) + Send + Sync + 'static) -> Self {
        Self(Arc::new(fill))
    }

    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        (self.0)(&mut bytes);
        bytes
    }

    /// A number below `bound`, each as likely as the others (rejection sampling).
    pub fn below(&self, bound: u32) -> u32 {
        assert!(bound > 0, "nothing is below 0");
        let fair = u32::MAX - u32::MAX % bound;
        loop {
            let number = u32::from_be_bytes(self.bytes());
            if number < fair {
                return number % bound;
            }
        }
    }
}

impl fmt::Debug for Random {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Random")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU8, Ordering};

    #[test]
    fn numbers_stay_below_their_bound_and_unfair_draws_are_thrown_away() {
        let random = Random::system();
        assert!((0..1_000).all(|_| random.below(7) < 7));
        // The first draw is u32::MAX, which would favour small remainders; the second is 0.
        let draw = AtomicU8::new(0xff);
        let scripted = Random::new(move |bytes| bytes.fill(draw.swap(0, Ordering::Relaxed)));
        assert_eq!(scripted.below(10), 0);
    }
}
