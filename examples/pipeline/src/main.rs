//! The program: see `--help` and this folder's README.

use std::{
    env,
    io::{self, Write as _},
    process::ExitCode,
    sync::Arc,
};

use pipeline::{
    config::{self, Command, EndingConfig},
    logging, service,
    totals::Totals,
};
use taskkit::{Service, http::probe};

/// The exit code of bad arguments, the same as clap's.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let config = config::parse(env::args_os()).unwrap_or_else(|error| error.exit());
    if let Some(Command::Probe { path }) = &config.command {
        return probe::run(config.watching.http_address, path);
    }
    if let Err(error) = logging::init(config.watching.log_format, &config.watching.log) {
        let _ = writeln!(io::stderr(), "error: {error:#}");
        return ExitCode::from(USAGE);
    }
    let totals = Arc::new(Totals::default());
    let EndingConfig { shutdown_budget, drain_delay, .. } = config.ending;
    let code = Service::new()
        .manager(|manager| {
            manager.name("pipeline").shutdown_timeout(shutdown_budget).drain_delay(drain_delay)
        })
        .run(async |manager| service::start(manager, &config, &totals).await);
    // The only line on standard output, for programs that check the totals.
    let _ = writeln!(io::stdout(), "totals: {totals}");
    code
}
