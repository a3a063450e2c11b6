//! Safety numbers: what two people compare to know that nobody stands between them.
//!
//! An account's half is 30 digits: SHA-512, 5200 times, over its identity key and id.
//!
//! ```text
//! h(0) = version (2 bytes, big endian) | identity key (32) | account id (16)
//! h(n) = SHA-512(h(n-1) | identity key),  n = 1 … 5200
//! digits: six times five bytes from the front of h(5200), as a big-endian number, modulo 100000, five digits
//! ```
//!
//! Both halves, the smaller one first, are the 60 digits, so that both people see the same; they are shown in twelve
//! groups of five. The number changes when, and only when, one of the two identity keys does.

use sha2::{Digest, Sha512};
use tidings_proto::id::AccountId;

const VERSION: u16 = 1;
const ROUNDS: usize = 5_200;
const GROUPS_PER_ACCOUNT: usize = 6;
const BYTES_PER_GROUP: usize = 5;

/// The safety number of two accounts with their identity keys, in either order, as twelve groups of five digits.
pub fn safety_number(one: (AccountId, &[u8; 32]), other: (AccountId, &[u8; 32])) -> String {
    let mut halves = [half(one.0, one.1), half(other.0, other.1)];
    halves.sort();
    halves.join(" ")
}

fn half(account: AccountId, identity_key: &[u8; 32]) -> String {
    let mut hash = [&VERSION.to_be_bytes()[..], identity_key, account.as_bytes()].concat();
    for _ in 0..ROUNDS {
        hash = Sha512::new().chain_update(&hash).chain_update(identity_key).finalize().to_vec();
    }
    let groups: Vec<String> = hash
        .chunks_exact(BYTES_PER_GROUP)
        .take(GROUPS_PER_ACCOUNT)
        .map(|bytes| {
            let number = bytes.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
            format!("{:05}", number % 100_000)
        })
        .collect();
    groups.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(byte: u8) -> AccountId {
        AccountId::from_bytes([byte; 16])
    }

    #[test]
    fn both_people_see_the_same_number_and_it_does_not_change_between_versions() {
        let number = safety_number((account(1), &[11; 32]), (account(2), &[22; 32]));
        assert_eq!(number, safety_number((account(2), &[22; 32]), (account(1), &[11; 32])));
        insta::assert_snapshot!(number, @"25595 23931 97372 76387 24551 11967 66968 51103 27014 06709 11014 51144");
    }

    #[test]
    fn it_changes_with_a_key_and_with_an_account() {
        let number = safety_number((account(1), &[11; 32]), (account(2), &[22; 32]));
        assert_ne!(number, safety_number((account(1), &[12; 32]), (account(2), &[22; 32])));
        assert_ne!(number, safety_number((account(1), &[11; 32]), (account(3), &[22; 32])));
        assert_ne!(number, safety_number((account(1), &[22; 32]), (account(2), &[11; 32])));
    }
}
