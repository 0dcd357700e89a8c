//! The living tasks: those that need attention first, the others folded by phase. Nested groups are
//! a tree.

use std::{
    collections::BTreeMap,
    fmt::{self, Write},
};

use task_core::{Phase, Step, TaskInfo, TaskState};

use super::{
    human::{HumanDuration, PhaseName, count},
    verdict::deadline,
};
use crate::{
    handlers::tasks::view::{Nested, Node, View},
    message::escape::Html,
};

/// The number of rows. JSON has all tasks.
pub(super) const MAX_ROWS: usize = 1_000;
/// Up to how many rows a phase is shown unfolded.
const MAX_UNFOLDED: usize = 12;

/// Tasks under one title.
struct Section<'a> {
    title: String,
    key: String,
    nodes: Vec<&'a Node>,
    is_open: bool,
}

/// Writes all sections, with at most [`MAX_ROWS`] rows. A long section leaves their rows to the
/// short ones.
pub(super) fn write(view: &View<'_>, out: &mut String) -> fmt::Result {
    let sections = sections(view);
    let size = |section: &Section<'_>| section.nodes.iter().map(|node| size(node)).sum::<usize>();
    let mut sizes: Vec<_> = sections.iter().map(size).enumerate().collect();
    sizes.sort_by_key(|(_, size)| *size);
    let (mut left, mut granted) = (MAX_ROWS, vec![0; sections.len()]);
    for (index, size) in sizes {
        granted[index] = size.min(left);
        left -= granted[index];
    }
    for (section, left) in sections.iter().zip(granted) {
        Rows { out, left, omitted: 0 }.section(section)?;
    }
    Ok(())
}

/// Returns those that need attention, and the others by phase.
fn sections<'a>(view: &'a View<'_>) -> Vec<Section<'a>> {
    let (mut attention, well): (Vec<&Node>, Vec<&Node>) =
        view.tasks.iter().partition(|node| node.needs_attention());
    let mut phases: BTreeMap<Phase, Vec<&Node>> = BTreeMap::new();
    for node in well {
        phases.entry(node.task.phase).or_default().push(node);
    }
    let mut sections = Vec::new();
    if !attention.is_empty() {
        let (title, key) = match view.group.step {
            Step::Running => ("Needs attention", "attention"),
            _ => ("Stopping", "stopping"),
        };
        attention.sort_by_key(|node| std::cmp::Reverse(node.task.in_state));
        let is_open = attention.len() <= 10 * MAX_UNFOLDED;
        sections.push(Section { title: title.into(), key: key.into(), nodes: attention, is_open });
    }
    sections.extend(phases.into_iter().map(|(phase, nodes)| Section {
        title: PhaseName(phase).to_string(),
        key: format!("phase-{}", phase.number()),
        is_open: nodes.len() <= MAX_UNFOLDED,
        nodes,
    }));
    sections
}

/// Returns how many rows a task takes, with those in the groups that it runs.
fn size(node: &Node) -> usize {
    1 + node.groups.iter().flat_map(|nested| &nested.tasks).map(size).sum::<usize>()
}

/// Writes rows as long as there is room.
struct Rows<'a> {
    out: &'a mut String,
    left: usize,
    omitted: usize,
}

impl Rows<'_> {
    fn section(&mut self, section: &Section<'_>) -> fmt::Result {
        let Section { title, key, nodes, is_open } = section;
        let open = if *is_open { " open" } else { "" };
        write!(
            self.out,
            "<details class=\"box tasks\" data-key=\"{key}\"{open}><summary><b>{title}</b> \
             <span class=\"dim\">{}</span>",
            count(nodes.len(), "task"),
        )?;
        let with = |counted: fn(&TaskInfo) -> bool| {
            nodes.iter().filter(|node| counted(&node.task)).count()
        };
        for (number, what) in [
            (with(|task| task.restarts > 0), "restarted"),
            (with(|task| task.failures > 0), "with failures"),
        ] {
            if number > 0 {
                write!(self.out, " <span class=\"tag warn\">{number} {what}</span>")?;
            }
        }
        self.out.push_str("</summary>\n");
        self.list(nodes.iter().copied())?;
        if self.omitted > 0 {
            let omitted = self.omitted;
            write!(
                self.out,
                "<p class=\"dim\">and {omitted} more: \
                 <a href=\"?format=json\">all as JSON</a></p>"
            )?;
        }
        self.out.push_str("</details>\n");
        Ok(())
    }

    fn list<'b>(&mut self, nodes: impl Iterator<Item = &'b Node>) -> fmt::Result {
        self.out.push_str("<ul class=\"rows\">\n");
        for node in nodes {
            if self.left == 0 {
                self.omitted += size(node);
                continue;
            }
            self.left -= 1;
            self.row(node)?;
        }
        self.out.push_str("</ul>\n");
        Ok(())
    }

    fn row(&mut self, node: &Node) -> fmt::Result {
        let task = &node.task;
        write!(self.out, "<li class=\"row\"><span class=\"name\">{}</span>", Html(&task.name))?;
        write_state(task, self.out)?;
        let status = task.status.as_deref().unwrap_or_default();
        write!(self.out, "<span class=\"status\">{}</span>", Html(status))?;
        write_facts(task, self.out)?;
        for nested in &node.groups {
            self.nested(task, nested)?;
        }
        self.out.push_str("</li>\n");
        Ok(())
    }

    /// Writes a nested group below its row: unfolded if something in it needs attention.
    fn nested(&mut self, task: &TaskInfo, Nested { group, tasks }: &Nested) -> fmt::Result {
        let is_open = tasks.len() <= MAX_UNFOLDED || tasks.iter().any(Node::needs_attention);
        let open = if is_open { " open" } else { "" };
        write!(
            self.out,
            "<details class=\"nested\" data-key=\"group-{}-{}\"{open}><summary>group <b>{}</b> \
             <span class=\"dim\">{}, {}</span></summary>",
            task.id,
            Html(&group.name),
            Html(&group.name),
            group.step,
            count(tasks.len(), "task"),
        )?;
        let (attention, well): (Vec<&Node>, Vec<&Node>) =
            tasks.iter().partition(|node| node.needs_attention());
        self.list(attention.into_iter().chain(well))?;
        self.out.push_str("</details>");
        Ok(())
    }
}

/// Writes the state, with a bar of the time until the deadline. A task that just runs has none.
fn write_state(task: &TaskInfo, out: &mut String) -> fmt::Result {
    out.push_str("<span class=\"state\">");
    let class = match task.state {
        TaskState::Running => "",
        TaskState::Stopping => "warn",
        _ => "bad",
    };
    if !class.is_empty() {
        write!(out, "<span class=\"tag {class}\">{}</span>", task.state)?;
        write!(out, " <span class=\"dim\">for {}</span>", HumanDuration(task.in_state))?;
    }
    if let Some(waiting) = task.waiting {
        write!(out, "<span class=\"tag warn\">works again in {}</span>", HumanDuration(waiting))?;
    } else if task.state == TaskState::Running && task.gates_readiness && !task.is_ready {
        out.push_str("<span class=\"tag bad\">not ready</span>");
    }
    if task.state != TaskState::Running
        && let Some(left) = task.remaining
    {
        write!(out, "<span class=\"dim\">, {} left</span>", HumanDuration(left))?;
        let spent = task.in_state.as_secs_f64();
        let share = spent / (spent + left.as_secs_f64()).max(f64::MIN_POSITIVE) * 100.0;
        write!(out, "<span class=\"bar\"><i style=\"width:{share:.0}%\"></i></span>")?;
    }
    out.push_str("</span>");
    Ok(())
}

/// Writes what else is known of a task.
fn write_facts(task: &TaskInfo, out: &mut String) -> fmt::Result {
    out.push_str("<span class=\"dim facts\">");
    write!(out, "<span>up {}</span>", HumanDuration(task.uptime))?;
    if task.is_ready {
        out.push_str("<span>ready</span>");
    }
    if task.is_ephemeral {
        out.push_str("<span>ephemeral</span>");
    }
    // Elsewhere the title says it.
    if task.state != TaskState::Running || task.waiting.is_some() {
        let phase = || format!("phase {}", PhaseName(task.phase));
        write!(out, "<span>{}</span>", deadline(task).unwrap_or_else(phase))?;
    }
    match task.children {
        0 => {}
        1 => out.push_str("<span>1 child</span>"),
        children => write!(out, "<span>{children} children</span>")?,
    }
    for (number, noun) in [(task.restarts, "restart"), (task.failures, "failure")] {
        if number > 0 {
            write!(out, "<span class=\"more\">{}</span>", count(number as usize, noun))?;
        }
    }
    out.push_str("</span>");
    Ok(())
}
