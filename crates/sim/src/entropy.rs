//! Where chance comes from: one generator per world, seeded.
//!
//! The world's own choices come from [`Chance`]. But the server and the libraries below it ask the operating system for
//! randomness too (tokens, new account ids, the seeds of hash maps), and what they get shows in orders of iteration. So
//! on Linux the libc function `getrandom` is replaced in this program: on a thread that runs a world it gives bytes of
//! the world's seed, on every other thread it asks the kernel as ever. That is what makes a failing seed fail again.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha12Rng;
use std::cell::RefCell;
use std::ops::RangeInclusive;
use std::rc::Rc;

/// The world's dice. Clones roll the same dice.
#[derive(Clone)]
pub struct Chance(Rc<RefCell<ChaCha12Rng>>);

impl Chance {
    /// `stream` tells independent dice of one seed apart.
    pub fn new(seed: u64, stream: u64) -> Self {
        let mut rng = ChaCha12Rng::seed_from_u64(seed);
        rng.set_stream(stream);
        Self(Rc::new(RefCell::new(rng)))
    }

    pub fn between(&self, range: RangeInclusive<u64>) -> u64 {
        self.0.borrow_mut().random_range(range)
    }

    pub fn index(&self, len: usize) -> usize {
        self.0.borrow_mut().random_range(0..len)
    }

    /// True `percent` times of a hundred.
    pub fn percent(&self, percent: u64) -> bool {
        self.between(0..=99) < percent
    }

    pub fn bytes(&self) -> [u8; 32] {
        self.0.borrow_mut().random()
    }

    pub fn choose<'a, T>(&self, items: &'a [T]) -> Option<&'a T> {
        if items.is_empty() { None } else { items.get(self.index(items.len())) }
    }
}

thread_local! {
    static THREAD_ENTROPY: RefCell<Option<ChaCha12Rng>> = const { RefCell::new(None) };
}

/// From now on this thread gets its operating system's randomness from `seed`. Call it first thing on a new thread.
pub fn seed_this_thread(seed: u64) {
    THREAD_ENTROPY.with(|entropy| *entropy.borrow_mut() = Some(ChaCha12Rng::seed_from_u64(!seed)));
}

#[cfg(target_os = "linux")]
mod hook {
    use super::THREAD_ENTROPY;
    use rand::RngCore;
    use std::ffi::{c_long, c_uint, c_void};

    #[cfg(target_arch = "x86_64")]
    const SYS_GETRANDOM: c_long = 318;
    #[cfg(not(target_arch = "x86_64"))]
    const SYS_GETRANDOM: c_long = 278;

    #[expect(unsafe_code, reason = "libc has no safe door")]
    unsafe extern "C" {
        fn syscall(number: c_long, ...) -> c_long;
    }

    /// Stands in front of libc's function of this name, with the same contract (getrandom(2)).
    #[expect(unsafe_code, reason = "the caller hands over a raw buffer, as getrandom(2) says")]
    #[unsafe(no_mangle)]
    unsafe extern "C" fn getrandom(buffer: *mut c_void, bytes: usize, flags: c_uint) -> isize {
        if bytes == 0 {
            return 0;
        }
        let seeded = THREAD_ENTROPY.try_with(|entropy| {
            let mut entropy = entropy.try_borrow_mut().ok()?;
            let rng = entropy.as_mut()?;
            // SAFETY: getrandom(2) asks the caller for a buffer of this many writable bytes.
            rng.fill_bytes(unsafe { std::slice::from_raw_parts_mut(buffer.cast::<u8>(), bytes) });
            Some(bytes as isize)
        });
        match seeded {
            Ok(Some(filled)) => filled,
            // SAFETY: the arguments are the caller's own, in the order of getrandom(2).
            _ => unsafe { syscall(SYS_GETRANDOM, buffer, bytes, flags) as isize },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[test]
    #[cfg(target_os = "linux")]
    fn a_seeded_thread_gets_the_same_randomness_each_time() {
        let draw = |seed| {
            std::thread::spawn(move || {
                seed_this_thread(seed);
                let order: HashMap<u32, ()> = (0..50).map(|number| (number, ())).collect();
                (rand::random::<u64>(), order.into_keys().collect::<Vec<_>>())
            })
            .join()
            .expect("drawing does not panic")
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }
}
