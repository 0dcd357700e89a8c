//! The plot of cost per task against the number of tasks, as an SVG without a background, in
//! colours for light and dark pages.

use std::fmt::Write as _;

use crate::{contestant, series::Series};

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 420.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 190.0;
const TOP: f64 = 44.0;
const BOTTOM: f64 = 52.0;
/// The smallest distance between two names at the right.
const LINE: f64 = 16.0;

/// Of the contestants, in their order: `task-manager` is the second.
const COLORS: [&str; 8] =
    ["#8b949e", "#2f81f7", "#6e9c5a", "#b08a2e", "#a371f7", "#d2653a", "#c2578f", "#da3633"];

const STYLE: &str = "text{font:12px system-ui,sans-serif;fill:#59636e}\
    .grid{stroke:#8b949e;stroke-opacity:.25}.line{fill:none;stroke-width:1.6}.main{stroke-width:3.2}\
    .title{font-size:14px;font-weight:600}@media(prefers-color-scheme:dark){text{fill:#a9b3bd}}";

/// Draws the wall time per task of every contestant, both axes logarithmic.
pub(crate) fn draw(series: &[Series]) -> String {
    let axes = Axes::new(series);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
         aria-label=\"Cost per task against the number of tasks\">\n<style>{STYLE}</style>\n"
    );
    text(
        &mut svg,
        LEFT,
        18.0,
        "start",
        "title",
        "Start N tasks, stop them, wait for all: time per task",
    );
    text(
        &mut svg,
        LEFT,
        34.0,
        "start",
        "",
        "two workers, fresh process, medians; both scales logarithmic",
    );
    axes.draw(&mut svg, series);
    let mut names = Vec::new();
    for (contestant, color) in contestant::ALL.iter().zip(COLORS) {
        let points: Vec<(f64, f64)> = series
            .iter()
            .filter(|series| series.has(*contestant))
            .map(|series| {
                let nanos = series.per_task(*contestant, |figures| figures.wall);
                (axes.x(series.count as f64), axes.y(nanos))
            })
            .collect();
        let Some(last) = points.last().copied() else { continue };
        let class =
            if *contestant == contestant::Contestant::Manager { "line main" } else { "line" };
        let points: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let _ = writeln!(
            svg,
            "<polyline class=\"{class}\" stroke=\"{color}\" points=\"{}\"/>",
            points.join(" ")
        );
        names.push((last, contestant.title(), color));
    }
    write_names(&mut svg, names);
    svg + "</svg>\n"
}

/// Writes each name beside the end of its line, without overlaps.
fn write_names(svg: &mut String, mut names: Vec<((f64, f64), &str, &str)>) {
    names.sort_by(|(one, ..), (other, ..)| one.1.total_cmp(&other.1));
    let mut lowest = TOP - LINE;
    let x = WIDTH - RIGHT + 22.0;
    for ((from, y), name, color) in names {
        lowest = (lowest + LINE).max(y);
        let _ = writeln!(
            svg,
            "<path d=\"M{from:.1} {y:.1}L{:.1} {lowest:.1}\" stroke=\"{color}\" stroke-opacity=\".5\" stroke-dasharray=\"2 3\" fill=\"none\"/>",
            x - 4.0
        );
        let _ = writeln!(
            svg,
            "<text x=\"{x:.1}\" y=\"{:.1}\" style=\"fill:{color}\">{name}</text>",
            lowest + 4.0
        );
    }
}

/// Maps numbers to positions; the bounds are powers of ten.
struct Axes {
    counts: (f64, f64),
    nanos: (f64, f64),
}

impl Axes {
    fn new(series: &[Series]) -> Self {
        let counts = series.iter().map(|series| series.count as f64);
        let nanos = series.iter().flat_map(|series| {
            let present = contestant::ALL.iter().filter(|contestant| series.has(**contestant));
            present.map(|contestant| series.per_task(*contestant, |figures| figures.wall))
        });
        Self { counts: decades(counts), nanos: decades(nanos) }
    }

    fn x(&self, count: f64) -> f64 {
        let (low, high) = self.counts;
        LEFT + (count.log10() - low) / (high - low) * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, nanos: f64) -> f64 {
        let (low, high) = self.nanos;
        HEIGHT - BOTTOM - (nanos.log10() - low) / (high - low) * (HEIGHT - TOP - BOTTOM)
    }

    fn draw(&self, svg: &mut String, series: &[Series]) {
        for series in series {
            let x = self.x(series.count as f64);
            let _ =
                writeln!(svg, "<path class=\"grid\" d=\"M{x:.1} {TOP}V{:.1}\"/>", HEIGHT - BOTTOM);
            text(svg, x, HEIGHT - BOTTOM + 18.0, "middle", "", &grouped(series.count));
        }
        let mut exponent = self.nanos.0;
        while exponent <= self.nanos.1 {
            let nanos = 10_f64.powf(exponent);
            let y = self.y(nanos);
            let _ =
                writeln!(svg, "<path class=\"grid\" d=\"M{LEFT} {y:.1}H{:.1}\"/>", WIDTH - RIGHT);
            let label = if nanos < 1e3 {
                format!("{nanos:.0} ns")
            } else {
                format!("{:.0} µs", nanos / 1e3)
            };
            text(svg, LEFT - 8.0, y + 4.0, "end", "", &label);
            exponent += 1.0;
        }
        let middle = f64::midpoint(LEFT, WIDTH - RIGHT);
        text(svg, middle, HEIGHT - 12.0, "middle", "", "number of tasks");
    }
}

/// Returns the exponents of the powers of ten around all values.
fn decades(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (low, high) =
        values.fold((f64::MAX, 1.0_f64), |(low, high), value| (low.min(value), high.max(value)));
    let (low, high) = (low.log10().floor(), high.log10().ceil());
    if low < high { (low, high) } else { (low, low + 1.0) }
}

fn text(svg: &mut String, x: f64, y: f64, anchor: &str, class: &str, text: &str) {
    let _ = writeln!(
        svg,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" class=\"{class}\">{text}</text>"
    );
}

/// Writes a number with a comma every three digits.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
