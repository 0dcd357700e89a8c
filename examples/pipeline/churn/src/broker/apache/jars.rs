//! The jars of Apache Kafka, and the program that runs them.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, PoisonError},
};

use anyhow::{Context as _, Result, bail};

use crate::program;

const VERSION: &str = "4.4.0";
/// For a start within seconds, and for three nodes on a small machine.
const JAVA: [&str; 5] =
    ["-Xms128m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto"];

/// Returns the command that runs a class of the jars.
pub(super) fn java(jars: &Path, class: &str) -> Command {
    let mut command = Command::new("java");
    command.args(JAVA).arg("-cp").arg(jars.join("*")).arg(class);
    command
}

/// Installs the jars below `tools`, once, even if several stages start at the same time.
pub(super) fn install(tools: &Path) -> Result<PathBuf> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = tools.join(format!("kafka-{VERSION}"));
    let jars = folder.join("jars");
    let is_complete = folder.join("complete");
    if !is_complete.exists() {
        println!("installing Apache Kafka {VERSION} below {}", tools.display());
        provide("java", "openjdk-17-jre-headless")?;
        provide("mvn", "maven")?;
        fs::create_dir_all(&folder)?;
        let pom = folder.join("pom.xml");
        fs::write(&pom, project())?;
        program::run(
            Command::new("mvn")
                .args(["--quiet", "--batch-mode", "--file"])
                .arg(&pom)
                .args(["dependency:copy-dependencies", "-DincludeScope=runtime"])
                .arg(format!("-DoutputDirectory={}", jars.display())),
        )
        .context("no broker: its jars come from Maven")?;
        fs::write(is_complete, "")?;
    }
    Ok(jars)
}

/// Installs a program by its Debian package, if it is missing and this is allowed.
fn provide(name: &str, package: &str) -> Result<()> {
    if program::run(Command::new(name).arg("-version")).is_ok() {
        return Ok(());
    }
    if !rustix::process::getuid().is_root() {
        bail!("`{name}` is missing: install {package}");
    }
    println!("installing {package}");
    let install = ["install", "--quiet", "--yes", "--no-install-recommends", package];
    program::run(Command::new("apt-get").args(["update", "--quiet"]))
        .and_then(|_| program::run(Command::new("apt-get").args(install)))
        .with_context(|| format!("`{name}` is missing: install {package}"))?;
    Ok(())
}

fn project() -> String {
    let dependency = |group: &str, artifact: &str, version: &str| {
        format!(
            "<dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId>\
             <version>{version}</version></dependency>"
        )
    };
    format!(
        "<project xmlns=\"http://maven.apache.org/POM/4.0.0\"><modelVersion>4.0.0</modelVersion>\
         <groupId>churn</groupId><artifactId>broker</artifactId><version>1</version>\
         <packaging>pom</packaging><dependencies>{}{}</dependencies></project>\n",
        dependency("org.apache.kafka", "kafka_2.13", VERSION),
        dependency("org.slf4j", "slf4j-simple", "1.7.36"),
    )
}
