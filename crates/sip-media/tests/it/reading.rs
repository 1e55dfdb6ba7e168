//! What a message says, and what a recording holds.

pub fn status_of(message: &str) -> u16 {
    message.strip_prefix("SIP/2.0 ").and_then(|rest| rest.get(..3)?.parse().ok()).unwrap_or(0)
}

pub fn header(message: &str, name: &str) -> String {
    let prefix = format!("{}:", name.to_ascii_lowercase());
    let line = message.lines().find(|line| line.to_ascii_lowercase().starts_with(&prefix));
    line.map(|line| line[prefix.len()..].trim().to_owned()).unwrap_or_default()
}

pub fn to_tag(message: &str) -> String {
    let to = header(message, "To");
    to.split_once(";tag=").map(|(_, tag)| format!(";tag={tag}")).unwrap_or_default()
}

/// Power of `hertz` in `samples`, as a part of all power: 1 for a pure sine.
fn share_of(samples: &[i16], hertz: f64) -> f64 {
    let coefficient = 2.0 * (std::f64::consts::TAU * hertz / 8000.0).cos();
    let (mut one, mut two, mut all) = (0.0, 0.0, 0.0);
    for sample in samples {
        let sample = f64::from(*sample);
        let zero = sample + coefficient * one - two;
        (two, one, all) = (one, zero, all + sample * sample);
    }
    let power = one * one + two * two - coefficient * one * two;
    if all == 0.0 { 0.0 } else { 2.0 * power / (all * samples.len() as f64) }
}

/// Seconds of the recording in which this tone rules.
pub fn seconds_of(samples: &[i16], hertz: f64) -> f64 {
    samples.chunks(400).filter(|chunk| share_of(chunk, hertz) > 0.8).count() as f64 * 0.05
}
