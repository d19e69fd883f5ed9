//! Pronk's own diagnostics: `tracing` on standard error, chosen by PRONK_LOG.

use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::{report, stderr};

/// `PRONK_LOG=debug` or `PRONK_LOG=pronk::health=trace,warn`; warnings and errors when it is unset.
pub fn start(debug: bool) {
    let default = if debug { LevelFilter::DEBUG } else { LevelFilter::WARN };
    let targets = match std::env::var("PRONK_LOG") {
        Ok(text) => text.parse::<Targets>().unwrap_or_else(|error| {
            report::warning(&format!(
                "PRONK_LOG={text} cannot be read ({error}): it holds a level or target=level pairs, by comma."
            ));
            Targets::new().with_default(default)
        }),
        Err(_) => Targets::new().with_default(default),
    };
    let layer = tracing_subscriber::fmt::layer().with_writer(|| stderr::Stream).with_filter(targets);
    // A second start in one process, as tests make it, keeps the first subscriber.
    let _ = tracing_subscriber::registry().with(layer).try_init();
}
