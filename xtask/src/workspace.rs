//! The workspace as `cargo metadata` describes it, so that crates, features and targets are listed
//! in the manifests alone.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::command::Run;

/// The workspace: its folders and its members.
#[derive(Debug)]
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    pub(crate) target: PathBuf,
    pub(crate) packages: Vec<Package>,
}

/// One member.
#[derive(Debug)]
pub(crate) struct Package {
    pub(crate) name: String,
    /// Its folder, relative to the root of the workspace.
    pub(crate) folder: PathBuf,
    /// The members of the workspace that it depends on directly, dev-dependencies included.
    pub(crate) dependencies: Vec<String>,
    /// Whether it is published on crates.io, that is, has no `publish = false`.
    pub(crate) published: bool,
    pub(crate) features: BTreeMap<String, Vec<String>>,
    pub(crate) targets: Vec<Target>,
    /// `public-api` of `[package.metadata.task]`: foreign crates whose types its API names.
    pub(crate) public_api: Vec<String>,
    /// `compiles-c` of `[package.metadata.task]`: building it takes a C++ compiler and minutes, so
    /// a separate section builds it, once.
    pub(crate) compiles_c: bool,
    /// `newer-rust` of `[package.metadata.task]`: features whose dependencies need a newer Rust
    /// than the package.
    pub(crate) newer_rust: Vec<String>,
}

/// A target that Cargo builds of a package.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) name: String,
    /// Such as `lib`, `bin`, `example`, `test`.
    pub(crate) kind: String,
    pub(crate) source: PathBuf,
}

impl Workspace {
    /// Reads the workspace that this program was built from.
    pub(crate) fn load() -> Result<Self> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let output = Command::new(cargo)
            .args(["metadata", "--no-deps", "--format-version", "1"])
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")))
            .output()
            .context("cannot start cargo")?;
        if !output.status.success() {
            bail!("cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
        }
        let metadata: Value = serde_json::from_slice(&output.stdout)?;
        Self::parse(&metadata).context("cargo metadata has another shape than expected")
    }

    fn parse(metadata: &Value) -> Option<Self> {
        let root = Path::new(metadata["workspace_root"].as_str()?);
        Some(Self {
            root: root.to_owned(),
            target: metadata["target_directory"].as_str()?.into(),
            packages: metadata["packages"]
                .as_array()?
                .iter()
                .map(|package| Package::parse(root, package))
                .collect::<Option<_>>()?,
        })
    }

    /// Returns the member of that name.
    ///
    /// # Errors
    ///
    /// The workspace has no such member.
    pub(crate) fn package(&self, name: &str) -> Result<&Package> {
        let found = self.packages.iter().find(|package| package.name == name);
        found.with_context(|| format!("the workspace has no package `{name}`"))
    }

    /// Returns the target triple of this machine.
    ///
    /// # Errors
    ///
    /// rustc cannot be run, or does not report it.
    pub(crate) fn host(&self) -> Result<String> {
        let (version, _) = Run::program(self, "rustc").arguments(["-vV"]).read()?;
        let host = version.lines().find_map(|line| line.strip_prefix("host: "));
        Ok(host.context("`rustc -vV` names no host")?.to_owned())
    }

    /// Returns the published crates.
    pub(crate) fn published(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter().filter(|package| package.published)
    }

    /// Returns the published crates that compile no librdkafka with all features either: all but
    /// `task-kafka` and the facade.
    pub(crate) fn without_kafka(&self) -> impl Iterator<Item = &Package> {
        let compiles_c = |name: &String| {
            self.packages.iter().any(|package| package.compiles_c && package.name == *name)
        };
        self.light().filter(move |package| !package.dependencies.iter().any(compiles_c))
    }

    /// Returns the published crates that do not compile librdkafka.
    pub(crate) fn light(&self) -> impl Iterator<Item = &Package> {
        self.published().filter(|package| !package.compiles_c)
    }
}

impl Package {
    fn parse(root: &Path, package: &Value) -> Option<Self> {
        let manifest = Path::new(package["manifest_path"].as_str()?);
        let dependencies = package["dependencies"].as_array()?.iter();
        let members = dependencies.filter(|dependency| dependency["path"].is_string());
        let feature = |(name, parts): (&String, &Value)| Some((name.clone(), strings(parts)?));
        Some(Self {
            name: package["name"].as_str()?.to_owned(),
            folder: manifest.parent()?.strip_prefix(root).ok()?.to_owned(),
            dependencies: members
                .map(|member| member["name"].as_str().map(str::to_owned))
                .collect::<Option<_>>()?,
            published: package["publish"]
                .as_array()
                .is_none_or(|registries| !registries.is_empty()),
            features: package["features"]
                .as_object()?
                .iter()
                .map(feature)
                .collect::<Option<_>>()?,
            targets: package["targets"]
                .as_array()?
                .iter()
                .map(Target::parse)
                .collect::<Option<_>>()?,
            public_api: strings(&package["metadata"]["task"]["public-api"]).unwrap_or_default(),
            compiles_c: package["metadata"]["task"]["compiles-c"].as_bool().unwrap_or_default(),
            newer_rust: strings(&package["metadata"]["task"]["newer-rust"]).unwrap_or_default(),
        })
    }

    /// Whether it has an integration test of that name.
    pub(crate) fn has_test(&self, name: &str) -> bool {
        self.targets.iter().any(|target| target.kind == "test" && target.name == name)
    }

    pub(crate) fn has_target(&self, kind: &str) -> bool {
        self.targets.iter().any(|target| target.kind == kind)
    }
}

impl Target {
    fn parse(target: &Value) -> Option<Self> {
        Some(Self {
            name: target["name"].as_str()?.to_owned(),
            kind: target["kind"][0].as_str()?.to_owned(),
            source: target["src_path"].as_str()?.into(),
        })
    }
}

fn strings(array: &Value) -> Option<Vec<String>> {
    array.as_array()?.iter().map(|item| item.as_str().map(str::to_owned)).collect()
}
