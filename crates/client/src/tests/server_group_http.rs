//! What the server in memory answers about groups.

use super::server::{Answer, TestServer, body, json, refuse};
use super::server_group::{TestGroup, code};
use crate::io::{HttpRequest, Method};
use std::collections::BTreeSet;
use tidings_proto::entry::{Body, Change, Sender};
use tidings_proto::frame::Commit;
use tidings_proto::http::*;
use tidings_proto::id::{AccountId, ConversationId, DeviceId, LogId, MessageId};
use tidings_proto::problem::{Code, Problem};

impl TestServer {
    pub fn commit_to_group(&mut self, device: DeviceId, commit: Commit) -> Result<(u64, u64), Box<Problem>> {
        if let Some(code) = self.refuse.pop_front() {
            return refuse(code);
        }
        let author = Sender { account: self.devices[&device].account, device };
        let id = LogId::from(commit.conversation);
        let now_ms = self.now_ms;
        let mut members = self.logs[&id].members.clone();
        if commit.change.create.is_some() {
            members.clear();
        }
        let new: BTreeSet<AccountId> = commit.change.added.iter().map(|device| device.account).collect();
        let new = new.into_iter().filter(|it| *it != author.account && !members.contains(it));
        let unwilling: Vec<AccountId> = new.filter(|it| !self.lets(*it, |it| it.add_me, author.account)).collect();
        if !unwilling.is_empty() && !commit.change.external {
            if commit.change.create.is_some() {
                self.logs.remove(&id);
            }
            let mut problem = Problem::new(Code::InviteNeeded, "not by you");
            problem.accounts = unwilling;
            return Err(Box::new(problem));
        }
        let log = self.logs.get_mut(&id).unwrap();
        if commit.epoch != log.epoch {
            let mut problem = Problem::new(Code::StaleEpoch, "another epoch");
            problem.epoch = Some(log.epoch);
            problem.head = Some(log.head());
            return Err(Box::new(problem));
        }
        let Commit { conversation, message_id, payload, change, welcomes, .. } = commit.clone();
        let seq = log.head() + 1;
        let group = log.group.as_mut().unwrap();
        if !change.external && !is_member(group, &change, author) {
            return refuse(Code::NotFound);
        }
        if let Err(code) = group.take(author, &commit, seq, now_ms) {
            if change.create.is_some() {
                self.logs.remove(&id);
            }
            return refuse(code);
        }
        let members = group.members();
        for welcome in welcomes {
            let inbox = LogId::from(welcome.device);
            let body = Body::Welcome { conversation, commit: message_id, payload: welcome.payload };
            let welcome_id = MessageId::from_bytes(self.number());
            self.push(inbox, author, welcome_id, body);
        }
        if change.create.is_some() {
            self.logs.get_mut(&id).unwrap().members = BTreeSet::from([author.account]);
        }
        let placed = self.push(id, author, message_id, Body::Commit { payload, change: Box::new(change) });
        self.logs.get_mut(&id).unwrap().members = members;
        Ok(placed)
    }

    pub fn group(
        &mut self,
        device: DeviceId,
        conversation: ConversationId,
        request: &HttpRequest,
        path: &[&str],
        query: &str,
    ) -> Answer {
        let account = self.devices[&device].account;
        let me = Sender { account, device };
        let now_s = self.now_ms / 1_000;
        let id = LogId::from(conversation);
        let Some(log) = self.logs.get_mut(&id) else { return refuse(Code::NotFound) };
        let member = log.members.contains(&account);
        let Some(group) = &mut log.group else { return refuse(Code::NotFound) };
        match (request.method, path) {
            (Method::Get, ["group-info"]) if member => {
                let commit = query.strip_prefix("commit=").map(|id| id.parse().unwrap());
                group.info(commit).map_or_else(|| refuse(Code::NotFound), |info| json(&info))
            }
            (Method::Post, ["group-info"]) => {
                let proof = body::<Join>(request).proof;
                match group.rules().check_join(conversation, me, &proof, now_s) {
                    Ok(()) => json(&group.info(None).unwrap()),
                    Err(denied) => refuse(code(denied)),
                }
            }
            (Method::Post, ["join"]) => {
                let proof = body::<Join>(request).proof;
                match group.rules().check_request(conversation, me, &proof, now_s) {
                    Ok(invite) => {
                        json(&InvitePreview { members: log.members.len() as u32, approval: invite.approval, member })
                    }
                    Err(denied) => refuse(code(denied)),
                }
            }
            (Method::Post, ["requests"]) => {
                group.requests.insert(account);
                let admins = group.rules().admins;
                let inboxes: Vec<DeviceId> = admins.iter().flat_map(|admin| self.of_account(*admin)).collect();
                for inbox in inboxes {
                    let request_id = MessageId::from_bytes(self.number());
                    self.push(LogId::from(inbox), me, request_id, Body::JoinRequest { conversation });
                }
                Ok(vec![])
            }
            (Method::Get, ["requests"]) if member => {
                let time_ms = self.now_ms;
                let requests = group.requests.iter().map(|account| JoinRequest { account: *account, time_ms });
                json(&JoinRequests { requests: requests.collect() })
            }
            (Method::Delete, ["requests", who]) if member => {
                group.requests.remove(&who.parse().unwrap());
                Ok(vec![])
            }
            (Method::Get, ["watermarks"]) if member => {
                json(&Watermarks { watermarks: log.watermarks.values().map(|(watermark, _)| *watermark).collect() })
            }
            (Method::Get, ["leave"]) if member => {
                let left = group.left.values().cloned().collect();
                json(&Leavers { epoch: log.epoch, left, gone: log.gone.iter().copied().collect() })
            }
            (Method::Post, ["leave"]) if member => self.leave(me, conversation, body(request)),
            _ => refuse(Code::NotFound),
        }
    }

    fn leave(&mut self, me: Sender, conversation: ConversationId, leave: PostLeave) -> Answer {
        let id = LogId::from(conversation);
        let log = self.logs.get_mut(&id).unwrap();
        let others = log.members.len() > 1;
        let seq = log.head() + 1;
        let group = log.group.as_mut().unwrap();
        if leave.epoch != log.epoch {
            return refuse(Code::StaleEpoch);
        }
        if (others && group.rules().admins == [me.account]) || !group.verifies(conversation, &leave.proof) {
            return refuse(Code::Forbidden);
        }
        group.left.insert(me.account, leave.proof.clone());
        group.reach.get_mut(&me.account).unwrap().1 = Some(seq);
        // Its own devices see it too.
        let nowhere = Sender { device: DeviceId::from_bytes([0; 16]), ..me };
        let (seq, time_ms) = self.push(id, nowhere, leave.message_id, Body::Leave { proof: leave.proof });
        self.logs.get_mut(&id).unwrap().members.remove(&me.account);
        json(&Posted { message_id: leave.message_id, seq, time_ms })
    }
}

fn is_member(group: &TestGroup, change: &Change, author: Sender) -> bool {
    change.create.is_some() || group.members().contains(&author.account)
}
