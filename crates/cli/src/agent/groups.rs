//! Groups: make, look, change who is in them, who may what, and the links.

use super::Agent;
use super::people::{peer, person};
use super::problem::{Problem, Result};
use crate::command::group::which;
use crate::show::group::{self, Group};
use crate::show::time;
use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use tidings_client::{Command, Peer, Reply};
use tidings_proto::group::Who;
use tokio::time::timeout;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// A change is answered once it is in the group's log. It is kept and done later if that takes longer.
const CHANGE_TIMEOUT: Duration = Duration::from_secs(60);

pub fn routes() -> OpenApiRouter<Arc<Agent>> {
    OpenApiRouter::new()
        .routes(routes!(create))
        .routes(routes!(show))
        .routes(routes!(add))
        .routes(routes!(remove))
        .routes(routes!(make_admin, dismiss_admin))
        .routes(routes!(ban, unban))
        .routes(routes!(set_rules))
        .routes(routes!(leave))
        .routes(routes!(invite))
        .routes(routes!(revoke))
        .routes(routes!(join))
        .routes(routes!(requests))
        .routes(routes!(approve, deny))
}

#[derive(Deserialize, ToSchema)]
struct Create {
    name: String,
    /// Numbers as in `+31687654321`, or ids of accounts.
    members: Vec<String>,
}

#[derive(Deserialize, ToSchema)]
struct Members {
    /// Numbers as in `+31687654321`, or ids of accounts.
    members: Vec<String>,
}

/// What is absent stays as it is.
#[derive(Deserialize, ToSchema)]
struct SetRules {
    /// Who may send messages: `members` or `admins`.
    #[schema(value_type = Option<String>)]
    posting: Option<Who>,
    /// Who may change name, description, picture and timer.
    #[schema(value_type = Option<String>)]
    editing: Option<Who>,
    /// Who may add people.
    #[schema(value_type = Option<String>)]
    adding: Option<Who>,
}

#[derive(Deserialize, ToSchema)]
struct MakeInvite {
    /// Without it, the link is good until it is revoked.
    expires_in_s: Option<u64>,
    /// An admin has to approve who comes by it.
    #[serde(default)]
    approval: bool,
}

#[derive(Serialize, ToSchema)]
struct Made {
    /// Names the link without giving it away.
    key: String,
    /// What `join` takes.
    token: String,
    link: String,
}

#[derive(Deserialize, ToSchema)]
struct Join {
    /// A link, or its token.
    link: String,
}

#[derive(Serialize, ToSchema)]
struct Joined {
    /// False: an admin has to let this account in, and was asked.
    joined: bool,
    /// The group's id.
    id: Option<String>,
}

#[derive(Serialize, ToSchema)]
struct Requests {
    requests: Vec<Request>,
}

#[derive(Serialize, ToSchema)]
struct Request {
    account: String,
    title: String,
    time: String,
}

/// Make a group.
///
/// Answers once the server has it.
#[utoipa::path(post, path = "/v1/groups", tag = "groups", request_body = Create,
    responses((status = 201, body = Group), (status = "default", body = Problem)))]
async fn create(
    State(agent): State<Arc<Agent>>,
    body: std::result::Result<Json<Create>, JsonRejection>,
) -> Result<(StatusCode, Json<Group>)> {
    let Json(Create { name, members }) = body?;
    let members = members.iter().map(|who| person(who)).collect::<Result<_>>()?;
    match change(&agent, Command::CreateGroup { name, members }).await? {
        Reply::Conversation { conversation, .. } => {
            Ok((StatusCode::CREATED, look(&agent, Peer::Conversation(conversation)).await?))
        }
        other => Err(crate::command::unexpected(&other).into()),
    }
}

/// Look at a group: members, rules, links.
#[utoipa::path(get, path = "/v1/groups/{id}", tag = "groups", params(("id" = String, Path)),
    responses((status = 200, body = Group), (status = "default", body = Problem)))]
async fn show(
    State(agent): State<Arc<Agent>>,
    id: std::result::Result<Path<String>, PathRejection>,
) -> Result<Json<Group>> {
    look(&agent, peer(&id?)?).await
}

/// Add people, all of them in one step.
#[utoipa::path(post, path = "/v1/groups/{id}/members", tag = "groups", params(("id" = String, Path)),
    request_body = Members, responses((status = 200, body = Group), (status = "default", body = Problem)))]
async fn add(
    State(agent): State<Arc<Agent>>,
    id: std::result::Result<Path<String>, PathRejection>,
    body: std::result::Result<Json<Members>, JsonRejection>,
) -> Result<Json<Group>> {
    let group = peer(&id?)?;
    let members = body?.0.members.iter().map(|who| person(who)).collect::<Result<_>>()?;
    change_and_look(&agent, group.clone(), Command::AddMembers { group, members }).await
}

/// Remove a person.
#[utoipa::path(delete, path = "/v1/groups/{id}/members/{person}", tag = "groups",
    params(("id" = String, Path), ("person" = String, Path)),
    responses((status = 200, body = Group), (status = "default", body = Problem)))]
async fn remove(
    State(agent): State<Arc<Agent>>,
    path: std::result::Result<Path<(String, String)>, PathRejection>,
) -> Result<Json<Group>> {
    let (group, who) = both(path)?;
    change_and_look(&agent, group.clone(), Command::RemoveMembers { group, members: vec![who] }).await
}

/// Make a member an admin.
#[utoipa::path(put, path = "/v1/groups/{id}/admins/{person}", tag = "groups",
    params(("id" = String, Path), ("person" = String, Path)),
    responses((status = 200, body = Group), (status = "default", body = Problem)))]
async fn make_admin(
    State(agent): State<Arc<Agent>>,
    path: std::result::Result<Path<(String, String)>, PathRejection>,
) -> Result<Json<Group>> {
    let (group, who) = both(path)?;
    change_and_look(&agent, group.clone(), Command::SetAdmin { group, who, on: true }).await
}

/// Take the admin's role back.
#[utoipa::path(delete, path = "/v1/groups/{id}/admins/{person}", tag = "groups",
    params(("id" = String, Path), ("person" = String, Path)),
    responses((status = 200, body = Group), (status = "default", body = Problem)))]
async fn dismiss_admin(
    State(agent): State<Arc<Agent>>,
    path: std::result::Result<Path<(String, String)>, PathRejection>,
) -> Result<Json<Group>> {
    let (group, who) = both(path)?;
    change_and_look(&agent, group.clone(), Command::SetAdmin { group, who, on: false }).await
}

/// Remove somebody for good.
#[utoipa::path(put, path = "/v1/groups/{id}/bans/{person}", tag = "groups",
    params(("id" = String, Path), ("person" = String, Path)),
    responses((status = 200, body = Group), (status = "default", body = Problem)))]
async fn ban(
    State(agent): State<Arc<Agent>>,
    path: std::result::Result<Path<(String, String)>, PathRejection>,
) -> Result<Json<Group>> {
    let (group, who) = both(path)?;
    change_and_look(&agent, group.clone(), Command::Ban { group, who, on: true }).await
}

/// Let somebody come in again.
#[utoipa::path(delete, path = "/v1/groups/{id}/bans/{person}", tag = "groups",
    params(("id" = String, Path), ("person" = String, Path)),
    responses((status = 200, body = Group), (status = "default", body = Problem)))]
async fn unban(
    State(agent): State<Arc<Agent>>,
    path: std::result::Result<Path<(String, String)>, PathRejection>,
) -> Result<Json<Group>> {
    let (group, who) = both(path)?;
    change_and_look(&agent, group.clone(), Command::Ban { group, who, on: false }).await
}

/// Say who may post, edit and add.
#[utoipa::path(patch, path = "/v1/groups/{id}/rules", tag = "groups", params(("id" = String, Path)),
    request_body = SetRules, responses((status = 200, body = Group), (status = "default", body = Problem)))]
async fn set_rules(
    State(agent): State<Arc<Agent>>,
    id: std::result::Result<Path<String>, PathRejection>,
    body: std::result::Result<Json<SetRules>, JsonRejection>,
) -> Result<Json<Group>> {
    let group = peer(&id?)?;
    let Json(SetRules { posting, editing, adding }) = body?;
    change_and_look(&agent, group.clone(), Command::SetRules { group, posting, editing, adding }).await
}

/// Leave. What was said stays readable here.
#[utoipa::path(post, path = "/v1/groups/{id}/leave", tag = "groups", params(("id" = String, Path)),
    responses((status = 204), (status = "default", body = Problem)))]
async fn leave(
    State(agent): State<Arc<Agent>>,
    id: std::result::Result<Path<String>, PathRejection>,
) -> Result<StatusCode> {
    change(&agent, Command::Leave { group: peer(&id?)? }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Make a link by which people come in.
#[utoipa::path(post, path = "/v1/groups/{id}/invites", tag = "groups", params(("id" = String, Path)),
    request_body = MakeInvite, responses((status = 201, body = Made), (status = "default", body = Problem)))]
async fn invite(
    State(agent): State<Arc<Agent>>,
    id: std::result::Result<Path<String>, PathRejection>,
    body: std::result::Result<Json<MakeInvite>, JsonRejection>,
) -> Result<(StatusCode, Json<Made>)> {
    let group = peer(&id?)?;
    let Json(MakeInvite { expires_in_s, approval }) = body?;
    match change(&agent, Command::CreateInvite { group, expires_in_s, approval }).await? {
        Reply::Invite { token, key } => {
            let link = crate::command::group::link(&agent.profile.server, &token);
            Ok((StatusCode::CREATED, Json(Made { key: group::key(key), token, link })))
        }
        other => Err(crate::command::unexpected(&other).into()),
    }
}

/// Make a link worthless.
#[utoipa::path(delete, path = "/v1/groups/{id}/invites/{key}", tag = "groups",
    params(("id" = String, Path), ("key" = String, Path)),
    responses((status = 204), (status = "default", body = Problem)))]
async fn revoke(
    State(agent): State<Arc<Agent>>,
    path: std::result::Result<Path<(String, String)>, PathRejection>,
) -> Result<StatusCode> {
    let Path((id, key)) = path?;
    let group = peer(&id)?;
    let known = crate::command::group::look(&agent.handle, group.clone()).await?;
    let key = which(&known.invites, &key).map_err(|failure| Problem::new(404, "no_such_invite", failure.what()))?;
    change(&agent, Command::RevokeInvite { group, key }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Join a group by a link.
#[utoipa::path(post, path = "/v1/groups/join", tag = "groups", request_body = Join,
    responses((status = 200, body = Joined), (status = "default", body = Problem)))]
async fn join(
    State(agent): State<Arc<Agent>>,
    body: std::result::Result<Json<Join>, JsonRejection>,
) -> Result<Json<Joined>> {
    let Json(Join { link }) = body?;
    let token = crate::command::group::token(&agent.profile.server, &link);
    let token = token.map_err(|failure| Problem::bad_request(failure.what()))?.to_owned();
    match change(&agent, Command::JoinByInvite { token }).await? {
        Reply::JoinRequested => Ok(Json(Joined { joined: false, id: None })),
        Reply::Conversation { conversation, .. } => {
            Ok(Json(Joined { joined: true, id: Some(conversation.to_string()) }))
        }
        other => Err(crate::command::unexpected(&other).into()),
    }
}

/// Who asks to be let in.
#[utoipa::path(get, path = "/v1/groups/{id}/requests", tag = "groups", params(("id" = String, Path)),
    responses((status = 200, body = Requests), (status = "default", body = Problem)))]
async fn requests(
    State(agent): State<Arc<Agent>>,
    id: std::result::Result<Path<String>, PathRejection>,
) -> Result<Json<Requests>> {
    match change(&agent, Command::JoinRequests { group: peer(&id?)? }).await? {
        Reply::JoinRequests(rows) => {
            let requests = rows.into_iter().map(|row| Request {
                account: row.who.account.to_string(),
                title: row.who.title,
                time: time::rfc3339(row.time_ms),
            });
            Ok(Json(Requests { requests: requests.collect() }))
        }
        other => Err(crate::command::unexpected(&other).into()),
    }
}

/// Let somebody in who asked.
#[utoipa::path(put, path = "/v1/groups/{id}/requests/{person}", tag = "groups",
    params(("id" = String, Path), ("person" = String, Path)),
    responses((status = 204), (status = "default", body = Problem)))]
async fn approve(
    State(agent): State<Arc<Agent>>,
    path: std::result::Result<Path<(String, String)>, PathRejection>,
) -> Result<StatusCode> {
    let (group, who) = both(path)?;
    change(&agent, Command::AnswerJoinRequest { group, who, approve: true }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Do not let somebody in who asked.
#[utoipa::path(delete, path = "/v1/groups/{id}/requests/{person}", tag = "groups",
    params(("id" = String, Path), ("person" = String, Path)),
    responses((status = 204), (status = "default", body = Problem)))]
async fn deny(
    State(agent): State<Arc<Agent>>,
    path: std::result::Result<Path<(String, String)>, PathRejection>,
) -> Result<StatusCode> {
    let (group, who) = both(path)?;
    change(&agent, Command::AnswerJoinRequest { group, who, approve: false }).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn both(path: std::result::Result<Path<(String, String)>, PathRejection>) -> Result<(Peer, Peer)> {
    let Path((id, who)) = path?;
    Ok((peer(&id)?, person(&who)?))
}

async fn change(agent: &Agent, command: Command) -> Result<Reply> {
    let late = || Problem::new(504, "timeout", "The server did not take it yet; it is kept, and done later.");
    Ok(timeout(CHANGE_TIMEOUT, agent.handle.ask(command)).await.map_err(|_| late())???)
}

async fn change_and_look(agent: &Agent, group: Peer, command: Command) -> Result<Json<Group>> {
    change(agent, command).await?;
    look(agent, group).await
}

async fn look(agent: &Agent, group: Peer) -> Result<Json<Group>> {
    match agent.handle.ask(Command::GroupInfo { group }).await?? {
        Reply::Group(group) => Ok(Json((&group).into())),
        other => Err(crate::command::unexpected(&other).into()),
    }
}
