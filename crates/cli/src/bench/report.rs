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

/// Prints the result: its fields in their order, nested ones indented.
pub fn print(result: &impl Serialize, json: bool) {
    let text =
        if json { serde_json::to_string(result) } else { serde_json::to_string_pretty(result).map(|it| table(&it)) };
    println!("{}", text.expect("results always serialize").trim_end());
}

/// JSON over many lines, read by people: without its punctuation, and with the values below each other.
fn table(pretty: &str) -> String {
    let mut out = String::new();
    for line in pretty.lines() {
        let indent = (line.len() - line.trim_start().len()).saturating_sub(2);
        let Some((name, value)) = line.trim().trim_end_matches(',').split_once(": ") else { continue };
        let (name, value) = (name.trim_matches('"'), value.trim_matches('"'));
        match value {
            "{" => out += &format!("{:indent$}{name}\n", ""),
            "null" => {}
            _ => out += &format!("{:indent$}{name:width$}  {value:>12}\n", "", width = 36 - indent),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_keeps_the_order_of_the_fields() {
        #[derive(Serialize)]
        struct Result {
            rate: f64,
            missing: Option<u64>,
            about: About,
        }
        #[derive(Serialize)]
        struct About {
            kernel: &'static str,
        }
        let result = Result { rate: 1.5, missing: None, about: About { kernel: "6.1: new" } };
        insta::assert_snapshot!(table(&serde_json::to_string_pretty(&result).unwrap()), @r"
        rate                                           1.5
        about
          kernel                                  6.1: new
        ");
    }

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
