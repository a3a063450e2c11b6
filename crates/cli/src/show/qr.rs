//! QR codes on the terminal.

use crate::failure::Failure;
use qrcode::render::unicode::Dense1x2;
use qrcode::{EcLevel, QrCode};

/// Half blocks: two rows of the code are one line of the terminal.
pub fn render(text: &str) -> Result<String, Failure> {
    let code = QrCode::with_error_correction_level(text, EcLevel::L)
        .map_err(|_| Failure::new("this is too long for a QR code"))?;
    // Dark on light, as cameras expect, on a terminal that is light on dark.
    Ok(code.render::<Dense1x2>().dark_color(Dense1x2::Dark).light_color(Dense1x2::Light).build())
}
