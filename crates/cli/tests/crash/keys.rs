//! Key packages: one that was given out is never given out again, and none that was uploaded gets lost.

use crate::people::{Pair, People, Person};
use reqwest::{Method, StatusCode};
use std::collections::HashSet;
use tidings_proto::http::{Claimed, KeyPackageCount, PutKeyPackages};
use tidings_proto::payload::Payload;

const PACKAGES: u32 = 100;

/// The packages of the second one of the first pair, which the first one claims.
pub struct Keys {
    owner: Person,
    given_out: HashSet<Vec<u8>>,
    left: u32,
    number: u64,
}

/// What was claimed until the server was killed.
pub struct Claims {
    packages: Vec<Vec<u8>>,
    /// Claims without an answer: they may have taken a package each.
    unanswered: u32,
}

impl Keys {
    pub async fn new(people: &People, pair: &Pair) -> Self {
        let mut keys = Self { owner: pair.other.clone(), given_out: HashSet::new(), left: 0, number: 0 };
        keys.fill(people).await;
        keys
    }

    async fn fill(&mut self, people: &People) {
        let packages: Vec<Payload> = (self.left..PACKAGES)
            .map(|_| {
                self.number += 1;
                format!("key package {}", self.number).into_bytes().into()
            })
            .collect();
        let body = PutKeyPackages { packages, last_resort: Some(b"last resort".to_vec().into()) };
        let answer =
            people.call::<KeyPackageCount>(Method::POST, "keys/packages", Some(&self.owner.token), Some(&body)).await;
        let Some((StatusCode::OK, Some(count))) = answer else { panic!("key packages are not taken") };
        assert_eq!(count, KeyPackageCount { count: PACKAGES, last_resort: true });
        self.left = PACKAGES;
    }

    pub async fn compare(&mut self, people: &People, claims: Claims) {
        let claimed = claims.packages.len() as u32;
        for package in claims.packages {
            assert!(self.given_out.insert(package), "a key package was given out twice");
        }
        let count = people.key_packages(&self.owner).await;
        let most = self.left - claimed;
        let least = most.saturating_sub(claims.unanswered);
        assert!((least..=most).contains(&count.count), "{} packages are left, not {least} to {most}", count.count);
        assert!(count.last_resort, "the last resort stays");
        self.left = count.count;
        self.fill(people).await;
    }
}

/// Claims packages until the server is gone, but leaves some.
pub async fn claim(people: People, pair: Pair) -> Claims {
    let mut claims = Claims { packages: Vec::new(), unanswered: 0 };
    let path = format!("accounts/{}/key-packages/claim", pair.other.account);
    for _ in 0..PACKAGES / 2 {
        match people.call::<Claimed>(Method::POST, &path, Some(&pair.one.token), None::<&()>).await {
            Some((StatusCode::OK, Some(claimed))) => {
                assert_eq!(claimed.packages.len(), 1, "one package of the one device");
                let package = &claimed.packages[0];
                assert!(!package.last_resort, "others are left");
                claims.packages.push(package.package.as_slice().to_vec());
            }
            Some((status, _)) => panic!("claiming: {status}"),
            None => {
                claims.unanswered += 1;
                break;
            }
        }
    }
    claims
}
