//! `POST /v1/reports`: somebody tells the people who run the server about a person or a group.
//!
//! The server cannot read messages, so it sees of them exactly what the reporter's client attaches. Nothing proves that
//! an attached message was said: it is the reporter's word.

use crate::id::{AccountId, ConversationId, MessageId};
use serde::{Deserialize, Serialize};

/// 201 with [`Reported`]; 413 `too_large`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PostReport {
    /// The person, or the one who wrote most of what is attached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountId>,
    /// Where it was.
    pub conversation: ConversationId,
    /// At most [`crate::limit::REPORT_REASON_MAX_BYTES`].
    pub reason: String,
    /// At most [`crate::limit::REPORT_MESSAGES_MAX`], the oldest first.
    #[serde(default)]
    pub messages: Vec<ReportedMessage>,
}

/// A message as the reporter has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReportedMessage {
    pub message: MessageId,
    pub sender: AccountId,
    pub time_ms: u64,
    /// Cut to [`crate::limit::REPORT_TEXT_MAX_BYTES`].
    pub text: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Reported {
    /// To talk about it with those who run the server.
    pub report: String,
}

/// A report as the server keeps it: version 1, JSON after a version byte.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    pub time_ms: u64,
    /// Who reported.
    pub by: AccountId,
    pub report: PostReport,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_keep_their_names() {
        let message = ReportedMessage {
            message: MessageId::from_bytes([1; 16]),
            sender: AccountId::from_bytes([2; 16]),
            time_ms: 1_700_000_000_000,
            text: "buy now".into(),
        };
        let report = PostReport {
            account: Some(AccountId::from_bytes([2; 16])),
            conversation: ConversationId::from_bytes([3; 16]),
            reason: "spam".into(),
            messages: vec![message],
        };
        let kept = Report { time_ms: 1_700_000_000_001, by: AccountId::from_bytes([4; 16]), report };
        insta::assert_json_snapshot!("report", (kept, Reported { report: "0190".into() }));
    }
}
