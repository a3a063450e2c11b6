//! One process per database: a lock on a file that the system takes back when its process ends, however it ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::Path;

/// Held until dropped.
pub struct Lock(File);

/// `None` if another process holds it.
pub fn take(folder: &Path) -> io::Result<Option<Lock>> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(folder.join("lock"))?;
    match file.try_lock() {
        Ok(()) => {
            // For people who wonder who it is; nothing depends on it.
            file.set_len(0)?;
            file.rewind()?;
            write!(file, "{}", std::process::id())?;
            Ok(Some(Lock(file)))
        }
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// The process that holds the lock, as far as it is known.
pub fn holder(folder: &Path) -> Option<u32> {
    let mut text = String::new();
    File::open(folder.join("lock")).ok()?.take(20).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}
