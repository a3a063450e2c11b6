//! `POST /v1/register`: sends a code to a phone number.

use crate::account::code;
use crate::account::phone::Phone;
use crate::address::ClientAddress;
use crate::error::Result;
use crate::rate::{EVERYBODY, Who, by_address};
use crate::server::Server;
use crate::sms::Message;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use std::sync::Arc;
use tidings_proto::http::{Register, Registered};
use tidings_proto::limit::CODE_LIFETIME_S;
use tidings_proto::problem::Problem;

/// Send a code
///
/// The answer is the same whether or not the number has an account.
#[utoipa::path(
    post, path = "/v1/register", tag = "account", security(()), request_body = Register,
    responses(
        (status = 202, description = "The code is on its way.", body = Registered),
        (status = 422, description = "`invalid_phone`", body = Problem),
        (status = 429, description = "`rate_limited`", body = Problem),
        (status = 502, description = "`sms_failed`", body = Problem),
    )
)]
pub async fn register(
    State(server): State<Arc<Server>>,
    ClientAddress(address): ClientAddress,
    Json(body): Json<Register>,
) -> Result<(StatusCode, Json<Registered>)> {
    let phone = Phone::parse(&body.phone)?;
    let phone_hash = server.secrets.phone_hash(phone.as_str());
    let number: Who = phone_hash[..16].try_into().expect("a hash has 32 bytes");
    // The narrowest counts first: who is stopped by their own limit takes nothing from everybody's.
    let rates = &server.rates;
    rates.codes_per_address.take(by_address(address))?;
    if let Some(interval) = &rates.code_interval {
        interval.take(number)?;
    }
    rates.codes_per_number.take(number)?;
    rates.codes.take(EVERYBODY)?;

    let code = code::make(&server, &phone_hash).await?;
    match server.sms.send(Message::new(phone.as_str(), &code)).await {
        Ok(()) => server.metrics.codes_sent.inc(),
        Err(error) => {
            server.metrics.codes_failed.inc();
            return Err(error);
        }
    };
    let retry_after_s = server.config.limits.code_interval_s.into();
    Ok((StatusCode::ACCEPTED, Json(Registered { expires_in_s: CODE_LIFETIME_S, retry_after_s })))
}
