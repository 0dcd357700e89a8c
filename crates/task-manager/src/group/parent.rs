//! The parent token: feature `token`.

use std::sync::Arc;

use super::Shared;
use crate::lifecycle::Trigger;
use crate::rt;
use crate::threads::Clock;

impl Shared {
    /// Stops the group if the parent token is cancelled already, which admission must see at once.
    pub(crate) fn check_parent(self: &Arc<Self>) {
        if self.settings.parent.as_ref().is_some_and(|parent| parent.is_cancelled()) {
            self.follow(Trigger::Plain, None, None);
        }
    }

    /// Watches the parent token until the group has ended.
    pub(crate) fn watch_parent(self: &Arc<Self>, clock: &Clock) {
        let Some(parent) = self.settings.parent.clone() else { return };
        let group = Arc::clone(self);
        clock.handle.spawn(async move {
            rt::first_or(group.ended.reached(1), parent.cancelled()).await;
            group.check_parent();
        });
    }
}
