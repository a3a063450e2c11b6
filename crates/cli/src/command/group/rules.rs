//! `tidings group rules`

use super::{Patience, change, look};
use crate::Common;
use crate::command::{catch_up_to_look, with};
use crate::failure::Failure;
use crate::show::{group, out};
use crate::target::Target;
use clap::{Args, ValueEnum};
use tidings_client::Command;
use tidings_proto::group::Who;

#[derive(Args)]
#[command(after_help = "\
Examples:
  tidings group rules Cinema                      shows them
  tidings group rules Cinema --posting admins     announcements only; everybody may still react
  tidings group rules Cinema --editing admins --adding admins

Only admins change them. Server and members' devices both hold everybody to them.")]
pub struct Rules {
    /// Which group: its name or id
    group: Target,
    /// Who may send messages
    #[arg(long, value_enum, value_name = "WHO")]
    posting: Option<Allowed>,
    /// Who may change name, description, picture and the disappearing timer
    #[arg(long, value_enum, value_name = "WHO")]
    editing: Option<Allowed>,
    /// Who may add people
    #[arg(long, value_enum, value_name = "WHO")]
    adding: Option<Allowed>,
    #[command(flatten)]
    patience: Patience,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Allowed {
    Members,
    Admins,
}

impl From<Allowed> for Who {
    fn from(allowed: Allowed) -> Self {
        match allowed {
            Allowed::Members => Self::Members,
            Allowed::Admins => Self::Admins,
        }
    }
}

impl Rules {
    pub async fn run(self, common: &Common) -> Result<(), Failure> {
        let [posting, editing, adding] = [self.posting, self.editing, self.adding].map(|it| it.map(Who::from));
        if posting.or(editing).or(adding).is_some() {
            let set = async |_: &_, group| Ok(Command::SetRules { group, posting, editing, adding });
            change(common, &self.group, self.patience, set).await?;
        }
        with(common, &[&self.group], async |handle| {
            catch_up_to_look(handle).await?;
            let group = look(handle, self.group.peer(handle).await?).await?;
            out::line(&group::rules(&group.rules))
        })
        .await
    }
}
