//! A device's end of the live connection.

use super::Device;
use crate::network::{Cut, CutSwitch, CutWatch, End, Packet, carry};
use bytes::Bytes;
use std::rc::Rc;
use tidings_client::Input;
use tidings_proto::codec::Format;
use tidings_proto::frame::{ClientFrame, ServerFrame};
use tokio::sync::{mpsc, watch};

/// Frames that a client may put on the wire before the first of them leaves; more than any outbox of a world.
const SENT_MAX: usize = 100_000;

pub struct Wire {
    number: u64,
    send: mpsc::Sender<Packet>,
    cut: CutSwitch,
}

impl Wire {
    /// A wire that is closed or cut takes nothing; the client will hear of it.
    pub fn send(&self, frame: &ClientFrame) {
        let _ = self.send.try_send(Packet::Frame(Format::Cbor.encode(frame)));
    }

    pub fn cut(&self, cut: Cut) {
        let _ = self.cut.send(Some(cut));
    }
}

impl Device {
    pub(super) fn disconnect(&self) {
        // Dropping the sending end closes the connection in good order, as soon as everything has arrived.
        self.state.borrow_mut().wire = None;
    }

    pub(super) fn connect(self: &Rc<Self>) {
        self.disconnect();
        let (send, sent) = mpsc::channel(SENT_MAX);
        let (cut, watch) = watch::channel(None);
        let (run, number) = {
            let mut state = self.state.borrow_mut();
            state.wires += 1;
            let number = state.wires;
            state.wire = Some(Wire { number, send, cut });
            (state.run, number)
        };
        let device = self.clone();
        self.world.spawn(async move { device.live(run, number, sent, watch).await });
    }

    /// From the opening of a connection to its end, at the client's side.
    async fn live(self: Rc<Self>, run: u64, number: u64, sent: mpsc::Receiver<Packet>, cut: CutWatch) {
        self.link.travel().await;
        let session = if self.link.online() { self.world.server.connect() } else { None };
        let Some((to_server, from_server)) = session else {
            self.link.travel().await;
            return self.lost(run, number);
        };
        self.tell(format!("connects ({number})"));
        if !self.is_wire(run, number) {
            return;
        }
        self.feed(Input::Connected);
        let up = self.clone();
        let mut cut_up = cut.clone();
        self.world.spawn(async move {
            let deliver = async |packets: Vec<Packet>| {
                for packet in packets {
                    if to_server.send(packet).await.is_err() {
                        return false;
                    }
                }
                true
            };
            // The session reads its end when `to_server` is dropped.
            if let End::Cut(cut) = carry(sent, &up.link, &mut cut_up, deliver).await {
                tokio::time::sleep(cut.server_after).await;
            }
        });
        let mut cut_down = cut;
        let deliver = async |packets: Vec<Packet>| {
            if self.is_wire(run, number) {
                self.arrive(packets);
            }
            self.is_wire(run, number)
        };
        let end = carry(from_server, &self.link, &mut cut_down, deliver).await;
        if let End::Cut(cut) = end {
            tokio::time::sleep(cut.client_after).await;
        }
        self.lost(run, number);
    }

    fn arrive(self: &Rc<Self>, packets: Vec<Packet>) {
        let mut frames = Vec::new();
        for packet in packets {
            match packet {
                Packet::Frame(bytes) => {
                    let frame = decode(&bytes);
                    self.tell_frame("<", &frame);
                    frames.push(frame);
                }
                Packet::Ping => {
                    if let Some(wire) = &self.state.borrow().wire {
                        let _ = wire.send.try_send(Packet::Pong);
                    }
                }
                Packet::Pong => {}
            }
        }
        if !frames.is_empty() {
            self.feed(Input::Frames(frames));
        }
    }

    fn is_wire(&self, run: u64, number: u64) -> bool {
        self.is_in(run) && self.state.borrow().wire.as_ref().is_some_and(|wire| wire.number == number)
    }

    fn lost(self: &Rc<Self>, run: u64, number: u64) {
        if self.is_wire(run, number) {
            self.state.borrow_mut().wire = None;
            self.feed(Input::Disconnected);
        }
    }
}

fn decode(frame: &Bytes) -> ServerFrame {
    Format::Cbor.decode(frame).expect("the server sends frames of the protocol")
}
