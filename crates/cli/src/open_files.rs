//! How many files, and so connections, this process may have open.

/// Raises the limit to what the system allows, as a server with many connections needs it; says what holds then.
#[cfg(unix)]
pub fn raise() -> u64 {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        // If it fails the old limit holds, and whoever needs more finds out from the answer.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    }
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// Other systems have no such limit worth raising.
#[cfg(not(unix))]
pub fn raise() -> u64 {
    u64::MAX
}

#[cfg(all(test, unix))]
mod tests {
    #[test]
    fn the_limit_is_then_the_highest_there_is() {
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
        assert_eq!(super::raise(), limit.maximum.unwrap_or(u64::MAX));
    }
}
