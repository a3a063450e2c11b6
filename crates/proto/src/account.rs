//! Bodies of `/v1/account`: deleting the account, and the lock of its number.

use crate::id::ConversationId;
use crate::payload::Payload;
use serde::{Deserialize, Serialize};

macro_rules! bodies {
    ($($(#[$doc:meta])* pub struct $name:ident { $($(#[$field_meta:meta])* pub $field:ident: $ty:ty,)* })*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
            #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
            pub struct $name { $($(#[$field_meta])* pub $field: $ty,)* }
        )*
    };
}

bodies! {
    /// `DELETE /v1/account`: 204. The account is gone, and every login with it; the number is free.
    pub struct DeleteAccount {
        /// The account's own number: nobody deletes one by mistake.
        pub phone: String,
        /// See [`crate::credential::deletion`]: passed on to those who talked to this account.
        pub deletion: Payload,
        /// If the number is locked.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub pin: Option<String>,
        /// Groups that the account has just left, and whose members are told why. At most
        /// [`crate::limit::DELETION_GROUPS_MAX`].
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pub left: Vec<ConversationId>,
        /// Only says whether it would be done.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        pub check: bool,
    }

    /// `PUT /v1/account/lock`: 204. From now on a login on this number needs the PIN too; replaces a former one.
    pub struct PutLock {
        /// [`crate::limit::PIN_DIGITS_MIN`] to [`crate::limit::PIN_DIGITS_MAX`] digits.
        pub pin: String,
    }

    /// `GET /v1/account/lock`; `DELETE` takes it off: 204. `DELETE /v1/account/lock/reset`: 204, ends a reset.
    pub struct Lock {
        pub on: bool,
        /// Since when; 0 if it is off.
        pub set_ms: u64,
        /// Somebody with a code for the number said that they forgot the PIN: when they get in without it, unless a device
        /// of the account ends that before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub reset_ms: Option<u64>,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_keep_their_names() {
        let delete = DeleteAccount {
            phone: "+31612345678".into(),
            deletion: vec![1; 4].into(),
            pin: Some("1234".into()),
            left: vec![ConversationId::from_bytes([2; 16])],
            check: true,
        };
        let lock = Lock { on: true, set_ms: 1_700_000_000_000, reset_ms: Some(1_700_604_800_000) };
        insta::assert_json_snapshot!("account", (delete, PutLock { pin: "1234".into() }, lock));
    }
}
