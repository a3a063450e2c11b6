//! One's own devices: which there are, what they are called, and how one is thrown out.

use crate::command::Reply;
use crate::error::ClientError;
use crate::http::{self, Answer};
use crate::io::{CallId, HttpBody, Method};
use crate::memory::Purpose;
use crate::step::{Done, Step};
use crate::view;
use tidings_proto::http::{Devices, RenameDevice};
use tidings_proto::id::DeviceId;
use tidings_proto::limit::DEVICE_NAME_MAX_BYTES;

pub(crate) fn list(step: &mut Step<'_>, reply: CallId) -> Done {
    step.me()?;
    http::ask(step, Purpose::Devices { reply }, Method::Get, "/v1/devices", HttpBody::Empty)
}

pub(crate) fn listed(step: &mut Step<'_>, reply: CallId, answer: Answer) -> Done {
    let result = match http::read::<Devices>(answer) {
        Ok(listed) => {
            let own = step.me()?.sender.device;
            let devices = listed.devices.into_iter().map(|device| view::Device {
                current: device.device == own,
                device: device.device,
                name: device.name,
                created_ms: device.created_ms,
            });
            Ok(Reply::Devices(devices.collect()))
        }
        Err(failure) => Err(failure.to_client_error()),
    };
    step.reply(reply, result);
    Ok(())
}

pub(crate) fn rename(step: &mut Step<'_>, reply: CallId, device: DeviceId, name: String) -> Done {
    step.me()?;
    if name.len() > DEVICE_NAME_MAX_BYTES {
        return Err(ClientError::TooLong { bytes: name.len(), max: DEVICE_NAME_MAX_BYTES }.into());
    }
    let body = http::json(&RenameDevice { name });
    http::ask(step, Purpose::RenameDevice { reply }, Method::Put, format!("/v1/devices/{device}"), body)
}

pub(crate) fn renamed(step: &mut Step<'_>, reply: CallId, answer: Answer) -> Done {
    let result = answer.map(|_| Reply::Done).map_err(|failure| failure.to_client_error());
    step.reply(reply, result);
    Ok(())
}

pub(crate) fn revoke(step: &mut Step<'_>, reply: CallId, device: DeviceId) -> Done {
    if device == step.me()?.sender.device {
        return Err(ClientError::NotAllowed { why: "this is the device itself: log out instead".into() }.into());
    }
    let purpose = Purpose::RevokeDevice { reply, device };
    http::ask(step, purpose, Method::Delete, format!("/v1/devices/{device}"), HttpBody::Empty)
}

pub(crate) fn revoked(step: &mut Step<'_>, reply: CallId, _device: DeviceId, answer: Answer) -> Done {
    let result = answer.map(|_| Reply::Done).map_err(|failure| failure.to_client_error());
    step.reply(reply, result);
    Ok(())
}
