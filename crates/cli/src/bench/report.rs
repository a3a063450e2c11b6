//! Percentiles, and the two forms of a result: a table for people, one JSON object for programs.

use serde::Serialize;
use std::time::Duration;

/// The value that a share of `q` of the samples does not exceed (nearest rank), in milliseconds; 0 of none.
pub fn quantile_ms(samples: &mut [Duration], q: f64) -> f64 {
    if samples.is_empty() {
        return 0.0;
    }
    let rank = ((samples.len() as f64 * q).ceil() as usize).clamp(1, samples.len());
    let (_, value, _) = samples.select_nth_unstable(rank - 1);
    round3(value.as_secs_f64() * 1_000.0)
}

/// Three decimals say all that these measurements can.
pub fn round3(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}

/// Prints the result: fields in their order, nested ones indented.
pub fn print(result: &impl Serialize, json: bool) {
    let value = serde_json::to_value(result).expect("results always serialize");
    if json {
        println!("{value}");
    } else {
        rows(&value, 0);
    }
}

fn rows(value: &serde_json::Value, indent: usize) {
    let serde_json::Value::Object(fields) = value else { return };
    for (name, value) in fields {
        match value {
            serde_json::Value::Object(_) => {
                println!("{:indent$}{name}", "");
                rows(value, indent + 2);
            }
            serde_json::Value::Null => {}
            serde_json::Value::String(text) => println!("{:indent$}{name:width$}  {text}", "", width = 34 - indent),
            other => println!("{:indent$}{name:width$}  {:>14}", "", other.to_string(), width = 34 - indent),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_nearest_ranks() {
        let mut samples: Vec<Duration> = (1..=100).rev().map(Duration::from_millis).collect();
        assert_eq!(quantile_ms(&mut samples, 0.5), 50.0);
        assert_eq!(quantile_ms(&mut samples, 0.99), 99.0);
        assert_eq!(quantile_ms(&mut samples, 1.0), 100.0);
        assert_eq!(quantile_ms(&mut samples[..1], 0.5), quantile_ms(&mut samples[..1], 0.99));
        assert_eq!(quantile_ms(&mut [], 0.5), 0.0);
    }
}
