//! The manifest for Kubernetes, with the numbers that the service runs by.

use std::{
    fs,
    io::{self, Read as _},
    path::Path,
};

use anyhow::Context as _;
use clap::ValueEnum as _;
use humantime::format_duration;
use taskkit::{
    Service,
    service::{Manifest, ManifestFinding},
};

use crate::{
    config::{Config, EndingConfig, PlatformName},
    unit::START_TIMEOUT,
};

/// Returns the service with the settings of its end.
pub fn configured(ending: &EndingConfig) -> Service {
    let mut service = Service::new().manager(|manager| manager.name("pipeline"));
    if let Some(name) = ending.platform {
        service = service.platform(name.platform());
    }
    if let Some(budget) = ending.shutdown_budget {
        service = service.manager(|manager| manager.shutdown_timeout(budget));
    }
    if let Some(delay) = ending.drain_delay {
        service = service.manager(|manager| manager.drain_delay(delay));
    }
    match &ending.termination_log {
        Some(path) => service.termination_log(path),
        None => service,
    }
}

/// Returns the manifest of a service with these settings of its stop and this port of its probes.
/// The brokers and the database come from a Secret. Without a platform it recognises its own.
pub fn manifest(config: &Config, image: &str, program: &str) -> Manifest {
    let platform = config.ending.platform.unwrap_or(PlatformName::Detect);
    let ending = EndingConfig { platform: Some(platform), ..config.ending.clone() };
    let port = config.watching.http_address.port();
    let mut manifest = configured(&ending)
        .manifest("pipeline", image, program)
        .probe_port(port)
        .start_timeout(START_TIMEOUT)
        .secret("pipeline")
        .argument(format!("--http-address=0.0.0.0:{port}"));
    if let Some(name) = platform.to_possible_value() {
        manifest = manifest.argument(format!("--platform={}", name.get_name()));
    }
    let times = [("shutdown-budget", ending.shutdown_budget), ("drain-delay", ending.drain_delay)];
    for (name, time) in times {
        if let Some(time) = time {
            manifest = manifest.argument(format!("--{name}={}", format_duration(time)));
        }
    }
    match ending.termination_log {
        Some(path) => manifest.argument(format!("--termination-log={}", path.display())),
        None => manifest,
    }
}

/// Checks a file, or with `-` standard input, against a manifest. Returns one line for each
/// finding, and whether one is an error.
///
/// # Errors
///
/// Returns an error if the text cannot be read or is not YAML.
pub fn check(manifest: &Manifest, file: &Path) -> anyhow::Result<(String, bool)> {
    let mut text = String::new();
    let read = match file.to_str() {
        Some("-") => io::stdin().read_to_string(&mut text).map(drop),
        _ => fs::read_to_string(file).map(|read| text = read),
    };
    read.with_context(|| format!("failed to read {}", file.display()))?;
    let findings = manifest.check(&text).with_context(|| file.display().to_string())?;
    let line = |finding: &ManifestFinding| format!("{}:{finding}\n", file.display());
    Ok((findings.iter().map(line).collect(), findings.iter().any(ManifestFinding::is_error)))
}
