//! The program: see `--help` and this folder's README.

use std::{
    env,
    io::{self, Write as _},
    process::ExitCode,
    sync::Arc,
};

use pipeline::{
    config::{self, Command},
    logging, manifest, service,
    totals::Totals,
    unit,
};
use taskkit::http::probe;

/// The exit code of bad arguments, the same as clap's.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let config = config::parse(env::args_os()).unwrap_or_else(|error| error.exit());
    match &config.command {
        Some(Command::Probe { path }) => return probe::run(config.watching.http_address, path),
        Some(Command::Unit { program }) => {
            let unit = unit::unit(program, &config.ending);
            return print(unit.print().map(|text| (text, false)).map_err(Into::into));
        }
        Some(Command::Manifest { image, program, check }) => {
            let manifest = manifest::manifest(&config, image, program);
            return match check {
                Some(file) => print(manifest::check(&manifest, file)),
                None => print(manifest.print().map(|text| (text, false)).map_err(Into::into)),
            };
        }
        None => {}
    }
    if let Err(error) = logging::init(config.watching.log_format, &config.watching.log) {
        let _ = writeln!(io::stderr(), "error: {error:#}");
        return ExitCode::from(USAGE);
    }
    let totals = Arc::new(Totals::default());
    let code = manifest::configured(&config.ending)
        .run(async |manager| service::start(manager, &config, &totals).await);
    // The only line on standard output, for programs that check the totals.
    let _ = writeln!(io::stdout(), "totals: {totals}");
    code
}

/// Prints a text, or why there is none. The exit code is that of a failure if it says so.
fn print(text: anyhow::Result<(String, bool)>) -> ExitCode {
    match text.map(|(text, fails)| (write!(io::stdout(), "{text}"), fails)) {
        Ok((Ok(()), false)) => ExitCode::SUCCESS,
        Ok((Ok(()), true) | (Err(_), _)) => ExitCode::FAILURE,
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: {error:#}");
            ExitCode::from(USAGE)
        }
    }
}
