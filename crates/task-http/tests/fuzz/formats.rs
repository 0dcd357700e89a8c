//! Random metrics in both formats, written from one model: a conversion of one text is the other.

use std::{
    fmt::Write,
    sync::{Arc, Mutex},
};

use proptest::{
    collection::{btree_map, vec},
    option,
    prelude::*,
    sample::select,
};
use task_http::{Format, MetricsSource};

use crate::{server::Server, try_all};

const OPENMETRICS: [(&str, &str); 1] = [("Accept", "application/openmetrics-text;version=1.0.0")];

/// A source of one format, whose text can be changed.
struct Source(&'static [Format], Arc<Mutex<Vec<u8>>>);

impl MetricsSource for Source {
    fn formats(&self) -> &'static [Format] {
        self.0
    }

    fn encode(&self, _format: Format, out: &mut Vec<u8>) -> anyhow::Result<()> {
        out.extend_from_slice(&self.1.lock().unwrap());
        Ok(())
    }
}

/// A server of one text in each format, with nothing built in.
struct Converter {
    text: Arc<Mutex<Vec<u8>>>,
    of_text: Server,
    of_open: Server,
}

impl Converter {
    fn start() -> Self {
        let text = Arc::new(Mutex::new(Vec::new()));
        let start = |formats| {
            Server::start(|http| {
                http.without_group_metrics()
                    .without_process_metrics()
                    .without_runtime_metrics()
                    .without_server_metrics()
                    .metrics(Source(formats, Arc::clone(&text)))
            })
        };
        let of_text = start(&[Format::Text]);
        let of_open = start(&[Format::OpenMetrics]);
        Self { text, of_text, of_open }
    }

    fn to_open(&self, text: impl Into<Vec<u8>>) -> String {
        *self.text.lock().unwrap() = text.into();
        let response = self.of_text.get("/metrics", &OPENMETRICS);
        assert_eq!(response.status, 200);
        String::from_utf8(response.body).unwrap()
    }

    fn to_text(&self, text: impl Into<Vec<u8>>) -> String {
        *self.text.lock().unwrap() = text.into();
        let response = self.of_open.get("/metrics", &[]);
        assert_eq!(response.status, 200);
        String::from_utf8(response.body).unwrap()
    }
}

/// A family whose text is the same after a round trip.
#[derive(Clone, Debug)]
struct Family {
    kind: &'static str,
    help: Option<String>,
    /// The label of each group of series, with its numbers.
    groups: Vec<(String, [u32; 4])>,
    has_created: bool,
    /// In milliseconds.
    timestamp: Option<i64>,
}

fn any_text() -> impl Strategy<Value = String> {
    // The formats have no escape for a carriage return.
    let character = prop_oneof![
        select(vec!['"', '\\', '\n', 'n', '{', '}', ',', '=', '#', ' ', 'é', '🦀']),
        any::<char>().prop_filter("no carriage return", |character| *character != '\r'),
    ];
    vec(character, 0..8).prop_map(String::from_iter)
}

fn any_family() -> impl Strategy<Value = Family> {
    let kind = select(vec!["counter", "gauge", "unknown", "histogram", "summary"]);
    let groups = btree_map(any_text(), any::<[u32; 4]>(), 1..4);
    let timestamp = option::weighted(0.3, -5_000_000_000_000_i64..5_000_000_000_000);
    let help = option::of(any_text());
    (kind, help, groups, any::<bool>(), timestamp).prop_map(
        |(kind, help, groups, has_created, timestamp)| Family {
            kind,
            help,
            groups: groups.into_iter().collect(),
            has_created: has_created && !matches!(kind, "gauge" | "unknown"),
            timestamp,
        },
    )
}

fn escaped(text: &str, has_quotes: bool) -> String {
    let text = text.replace('\\', "\\\\").replace('\n', "\\n");
    if has_quotes { text.replace('"', "\\\"") } else { text }
}

impl Family {
    /// Writes the family as one format has it.
    fn write(&self, name: &str, is_open: bool, out: &mut String) {
        let total = if self.kind == "counter" { "_total" } else { "" };
        let kind = if self.kind == "unknown" && !is_open { "untyped" } else { self.kind };
        self.head(&format!("{name}{}", if is_open { "" } else { total }), kind, is_open, out);
        for (label, numbers) in &self.groups {
            for (suffix, more, value) in self.series(numbers) {
                self.sample(&format!("{name}{suffix}"), label, more, &value, is_open, out);
            }
            if is_open && self.has_created {
                self.sample(&format!("{name}_created"), label, "", "1.5", is_open, out);
            }
        }
        if !is_open && self.has_created {
            self.head(&format!("{name}_created"), "gauge", is_open, out);
            for (label, _) in &self.groups {
                self.sample(&format!("{name}_created"), label, "", "1.5", is_open, out);
            }
        }
    }

    fn head(&self, name: &str, kind: &str, is_open: bool, out: &mut String) {
        writeln!(out, "# TYPE {name} {kind}").unwrap();
        if let Some(help) = &self.help {
            // Blanks in front belong to no help.
            let help = format!("x{help}");
            writeln!(out, "# HELP {name} {}", escaped(&help, is_open)).unwrap();
        }
    }

    /// Returns the series of a group: suffix, label of its own, value.
    fn series(&self, numbers: &[u32; 4]) -> Vec<(&'static str, &'static str, String)> {
        let [first, second, third, fourth] = numbers.map(u64::from);
        match self.kind {
            "counter" => vec![("_total", "", first.to_string())],
            "gauge" | "unknown" => {
                vec![("", "", format!("-{first}.{second}e-{}", third % 9))]
            }
            "histogram" => vec![
                ("_bucket", "le=\"0.25\"", first.to_string()),
                ("_bucket", "le=\"1.0\"", (first + second).to_string()),
                ("_bucket", "le=\"+Inf\"", (first + second + third).to_string()),
                ("_sum", "", format!("{fourth}.5")),
                ("_count", "", (first + second + third).to_string()),
            ],
            _ => vec![
                ("", "quantile=\"0.5\"", first.to_string()),
                ("", "quantile=\"1.0\"", String::from("NaN")),
                ("_sum", "", format!("{second}.5")),
                ("_count", "", third.to_string()),
            ],
        }
    }

    fn sample(
        &self,
        name: &str,
        label: &str,
        more: &str,
        value: &str,
        is_open: bool,
        out: &mut String,
    ) {
        let comma = if more.is_empty() { "" } else { "," };
        write!(out, "{name}{{x=\"{}\"{comma}{more}}} {value}", escaped(label, true)).unwrap();
        if let Some(millis) = self.timestamp {
            if is_open {
                let sign = if millis < 0 { "-" } else { "" };
                let millis = millis.abs();
                write!(out, " {sign}{}.{:03}", millis / 1000, millis % 1000).unwrap();
            } else {
                write!(out, " {millis}").unwrap();
            }
        }
        out.push('\n');
    }
}

fn write_all(families: &[Family], is_open: bool) -> String {
    let mut out = String::new();
    for (index, family) in families.iter().enumerate() {
        family.write(&format!("f{index}"), is_open, &mut out);
    }
    if is_open { out + "# EOF\n" } else { out }
}

/// Requirement 17.
#[test]
fn what_both_formats_have_is_the_same_in_both() {
    let converter = Converter::start();
    try_all(vec(any_family(), 0..5), |families| {
        let (text, open) = (write_all(&families, false), write_all(&families, true));
        prop_assert_eq!(&converter.to_open(text.clone()), &open);
        prop_assert_eq!(&converter.to_text(open), &text);
        Ok(())
    });
}

/// Returns lines and pieces of lines, and random characters and bytes.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let known = select(vec![
        "# TYPE ",
        "# HELP ",
        "# UNIT ",
        "# EOF\n",
        "#",
        "\n",
        "\n",
        "\n",
        "\r\n",
        " ",
        " ",
        "\t",
        "a",
        "a_total",
        "a_bucket",
        "a_sum",
        "a_count",
        "a_created",
        "b",
        "\"a b\"",
        "{",
        "}",
        "{}",
        "{x=\"1\"}",
        "{le=\"+Inf\"}",
        "{quantile=\"0.5\"}",
        "x",
        "=",
        "\"",
        "\\",
        "\\\"",
        ",",
        " counter\n",
        " gauge\n",
        " histogram\n",
        " summary\n",
        " untyped\n",
        " info\n",
        " stateset\n",
        " gaugehistogram\n",
        " 1\n",
        " 1 2\n",
        " NaN\n",
        "1e999",
        "-",
        ".",
        "é",
        " # {} 1\n",
        "9223372036854775808",
    ]);
    let known = known.prop_map(|piece| piece.as_bytes().to_vec());
    let printable = "\\PC{0,6}".prop_map(String::into_bytes);
    vec(prop_oneof![20 => known, 2 => printable, 1 => vec(any::<u8>(), 0..4)], 0..40)
        .prop_map(|pieces| pieces.concat())
}

/// Returns the series of a text: each line that is no comment.
fn series(text: &str) -> Vec<&str> {
    text.lines().filter(|line| !line.starts_with('#')).collect()
}

/// A text that went through a conversion is well-formed, so nothing is left out of it any more.
/// Requirement 17.
#[test]
fn no_text_panics_and_what_was_converted_once_converts_back() {
    let converter = Converter::start();
    try_all(pieces(), |text| {
        let open = converter.to_open(text.clone());
        prop_assert!(open.ends_with("# EOF\n"), "{}", open);
        let again = converter.to_text(open.clone());
        prop_assert_eq!(series(&again).len(), series(&open).len(), "{}\n---\n{}", open, again);

        let plain = converter.to_text(text);
        let again = converter.to_open(plain.clone());
        prop_assert!(series(&again).len() <= series(&plain).len(), "{}\n---\n{}", plain, again);
        Ok(())
    });
}
