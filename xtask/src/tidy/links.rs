//! The rule about links between files.

use super::tree::{Finding, Tree, folder, join};

pub(crate) fn resolve(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    // The links of an alias are those of the file it stands for.
    for (path, text) in tree.ending(".md").filter(|(path, _)| tree.real(path) == *path) {
        let mut fenced = false;
        for (index, line) in text.lines().enumerate() {
            if line.trim_start().starts_with("```") {
                fenced = !fenced;
            }
            let links = if fenced { vec![] } else { targets(line) };
            let dead = links.into_iter().filter(|target| !leads_somewhere(tree, path, target));
            findings.extend(
                dead.map(|target| Finding::at(path, index, format!("`{target}` is not there"))),
            );
        }
    }
    findings
}

/// The targets of `[text](target)` and `[label]: target`, outside `code`.
fn targets(line: &str) -> Vec<&str> {
    let mut targets = Vec::new();
    for prose in line.split('`').step_by(2) {
        let inline = prose.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next());
        targets.extend(inline);
    }
    // The text of a link is often code, which splits it: `[`a`](b)`.
    let coded = line.split("`](").skip(1).filter_map(|rest| rest.split([')', ' ']).next());
    targets.extend(coded);
    if line.starts_with('[')
        && let Some((_, target)) = line.split_once("]: ")
    {
        targets.extend(target.split_whitespace().next());
    }
    targets.sort_unstable();
    targets.dedup();
    targets
}

fn leads_somewhere(tree: &Tree, from: &str, target: &str) -> bool {
    let file = target.split('#').next().unwrap_or_default();
    let elsewhere = target.contains("://") || target.starts_with("mailto:") || file.is_empty();
    elsewhere || join(folder(from), file).is_some_and(|path| tree.has(&path))
}
