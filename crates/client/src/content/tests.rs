use super::wire::{KIND_DELETE, KIND_TEXT, Wire};
use super::*;
use proptest::prelude::*;
use serde::Serialize;
use tidings_proto::codec;
use tidings_proto::limit::{TIMER_MAX_S, TIMER_MIN_S};

fn id(n: u8) -> MessageId {
    MessageId::new(1_700_000_000_000, [n; 10])
}

fn target() -> Target {
    Target { message: id(9), digest: [7; 16] }
}

fn with_parts() -> Content {
    let mention = Mention { account: AccountId::from_bytes([2; 16]), start: 6, len: 4 };
    let preview = LinkPreview {
        url: "https://example.org".into(),
        title: "Example".into(),
        description: Some("For examples".into()),
        picture: Some(b"\x89PNG\r\n\x1a\n".to_vec().into()),
    };
    Content::Text {
        text: "hello @Ann".into(),
        reply_to: None,
        forwarded: true,
        mentions: vec![mention],
        preview: Some(Box::new(preview)),
    }
}

fn poll(options: &[&str]) -> Content {
    let options = options.iter().map(|option| (*option).to_owned()).collect();
    Content::Poll(Poll { question: "When?".into(), options, multiple: true })
}

fn location(latitude: f64, longitude: f64) -> Content {
    let [latitude, longitude] = [latitude, longitude].map(|it| Degrees::try_from(it).unwrap());
    Content::Location { latitude, longitude, name: Some("Dam".into()), forwarded: false }
}

fn all() -> Vec<(&'static str, Content)> {
    vec![
        ("text", Content::text("hello", None)),
        ("reply", Content::text("yes", Some(target()))),
        ("reaction", Content::Reaction { to: target(), emoji: Some("👍".into()) }),
        ("reaction_taken_back", Content::Reaction { to: target(), emoji: None }),
        ("edit", Content::Edit { of: target(), text: "hello!".into() }),
        ("delete", Content::Delete { of: target() }),
        (
            "profile",
            Content::Profile {
                phone: Some("+31612345678".into()),
                name: Some("Ann".into()),
                about: None,
                picture: None,
            },
        ),
        ("text_with_parts", with_parts()),
        (
            "profile_with_about",
            Content::Profile {
                phone: None,
                name: Some("Ann".into()),
                about: Some("At sea".into()),
                picture: Some(b"\x89PNG\r\n\x1a\n".to_vec().into()),
            },
        ),
        (
            "group_profile",
            Content::GroupProfile {
                name: Some("Cinema".into()),
                description: Some("Fridays".into()),
                picture: Some(b"\xff\xd8\xff\xe0".to_vec().into()),
                timer_s: Some(3_600),
            },
        ),
        ("profile_request", Content::ProfileRequest),
        ("poll", poll(&["Friday", "Sunday"])),
        ("vote", Content::Vote { poll: target(), choices: vec![1] }),
        ("location", location(52.370_216, 4.895_168)),
        ("contact", Content::Contact { name: "Bram".into(), phone: "+31687654321".into(), forwarded: false }),
        ("timer", Content::Timer { seconds: Some(3_600) }),
        ("timer_off", Content::Timer { seconds: None }),
        ("pin", Content::Pin { of: target(), on: true }),
        ("pin_taken_off", Content::Pin { of: target(), on: false }),
    ]
}

#[test]
fn the_bytes_of_every_kind_do_not_change() {
    let lines: Vec<String> = all()
        .into_iter()
        .map(|(name, content)| {
            let bytes = content.encode(id(1));
            assert_eq!(Content::decode(&bytes, id(1)), Ok(content), "{name}");
            format!("{name}: {}", bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
        })
        .collect();
    insta::assert_snapshot!("content_bytes", lines.join("\n"));
}

#[test]
fn a_message_tells_how_long_it_may_be_kept() {
    for (name, content) in all() {
        let bytes = content.encode_for(id(1), Some(60));
        let tells = !matches!(content, Content::Timer { .. } | Content::GroupProfile { .. });
        assert_eq!(lifetime_s(&bytes), tells.then_some(60), "{name}");
        assert_eq!(lifetime_s(&content.encode(id(1))), None, "{name}");
        let decoded = Content::decode(&bytes, id(1));
        assert!(!tells || decoded == Ok(content), "{name}");
    }
    let text = Content::text("", None);
    assert_eq!(lifetime_s(&text.encode_for(id(1), Some(1))), Some(TIMER_MIN_S));
    assert_eq!(lifetime_s(&text.encode_for(id(1), Some(u64::MAX))), Some(TIMER_MAX_S));
}

#[test]
fn the_digest_of_a_message_does_not_change_and_depends_on_all_its_parts() {
    let conversation = ConversationId::from_bytes([1; 16]);
    let sender = AccountId::from_bytes([2; 16]);
    let reference = digest(conversation, sender, id(1), b"content");
    insta::assert_snapshot!("digest", reference.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
    assert_ne!(reference, digest(ConversationId::from_bytes([3; 16]), sender, id(1), b"content"));
    assert_ne!(reference, digest(conversation, AccountId::from_bytes([3; 16]), id(1), b"content"));
    assert_ne!(reference, digest(conversation, sender, id(2), b"content"));
    assert_ne!(reference, digest(conversation, sender, id(1), b"other"));
}

#[test]
fn what_a_newer_client_says_is_unknown_and_not_an_error() {
    #[derive(Serialize)]
    struct Newer {
        k: u64,
        i: MessageId,
        t: u64,
        poll: Vec<String>,
    }
    let map = codec::to_cbor(&Newer { k: 77, i: id(1), t: 5, poll: vec!["a".into()] });
    assert_eq!(Content::decode(&[&[VERSION][..], &map].concat(), id(1)), Ok(Content::Unknown));
    assert_eq!(Content::decode(&[VERSION + 1, 1, 2, 3], id(1)), Ok(Content::Unknown));
}

#[test]
fn members_of_a_newer_version_are_skipped() {
    #[derive(Serialize)]
    struct Newer {
        k: u64,
        i: MessageId,
        t: String,
        expires: u64,
    }
    let map = codec::to_cbor(&Newer { k: KIND_TEXT, i: id(1), t: "hi".into(), expires: 9 });
    let content = Content::decode(&[&[VERSION][..], &map].concat(), id(1));
    assert_eq!(content, Ok(Content::text("hi", None)));
}

#[test]
fn a_message_cannot_be_given_another_id() {
    let bytes = all().remove(0).1.encode(id(1));
    assert_eq!(Content::decode(&bytes, id(2)), Err(ContentError::OtherMessage));
}

#[test]
fn parts_are_bounded_and_required() {
    let long = |bytes| Content::text("x".repeat(bytes), None).encode(id(1));
    assert!(Content::decode(&long(TEXT_MAX_BYTES), id(1)).is_ok());
    assert_eq!(Content::decode(&long(TEXT_MAX_BYTES + 1), id(1)), Err(ContentError::TooLong));
    let emoji = Content::Reaction { to: target(), emoji: Some("x".repeat(EMOJI_MAX_BYTES + 1)) };
    assert_eq!(Content::decode(&emoji.encode(id(1)), id(1)), Err(ContentError::TooLong));
    let nothing = Wire::new(KIND_DELETE, id(1));
    let bytes = [&[VERSION][..], &codec::to_cbor(&nothing)].concat();
    assert_eq!(Content::decode(&bytes, id(1)), Err(ContentError::Malformed));
    assert_eq!(Content::decode(&[], id(1)), Err(ContentError::Empty));
}

#[test]
fn parts_that_do_not_fit_are_refused() {
    let malformed = |content: &Content| {
        assert_eq!(Content::decode(&content.encode(id(1)), id(1)), Err(ContentError::Malformed), "{content:?}");
    };
    let with = |change: fn(&mut Vec<Mention>, &mut LinkPreview)| {
        let Content::Text { text, reply_to, forwarded, mut mentions, preview: Some(mut preview) } = with_parts() else {
            unreachable!("it was made above")
        };
        change(&mut mentions, &mut preview);
        Content::Text { text, reply_to, forwarded, mentions, preview: Some(preview) }
    };
    malformed(&with(|mentions, _| mentions[0].len = 5));
    malformed(&with(|mentions, _| mentions[0].len = 0));
    malformed(&with(|mentions, _| mentions.push(mentions[0])));
    malformed(&with(|_, preview| preview.url = "file:///etc/passwd".into()));
    malformed(&with(|_, preview| preview.picture = Some(b"GIF89a".to_vec().into())));
    malformed(&poll(&["only one"]));
    malformed(&poll(&["x"; 13]));
    malformed(&poll(&["x", " "]));
    malformed(&location(90.1, 0.0));
    assert!(Degrees::try_from(f64::NAN).is_err() && Degrees::try_from(180.1).is_err());
}

proptest! {
    #[test]
    fn no_bytes_make_the_decoder_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = Content::decode(&bytes, id(1));
        let _ = Content::decode(&[&[VERSION][..], &bytes].concat(), id(1));
    }

    #[test]
    fn damaged_bytes_decode_or_not_but_never_panic(at in 0usize..80, to: u8, which in 0usize..19) {
        let mut bytes = all()[which].1.encode(id(1));
        if let Some(byte) = bytes.get_mut(at) {
            *byte = to;
        }
        let _ = Content::decode(&bytes, id(1));
    }

    #[test]
    fn texts_come_back(text in ".{0,200}", reply: bool) {
        let content = Content::text(text, reply.then(target));
        prop_assert_eq!(Content::decode(&content.encode(id(3)), id(3)), Ok(content));
    }
}
