use super::*;
use crate::db::Db;
use crate::memory::Memory;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

const NOW_MS: u64 = 1_700_000_000_000;

fn device(n: u8) -> DeviceId {
    DeviceId::from_bytes([n; 16])
}

fn at(ms: u64, n: u8) -> Stamp {
    Stamp { ms, device: device(n) }
}

fn with<T>(db: &mut Db, work: impl FnOnce(&mut Step<'_>) -> T) -> T {
    let mut rng = ChaCha20Rng::from_seed([7; 32]);
    let mut mem = Memory::default();
    db.transaction::<_, crate::db::DbError>(|tx| {
        let mut step = Step { tx, mem: &mut mem, rng: &mut rng, name: None, now_ms: NOW_MS, out: Vec::new() };
        Ok(work(&mut step))
    })
    .unwrap()
}

fn settings() -> Vec<Setting> {
    let message = MessageId::new(NOW_MS, [3; 10]);
    vec![
        Setting::Star { message, on: true },
        Setting::Mute { until_ms: Some(NOW_MS + 1) },
        Setting::Archive { known: Some(0) },
        Setting::Pin { at_ms: Some(NOW_MS) },
        Setting::Unread { on: true },
        Setting::Draft { text: "I think that".into() },
        Setting::Star { message, on: false },
        Setting::Mute { until_ms: None },
        Setting::Archive { known: None },
        Setting::Pin { at_ms: None },
        Setting::Unread { on: false },
        Setting::Draft { text: String::new() },
    ]
}

#[test]
fn the_names_of_settings_do_not_change() {
    let lines: Vec<String> = settings().iter().map(|it| serde_json::to_string(it).unwrap()).collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn a_row_says_what_was_put_into_it() {
    for setting in settings() {
        let read = Setting::read(setting.part() as u8, setting.message(), setting.value());
        assert_eq!(read, Some(setting));
    }
    assert_eq!(Setting::read(99, None, Value::Null), None);
}

#[test]
fn the_later_one_counts_in_whatever_order_they_come() {
    let conversation = ConversationId::group([1; 16]);
    let draft = |text: &str| Setting::Draft { text: text.into() };
    let said = [("first", at(10, 9)), ("second", at(20, 1)), ("at the same time", at(20, 2)), ("", at(15, 3))];
    for shift in 0..said.len() {
        let mut db = Db::open_memory().unwrap();
        for (text, stamp) in said.iter().cycle().skip(shift).take(said.len() * 2) {
            with(&mut db, |step| apply(step, conversation, &draft(text), *stamp).unwrap());
        }
        let kept = with(&mut db, |step| of(step, conversation).unwrap());
        assert_eq!(kept.draft.as_deref(), Some("at the same time"));
    }
}

#[test]
fn what_is_known_already_is_not_told_again() {
    let conversation = ConversationId::group([1; 16]);
    let mut db = Db::open_memory().unwrap();
    let mute = Setting::Mute { until_ms: Some(FOR_EVER_MS) };
    let told: Vec<(bool, usize)> = [at(10, 1), at(10, 1), at(9, 1)]
        .into_iter()
        .map(|stamp| with(&mut db, |step| (apply(step, conversation, &mute, stamp).unwrap(), step.out.len())))
        .collect();
    assert_eq!(told, [(true, 1), (false, 0), (false, 0)]);
}

#[test]
fn a_mute_ends_by_itself() {
    let conversation = ConversationId::group([1; 16]);
    let mut db = Db::open_memory().unwrap();
    for (until_ms, muted) in [(NOW_MS, None), (NOW_MS + 1, Some(NOW_MS + 1)), (u64::MAX, Some(FOR_EVER_MS))] {
        let mute = Setting::Mute { until_ms: Some(until_ms) };
        with(&mut db, |step| apply(step, conversation, &mute, at(until_ms.min(FOR_EVER_MS), 1)).unwrap());
        assert_eq!(with(&mut db, |step| of(step, conversation).unwrap()).muted_until_ms, muted);
    }
}
