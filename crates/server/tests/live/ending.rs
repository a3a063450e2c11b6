//! How connections end: replaced, logged out, shut down, silent, not read.

use crate::peer::{Closed, Peer};
use crate::world::World;
use bytes::Bytes;
use futures_util::{Sink, Stream};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tidings_proto::codec::Format;
use tidings_proto::frame::{ClientFrame, ServerFrame};
use tidings_proto::limit::{HELLO_TIMEOUT_MS, PING_INTERVAL_MS};
use tidings_proto::problem::Code;
use tidings_server::gateway::session::{self, Inbound, Outbound};
use tidings_server::hub::Goodbye;
use tokio::sync::mpsc;
use tokio::time::Instant;

async fn goodbye(peer: &mut Peer) -> (Code, Option<u64>) {
    loop {
        if let ServerFrame::Goodbye { code, retry_after_ms, .. } = peer.next().await {
            assert!(matches!(peer.next_or_closed().await, Err(Closed::With(..))));
            return (code, retry_after_ms);
        }
    }
}

#[tokio::test]
async fn a_newer_connection_of_a_device_replaces_the_older() {
    let world = World::new().await;
    let (a, b, conversation) = world.pair().await;
    let mut old = Peer::connect(&world, &a).await;
    let mut new = Peer::connect(&world, &a).await;
    assert_eq!(goodbye(&mut old).await.0, Code::Replaced);
    let mut from = Peer::connect(&world, &b).await;
    from.say(conversation, "to the new one").await;
    assert_eq!(new.entry().await.seq, 2);
    assert_eq!(world.server.hub.sessions(), 2);
}

#[tokio::test]
async fn logging_out_ends_the_connection_of_that_device_only() {
    let world = World::new().await;
    let (a, b, _) = world.pair().await;
    let (mut gone, mut stays) = (Peer::connect(&world, &a).await, Peer::connect(&world, &b).await);
    world.server.hub.disconnect(a.sender, Goodbye::new(Code::LoggedOut, "This device was logged out."));
    assert_eq!(goodbye(&mut gone).await.0, Code::LoggedOut);
    stays.expect_nothing().await;
}

#[tokio::test]
async fn a_shutdown_answers_what_it_took_and_says_when_to_come_back() {
    let world = World::new().await;
    let (a, _, conversation) = world.pair().await;
    let mut late = Peer::open(&world, Format::Cbor).await;
    let mut peer = Peer::connect(&world, &a).await;
    for number in 0..50 {
        peer.append(conversation, 1, &number.to_string()).await;
    }
    assert!(matches!(peer.next().await, ServerFrame::Appended { .. }));
    world.server.hub.shut_down();
    let mut answered = 1;
    let (code, retry) = loop {
        match peer.next().await {
            ServerFrame::Appended { .. } => answered += 1,
            ServerFrame::Goodbye { code, retry_after_ms, .. } => break (code, retry_after_ms),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!((code, retry.is_some()), (Code::ShuttingDown, true));
    // Every append that was taken was answered.
    let taken = world.server.lanes.open(&world.server, conversation.into()).await.unwrap().head().seq - 1;
    assert_eq!(taken, answered);
    late.send(&ClientFrame::Hello { token: a.token.clone(), since_ms: 0, count: 0 }).await;
    assert_eq!(goodbye(&mut late).await.0, Code::ShuttingDown);
}

#[tokio::test]
async fn a_connection_that_ends_leaves_nothing_behind_and_its_appends_stand() {
    let world = World::new().await;
    let (a, _, conversation) = world.pair().await;
    let mut peer = Peer::connect(&world, &a).await;
    for number in 0..20 {
        peer.append(conversation, 1, &number.to_string()).await;
    }
    assert!(matches!(peer.next().await, ServerFrame::Appended { .. }));
    drop(peer);
    while world.server.hub.sessions() > 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(world.server.metrics.sessions.get(), 0);
    let head = world.server.lanes.open(&world.server, conversation.into()).await.unwrap().head().seq;
    let mut peer = Peer::connect(&world, &a).await;
    assert_eq!(peer.say(conversation, "again").await, head + 1);
}

/// A carrier without a network: frames in and out over channels, and a peer that can stop reading.
struct Carrier {
    to: mpsc::UnboundedSender<Inbound>,
    from: mpsc::Receiver<Outbound>,
    session: tokio::task::JoinHandle<()>,
}

struct In(mpsc::UnboundedReceiver<Inbound>);

impl Stream for In {
    type Item = Inbound;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Inbound>> {
        self.0.poll_recv(cx)
    }
}

fn out(to: mpsc::Sender<Outbound>) -> impl Sink<Outbound, Error = ()> + Unpin + Send + 'static {
    Box::pin(futures_util::sink::unfold(to, |to, item| async move { to.send(item).await.map(|()| to).map_err(|_| ()) }))
}

impl Carrier {
    fn open(world: &World) -> Self {
        let (to, inbound) = mpsc::unbounded_channel();
        let (outbound, from) = mpsc::channel(1);
        let session = tokio::spawn(session::run(world.server.clone(), Format::Cbor, In(inbound), out(outbound)));
        Self { to, from, session }
    }

    fn frame(bytes: &Bytes) -> ServerFrame {
        Format::Cbor.decode(bytes).unwrap()
    }

    async fn hello(&mut self, world: &World) {
        let person = world.person().await;
        self.to.send(Inbound::Frame(ClientFrame::Hello { token: person.token, since_ms: 0, count: 0 })).unwrap();
        let Some(Outbound::Frame(plan)) = self.from.recv().await else { panic!("no plan") };
        assert!(matches!(Self::frame(&plan), ServerFrame::Plan(_)));
    }
}

#[tokio::test(start_paused = true)]
async fn who_says_nothing_is_asked_and_then_left() {
    let world = World::new().await;
    let mut carrier = Carrier::open(&world);
    let opened = Instant::now();
    let Some(Outbound::Frame(frame)) = carrier.from.recv().await else { panic!("no goodbye") };
    assert!(matches!(Carrier::frame(&frame), ServerFrame::Goodbye { code: Code::Timeout, .. }));
    assert_eq!(opened.elapsed().as_millis() as u64, HELLO_TIMEOUT_MS);
    assert_eq!(carrier.from.recv().await, Some(Outbound::Close(Code::Timeout)));
    carrier.session.await.unwrap();

    let mut carrier = Carrier::open(&world);
    carrier.hello(&world).await;
    let silent = Instant::now();
    assert_eq!(carrier.from.recv().await, Some(Outbound::Ping));
    carrier.to.send(Inbound::Alive).unwrap();
    assert_eq!(carrier.from.recv().await, Some(Outbound::Ping));
    let Some(Outbound::Frame(frame)) = carrier.from.recv().await else { panic!("no goodbye") };
    assert!(matches!(Carrier::frame(&frame), ServerFrame::Goodbye { code: Code::Timeout, .. }));
    assert!(silent.elapsed() >= Duration::from_millis(3 * PING_INTERVAL_MS));
    assert_eq!(carrier.from.recv().await, Some(Outbound::Close(Code::Timeout)));
    carrier.session.await.unwrap();
    assert_eq!(world.server.hub.sessions(), 0);
}

#[tokio::test(start_paused = true)]
async fn who_does_not_read_is_not_read_from_and_then_left() {
    let world = World::new().await;
    let mut carrier = Carrier::open(&world);
    carrier.hello(&world).await;
    for nonce in 0..1_000 {
        carrier.to.send(Inbound::Frame(ClientFrame::Ping { nonce })).unwrap();
    }
    // Nobody takes a pong: the session ends by itself, without a word that nobody would read.
    tokio::time::timeout(Duration::from_millis(4 * PING_INTERVAL_MS), carrier.session).await.unwrap().unwrap();
    let mut pongs = 0;
    while let Some(Outbound::Frame(frame)) = carrier.from.recv().await {
        assert!(matches!(Carrier::frame(&frame), ServerFrame::Pong { .. }));
        pongs += 1;
    }
    assert!(pongs <= 2, "{pongs} pongs");
}
