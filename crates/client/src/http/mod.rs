//! Requests to the HTTP API: who asked for what, and under which token.
//!
//! A request that needs a token waits while there is none that is fresh, and is repeated once with a new token if the
//! server says `unauthorized`. Nothing in here is durable: whoever needs an answer asks again after a restart.

pub(crate) mod token;

use crate::error::ClientError;
use crate::io::{CallId, HttpBody, HttpOutcome, HttpRequest, Method, Output};
use crate::memory::{Call, Purpose};
use crate::step::{Done, Step, Stop};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tidings_proto::frame::Refused;
use tidings_proto::problem::{Code, Next, Problem};

/// A good answer's body, or why there is none.
pub(crate) type Answer = Result<Vec<u8>, Failure>;

#[derive(Clone, Debug)]
pub(crate) enum Failure {
    /// Whether the server did it is unknown.
    Lost,
    Problem(Box<Problem>),
}

impl Failure {
    pub fn new(code: Code, detail: &str) -> Self {
        Self::Problem(Box::new(Problem::new(code, detail)))
    }

    pub fn code(&self) -> Option<Code> {
        match self {
            Self::Lost => None,
            Self::Problem(problem) => Some(problem.code),
        }
    }

    /// Whether the same may succeed later by itself.
    pub fn may_pass(&self) -> bool {
        self.code().is_none_or(|code| matches!(code.next(), Next::Retry | Next::Authenticate))
    }

    pub fn retry_after_ms(&self) -> Option<u64> {
        match self {
            Self::Lost => None,
            Self::Problem(problem) => problem.retry_after_ms,
        }
    }

    pub fn to_client_error(&self) -> ClientError {
        match self {
            Self::Lost => ClientError::Offline,
            Self::Problem(problem) => ClientError::Refused {
                code: problem.code,
                detail: problem.detail.clone(),
                retry_after_ms: problem.retry_after_ms,
            },
        }
    }
}

/// A refusal on the live connection, in the words of HTTP.
impl From<&Refused> for Failure {
    fn from(refused: &Refused) -> Self {
        let mut problem = Problem::new(refused.code, refused.detail.clone());
        problem.retry_after_ms = refused.retry_after_ms;
        problem.epoch = refused.epoch;
        problem.head = refused.head;
        problem.accounts = refused.accounts.clone();
        Self::Problem(Box::new(problem))
    }
}

/// Asks without a token.
pub(crate) fn ask_unsigned(step: &mut Step<'_>, purpose: Purpose, path: &str, body: HttpBody) -> Done {
    ask_unsigned_with(step, purpose, Method::Post, path, body)
}

pub(crate) fn ask_unsigned_with(
    step: &mut Step<'_>,
    purpose: Purpose,
    method: Method,
    path: &str,
    body: HttpBody,
) -> Done {
    dispatch(step, Call { purpose, method, path: path.into(), body, signed: false, repeated: false })
}

/// Asks with the access token, as soon as there is a fresh one.
pub(crate) fn ask(
    step: &mut Step<'_>,
    purpose: Purpose,
    method: Method,
    path: impl Into<String>,
    body: HttpBody,
) -> Done {
    dispatch(step, Call { purpose, method, path: path.into(), body, signed: true, repeated: false })
}

fn dispatch(step: &mut Step<'_>, call: Call) -> Done {
    let bearer = if call.signed {
        let Some(token) = token::fresh(step)? else {
            step.mem.requests.parked.push(call);
            return token::refresh(step);
        };
        Some(token)
    } else {
        None
    };
    step.mem.requests.next += 1;
    let id = step.mem.requests.next;
    let request = HttpRequest { id, method: call.method, path: call.path.clone(), body: call.body.clone(), bearer };
    step.mem.requests.open.insert(id, call);
    step.out.push(Output::Request(request));
    Ok(())
}

/// There is a fresh token: what waited for it goes out.
pub(crate) fn unpark(step: &mut Step<'_>) -> Done {
    for call in std::mem::take(&mut step.mem.requests.parked) {
        dispatch(step, call)?;
    }
    Ok(())
}

/// `Input::Response`: what the answer is for, unless nobody waits for it (any more).
pub(crate) fn response(
    step: &mut Step<'_>,
    id: CallId,
    outcome: HttpOutcome,
) -> Result<Option<(Purpose, Answer)>, Stop> {
    let Some(call) = step.mem.requests.open.remove(&id) else { return Ok(None) };
    let answer = match outcome {
        HttpOutcome::Lost => Err(Failure::Lost),
        HttpOutcome::Answer { status: 200..=299, body } => Ok(body),
        HttpOutcome::Answer { status, body } => Err(Failure::Problem(Box::new(problem(status, &body)))),
    };
    match answer.as_ref().err().and_then(Failure::code) {
        Some(Code::Unauthorized) if call.signed && !call.repeated => {
            token::forget_access(step)?;
            dispatch(step, Call { repeated: true, ..call })?;
            Ok(None)
        }
        Some(Code::LoggedOut) => Err(Stop::LoggedOut { why: why(&answer) }),
        _ => Ok(Some((call.purpose, answer))),
    }
}

/// What the server says about it.
pub(crate) fn why<T>(answer: &Result<T, Failure>) -> String {
    match answer {
        Err(Failure::Problem(problem)) if !problem.detail.is_empty() => problem.detail.clone(),
        _ => "the server logged this device out".into(),
    }
}

/// The body of a POST or PUT.
pub(crate) fn json<T: Serialize>(value: &T) -> HttpBody {
    HttpBody::Json(serde_json::to_vec(value).expect("our types always serialize"))
}

/// Reads a good answer. One that is not of the documented form is the server's fault, and may pass.
pub(crate) fn read<T: DeserializeOwned>(answer: Answer) -> Result<T, Failure> {
    serde_json::from_slice(&answer?)
        .map_err(|_| Failure::new(Code::Internal, "the server's answer is not of the documented form"))
}

fn problem(status: u16, body: &[u8]) -> Problem {
    serde_json::from_slice(body).unwrap_or_else(|_| {
        let code = match status {
            401 => Code::Unauthorized,
            404 => Code::NotFound,
            429 => Code::RateLimited,
            503 => Code::Overloaded,
            500..=599 => Code::Internal,
            _ => Code::BadRequest,
        };
        Problem::new(code, format!("the server answered {status} without saying why"))
    })
}

/// `a=b&c=d`, as RFC 6749 wants it at the token endpoint.
pub(crate) fn form(fields: &[(&str, &str)]) -> HttpBody {
    let mut text = String::new();
    for (name, value) in fields {
        if !text.is_empty() {
            text.push('&');
        }
        text.push_str(name);
        text.push('=');
        for byte in value.bytes() {
            match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'*' => text.push(char::from(byte)),
                b' ' => text.push('+'),
                _ => text.push_str(&format!("%{byte:02X}")),
            }
        }
    }
    HttpBody::Form(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_escaped() {
        assert_eq!(form(&[("a", "x y"), ("b", "+1&ü")]), HttpBody::Form("a=x+y&b=%2B1%26%C3%BC".into()));
    }

    #[test]
    fn an_answer_without_a_problem_document_is_read_by_its_status() {
        assert_eq!(problem(401, b"").code, Code::Unauthorized);
        assert_eq!(problem(502, b"<html>").code, Code::Internal);
        assert_eq!(problem(418, b"{}").code, Code::BadRequest);
    }
}
