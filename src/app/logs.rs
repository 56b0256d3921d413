//! Logs: to standard error, as lines for people or as JSON.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Lines for people.
    Human,
    /// One JSON object a line.
    Json,
}

/// What is logged where nothing else is said: chatty libraries only when something is wrong.
const DEFAULT: &str = "info,h2=warn,hyper=warn,tower=warn,rustls=warn";

/// Said last, so that no filter undoes it: this library traces whole handshakes, the tracker's token among them.
const NEVER_TRACED: &str = "tungstenite=info";

/// Why logging cannot begin.
#[derive(Debug, thiserror::Error)]
#[error("`{filter}` is no log filter: {error}; write a level (error, warn, info, debug, trace) or module=level pairs")]
pub struct FilterError {
    filter: String,
    error: tracing_subscriber::filter::ParseError,
}

/// Begins logging. `format`: for people on a terminal and JSON elsewhere, where none is asked for.
///
/// # Errors
/// Where the filter cannot be read.
pub fn init(format: Option<Format>, filter: Option<&str>) -> Result<(), FilterError> {
    let filter = filter.filter(|filter| !filter.trim().is_empty()).unwrap_or(DEFAULT);
    let levels = levels(filter)?;
    let terminal = std::io::stderr().is_terminal();
    let human = if terminal { Format::Human } else { Format::Json };
    let builder = tracing_subscriber::fmt().with_env_filter(levels).with_writer(std::io::stderr);
    // A second call, in a test, keeps the first subscriber.
    let _ = match format.unwrap_or(human) {
        Format::Human => builder.with_ansi(terminal).with_target(false).try_init(),
        Format::Json => builder.json().flatten_event(true).with_current_span(false).with_span_list(false).try_init(),
    };
    Ok(())
}

fn levels(filter: &str) -> Result<EnvFilter, FilterError> {
    EnvFilter::try_new(format!("{filter},{NEVER_TRACED}"))
        .map_err(|error| FilterError { filter: filter.to_owned(), error })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_filter_makes_handshakes_traced() {
        for filter in ["trace", "tungstenite=trace", "info,tungstenite=trace,h2=debug"] {
            let levels = levels(filter).unwrap().to_string();
            assert!(levels.contains(NEVER_TRACED) && !levels.contains("tungstenite=trace"), "{filter}: {levels}");
        }
    }
}
