//! `POST /v1/reports`.

use crate::auth::Authenticated;
use crate::error::{Error, Result};
use crate::server::Server;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use std::sync::Arc;
use tidings_proto::id::MessageId;
use tidings_proto::limit::{REPORT_MESSAGES_MAX, REPORT_REASON_MAX_BYTES, REPORT_TEXT_MAX_BYTES};
use tidings_proto::problem::{Code, Problem};
use tidings_proto::report::{PostReport, Report, Reported};
use tidings_store::table::Family;
use tidings_store::{Batch, Table};

const DAY_MS: u64 = 24 * 3_600_000;

/// Report a person or a group
///
/// Those who run the server see what is attached, and nothing else.
#[utoipa::path(
    post, path = "/v1/reports", tag = "account", security(("access_token" = [])), request_body = PostReport,
    responses(
        (status = 201, description = "It is kept for those who run the server.", body = Reported),
        (status = 413, description = "`too_large`", body = Problem),
        (status = 429, description = "`rate_limited`", body = Problem),
    )
)]
pub async fn post(
    State(server): State<Arc<Server>>,
    Authenticated(me): Authenticated,
    Json(report): Json<PostReport>,
) -> Result<(StatusCode, Json<Reported>)> {
    server.rates.reports_per_account.take(*me.account.as_bytes())?;
    let too_large = report.reason.len() > REPORT_REASON_MAX_BYTES
        || report.messages.len() > REPORT_MESSAGES_MAX
        || report.messages.iter().any(|message| message.text.len() > REPORT_TEXT_MAX_BYTES);
    if too_large {
        let detail = format!(
            "A report has {REPORT_REASON_MAX_BYTES} bytes of reason and {REPORT_MESSAGES_MAX} messages of \
             {REPORT_TEXT_MAX_BYTES} bytes at most."
        );
        return Err(Error::new(Code::TooLarge, detail));
    }
    let time_ms = server.clock.now_ms();
    // Begins with time, so reports are in order.
    let id = MessageId::new(time_ms, server.random.bytes());
    let kept = serde_json::to_vec(&Report { time_ms, by: me.account, report })
        .map_err(|_| Error::new(Code::Internal, "The report could not be kept."))?;
    let value = [&[VERSION], &kept[..]].concat();
    let expires_ms = time_ms + u64::from(server.config.report.kept_days) * DAY_MS;
    let batch = Batch::new(Family::Report, (time_ms / DAY_MS).to_be_bytes()).put_until(
        Table::Report,
        id.as_bytes(),
        value,
        expires_ms,
    );
    server.store.commit(batch).await?;
    tracing::info!("a report came in: tidings admin reports");
    Ok((StatusCode::CREATED, Json(Reported { report: id.to_string() })))
}

/// Of the stored form.
pub const VERSION: u8 = 1;
