//! The Tokio timer of a group, which advances it at each deadline.

use std::sync::{Arc, Weak};

use super::Shared;
use crate::rt;
use crate::threads::{Deadlines, Times};

impl Shared {
    /// Makes changed deadlines known to the timer and the deadline thread.
    pub(crate) fn publish_deadlines(self: &Arc<Self>) {
        let owner = || Arc::downgrade(self) as Weak<dyn Deadlines>;
        if self.alarm.publish(owner)
            && let Some(clock) = self.alarm.clock.get()
        {
            clock.handle.spawn(run(Arc::clone(self)));
        }
    }
}

/// Advances the group at each deadline until its report is made.
async fn run(group: Arc<Shared>) {
    let alarm = &group.alarm;
    let Some(clock) = alarm.clock.get() else { return };
    loop {
        let changed = alarm.changed.reached(alarm.changed.get() + 1);
        let Times { next, is_over, .. } = *alarm.times();
        if is_over {
            return;
        }
        match next.and_then(|next| clock.epoch.checked_add(next)) {
            Some(next) => drop(rt::first_or(changed, rt::sleep_until(next)).await),
            None => changed.await,
        }
        group.turn().finish();
    }
}
