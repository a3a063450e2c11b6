//! Devices that were logged out, at the server's own face: their tokens, what the logs say, and what is taken before a
//! commit has taken their leaves out.

use crate::member::{Member, create, member, packages, post, publish, rules_of, say};
use crate::mls::{Intent, identity};
use crate::peer::{Peer, message};
use crate::world::{World, code, id, payload};
use reqwest::Method;
use tidings_proto::credential::revocation;
use tidings_proto::entry::{Body, Change, Entry, Sender};
use tidings_proto::frame::{ClientFrame, Commit, Refused, ServerFrame};
use tidings_proto::http::{Devices, GroupInfo, RevokeDevice};
use tidings_proto::id::{ConversationId, DeviceId};
use tidings_proto::payload::Payload;
use tidings_proto::problem::{Code, Problem};

/// A has two devices, and is with B in a group and in a direct conversation.
struct Scene {
    world: World,
    a: Member,
    laptop: Member,
    b: Member,
    group: ConversationId,
    direct: ConversationId,
}

impl Scene {
    async fn new() -> Self {
        let world = World::new().await;
        let (mut a, mut b) = (member(&world).await, member(&world).await);
        let mut laptop = publish(&world, world.device_of(a.person.account(), 2).await).await;
        let group = create(&world, rules_of(&a), &mut a, &mut [&mut laptop, &mut b]).await;
        let direct = world.create(&a.person, &[&b.person, &laptop.person]).await.unwrap();
        Self { world, a, laptop, b, group, direct }
    }

    fn proof(&self) -> Payload {
        let sender = self.laptop.person.sender;
        revocation(&identity(sender.account), sender.account, sender.device).to_vec().into()
    }

    async fn revoke(&self, by: &Member, device: DeviceId, revocation: Payload) -> Result<(), Problem> {
        let body = serde_json::to_vec(&RevokeDevice { revocation }).unwrap();
        self.world.tell(&by.person, Method::POST, &format!("/v1/devices/{device}/revoke"), Some(body)).await
    }

    fn direct_commit(&self, change: Change) -> Commit {
        Commit {
            conversation: self.direct,
            message_id: id(),
            epoch: 1,
            payload: payload("commit"),
            change,
            welcomes: Vec::new(),
            group_info: payload("group info"),
            origin: None,
        }
    }

    async fn gone(&self, of: ConversationId) -> Vec<Sender> {
        let path = format!("/v1/conversations/{of}/group-info");
        self.world.get::<GroupInfo>(&self.b.person, &path).await.unwrap().gone
    }
}

/// The logs that say that this device is gone, with the proof.
fn told(entries: &[Entry], device: Sender) -> Vec<(ConversationId, Option<Payload>)> {
    let mut logs: Vec<_> = entries
        .iter()
        .map(|entry| match &entry.body {
            Body::Gone { revoked, deleted: None } if entry.sender == device => {
                (entry.log.as_conversation(), revoked.clone())
            }
            other => panic!("{other:?}"),
        })
        .collect();
    logs.sort_unstable_by_key(|(log, _)| *log);
    logs
}

#[tokio::test]
async fn only_the_accounts_own_key_throws_a_device_out() {
    let scene = Scene::new().await;
    let Scene { world, a, laptop, b, group, direct } = &scene;
    let (account, device) = (a.person.account(), laptop.person.sender.device);
    let own = identity(account);
    let forged: [Vec<u8>; 5] = [
        revocation(&identity(b.person.account()), account, device).to_vec(),
        revocation(&own, account, a.person.sender.device).to_vec(),
        revocation(&own, b.person.account(), device).to_vec(),
        scene.proof().as_slice()[..63].to_vec(),
        Vec::new(),
    ];
    for (number, proof) in forged.into_iter().enumerate() {
        assert_eq!(code(scene.revoke(a, device, proof.into()).await), Code::InvalidKey, "proof {number}");
    }
    let theirs = revocation(&identity(b.person.account()), b.person.account(), device).to_vec();
    assert_eq!(code(scene.revoke(b, device, theirs.into()).await), Code::NotFound, "somebody else's device");
    let path = format!("/v1/devices/{device}");
    assert_eq!(code(world.tell(&b.person, Method::DELETE, &path, None).await), Code::NotFound);
    // Nothing has changed.
    assert_eq!(world.get::<Devices>(&laptop.person, "/v1/devices").await.unwrap().devices.len(), 2);
    say(world, laptop, *group, false).await.unwrap();
    assert_eq!((scene.gone(*group).await, scene.gone(*direct).await), (vec![], vec![]));
}

#[tokio::test]
async fn a_revoked_device_is_out_at_once_and_every_conversation_is_told() {
    let scene = Scene::new().await;
    let Scene { world, a, laptop, b, group, direct } = &scene;
    let (mut listener, mut stolen) =
        (Peer::connect(world, &b.person).await, Peer::connect(world, &laptop.person).await);
    scene.revoke(a, laptop.person.sender.device, scene.proof()).await.unwrap();
    assert_eq!(code(world.get::<Devices>(&laptop.person, "/v1/devices").await), Code::LoggedOut);
    assert_eq!(code(say(world, laptop, *group, false).await), Code::LoggedOut);
    // Its connection gets no entry any more, only the reason of its end.
    assert!(matches!(stolen.next().await, ServerFrame::Goodbye { code: Code::LoggedOut, .. }));
    let entries = [listener.entry().await, listener.entry().await];
    let mut expected = vec![(*group, Some(scene.proof())), (*direct, Some(scene.proof()))];
    expected.sort_unstable_by_key(|(log, _)| *log);
    assert_eq!(told(&entries, laptop.person.sender), expected);
    // Asked again, nobody is told again.
    let _ = scene.revoke(a, laptop.person.sender.device, scene.proof()).await;
    for log in [*group, *direct] {
        assert_eq!(listener.sync(log, 0, 10).await.head, 2);
        assert_eq!(scene.gone(log).await, [laptop.person.sender]);
    }
}

#[tokio::test]
async fn nothing_is_taken_before_a_commit_has_taken_out_who_was_logged_out() {
    let mut scene = Scene::new().await;
    let gone = scene.laptop.person.sender;
    let path = format!("/v1/devices/{}", gone.device);
    scene.world.tell(&scene.a.person, Method::DELETE, &path, None).await.unwrap();
    let Scene { world, a, laptop, b, group, .. } = &mut scene;
    for silent in [false, true] {
        assert_eq!(code(say(world, b, *group, silent).await), Code::CommitFirst, "silent: {silent}");
    }
    let passes_by = b.mls.commit(*group, Intent::default());
    assert_eq!(code(post(world, &b.person, &passes_by).await), Code::CommitFirst);
    b.mls.drop_pending();
    // Any member may do it, also of other people's devices.
    let remove = b.mls.commit(*group, Intent { remove: vec![gone], ..Intent::default() });
    post(world, &b.person, &remove).await.unwrap();
    b.mls.merge();
    say(world, b, *group, false).await.unwrap();
    a.mls.process(remove.payload.as_slice());
    let again = a.mls.commit(*group, Intent { add: packages(&[laptop]), ..Intent::default() });
    assert_eq!(code(post(world, &a.person, &again).await), Code::NoDevice);

    let Scene { world, b, direct, .. } = &scene;
    let mut peer = Peer::connect(world, &b.person).await;
    peer.send(&ClientFrame::Append(message(*direct, 1, "too early"))).await;
    assert!(matches!(peer.next().await, ServerFrame::Refused(Refused { code: Code::CommitFirst, .. })));
    assert_eq!(code(post(world, &b.person, &scene.direct_commit(Change::default())).await), Code::CommitFirst);
    let remove = scene.direct_commit(Change { removed: vec![gone], ..Change::default() });
    post(world, &b.person, &remove).await.unwrap();
    assert!(scene.gone(*direct).await.is_empty());
    peer.append(*direct, 2, "now").await;
    assert!(matches!(peer.next().await, ServerFrame::Appended { .. }));
}
