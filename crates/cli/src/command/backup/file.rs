//! Backup files: written part by part beside their place and renamed when they are whole; read the same way.
//!
//! ```text
//! magic | length (u32) | lock | chunk | chunk | … | manifest | where the manifest begins (u64) | magic
//! ```

use crate::Common;
use crate::command::{unexpected, with};
use crate::driver::Handle;
use crate::failure::Failure;
use crate::show::out;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use tidings_client::command::FileHead;
use tidings_client::{Command, Reply};
use tidings_proto::limit::BLOB_MAX_BYTES;

const MAGIC: &[u8; 8] = b"TIDBACK1";
/// A lock has a few hundred bytes.
const LOCK_MAX_BYTES: u32 = 4 * 1024;

fn failed(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(format!("{}: {error}", path.display()))
}

pub async fn write(common: &Common, path: &Path) -> Result<(), Failure> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    let beside = path.with_file_name(name);
    let result = with(common, &[], async |handle| parts(handle, &beside).await).await;
    let finished = result.and_then(|messages| {
        std::fs::rename(&beside, path).map_err(|error| failed(path, &error))?;
        Ok(messages)
    });
    match finished {
        Ok(messages) => out::line(&format!("{} has {messages} messages.", path.display())),
        Err(failure) => {
            let _ = std::fs::remove_file(&beside);
            Err(failure)
        }
    }
}

async fn parts(handle: &Handle, path: &Path) -> Result<u64, Failure> {
    let mut file = None;
    for part in 0.. {
        let Reply::FilePart { bytes, more, done, .. } = handle.call(Command::BackUpToFile { part }).await? else {
            return Err(Failure::new("the client core gave an answer of an unexpected kind"));
        };
        let file: &mut File = match &mut file {
            Some(file) => file,
            // Only once there is something to write.
            None => file.insert(create(path).map_err(|error| failed(path, &error))?),
        };
        file.write_all(bytes.as_slice()).map_err(|error| failed(path, &error))?;
        if !more {
            file.sync_all().map_err(|error| failed(path, &error))?;
            return Ok(done);
        }
    }
    Err(Failure::new("the backup has no end"))
}

fn create(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// A backup file, and where its chunks begin.
pub struct Source {
    file: File,
    pub head: FileHead,
    chunks_at: u64,
    manifest_at: u64,
}

impl Source {
    pub fn open(path: &Path) -> Result<Self, Failure> {
        let mut file = File::open(path).map_err(|error| failed(path, &error))?;
        match Self::read(&mut file).map_err(|error| failed(path, &error))? {
            Some((head, chunks_at, manifest_at)) => Ok(Self { file, head, chunks_at, manifest_at }),
            None => Err(Failure::new(format!("{} is no backup, or only a part of one", path.display()))),
        }
    }

    fn read(file: &mut File) -> std::io::Result<Option<(FileHead, u64, u64)>> {
        let len = file.metadata()?.len();
        let mut head = [0; 12];
        let mut tail = [0; 16];
        if len < (head.len() + tail.len()) as u64 {
            return Ok(None);
        }
        file.read_exact(&mut head)?;
        let lock_len = u32::from_be_bytes([head[8], head[9], head[10], head[11]]);
        file.seek(SeekFrom::End(-16))?;
        file.read_exact(&mut tail)?;
        let (at, magic) = tail.split_at(8);
        let manifest_at = u64::from_be_bytes(at.try_into().expect("half of 16 bytes"));
        let chunks_at = 12 + u64::from(lock_len);
        let is_one = head.starts_with(MAGIC)
            && magic == MAGIC
            && lock_len <= LOCK_MAX_BYTES
            && (chunks_at..=len - 16).contains(&manifest_at)
            && len - 16 - manifest_at <= BLOB_MAX_BYTES as u64;
        if !is_one {
            return Ok(None);
        }
        let mut lock = vec![0; lock_len as usize];
        file.seek(SeekFrom::Start(12))?;
        file.read_exact(&mut lock)?;
        let mut manifest = vec![0; (len - 16 - manifest_at) as usize];
        file.seek(SeekFrom::Start(manifest_at))?;
        file.read_exact(&mut manifest)?;
        Ok(Some((FileHead { lock: lock.into(), manifest: manifest.into() }, chunks_at, manifest_at)))
    }

    /// Merges all chunks. Says how many could not be used.
    pub async fn merge(&mut self, handle: &Handle, secret: String) -> Result<u64, Failure> {
        let opened = handle.call(Command::RestoreFromFile { head: self.head.clone(), secret }).await?;
        let Reply::FileOpened { sizes } = opened else { return Err(unexpected(&opened)) };
        let mut at = self.chunks_at;
        let mut damaged = 0;
        for (index, size) in (0..).zip(sizes) {
            let end = at.saturating_add(size);
            if size > BLOB_MAX_BYTES as u64 || end > self.manifest_at {
                return Err(Failure::new("the file is shorter than its manifest says"));
            }
            let mut bytes = vec![0; size as usize];
            self.file.seek(SeekFrom::Start(at))?;
            self.file.read_exact(&mut bytes)?;
            at = end;
            if handle.ask(Command::RestorePart { index, bytes: bytes.into() }).await?.is_err() {
                damaged += 1;
            }
        }
        Ok(damaged)
    }
}
