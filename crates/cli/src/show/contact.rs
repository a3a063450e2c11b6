//! Somebody in the address book, as programs read it.

use serde::Serialize;
use tidings_client::view::{self, Found};
use utoipa::ToSchema;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Contact {
    pub phone: String,
    /// This account's own name for them.
    pub name: String,
    /// `null`: the server was not asked lately.
    pub on_tidings: Option<bool>,
    pub account: Option<String>,
    /// Of the direct conversation with them, whether or not it was begun.
    pub conversation: Option<String>,
    /// What they call themselves, and say of themselves.
    pub profile_name: Option<String>,
    pub about: Option<String>,
    pub blocked: bool,
}

impl From<&view::Contact> for Contact {
    fn from(contact: &view::Contact) -> Self {
        Self {
            phone: contact.phone.clone(),
            name: contact.name.clone(),
            on_tidings: match contact.found {
                Found::Here => Some(true),
                Found::Nobody => Some(false),
                Found::Unknown => None,
            },
            account: contact.account.map(|account| account.to_string()),
            conversation: contact.conversation.map(|conversation| conversation.to_string()),
            profile_name: contact.profile_name.clone(),
            about: contact.about.clone(),
            blocked: contact.blocked,
        }
    }
}
