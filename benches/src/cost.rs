//! The cost of the smallest service: crates, build time, size. Each service is a separate package
//! below `target`, built from scratch with Cargo's default release profile and this workspace's
//! versions.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, bail};

use crate::table::Table;

/// A service: its name, its dependencies (`PATH` is the folder of this workspace's crates), its
/// main file.
struct Service {
    name: &'static str,
    dependencies: &'static str,
    main: &'static str,
}

/// The same for all, so that all have the same runtime; with sockets, as services have them.
const TOKIO: &str = "tokio = { version = \"1\", features = [\"macros\", \"net\", \"rt-multi-thread\", \"signal\", \"time\"] }";

const SERVICES: &[Service] = &[
    Service { name: "bare tokio", dependencies: "", main: include_str!("../cost/bare.rs") },
    Service {
        name: "by hand on the same dependencies",
        dependencies: "anyhow = \"1\"\n\
                       signal-hook = \"0.4\"\n\
                       thiserror = \"2\"\n\
                       tokio-util = { version = \"0.7\", default-features = false }\n\
                       tracing = { version = \"0.1\", default-features = false, features = [\"std\"] }",
        main: include_str!("../cost/by_hand.rs"),
    },
    Service {
        name: "task-manager + task-signal",
        dependencies: "anyhow = \"1\"\n\
                       task-manager = { path = \"PATH/task-manager\" }\n\
                       task-signal = { path = \"PATH/task-signal\" }",
        main: include_str!("../cost/manager.rs"),
    },
    Service {
        name: "task-service",
        dependencies: "task-manager = { path = \"PATH/task-manager\" }\n\
                       task-service = { path = \"PATH/task-service\" }",
        main: include_str!("../cost/service.rs"),
    },
];

/// The smallest API with metrics: the reference is the first.
const APIS: &[Service] = &[
    Service {
        name: "axum + metrics-exporter-prometheus",
        dependencies: "axum = { version = \"0.8\", default-features = false, features = [\"http1\", \"http2\", \"tokio\"] }\n\
                       metrics-exporter-prometheus = { version = \"0.18\", default-features = false, features = [\"http-listener\"] }",
        main: include_str!("../cost/api_axum.rs"),
    },
    Service {
        name: "taskkit with serve and http",
        dependencies: "axum = { version = \"0.8\", default-features = false, features = [\"http1\", \"http2\", \"tokio\"] }\n\
                       taskkit = { path = \"PATH/taskkit\", features = [\"http\", \"serve\"] }",
        main: include_str!("../cost/api_task.rs"),
    },
];

/// Builds the smallest APIs and prints the table.
pub(crate) fn apis() -> Result<()> {
    let costs = APIS.iter().map(Service::cost).collect::<Result<Vec<_>>>()?;
    let mut table = Table::new(
        String::from("smallest API with metrics, clean build, default release profile"),
        &["crates", "build, CPU s", "× axum", "stripped, KiB", "× axum"],
    );
    for (service, cost) in APIS.iter().zip(&costs) {
        let row = vec![
            cost.crates.len().to_string(),
            format!("{:.1}", cost.seconds),
            format!("{:.2}", cost.seconds / costs[0].seconds),
            format!("{:.0}", cost.kibibytes),
            format!("{:.2}", cost.kibibytes / costs[0].kibibytes),
        ];
        table.row(service.name, row);
    }
    table.print();
    Ok(())
}

/// Builds each service and prints the table.
pub(crate) fn run() -> Result<()> {
    let mut table = Table::new(
        String::from("smallest service, clean build, default release profile"),
        &[
            "crates",
            "beyond by hand",
            "build, CPU s",
            "× bare",
            "× by hand",
            "stripped, KiB",
            "× bare",
            "× by hand",
        ],
    );
    let costs = SERVICES.iter().map(Service::cost).collect::<Result<Vec<_>>>()?;
    for (service, cost) in SERVICES.iter().zip(&costs) {
        let (bare, by_hand) = (&costs[0], &costs[1]);
        let beyond = cost.crates.difference(&by_hand.crates).count();
        let row = vec![
            cost.crates.len().to_string(),
            beyond.to_string(),
            format!("{:.1}", cost.seconds),
            format!("{:.2}", cost.seconds / bare.seconds),
            format!("{:.2}", cost.seconds / by_hand.seconds),
            format!("{:.0}", cost.kibibytes),
            format!("{:.2}", cost.kibibytes / bare.kibibytes),
            format!("{:.2}", cost.kibibytes / by_hand.kibibytes),
        ];
        table.row(service.name, row);
    }
    table.print();
    Ok(())
}

struct Cost {
    /// The crates that are compiled, without the service itself.
    crates: BTreeSet<String>,
    seconds: f64,
    kibibytes: f64,
}

impl Service {
    fn cost(&self) -> Result<Cost> {
        let folder = self.write()?;
        Ok(Cost {
            crates: crates(&folder)?,
            seconds: build(&folder)?,
            kibibytes: stripped(&folder)?,
        })
    }

    fn write(&self) -> Result<PathBuf> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("no workspace")?;
        let folder = root.join("target/bench-cost").join(self.name.replace([' ', '+'], "-"));
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(folder.join("src"))?;
        let crates = root.join("crates");
        let dependencies = self.dependencies.replace("PATH", &crates.to_string_lossy());
        let manifest = format!(
            "[package]\nname = \"smallest\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n\n\
             [dependencies]\n{TOKIO}\n{dependencies}\n"
        );
        fs::write(folder.join("Cargo.toml"), manifest)?;
        fs::write(folder.join("src/main.rs"), self.main)?;
        fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock"))?;
        Ok(folder)
    }
}

/// Lists the crates that are compiled, without the service itself.
fn crates(folder: &Path) -> Result<BTreeSet<String>> {
    let output = cargo(folder)
        .args(["tree", "--edges", "normal,build", "--prefix", "none", "--format", "{p}"])
        .stdout(Stdio::piped())
        .output()?;
    if !output.status.success() {
        bail!("cargo tree: {}", output.status);
    }
    let text = String::from_utf8(output.stdout)?;
    let crates = text.lines().map(|line| String::from(line.trim_end_matches(" (*)")));
    // The service itself comes first.
    Ok(crates.skip(1).collect())
}

/// Builds it and returns the CPU time of all compilers, in seconds.
fn build(folder: &Path) -> Result<f64> {
    // `time -p` of the shell counts the children of its children.
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| String::from("cargo"));
    let script = "\"$0\" build --quiet --release >&2 || exit 1; times";
    let output = Command::new("sh")
        .args(["-c", script, &cargo])
        .current_dir(folder)
        .env("CARGO_TARGET_DIR", folder.join("target"))
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()?;
    if !output.status.success() {
        bail!("the build of {} failed", folder.display());
    }
    let text = String::from_utf8(output.stdout)?;
    let children = text.lines().nth(1).context("`times` printed one line")?;
    children
        .split_whitespace()
        .map(seconds)
        .sum::<Option<f64>>()
        .context("`times` was not understood")
}

/// Reads `1m2.5s`.
fn seconds(text: &str) -> Option<f64> {
    let (minutes, seconds) = text.strip_suffix('s')?.split_once('m')?;
    Some(minutes.parse::<f64>().ok()? * 60.0 + seconds.parse::<f64>().ok()?)
}

fn stripped(folder: &Path) -> Result<f64> {
    let (from, to) = (folder.join("target/release/smallest"), folder.join("stripped"));
    let status =
        Command::new("strip").arg("-o").arg(&to).arg(&from).status().context("strip is needed")?;
    if !status.success() {
        bail!("strip: {status}");
    }
    Ok(fs::metadata(to)?.len() as f64 / 1024.0)
}

fn cargo(folder: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(folder).stdin(Stdio::null());
    command
}
