//! The program: see `--help` and this folder's README.

use std::{
    io::{self, IsTerminal as _, Write as _},
    process::ExitCode,
};

use clap::Parser as _;
use shop::{
    config::{Command, Config},
    manifest, service,
};
use tracing_subscriber::fmt;

/// The exit code of bad arguments, the same as clap's.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let config = Config::parse();
    if let Some(Command::Manifest { image, program, check }) = &config.command {
        let manifest = manifest::manifest(&config, image, program);
        return match check {
            Some(file) => print(manifest::check(&manifest, file)),
            None => print(manifest.print().map(|text| (text, false)).map_err(Into::into)),
        };
    }
    fmt()
        .with_env_filter(&config.log)
        .with_ansi(io::stderr().is_terminal())
        .with_target(false)
        .with_writer(io::stderr)
        .init();
    manifest::configured(&config)
        .run(async |manager| service::start(manager, &config).await.map(drop))
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
