//! The manifest for Kubernetes, with the numbers that the service runs by.

use std::{
    fs,
    io::{self, Read as _},
    path::Path,
    time::Duration,
};

use anyhow::Context as _;
use humantime::format_duration;
use taskkit::{
    Service,
    service::{Manifest, ManifestFinding},
};

use crate::config::Config;

/// How long the endpoints of a pod may take to be without it.
const DRAIN_DELAY: Duration = Duration::from_secs(5);

/// Returns the service with the settings of its end.
pub fn configured(config: &Config) -> Service {
    Service::new().manager(|manager| {
        manager
            .name("shop")
            .drain_delay(config.drain_delay)
            .shutdown_timeout(config.shutdown_budget)
    })
}

/// Returns the manifest of a service with these settings of its stop and these ports, and a drain
/// delay of at least 5 s. The database comes from a Secret.
pub fn manifest(config: &Config, image: &str, program: &str) -> Manifest {
    let config = Config { drain_delay: config.drain_delay.max(DRAIN_DELAY), ..config.clone() };
    let (port, probe_port) = (config.address.port(), config.probe_address.port());
    configured(&config)
        .manifest("shop", image, program)
        .port("api", port)
        .probe_port(probe_port)
        .secret("shop")
        .argument(format!("--address=0.0.0.0:{port}"))
        .argument(format!("--probe-address=0.0.0.0:{probe_port}"))
        .argument(format!("--drain-delay={}", format_duration(config.drain_delay)))
        .argument(format!("--shutdown-budget={}", format_duration(config.shutdown_budget)))
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
