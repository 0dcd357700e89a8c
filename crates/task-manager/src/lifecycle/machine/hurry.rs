//! What makes a shutdown that has begun end sooner: an escalation, or the group around this one.

use std::time::Duration;

use task_core::{Escalation, Step};

use super::{Machine, Trigger, wait::Wait};
use crate::lifecycle::plan::Tick;

impl Machine {
    /// Keeps a shutdown that has begun already within what the group around it has left.
    pub(super) fn follow_outer(&mut self, now: Tick, trigger: Trigger, limit: Option<Duration>) {
        let Some(plan) = &mut self.plan else { return };
        if !matches!(trigger, Trigger::OuterDrain | Trigger::OuterStop) {
            return;
        }
        if plan.drains_with_outer && trigger == Trigger::OuterDrain {
            return;
        }
        plan.begin_own(now, self.budgets.total.limit());
        if let Some(limit) = limit {
            plan.tighten(now, limit, false);
        }
        if trigger == Trigger::OuterStop {
            plan.end_drain(now);
        }
        if let (Some(end), Some(cleaning_end)) = (plan.end, &mut self.cleaning_end)
            && end < *cleaning_end
        {
            *cleaning_end = end;
            if let Some(wait) = &mut self.wait {
                let left = end.saturating_sub(now);
                wait.hurry(&Wait::share(now, left, self.cleanups + 1, plan.join));
            }
        }
    }

    /// Makes a shutdown that has begun hurry.
    pub(crate) fn escalate(&mut self, now: Tick, level: Escalation) {
        let Some(plan) = &mut self.plan else { return };
        plan.begin_own(now, self.budgets.total.limit());
        if level < Escalation::Abort {
            plan.end_drain(now);
            return;
        }
        plan.hurry(now, self.budgets.short_cleanup);
        let Some(wait) = &mut self.wait else { return };
        match self.stopped.filter(|_| self.step == Step::Stopping) {
            // Those who were asked just now get the same short time as those who are asked in a hurry.
            Some(phase) => plan.limit(phase, now.max(plan.short_grace_end())),
            None => {
                let short = self.budgets.short_cleanup;
                self.cleaning_end = self.cleaning_end.map(|end| end.min(now.saturating_add(short)));
                wait.hurry(&Wait::share(now, short, self.cleanups + 1, plan.join));
            }
        }
    }
}
