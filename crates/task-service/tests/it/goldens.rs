//! Manifests, good and bad ones, below `tests/manifests`.
//!
//! A file `NAME.yaml` is one as it is. A file `NAME.edit` changes `orders.yaml`: a line after `-`
//! goes, one after `+` comes, one after a space stays. A line that is there is looked for below the
//! one before. Comments at the top name the service that the manifest is for, and what is to be
//! found, which is nothing in a good one.

use std::{fs, io, path::Path};

/// A manifest, and what it is to show.
pub(crate) struct Golden {
    /// Its file, with its folder.
    pub(crate) name: String,
    /// The service that it is for.
    pub(crate) service: String,
    /// What is to be found: `error` or `advice`, and the rule.
    pub(crate) finding: Option<String>,
    pub(crate) text: String,
}

/// Reads all of them, in order.
pub(crate) fn read(folder: &Path) -> io::Result<Vec<Golden>> {
    let base = fs::read_to_string(folder.join("orders.yaml"))?;
    let mut goldens = Vec::new();
    for kind in ["good", "bad"] {
        for entry in fs::read_dir(folder.join(kind))? {
            let entry = entry?;
            let name = format!("{kind}/{}", entry.file_name().to_string_lossy());
            let text = fs::read_to_string(entry.path())?;
            let header = |key: &str| text.lines().find_map(|line| line.strip_prefix(key));
            let service = header("# service: ").ok_or_else(|| invalid(&name, "no service"))?;
            let finding = header("# finding: ").map(str::to_owned);
            if finding.is_some() != (kind == "bad") {
                return Err(invalid(&name, "a bad one has a finding, a good one has none"));
            }
            let service = service.to_owned();
            let text = match name.ends_with(".edit") {
                true => edited(&base, &text).map_err(|line| invalid(&name, line))?,
                false => text,
            };
            goldens.push(Golden { name, service, finding, text });
        }
    }
    goldens.sort_by(|left, right| left.name.cmp(&right.name));
    Ok(goldens)
}

/// Returns the changed text, or the line that is not there.
fn edited<'a>(base: &str, edit: &'a str) -> Result<String, &'a str> {
    let mut rest = base.lines();
    let mut text = Vec::new();
    for line in edit.lines().filter(|line| !line.starts_with('#')) {
        let (kind, line) = line.split_at_checked(1).ok_or("an empty line")?;
        if kind == "+" {
            text.push(line);
            continue;
        }
        loop {
            let next = rest.next().ok_or(line)?;
            if next == line {
                break;
            }
            text.push(next);
        }
        match kind {
            " " => text.push(line),
            "-" => {}
            _ => return Err(line),
        }
    }
    text.extend(rest);
    Ok(text.join("\n") + "\n")
}

fn invalid(name: &str, why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{name}: {why}"))
}
