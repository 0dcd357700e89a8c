//! Which tasks wait for which before they start, and how a circle of them is found.
//!
//! Within a group there is none: a handle exists once its task is admitted, so it leads to an
//! earlier one. A nested group adds a way back, since its task is ready when its own gating tasks
//! are. A task looks for a circle when it begins to wait, and when a group is nested in another: it
//! takes one of these to close it. Of several tasks that close one at the same time, at least one
//! sees it.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Weak};

use super::{Entry, NESTINGS, current};
use crate::rt;

/// Waits for `ready`, by which the calling task waits for `others`. `None` if these wait for that
/// task in turn.
pub(crate) async fn in_order<F: Future>(
    others: impl Iterator<Item = &Arc<Entry>>,
    ready: F,
) -> Option<F::Output> {
    let waits_for: Vec<Weak<Entry>> = others.map(Arc::downgrade).collect();
    let Some(entry) = current::entry() else { return Some(ready.await) };
    entry.update_order(|order| order.waits_for = waits_for);
    let mut ready = pin!(ready);
    let result = loop {
        let nested = NESTINGS.reached(NESTINGS.get() + 1);
        if NESTINGS.get() > 0 && entry.waits_in_a_circle() {
            break None;
        }
        if let Some(output) = rt::first_or(ready.as_mut(), nested).await {
            break Some(output);
        }
    };
    drop(entry.update_order(|order| std::mem::take(&mut order.waits_for)));
    result
}

impl Entry {
    fn waits_in_a_circle(self: &Arc<Self>) -> bool {
        let mut seen = HashMap::new();
        let mut next = self.needs();
        while let Some(entry) = next.pop() {
            if Arc::ptr_eq(&entry, self) {
                return true;
            }
            let further = entry.needs();
            if seen.insert(Arc::as_ptr(&entry), entry).is_none() {
                next.extend(further);
            }
        }
        false
    }

    /// Returns the tasks whose readiness this one needs: to start, and where it is a nested group,
    /// those that gate it.
    fn needs(&self) -> Vec<Arc<Self>> {
        if self.is_ready() || self.outcome().is_some() {
            return Vec::new();
        }
        let mut found = self.waits_for();
        for group in self.nested() {
            let state = group.lock();
            let gates = state.living_tasks().filter(|entry| entry.gates_readiness);
            found.extend(gates.cloned());
        }
        found
    }
}
