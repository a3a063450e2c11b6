//! Blobs and backups at the server in memory.

use super::server::{Answer, TestServer, body, json, refuse};
use crate::io::{HttpBody, HttpRequest, Method};
use std::collections::BTreeMap;
use tidings_proto::backup::*;
use tidings_proto::id::{AccountId, BlobId};
use tidings_proto::limit::BLOB_MAX_BYTES;
use tidings_proto::problem::Code;

#[derive(Clone, Default)]
pub struct TestBackups {
    pub blobs: BTreeMap<(AccountId, BlobId), (Vec<u8>, Option<u64>)>,
    pub keys: BTreeMap<AccountId, PutBackupKey>,
    pub heads: BTreeMap<AccountId, (u64, BlobId)>,
}

impl TestServer {
    pub fn backup(&mut self, account: AccountId, request: &HttpRequest, path: &[&str], query: &str) -> Answer {
        let now_ms = self.now_ms;
        let TestBackups { blobs, keys, heads } = &mut self.backups;
        match (request.method, path) {
            (Method::Put, ["blobs", id]) => {
                let HttpBody::Bytes(bytes) = &request.body else { panic!("{} without bytes", request.path) };
                assert!(!bytes.is_empty() && bytes.len() <= BLOB_MAX_BYTES);
                let expires = query.strip_prefix("expires_in_s=").map(|seconds| seconds.parse::<u64>().unwrap());
                let key = (account, id.parse().unwrap());
                if blobs.get(&key).is_some_and(|(former, _)| former != bytes) {
                    return refuse(Code::Conflict);
                }
                blobs.insert(key, (bytes.clone(), expires));
                Ok(vec![])
            }
            (Method::Get, ["blobs", id]) => match blobs.get(&(account, id.parse().unwrap())) {
                Some((bytes, _)) => Ok(bytes.clone()),
                None => refuse(Code::NotFound),
            },
            (Method::Delete, ["blobs", id]) => {
                blobs.remove(&(account, id.parse().unwrap()));
                Ok(vec![])
            }
            (Method::Get, ["blobs"]) => {
                let mine = blobs.iter().filter(|((owner, _), _)| *owner == account);
                let blobs = mine.map(|((_, blob), (bytes, expires))| Blob {
                    blob: *blob,
                    bytes: bytes.len() as u64,
                    made_ms: now_ms,
                    expires_ms: expires.map(|seconds| now_ms + seconds * 1_000),
                });
                json(&Blobs { blobs: blobs.collect(), next: None, used_bytes: 0, quota_bytes: 0 })
            }
            (Method::Get, ["backup"]) => {
                let Some(key) = keys.get(&account) else { return refuse(Code::NotFound) };
                let head = heads.get(&account);
                json(&Backup {
                    generation: head.map_or(0, |head| head.0),
                    manifest: head.map(|head| head.1),
                    made_ms: now_ms,
                    kdf: key.kdf.clone(),
                    retry_after_ms: None,
                })
            }
            (Method::Put, ["backup"]) => {
                let put: PutBackup = body(request);
                let present = heads.get(&account).map_or(0, |head| head.0);
                let again = heads.get(&account) == Some(&(put.generation, put.manifest));
                if !again && put.generation != present + 1 {
                    return refuse(Code::Conflict);
                }
                assert!(blobs.contains_key(&(account, put.manifest)), "the manifest comes first");
                heads.insert(account, (put.generation, put.manifest));
                Ok(vec![])
            }
            (Method::Put, ["backup", "key"]) => {
                keys.insert(account, body(request));
                Ok(vec![])
            }
            (Method::Delete, ["backup", "key"]) => {
                keys.remove(&account);
                heads.remove(&account);
                Ok(vec![])
            }
            (Method::Post, ["backup", "key", "open"]) => {
                let open: OpenBackupKey = body(request);
                match keys.get(&account) {
                    Some(key) if key.proof == open.proof => json(&OpenedBackupKey { wrapped: key.wrapped.clone() }),
                    Some(_) => refuse(Code::WrongPassphrase),
                    None => refuse(Code::NotFound),
                }
            }
            other => panic!("the test server knows no {other:?}"),
        }
    }
}
