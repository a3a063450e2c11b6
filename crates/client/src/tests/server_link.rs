//! The test server's places where devices are linked, and what it tells people of their devices.

use super::server::{Answer, TestServer, body, json, refuse};
use crate::io::HttpRequest;
use sha2::{Digest, Sha256};
use tidings_proto::entry::{Body, Sender};
use tidings_proto::http::*;
use tidings_proto::id::{AccountId, DeviceId, LinkId, MessageId};
use tidings_proto::limit::LINK_LIFETIME_S;
use tidings_proto::payload::Payload;
use tidings_proto::problem::Code;

#[derive(Clone)]
pub struct TestLink {
    pub expires_ms: u64,
    pub left: Option<(AccountId, PutLink)>,
    pub device: Option<DeviceId>,
}

impl TestServer {
    pub fn open_link(&mut self) -> Answer {
        let link = LinkId::from_bytes(self.number());
        let expires_ms = self.now_ms + LINK_LIFETIME_S * 1_000;
        self.links.insert(link, TestLink { expires_ms, left: None, device: None });
        json(&LinkOpened { link, expires_in_s: LINK_LIFETIME_S })
    }

    fn link(&mut self, id: &str) -> Option<&mut TestLink> {
        let now_ms = self.now_ms;
        self.links.get_mut(&id.parse().unwrap()).filter(|link| now_ms < link.expires_ms)
    }

    pub fn put_link(&mut self, by: DeviceId, id: &str, put: PutLink) -> Answer {
        let account = self.devices[&by].account;
        match self.link(id) {
            None => refuse(Code::NotFound),
            Some(link) if link.left.is_some() => refuse(Code::Conflict),
            Some(link) => {
                link.left = Some((account, put));
                Ok(vec![])
            }
        }
    }

    pub fn get_link(&mut self, id: &str) -> Answer {
        match self.link(id).and_then(|link| link.left.clone()) {
            Some((_, put)) => json(&LinkBlob { blob: put.blob }),
            None => refuse(Code::NotFound),
        }
    }

    pub fn redeem_link(&mut self, id: &str, redeem: &RedeemLink) -> Answer {
        let Some((account, put)) = self.link(id).and_then(|link| link.left.clone()) else {
            return refuse(Code::NotFound);
        };
        if Sha256::digest(redeem.grant.as_slice())[..] != *put.grant_hash.as_slice() {
            return refuse(Code::InvalidCode);
        }
        let device = match self.link(id).and_then(|link| link.device) {
            Some(device) if self.devices[&device].generation > 0 || self.devices[&device].credential.is_some() => {
                return refuse(Code::InvalidCode);
            }
            Some(device) => device,
            None => self.make_device(account),
        };
        if let Some(link) = self.link(id) {
            link.device = Some(device);
        }
        self.tokens(device)
    }

    pub fn own_devices(&self, by: DeviceId, request: &HttpRequest, which: Option<&str>) -> Answer {
        let account = self.devices[&by].account;
        if which.is_some() {
            let RenameDevice { .. } = body(request);
            return Ok(vec![]);
        }
        let mine = self.devices.iter().filter(|(_, found)| found.account == account && !found.out);
        let devices = mine.map(|(device, _)| Device {
            device: *device,
            name: "test".into(),
            created_ms: 0,
            current: *device == by,
        });
        json(&Devices { devices: devices.collect() })
    }

    pub fn throw_out(&mut self, by: DeviceId, which: DeviceId, revoke: RevokeDevice) -> Answer {
        let account = self.devices[&by].account;
        match self.devices.get_mut(&which).filter(|found| found.account == account && !found.out) {
            Some(found) => found.out = true,
            None => return refuse(Code::NotFound),
        }
        self.goodbye(which, Code::LoggedOut);
        self.tell_gone(Sender { account, device: which }, Some(revoke.revocation));
        Ok(vec![])
    }

    /// Tells every conversation that a device was logged out.
    pub fn tell_gone(&mut self, device: Sender, revoked: Option<Payload>) {
        let with_leaf: Vec<_> =
            self.logs.iter().filter(|(_, log)| log.leaves.contains(&device)).map(|it| *it.0).collect();
        for id in with_leaf {
            let message_id = MessageId::from_bytes(self.number());
            self.push(id, device, message_id, Body::Gone { revoked: revoked.clone(), deleted: None });
            self.logs.get_mut(&id).unwrap().gone.insert(device);
        }
    }

    /// Puts other bytes in the place of what was left there.
    pub fn tamper_with_links(&mut self, change: impl Fn(&mut Vec<u8>)) {
        for (_, put) in self.links.values_mut().filter_map(|link| link.left.as_mut()) {
            let mut bytes = put.blob.as_slice().to_vec();
            change(&mut bytes);
            put.blob = Payload::from(bytes);
        }
    }
}
