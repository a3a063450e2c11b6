//! Which message a command means.

use super::{catch_up, unexpected};
use crate::driver::Handle;
use crate::failure::Failure;
use std::str::FromStr;
use tidings_client::view::{Message, Position};
use tidings_client::{ClientError, Command, Peer, Reply};
use tidings_proto::id::MessageId;

/// A message's number (as `history` and `chat` show it), or its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    Number(u64),
    Id(MessageId),
}

impl FromStr for Which {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(number) = text.trim_start_matches('#').parse() {
            return Ok(Self::Number(number));
        }
        text.parse().map(Self::Id).map_err(|_| "a message is meant by its number, as in 12, or by its id".into())
    }
}

impl Which {
    /// What is not here yet may be on its way: then the server is asked first.
    pub async fn find(self, handle: &Handle, of: &Peer) -> Result<MessageId, Failure> {
        match self.find_here(handle, of).await {
            Err(_) => {
                catch_up(handle).await?;
                self.find_here(handle, of).await
            }
            found => found,
        }
    }

    async fn find_here(self, handle: &Handle, of: &Peer) -> Result<MessageId, Failure> {
        match self {
            Self::Id(id) => handle.call(Command::Message { id }).await.map(|_| id),
            Self::Number(number) => find_number(handle, of, number).await.map(|message| message.message),
        }
    }
}

pub async fn find_number(handle: &Handle, of: &Peer, number: u64) -> Result<Message, Failure> {
    let before = Some(Position { seq: number.saturating_add(1), local: 0 });
    let messages = match handle.ask(Command::Messages { of: of.clone(), before, limit: 1 }).await? {
        Ok(Reply::Messages(messages)) => messages,
        Ok(other) => return Err(unexpected(&other)),
        Err(ClientError::NoSuchConversation) => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    messages.into_iter().find(|message| message.position.seq == number).ok_or_else(|| ClientError::NoSuchMessage.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_ids_are_told_apart() {
        assert_eq!("12".parse(), Ok(Which::Number(12)));
        assert_eq!("#12".parse(), Ok(Which::Number(12)));
        let id = MessageId::new(1, [7; 10]);
        assert_eq!(id.to_string().parse(), Ok(Which::Id(id)));
        assert!("last".parse::<Which>().is_err());
    }
}
