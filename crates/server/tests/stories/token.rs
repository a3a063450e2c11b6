//! Refreshing and revoking.

use crate::common::{Answer, World, phone};
use axum::http::{Method, StatusCode};
use tidings_proto::http::Tokens;
use tidings_proto::problem::{Code, Problem};

async fn me(world: &World, access_token: &str) -> Answer {
    Answer::of(world.request(Method::GET, "/v1/me").bearer_auth(access_token)).await
}

#[tokio::test]
async fn an_access_token_lives_for_an_hour_and_is_refreshed() {
    let world = World::start().await;
    let first = world.sign_up(&phone(1)).await.tokens;
    assert_eq!(first.expires_in, 3_600);
    world.clock.forward_ms(3_600_000);
    let expired = me(&world, &first.access_token).await;
    expired.problem(Code::Unauthorized);
    assert!(expired.headers.contains_key("www-authenticate"));

    let answer = world.refresh(&first.refresh_token).await.expect(StatusCode::OK);
    assert_eq!(answer.headers["cache-control"], "no-store");
    let second: Tokens = answer.json();
    assert_eq!((second.account, second.device), (first.account, first.device));
    me(&world, &second.access_token).await.expect(StatusCode::OK);
    let third: Tokens = world.refresh(&second.refresh_token).await.expect(StatusCode::OK).json();
    me(&world, &third.access_token).await.expect(StatusCode::OK);
}

#[tokio::test]
async fn a_lost_answer_can_be_asked_for_again_and_logs_nobody_out() {
    let world = World::start().await;
    let first = world.sign_up(&phone(1)).await.tokens;
    let lost: Tokens = world.refresh(&first.refresh_token).await.expect(StatusCode::OK).json();
    // The client never saw `lost`, and goes on with what it has.
    me(&world, &first.access_token).await.expect(StatusCode::OK);
    let again: Tokens = world.refresh(&first.refresh_token).await.expect(StatusCode::OK).json();
    assert_eq!(lost.refresh_token, again.refresh_token, "the same rotation");
    me(&world, &again.access_token).await.expect(StatusCode::OK);
    // Now the rotation is complete: what came before is replaced.
    me(&world, &first.access_token).await.problem(Code::Unauthorized);
    me(&world, &lost.access_token).await.expect(StatusCode::OK);
}

#[tokio::test]
async fn a_refresh_token_used_again_after_its_successor_logs_the_device_out() {
    let world = World::start().await;
    let first = world.sign_up(&phone(1)).await.tokens;
    let second: Tokens = world.refresh(&first.refresh_token).await.json();
    me(&world, &second.access_token).await.expect(StatusCode::OK);
    let problem = world.refresh(&first.refresh_token).await.problem(Code::InvalidGrant);
    assert_eq!(problem.error.as_deref(), Some("invalid_grant"));
    me(&world, &second.access_token).await.problem(Code::LoggedOut);
    world.refresh(&second.refresh_token).await.problem(Code::InvalidGrant);
}

#[tokio::test]
async fn refreshing_with_the_new_token_before_its_access_token_was_used_is_a_rotation_too() {
    let world = World::start().await;
    let first = world.sign_up(&phone(1)).await.tokens;
    let second: Tokens = world.refresh(&first.refresh_token).await.json();
    let third: Tokens = world.refresh(&second.refresh_token).await.expect(StatusCode::OK).json();
    me(&world, &third.access_token).await.expect(StatusCode::OK);
    // Two behind: nobody honest has that any more.
    world.refresh(&first.refresh_token).await.problem(Code::InvalidGrant);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refreshes_at_once_give_one_rotation() {
    let world = World::start().await;
    let first = world.sign_up(&phone(1)).await.tokens;
    let answers = futures_util::future::join_all((0..10).map(|_| world.refresh(&first.refresh_token))).await;
    let tokens: Vec<Tokens> = answers.into_iter().map(|answer| answer.expect(StatusCode::OK).json()).collect();
    assert!(tokens.iter().all(|other| other.refresh_token == tokens[0].refresh_token));
    me(&world, &tokens[3].access_token).await.expect(StatusCode::OK);
}

#[tokio::test]
async fn revoking_a_token_logs_its_device_out_and_is_always_200() {
    let world = World::start().await;
    let (ann, ben) = (world.sign_up(&phone(1)).await.tokens, world.sign_up(&phone(2)).await.tokens);
    world.form("/v1/oauth/revoke", &[("token", "nonsense")]).await.expect(StatusCode::OK);
    world.form("/v1/oauth/revoke", &[("token", &ann.refresh_token)]).await.expect(StatusCode::OK);
    world.form("/v1/oauth/revoke", &[("token", &ben.access_token)]).await.expect(StatusCode::OK);
    for tokens in [ann, ben] {
        me(&world, &tokens.access_token).await.problem(Code::LoggedOut);
        world.refresh(&tokens.refresh_token).await.problem(Code::InvalidGrant);
    }
}

#[tokio::test]
async fn the_token_endpoint_speaks_oauth_when_it_refuses() {
    let world = World::start().await;
    let answer = world.form("/v1/oauth/token", &[("grant_type", "password"), ("refresh_token", "x")]).await;
    assert_eq!(answer.problem(Code::BadRequest).error.as_deref(), Some("unsupported_grant_type"));
    let answer = world.form("/v1/oauth/token", &[("grant_type", "refresh_token")]).await;
    assert_eq!(answer.problem(Code::BadRequest).error.as_deref(), Some("invalid_request"));
    let problem: Problem = world.refresh("tdr_nonsense").await.problem(Code::InvalidGrant);
    assert_eq!(problem.error.as_deref(), Some("invalid_grant"));
}
