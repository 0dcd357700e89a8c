//! Random texts in both formats: well-formed, with names that collide and values that the other
//! format refuses, and with some lines that are malformed.

use std::fmt::Write;

use crate::random::Random;

/// Names that are each other's with a suffix.
const NAMES: [&str; 14] = [
    "a",
    "a_total",
    "a_created",
    "a_count",
    "a_sum",
    "a_bucket",
    "a_info",
    "a_total_total",
    "b",
    "b_total",
    "b_created",
    "b_count",
    "\"a.b\"",
    "_",
];

/// Label values, as they are written.
const VALUES: [&str; 8] = ["1", "", "x y", "\\\"", "\\\\", "\\n", "é🦀", "{a=,} # 1"];

const NUMBERS: [&str; 10] = ["0", "1", "2.5", "-1", "1e3", "NaN", "+Inf", "-Inf", ".5", "7."];

const MALFORMED: [&str; 8] =
    ["a", "a{", "b x", "# TYPE a", "a{x=\"1\",x=\"2\"} 1", "{x=\"1\"} 1", "b 1 x", "\u{7f} 1"];

/// Returns a text of 0.0.4.
pub(crate) fn text(random: &mut Random) -> String {
    let mut text = String::new();
    for _ in 0..=random.below(6) {
        let name = pick(random, &NAMES);
        let kind = pick(random, &["counter", "gauge", "untyped", "histogram", "summary", ""]);
        head(random, &mut text, name, kind);
        match kind {
            "histogram" => histogram(random, &mut text, name, ["_sum", "_count"]),
            "summary" => summary(random, &mut text, name),
            _ => series(random, &mut text, name, &[""]),
        }
        noise(random, &mut text);
    }
    text
}

/// Returns a text of OpenMetrics.
pub(crate) fn open(random: &mut Random) -> String {
    let mut text = String::new();
    for _ in 0..=random.below(6) {
        let name = pick(random, &NAMES);
        let kinds = [
            "counter",
            "gauge",
            "unknown",
            "histogram",
            "gaugehistogram",
            "summary",
            "info",
            "stateset",
            "",
        ];
        let kind = pick(random, &kinds);
        head(random, &mut text, name, kind);
        match kind {
            "histogram" => histogram(random, &mut text, name, ["_sum", "_count"]),
            "gaugehistogram" => histogram(random, &mut text, name, ["_gsum", "_gcount"]),
            "summary" => summary(random, &mut text, name),
            "counter" => series(random, &mut text, name, &["_total", "_created"]),
            "info" => series(random, &mut text, name, &["_info"]),
            _ => series(random, &mut text, name, &[""]),
        }
        noise(random, &mut text);
    }
    text + "# EOF\n"
}

fn pick<'a>(random: &mut Random, from: &[&'a str]) -> &'a str {
    from[random.below(from.len())]
}

fn head(random: &mut Random, text: &mut String, name: &str, kind: &str) {
    if random.below(2) == 0 {
        writeln!(text, "# HELP {name} Help \\\\ \\n é \" {}", random.below(9)).unwrap();
    }
    if !kind.is_empty() {
        writeln!(text, "# TYPE {name} {kind}").unwrap();
    }
}

fn noise(random: &mut Random, text: &mut String) {
    match random.below(12) {
        0 => writeln!(text, "{}", pick(random, &MALFORMED)).unwrap(),
        1 => text.push_str("# a comment\n\n"),
        _ => {}
    }
}

/// Writes a sample; `more` is a label of its own.
fn sample(random: &mut Random, text: &mut String, name: &str, set: usize, more: &str, value: &str) {
    let more = if more.is_empty() { String::new() } else { format!(",{more}") };
    // One label in each set, so that sets differ.
    let label = VALUES[set % VALUES.len()];
    match name.strip_prefix('"').and_then(|name| name.split_once('"')) {
        Some((name, suffix)) => write!(text, "{{\"{name}{suffix}\",x=\"{label}\"{more}}} {value}"),
        None => write!(text, "{name}{{x=\"{label}\"{more}}} {value}"),
    }
    .unwrap();
    if random.below(10) == 0 {
        write!(text, " {}", random.below(2_000_000_000)).unwrap();
    }
    text.push('\n');
}

fn series(random: &mut Random, text: &mut String, name: &str, suffixes: &[&str]) {
    for set in 0..random.below(4) {
        for suffix in suffixes {
            let value = pick(random, &NUMBERS);
            // Now and then a set that was there.
            let set = if random.below(9) == 0 { 0 } else { set };
            sample(random, text, &format!("{name}{suffix}"), set, "", value);
        }
    }
}

fn histogram(random: &mut Random, text: &mut String, name: &str, [sum, count]: [&str; 2]) {
    for set in 0..random.below(3) {
        let mut total = 0;
        for bound in ["-1", "0.5", "1", "1e6", "+Inf"] {
            // A bound below zero is rare.
            if (random.below(8) > 0) == (bound != "-1") {
                total += random.below(3);
                let le = format!("le=\"{bound}\"");
                sample(random, text, &format!("{name}_bucket"), set, &le, &total.to_string());
            }
        }
        if random.below(4) > 0 {
            sample(random, text, &format!("{name}{sum}"), set, "", "3.5");
            let total = if random.below(9) == 0 { 77 } else { total };
            sample(random, text, &format!("{name}{count}"), set, "", &total.to_string());
        }
    }
}

fn summary(random: &mut Random, text: &mut String, name: &str) {
    for set in 0..random.below(3) {
        for quantile in ["0", "0.5", "0.00001", "1"] {
            let value = if random.below(9) == 0 { "-1" } else { "2" };
            sample(random, text, name, set, &format!("quantile=\"{quantile}\""), value);
        }
        let sum = pick(random, &["3", "NaN"]);
        sample(random, text, &format!("{name}_sum"), set, "", sum);
        sample(random, text, &format!("{name}_count"), set, "", "4");
    }
}
