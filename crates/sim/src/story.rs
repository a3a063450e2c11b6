//! What happened in a world, line by line: the last lines are printed when a property breaks, and a hash over all of
//! them tells whether two runs were the same.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt::Write;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, Once};
use tokio::time::Instant;

/// How many lines a failure shows.
pub const LINES_KEPT: usize = 160;

#[derive(Clone, Default)]
pub struct Story(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    lines: VecDeque<String>,
    hash: DefaultHasher,
    told: u64,
    begin: Option<Instant>,
    violation: Option<String>,
    aloud: bool,
}

impl Story {
    /// `aloud` prints every line as it happens.
    pub fn new(aloud: bool) -> Self {
        let story = Self::default();
        story.inner(|inner| inner.aloud = aloud);
        story
    }

    pub fn tell(&self, line: impl AsRef<str>) {
        self.inner(|inner| {
            let now = Instant::now();
            let since = now - *inner.begin.get_or_insert(now);
            let mut text = String::new();
            write!(text, "{:>10.3}s {}", since.as_secs_f64(), line.as_ref()).expect("writing to a string works");
            text.hash(&mut inner.hash);
            inner.told += 1;
            if inner.aloud {
                eprintln!("{text}");
            }
            if inner.lines.len() == LINES_KEPT {
                inner.lines.pop_front();
            }
            inner.lines.push_back(text);
        });
    }

    /// A property broke. The first one counts: what follows may be its consequence.
    pub fn violate(&self, what: impl Into<String>) {
        let what = what.into();
        self.inner(|inner| {
            if inner.violation.is_none() {
                inner.violation = Some(what);
            }
        });
    }

    pub fn violation(&self) -> Option<String> {
        self.inner(|inner| inner.violation.clone())
    }

    pub fn last_lines(&self) -> Vec<String> {
        self.inner(|inner| inner.lines.iter().cloned().collect())
    }

    /// How many lines were told, and a hash of them.
    pub fn fingerprint(&self) -> (u64, u64) {
        self.inner(|inner| (inner.told, inner.hash.finish()))
    }

    fn inner<T>(&self, work: impl FnOnce(&mut Inner) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

thread_local! {
    static OF_THIS_THREAD: RefCell<Option<Story>> = const { RefCell::new(None) };
}

/// Panics on this thread become violations of this story, also those inside tasks that nobody joins.
pub fn catch_panics(story: &Story) {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let story = OF_THIS_THREAD.try_with(|story| story.try_borrow().ok().and_then(|story| story.clone()));
            match story {
                Ok(Some(story)) => {
                    let trace = std::backtrace::Backtrace::force_capture().to_string();
                    let ours: Vec<&str> = trace.lines().filter(|line| line.contains("crates/")).take(12).collect();
                    story.violate(format!("panic: {info}\n{}", ours.join("\n")));
                }
                _ => before(info),
            }
        }));
    });
    OF_THIS_THREAD.with(|mine| *mine.borrow_mut() = Some(story.clone()));
}

/// What is told of a command: as it looks in every run, without long numbers.
pub fn without_long_ids(text: &str) -> String {
    text.chars().take(120).collect()
}

/// A path as it looks in every run: without ids.
pub fn without_ids(path: &str) -> String {
    let parts = path.split('/').map(|part| if part.len() >= 36 && part.contains('-') { "*" } else { part });
    parts.collect::<Vec<_>>().join("/")
}
