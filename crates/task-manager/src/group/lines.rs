//! The log lines of a group, in the order of what they are about.
//!
//! A line is queued under the group's lock, as part of the event, and written without it: a log
//! sink is foreign code and may block. One thread at a time writes; one that finds another at it
//! leaves its lines to that one and goes on. So the lines keep their order, and a sink that blocks
//! holds one thread.
//!
//! Every list is finite: behind a sink that is slower than the group, threads wait until there is
//! room, as they would in the sink itself; behind one that blocks, lines are lost, and counted.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use std::{ptr, thread};

use task_core::Step;
use task_core::scope::{Wakers, catch, discard};
use tracing::dispatcher::{Dispatch, get_default, with_default};

use super::{Event, Shared, State};
use crate::rt;
use crate::threads::offload;

/// How many lines may wait while one is written.
const MAX_WAITING: usize = 1_024;
/// After how long in one line a sink counts as blocked.
const BLOCKED_AFTER: Duration = Duration::from_secs(1);
/// How often a thread looks whether there is room.
const RETRY_INTERVAL: Duration = Duration::from_millis(1);
/// After how many lines in a row a thread leaves the others to the log thread.
const MAX_IN_A_ROW: usize = 1_024;
/// How long a `wait` waits for the last line while the sink is at one line, and how many times as
/// long in all.
const LINE_TIMEOUT: Duration = Duration::from_millis(100);
const MAX_LOOKS: u32 = 10;

/// How many groups in the process have a last line that is later than that. Nothing waits for
/// further ones. It belongs to the process, as the threads that count do, so shuttle has no part in
/// it.
static LATE: AtomicU32 = AtomicU32::new(0);

#[derive(Default)]
pub(crate) struct Lines {
    queue: VecDeque<Line>,
    /// Whether the event that has the lock queued any.
    is_queued: bool,
    writer: Option<Writer>,
    lost: u64,
    /// Whether the wait for the last line has a limit, and whether that has passed.
    is_limited: bool,
    is_late: bool,
}

struct Line {
    event: Event,
    /// Who queued it, and where that thread logs: another one may write it.
    thread: ThreadMark,
    log: Dispatch,
}

/// The thread that writes, and since when it is at its line.
struct Writer {
    thread: ThreadMark,
    since: Instant,
}

/// Recognises a thread while it lives, also when its local data is being destroyed.
#[derive(Clone, Copy, PartialEq, Eq)]
struct ThreadMark(usize);

impl ThreadMark {
    fn of_this() -> Self {
        thread_local! { static MARK: u8 = const { 0 } }
        Self(MARK.try_with(|mark| ptr::from_ref(mark) as usize).unwrap_or_default())
    }
}

impl Lines {
    /// Queues a line. Returns it if it is lost, to be dropped without the lock.
    pub(crate) fn push(&mut self, event: Event) -> Option<Event> {
        // The one report is what the other lines lead to.
        let is_full = self.queue.len() >= MAX_WAITING && !matches!(event, Event::Report(_));
        if is_full && self.is_blocked() {
            self.lost += 1;
            return Some(event);
        }
        let lost = self.take_lost();
        self.queue.extend(lost);
        self.queue.push_back(Line::new(event));
        self.is_queued = true;
        None
    }

    /// Returns the line about those that were lost, in whose place it is written.
    fn take_lost(&mut self) -> Option<Line> {
        let lost = std::mem::take(&mut self.lost);
        (lost > 0).then(|| Line::new(Event::Lost(lost)))
    }

    pub(crate) fn is_queued(&self) -> bool {
        self.is_queued
    }

    /// Returns whether this event queued lines, and so has to write the log once the lock is
    /// released. One that did not must not: it might block in lines of another.
    pub(crate) fn end_event(&mut self) -> bool {
        std::mem::take(&mut self.is_queued)
    }

    /// Returns the next line to be written by this thread. Without one, nothing writes any more.
    fn next(&mut self, thread: ThreadMark) -> Option<Line> {
        let next = self.queue.pop_front().or_else(|| self.take_lost());
        self.writer = next.is_some().then(|| Writer { thread, since: Instant::now() });
        next
    }

    /// Records that no line is missing, or will never be written.
    fn set_on_time(&mut self) {
        if std::mem::take(&mut self.is_late) {
            LATE.fetch_sub(1, Ordering::SeqCst);
        }
    }

    fn is_blocked(&self) -> bool {
        self.is_slow(BLOCKED_AFTER)
    }

    /// Returns whether the line that is being written takes that long.
    fn is_slow(&self, limit: Duration) -> bool {
        self.writer.as_ref().is_some_and(|writer| writer.since.elapsed() >= limit)
    }

    /// Returns whether a wait for the last line is to end, after some looks. Who queued a line
    /// begins to write it after calling wakers, so it may not have begun at the first look.
    fn is_stuck(&self, looks: u32) -> bool {
        let is_left = self.writer.is_none() && looks > 1;
        is_left || self.is_slow(LINE_TIMEOUT) || looks >= MAX_LOOKS
    }

    /// Returns whether a thread that has queued lines is to wait for the one that writes.
    fn is_behind(&self, thread: ThreadMark) -> bool {
        let is_other = self.writer.as_ref().is_some_and(|writer| writer.thread != thread);
        is_other && self.queue.len() > MAX_WAITING && !self.is_blocked()
    }
}

impl State {
    /// Queues a log line. The caller has it written once the lock is released.
    pub(crate) fn log(&mut self, event: Event) {
        let lost = self.lines.push(event);
        self.garbage.extend(lost.map(|event| Box::new(event) as _));
    }
}

impl Shared {
    /// Queues a line outside of any other event.
    pub(crate) fn log(&self, event: Event) {
        let mut state = self.lock();
        state.log(event);
        state.lines.end_event();
    }

    /// Writes the lines that are queued, unless a thread is at it, which then writes these as well.
    /// Other threads cannot keep this one for ever: in the end, the log thread takes over.
    pub(crate) fn write_log(self: &Arc<Self>) {
        while self.write_lines() {
            let group = Arc::clone(self);
            if offload::log(Box::new(move || group.write_log())) {
                return;
            }
        }
    }

    /// Writes as many lines as one thread does in a row. Returns whether there may be more, which
    /// no thread is at.
    fn write_lines(&self) -> bool {
        let thread = ThreadMark::of_this();
        let mut state = self.lock();
        if state.lines.writer.is_some() {
            drop(state);
            self.keep_pace(thread);
            return false;
        }
        for written in 0..MAX_IN_A_ROW {
            let Some(line) = state.lines.next(thread) else {
                let mut wakers = Wakers::default();
                if state.machine.step() == Step::Ended {
                    state.lines.set_on_time();
                    wakers.append(self.logged.raise_quietly(1));
                }
                drop(state);
                wakers.wake();
                return false;
            };
            drop(state);
            if written == 0 {
                rt::pass_on_last_woken();
            }
            line.write(&self.name);
            state = self.lock();
        }
        state.lines.writer = None;
        true
    }

    /// Waits for room, unless the sink blocks.
    fn keep_pace(&self, thread: ThreadMark) {
        while self.lock().lines.is_behind(thread) {
            thread::sleep(RETRY_INTERVAL);
        }
    }

    /// Waits until the last line of a group that has ended is written, unless the sink blocks: the
    /// caller may end the process next.
    pub(crate) async fn last_line(self: &Arc<Self>) {
        let is_written = self.logged.get() > 0;
        if !is_written && LATE.load(Ordering::SeqCst) == 0 {
            self.limit_last_line();
            self.logged.reached(1).await;
        }
    }

    /// Sees to it that nothing waits for the last line for longer than the limits, also if the
    /// runtime is blocked.
    fn limit_last_line(self: &Arc<Self>) {
        let is_limited = std::mem::replace(&mut self.lock().lines.is_limited, true);
        if !is_limited && rt::HAS_OWN_THREADS {
            self.look_at_last_line(1);
        }
    }

    /// Looks at the last line after the time that one line may take, and so on while lines are
    /// written.
    fn look_at_last_line(self: &Arc<Self>, looks: u32) {
        let group = Arc::downgrade(self);
        let look = move || {
            // A caller that waits keeps the group.
            let Some(group) = group.upgrade() else { return };
            if group.lock().lines.is_stuck(looks) {
                group.end_wait_for_last_line();
            } else if group.logged.get() == 0 {
                group.look_at_last_line(looks + 1);
            }
            // What goes with the last reference is the user's, and may block.
            if let Some(group) = Arc::into_inner(group) {
                offload::run(Box::new(move || drop(group)));
            }
        };
        if !offload::log_limit(LINE_TIMEOUT, Box::new(look)) {
            self.end_wait_for_last_line();
        }
    }

    fn end_wait_for_last_line(&self) {
        let mut state = self.lock();
        if self.logged.get() > 0 {
            return;
        }
        state.lines.is_late = true;
        LATE.fetch_add(1, Ordering::SeqCst);
        let wakers = self.logged.raise_quietly(1);
        drop(state);
        offload::run(Box::new(|| wakers.wake()));
    }
}

impl Line {
    fn new(event: Event) -> Self {
        Self { event, thread: ThreadMark::of_this(), log: get_default(Clone::clone) }
    }

    fn write(self, manager: &str) {
        let Self { event, thread, log } = self;
        let is_own = thread == ThreadMark::of_this();
        let write = || event.write(manager);
        // A subscriber that panics takes nothing else down, nor does an error that is dropped.
        let _ = catch(|| if is_own { write() } else { with_default(&log, write) });
        discard(event);
        discard(log);
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        self.set_on_time();
    }
}
