//! A few small line charts over the number of tasks, as SVG: no script, no font but the reader's own.

use std::fmt::Write as _;

pub(crate) struct Panel {
    pub(crate) title: &'static str,
    pub(crate) scale: Scale,
    pub(crate) lines: Vec<Line>,
}

/// How values stand above each other.
pub(crate) enum Scale {
    FromZero,
    ByTens,
}

pub(crate) struct Line {
    pub(crate) name: &'static str,
    /// Tasks, and the value there.
    pub(crate) points: Vec<(usize, f64)>,
}

const WIDTH: f64 = 440.0;
const HEIGHT: f64 = 250.0;
const LEFT: f64 = 60.0;
const RIGHT: f64 = 140.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 40.0;
const COLOURS: [&str; 3] = ["#0969da", "#bc4c00", "#1a7f37"];

/// Two panels in each row.
pub(crate) fn svg(panels: &[Panel]) -> String {
    let rows = panels.len().div_ceil(2);
    let (width, height) = (2.0 * WIDTH, HEIGHT * as_f64(rows));
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
         font-family=\"sans-serif\" font-size=\"11\" fill=\"#1f2328\">\n<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n"
    );
    for (at, panel) in panels.iter().enumerate() {
        let (x, y) = (as_f64(at % 2) * WIDTH, as_f64(at / 2) * HEIGHT);
        writeln!(out, "<g transform=\"translate({x} {y})\">").expect("text has room");
        draw(&mut out, panel);
        out.push_str("</g>\n");
    }
    out.push_str("</svg>\n");
    out
}

fn draw(out: &mut String, panel: &Panel) {
    let points = || panel.lines.iter().flat_map(|line| &line.points);
    let (from, to) = tens(points().map(|(tasks, _)| as_f64(*tasks)));
    let (low, high) = tens(points().map(|(_, value)| *value));
    let most = round_up(points().map(|(_, value)| *value).fold(0.0, f64::max));
    let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
    let x = |tasks: f64| LEFT + (tasks.log10() - from) / (to - from) * (right - LEFT);
    let y = |value: f64| {
        let part = match panel.scale {
            Scale::FromZero => value / most,
            Scale::ByTens => (value.max(1e-9).log10() - low) / (high - low),
        };
        bottom - part * (bottom - TOP)
    };

    text(out, LEFT, TOP - 16.0, "start", panel.title, "#1f2328");
    let levels: Vec<_> = match panel.scale {
        Scale::FromZero => (0..=4).map(|step| most * f64::from(step) / 4.0).collect(),
        Scale::ByTens => powers(low, high).collect(),
    };
    for value in levels {
        line(out, (LEFT, y(value)), (right, y(value)), "#d1d9e0");
        text(out, LEFT - 6.0, y(value) + 4.0, "end", &number(value), "#59636e");
    }
    for tasks in powers(from, to) {
        line(out, (x(tasks), TOP), (x(tasks), bottom), "#d1d9e0");
        text(out, x(tasks), bottom + 16.0, "middle", &number(tasks), "#59636e");
    }
    text(out, f64::midpoint(LEFT, right), bottom + 31.0, "middle", "tasks", "#59636e");

    // Names stand at the lines' ends, apart from each other.
    let last = |line: &Line| line.points.last().map_or(0.0, |(_, value)| *value);
    let mut ends: Vec<_> = panel.lines.iter().map(|line| y(last(line))).collect();
    let mut order: Vec<_> = (0..ends.len()).collect();
    order.sort_by(|one, other| ends[*other].total_cmp(&ends[*one]));
    for pair in order.windows(2) {
        ends[pair[1]] = ends[pair[1]].min(ends[pair[0]] - 13.0);
    }
    for ((drawn, colour), end) in panel.lines.iter().zip(COLOURS).zip(ends) {
        let at: Vec<_> = drawn.points.iter().map(|(tasks, value)| (x(as_f64(*tasks)), y(*value))).collect();
        let path: Vec<_> = at.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let path = path.join(" ");
        writeln!(out, "<polyline points=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>")
            .expect("text has room");
        for (x, y) in &at {
            writeln!(out, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{colour}\"/>").expect("text has room");
        }
        let name = format!("{} {}", drawn.name, number(last(drawn)));
        text(out, at.last().map_or(right, |(x, _)| x + 8.0), end + 4.0, "start", &name, colour);
    }
}

/// The powers of ten between which all of these lie.
fn tens(values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let logs = values.map(|value| value.max(1e-9).log10());
    let low = logs.clone().fold(f64::MAX, f64::min).floor();
    (low, logs.fold(f64::MIN, f64::max).ceil().max(low + 1.0))
}

fn powers(low: f64, high: f64) -> impl Iterator<Item = f64> {
    std::iter::successors(Some(low), move |power| (*power < high).then_some(power + 1.0))
        .map(|power| 10_f64.powf(power))
}

fn line(out: &mut String, (x1, y1): (f64, f64), (x2, y2): (f64, f64), colour: &str) {
    writeln!(out, "<path d=\"M{x1:.1} {y1:.1}L{x2:.1} {y2:.1}\" stroke=\"{colour}\"/>").expect("text has room");
}

fn text(out: &mut String, x: f64, y: f64, anchor: &str, text: &str, colour: &str) {
    writeln!(out, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" fill=\"{colour}\">{text}</text>")
        .expect("text has room");
}

/// The next number that four steps divide well.
fn round_up(value: f64) -> f64 {
    let unit = 10_f64.powf(value.max(1e-9).log10().floor());
    [1.0, 2.0, 4.0, 8.0, 10.0].into_iter().map(|step| step * unit).find(|step| *step >= value).unwrap_or(value)
}

fn number(value: f64) -> String {
    match value {
        0.0 => "0".to_owned(),
        1e6.. => format!("{}M", value / 1e6),
        1e4.. => format!("{}k", value / 1e3),
        100.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        1.0.. => format!("{value:.2}"),
        _ => format!("{value:.3}").trim_end_matches('0').to_owned(),
    }
}

fn as_f64(value: usize) -> f64 {
    u32::try_from(value).map_or(f64::from(u32::MAX), f64::from)
}
