//! The box about a shutdown: its step, and the time that is left.

use std::fmt::{self, Write};

use task_core::{GroupSnapshot, Step, TaskState};

use super::human::HumanDuration;
use crate::{handlers::tasks::view::View, message::escape::Html};

/// The steps after the trigger, in their order.
const STEPS: [Step; 4] = [Step::Draining, Step::Stopping, Step::CleaningUp, Step::Ended];

/// Writes the box.
pub(super) fn write(view: &View<'_>, out: &mut String) -> fmt::Result {
    let snapshot = &view.group;
    out.push_str("<div class=\"box\">");
    write_countdown(snapshot, out)?;
    out.push_str("<p class=\"steps\">");
    for step in STEPS {
        let class = match step.cmp(&snapshot.step) {
            std::cmp::Ordering::Less => "past",
            std::cmp::Ordering::Equal => "now",
            std::cmp::Ordering::Greater => "dim",
        };
        write!(out, "<span class=\"{class}\">{step}</span>")?;
    }
    out.push_str("</p>");
    if let Some(cause) = &snapshot.cause {
        write!(out, "<p class=\"dim\">Cause: {}</p>", Html(cause))?;
    }
    let living = view.tasks.len();
    let is_asked = |state| state != TaskState::Running;
    let stopping = view.tasks.iter().filter(|node| is_asked(node.task.state)).count();
    let ended = snapshot.shutdown.as_ref().map(|it| it.ended.len() as u64 + it.omitted);
    write!(out, "<p class=\"dim\">{stopping} of {living} living tasks asked to stop")?;
    if let Some(ended) = ended {
        write!(out, ", {ended} ended")?;
    }
    out.push_str("</p></div>\n");
    Ok(())
}

/// Writes the time that is left, with a bar of the time that has passed.
fn write_countdown(snapshot: &GroupSnapshot, out: &mut String) -> fmt::Result {
    let took = snapshot.shutdown.as_ref().map(|shutdown| shutdown.took);
    if snapshot.step == Step::Ended {
        return match took {
            Some(took) => write!(out, "<p>Shut down in <b>{}</b></p>", HumanDuration(took)),
            None => out.write_str("<p>Shut down</p>"),
        };
    }
    let Some(remaining) = snapshot.remaining else {
        return out.write_str("<p>Shutting down, without a time limit</p>");
    };
    write!(
        out,
        "<p><span class=\"left\">{}</span> left to shut down</p>",
        HumanDuration(remaining)
    )?;
    if let Some(took) = took {
        let (spent, left) = (took.as_secs_f64(), remaining.as_secs_f64());
        let share = spent / (spent + left).max(f64::MIN_POSITIVE) * 100.0;
        write!(out, "<span class=\"bar\"><i style=\"width:{share:.1}%\"></i></span>")?;
    }
    Ok(())
}
