//! Logs: to standard error, as lines for people or as JSON.

use std::io::IsTerminal as _;
use std::str::FromStr as _;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

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
#[error(
    "`{filter}` is no log filter: {problem}; write a level (error, warn, info, debug, trace) or module=level pairs"
)]
pub struct FilterError {
    filter: String,
    problem: String,
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
    let wrong = |problem| FilterError { filter: filter.to_owned(), problem };
    // A word alone that is no level would be taken for a module, and everything else would be silent.
    let words = filter.split(',').map(str::trim).filter(|word| !word.contains(['=', '[', '{', ':']));
    if let Some(word) = words.filter(|word| !word.is_empty()).find(|word| LevelFilter::from_str(word).is_err()) {
        return Err(wrong(format!("`{word}` is no level")));
    }
    EnvFilter::try_new(format!("{filter},{NEVER_TRACED}")).map_err(|error| wrong(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_level_silences_nothing() {
        for filter in ["inof", "warn,debg", "info, loud"] {
            assert!(levels(filter).unwrap_err().to_string().contains("` is no level; write a level"), "{filter}");
        }
        for filter in ["INFO", "off", "warn,stagedoor=debug", "info,stagedoor::tracker", "", "info,"] {
            assert!(levels(filter).is_ok(), "{filter}");
        }
    }

    #[test]
    fn no_filter_makes_handshakes_traced() {
        for filter in ["trace", "tungstenite=trace", "info,tungstenite=trace,h2=debug"] {
            let levels = levels(filter).unwrap().to_string();
            assert!(levels.contains(NEVER_TRACED) && !levels.contains("tungstenite=trace"), "{filter}: {levels}");
        }
    }
}
