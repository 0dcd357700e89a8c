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
use taskkit::service::ManifestError;
use tracing_subscriber::fmt;

/// The exit code of bad arguments, the same as clap's.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let config = Config::parse();
    if let Some(Command::Manifest { image, program }) = &config.command {
        return print(manifest::manifest(&config, image, program).print());
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

/// Prints a text, or why there is none.
fn print(text: Result<String, ManifestError>) -> ExitCode {
    match text.map(|text| write!(io::stdout(), "{text}")) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(_)) => ExitCode::FAILURE,
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: {:#}", anyhow::Error::new(error));
            ExitCode::from(USAGE)
        }
    }
}
