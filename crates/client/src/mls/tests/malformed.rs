//! Bytes from outside: whatever they are, an error, and the group goes on.

use super::*;
use proptest::prelude::*;
use std::sync::Mutex;

/// Valid bytes of each form, and devices that could read them.
struct Samples {
    a: Device,
    b: Device,
    message: Vec<u8>,
    commit: Vec<u8>,
    welcome: Vec<u8>,
    group_info: Vec<u8>,
    key_package: Vec<u8>,
}

fn samples() -> Samples {
    let (mut a, mut b) = pair();
    let mut c = Device::new(1, 12);
    let message = a.encrypt("hello");
    let added = a.add(&mut c).unwrap();
    let key_package = b.key_package();
    Samples {
        b,
        message,
        commit: added.payload.clone(),
        welcome: added.welcomes[0].payload.as_slice().to_vec(),
        group_info: added.group_info,
        key_package,
        a,
    }
}

/// Hands the bytes to every reader. None of them may panic, and none takes effect, for nothing is committed.
fn read_everywhere(samples: &mut Samples, bytes: &[u8]) -> Vec<bool> {
    let conversation = direct();
    let (b, device) = (&mut samples.b, samples.a.sender());
    let mut accepted = Vec::new();
    let undone: Result<(), MlsError> = b.call(|mls, tx| {
        let kind = ConversationKind::Direct;
        let invitee = Invitee { device, package: bytes };
        accepted.push(mls.process(tx, conversation, bytes, None).is_ok());
        accepted.push(mls.open_signal(tx, conversation, device, bytes).is_ok());
        accepted.push(mls.add(tx, conversation, &[invitee], NOW_S).is_ok());
        accepted.push(mls.join(tx, conversation, kind, bytes, None).is_ok());
        accepted.push(mls.join_external(tx, conversation, kind, &entrance(bytes)).is_ok());
        Err(MlsError::Internal("undo".into()))
    });
    assert!(undone.is_err());
    accepted
}

static SAMPLES: Mutex<Option<Samples>> = Mutex::new(None);

fn with_samples<T>(work: impl FnOnce(&mut Samples) -> T) -> T {
    let mut samples = SAMPLES.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    work(samples.get_or_insert_with(samples_of))
}

fn samples_of() -> Samples {
    samples()
}

fn form(samples: &Samples, which: usize) -> Vec<u8> {
    [&samples.message, &samples.commit, &samples.welcome, &samples.group_info, &samples.key_package][which].clone()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn random_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..600), header in 0_u8..6) {
        with_samples(|samples| {
            prop_assert!(read_everywhere(samples, &bytes).iter().all(|accepted| !accepted));
            let framed = [&[0, 1, 0, header], bytes.as_slice()].concat();
            prop_assert!(read_everywhere(samples, &framed).iter().all(|accepted| !accepted));
            Ok(())
        })?;
    }

    #[test]
    fn flipped_cut_and_lengthened_bytes_are_refused(
        which in 0_usize..5, position: prop::sample::Index, bit in 0_u8..8, cut: prop::sample::Index, tail: u8,
    ) {
        with_samples(|samples| {
            let good = form(samples, which);
            let mut flipped = good.clone();
            flipped[position.index(good.len())] ^= 1 << bit;
            prop_assert!(read_everywhere(samples, &flipped).iter().all(|accepted| !accepted));
            prop_assert!(read_everywhere(samples, &good[..cut.index(good.len())]).iter().all(|accepted| !accepted));
            let longer = [good.as_slice(), &[tail]].concat();
            prop_assert!(read_everywhere(samples, &longer).iter().all(|accepted| !accepted));
            Ok(())
        })?;
    }
}

#[test]
fn the_samples_themselves_are_good() {
    let mut samples = samples();
    for (which, reader) in [(0, 0), (1, 0), (3, 4)] {
        let bytes = form(&samples, which);
        assert!(read_everywhere(&mut samples, &bytes)[reader], "form {which}");
    }
    let message = samples.message.clone();
    assert_eq!(samples.b.read(&message), "hello");
}
