//! A load balancer as clients see it: it names a server for each new connection, and learns late
//! that one stops.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// The servers that new connections go to, in turns.
#[derive(Debug)]
pub(crate) struct Balancer {
    state: Mutex<State>,
    /// The time from a stop for which a server promises to answer whatever is sent to it.
    drain: Duration,
}

#[derive(Debug, Default)]
struct State {
    servers: Vec<SocketAddr>,
    next: usize,
    stopped: HashMap<SocketAddr, Instant>,
}

impl Balancer {
    pub(crate) fn new(drain: Duration) -> Self {
        Self { state: Mutex::default(), drain }
    }

    pub(crate) fn add(&self, server: SocketAddr) {
        let mut state = self.lock();
        state.stopped.remove(&server);
        state.servers.push(server);
    }

    pub(crate) fn remove(&self, server: SocketAddr) {
        self.lock().servers.retain(|own| *own != server);
    }

    /// Records that the server is about to be asked to stop.
    pub(crate) fn stops(&self, server: SocketAddr) {
        self.lock().stopped.insert(server, Instant::now());
    }

    /// Returns the server for a new connection; there is always at least one.
    pub(crate) fn pick(&self) -> Option<SocketAddr> {
        let mut state = self.lock();
        state.next = state.next.wrapping_add(1);
        let index = state.next.checked_rem(state.servers.len())?;
        Some(state.servers[index])
    }

    /// Whether the promise of the server covers a dial of this instant: it is made before the end
    /// of the drain. No client dials later, unless the balancer learned of the stop too late.
    pub(crate) fn covers_dial(&self, server: SocketAddr, dialled: Instant) -> bool {
        self.lock().stopped.get(&server).is_none_or(|stopped| dialled < *stopped + self.drain)
    }

    /// Whether the promise covers a request on a connection that was idle for this time. A client
    /// that is idle for longer than the drain may never see that the server stops.
    pub(crate) fn covers_pause(&self, idle: Duration) -> bool {
        idle < self.drain
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_take_turns_until_they_are_removed() {
        let balancer = Balancer::new(Duration::ZERO);
        assert_eq!(balancer.pick(), None);
        let [one, two] = [1, 2].map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
        balancer.add(one);
        balancer.add(two);
        assert_ne!(balancer.pick(), balancer.pick());
        balancer.remove(one);
        assert_eq!([balancer.pick(), balancer.pick()], [Some(two); 2]);
    }

    #[test]
    fn the_promise_covers_what_is_dialled_in_the_drain_and_shorter_pauses() {
        let server = SocketAddr::from(([127, 0, 0, 1], 1));
        let balancer = Balancer::new(Duration::from_secs(60));
        balancer.add(server);
        let now = Instant::now();
        assert!(balancer.covers_dial(server, now + Duration::from_secs(3600)), "it does not stop");
        balancer.stops(server);
        assert!(balancer.covers_dial(server, now + Duration::from_secs(59)));
        assert!(!balancer.covers_dial(server, Instant::now() + Duration::from_secs(60)));
        balancer.add(server);
        assert!(balancer.covers_dial(server, now + Duration::from_secs(3600)), "its successor");
        assert!(balancer.covers_pause(Duration::from_secs(59)));
        assert!(!balancer.covers_pause(Duration::from_secs(60)));
    }
}
