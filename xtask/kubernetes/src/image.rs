//! Images without a builder: an archive with one layer, in which the program is, and the libraries
//! that it takes.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

/// Makes the archive of the image `localhost/NAME:1` in a folder, and returns its path. The image
/// runs `/NAME`.
pub(crate) fn make(folder: &Path, name: &str, program: &Path) -> Result<PathBuf> {
    let work = folder.join(format!("image-{name}"));
    let root = work.join("root");
    fs::create_dir_all(&root)?;
    let copy = root.join(name);
    // Debug information is most of a program.
    run(Command::new("strip").arg("-o").arg(&copy).arg(program))?;
    for library in libraries(program)? {
        let place = root.join(library.strip_prefix("/")?);
        fs::create_dir_all(place.parent().context("it is in a folder")?)?;
        fs::copy(&library, place)?;
    }
    let layer = work.join("layer.tar");
    let tar = || {
        let mut tar = Command::new("tar");
        tar.args(["--owner=0", "--group=0", "--numeric-owner", "-cf"]);
        tar
    };
    run(tar().arg(&layer).arg("-C").arg(&root).arg("."))?;
    let sum = run(Command::new("sha256sum").arg(&layer))?;
    let sum = sum.split_whitespace().next().context("sha256sum prints no sum")?;
    let config = json!({
        "architecture": architecture(),
        "os": "linux",
        "config": { "Entrypoint": [format!("/{name}")], "Env": ["PATH=/"] },
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{sum}")] },
    });
    let tag = format!("localhost/{name}:1");
    let manifest = json!([{ "Config": "config.json", "RepoTags": [tag], "Layers": ["layer.tar"] }]);
    fs::write(work.join("config.json"), config.to_string())?;
    fs::write(work.join("manifest.json"), manifest.to_string())?;
    let archive = folder.join(format!("{name}.tar"));
    let files = ["manifest.json", "config.json", "layer.tar"];
    run(tar().arg(&archive).arg("-C").arg(&work).args(files))?;
    fs::remove_dir_all(&work)?;
    Ok(archive)
}

/// Its name in the world of images.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// The shared libraries of a program, the loader among them.
fn libraries(program: &Path) -> Result<Vec<PathBuf>> {
    let output = Command::new("ldd").arg(program).output().context("cannot start ldd")?;
    // That of a static program fails and says so.
    Ok(paths(&String::from_utf8_lossy(&output.stdout)))
}

fn paths(listed: &str) -> Vec<PathBuf> {
    let words = listed.lines().filter_map(|line| {
        line.split_whitespace().find(|word| word.starts_with('/') && !word.ends_with(':'))
    });
    words.map(PathBuf::from).collect()
}

fn run(command: &mut Command) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().with_context(|| format!("cannot start {name}"))?;
    let printed = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success(), "{name}: {}: {printed}", output.status);
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::paths;

    #[test]
    fn libraries_are_those_that_have_a_path() {
        let listed = "\tlinux-vdso.so.1 (0x00007ffd)\n\
                      \tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f)\n\
                      \t/lib64/ld-linux-x86-64.so.2 (0x00007f)\n";
        let expected = ["/lib/x86_64-linux-gnu/libc.so.6", "/lib64/ld-linux-x86-64.so.2"];
        assert_eq!(paths(listed), expected.map(PathBuf::from));
        assert_eq!(paths("\tnot a dynamic executable\n"), Vec::<PathBuf>::new());
        assert_eq!(paths("\tstatically linked\n"), Vec::<PathBuf>::new());
    }
}
