//! `tidings export`: all that this device keeps, for people and for programs, out of the encrypted database.

use super::{catch_up_to_look, contacts, status, unexpected, with};
use crate::Common;
use crate::driver::Handle;
use crate::failure::Failure;
use crate::show::contact::Contact;
use crate::show::{line, out, plain, text};
use clap::Args;
use jiff::tz::TimeZone;
use serde_json::json;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use tidings_client::view::{Conversation, Message};
use tidings_client::{Command, Peer, Reply};

/// Messages that are asked for at once.
const PAGE: u32 = 500;
const FILE_NAME_COLUMNS: usize = 40;

#[derive(Args)]
#[command(after_help = "\
Example:
  tidings export my-tidings

Writes into a new folder: account.json, contacts.json (the address book), conversations.json, and of each conversation its
messages as JSON, an object per line, and as text to read. Nothing in it is encrypted: keep it where nobody else reads.
Keys are not in it; to move to another machine use `tidings backup` or `tidings link`.")]
pub struct Export {
    /// The folder; must not exist
    folder: PathBuf,
}

impl Export {
    pub async fn run(self, common: &Common) -> Result<(), Failure> {
        with(common, &[], async |handle| self.write(handle).await).await
    }

    async fn write(&self, handle: &Handle) -> Result<(), Failure> {
        catch_up_to_look(handle).await?;
        make_folder(&self.folder)
            .map_err(|error| Failure::new(format!("{} cannot be made: {error}", self.folder.display())))?;
        let status = status(handle).await?;
        let account = json!({
            "phone": status.phone,
            "account": status.account.map(|it| it.to_string()),
            "device": status.device.map(|it| it.to_string()),
        });
        writeln!(self.file("account.json")?, "{account:#}")?;
        let people = contacts::all(handle).await?;
        let people: Vec<Contact> = people.iter().map(Into::into).collect();
        writeln!(self.file("contacts.json")?, "{:#}", json!(people))?;
        let rows = match handle.call(Command::Conversations).await? {
            Reply::Conversations(rows) => rows,
            other => return Err(unexpected(&other)),
        };
        let plain: Vec<plain::Conversation> = rows.iter().map(Into::into).collect();
        writeln!(self.file("conversations.json")?, "{:#}", json!(plain))?;
        let mut count = 0;
        for (number, row) in (1..).zip(&rows) {
            count += self.conversation(handle, number, row).await?;
        }
        let folder = self.folder.display();
        out::line(&format!("{} conversations with {count} messages are in {folder}.", rows.len()))
    }

    /// How many messages it has.
    async fn conversation(&self, handle: &Handle, number: usize, row: &Conversation) -> Result<usize, Failure> {
        let messages = messages(handle, row).await?;
        let name = format!("{number:03}-{}", file_name(&row.title));
        let (mut for_programs, mut for_people) =
            (self.file(&format!("{name}.jsonl"))?, self.file(&format!("{name}.txt"))?);
        let zone = TimeZone::system();
        for message in &messages {
            writeln!(for_programs, "{}", out::json_text(&plain::Message::from(message)))?;
            writeln!(for_people, "{}", line::message(message, &zone))?;
        }
        for_programs.flush()?;
        for_people.flush()?;
        Ok(messages.len())
    }

    fn file(&self, name: &str) -> Result<BufWriter<File>, Failure> {
        let path = self.folder.join(name);
        let file = OpenOptions::new().write(true).create_new(true).open(&path);
        file.map(BufWriter::new).map_err(|error| Failure::new(format!("{}: {error}", path.display())))
    }
}

/// Only this person may look into it.
fn make_folder(folder: &Path) -> std::io::Result<()> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// What a person called a chat, as a part of a file's name on any system.
fn file_name(title: &str) -> String {
    let plain: String = text::line(title).chars().map(|c| if c.is_alphanumeric() { c } else { '_' }).collect();
    plain.chars().take(FILE_NAME_COLUMNS).collect()
}

/// Ascending; asked for page by page from the newest.
async fn messages(handle: &Handle, row: &Conversation) -> Result<Vec<Message>, Failure> {
    let of = Peer::Conversation(row.conversation);
    let (mut before, mut pages) = (None, Vec::new());
    loop {
        let page = match handle.call(Command::Messages { of: of.clone(), before, limit: PAGE }).await? {
            Reply::Messages(page) => page,
            other => return Err(unexpected(&other)),
        };
        let Some(first) = page.first() else { break };
        before = Some(first.position);
        pages.push(page);
    }
    Ok(pages.into_iter().rev().flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_cannot_lead_out_of_the_folder() {
        assert_eq!(file_name("../../etc/passwd"), "______etc_passwd");
        assert_eq!(file_name("Zoë & co"), "Zoë___co");
        assert_eq!(file_name(&"x".repeat(500)).len(), FILE_NAME_COLUMNS);
    }
}
