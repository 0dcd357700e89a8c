//! What holds of the machine whatever it is given, and the cases one by one.

use std::time::{Duration, Instant};

use proptest::{collection::vec, prelude::*};

use super::{Details, Extending, PAUSE, Protocol, Seen};

/// One thing that is done to the machine.
#[derive(Clone, Copy, Debug)]
enum Event {
    /// A look, so long after the last event, at a group with this status.
    Look(Duration, Seen, u8),
    /// The status of the end of a reload, if the group is known.
    BeginReload,
    EndReload(Option<u8>),
}

fn event() -> impl Strategy<Value = Event> {
    let seen = prop_oneof![
        4 => Just(Seen::Starting),
        8 => Just(Seen::Ready),
        2 => Just(Seen::Stopping),
        1 => Just(Seen::Ended),
    ];
    let pause = (0_u64..2_500).prop_map(Duration::from_millis);
    prop_oneof![
        6 => (pause, seen, 0_u8..4).prop_map(|(pause, seen, status)| Event::Look(pause, seen, status)),
        2 => Just(Event::BeginReload),
        2 => proptest::option::of(0_u8..4).prop_map(Event::EndReload),
    ]
}

fn extending() -> impl Strategy<Value = Extending> {
    let start = proptest::option::of((1_u64..20).prop_map(Duration::from_secs));
    (start, any::<bool>()).prop_map(|(start, stop)| Extending { start, stop })
}

/// Plays the events. Returns what is said, each with the time since the start.
fn play(extending: Extending, events: &[Event]) -> Vec<(Duration, String)> {
    let began = Instant::now();
    let mut now = began;
    let mut protocol = Protocol::new(extending);
    let mut announced = 0;
    let mut said = Vec::new();
    for event in events {
        let messages = match *event {
            Event::Look(pause, seen, status) => {
                now += pause;
                let details = || Details {
                    status: format!("status {status}"),
                    remaining: Some(Duration::from_secs(5)),
                };
                let step = protocol.look(now, seen, false, details);
                assert!(
                    step.again.is_none_or(|again| again > now),
                    "it never asks to look at once"
                );
                step.messages
            }
            Event::BeginReload => {
                let (message, is_announced) = protocol.begin_reload(|| 7);
                announced += usize::from(is_announced);
                message.into_iter().collect()
            }
            // Only a reload that was announced ends as one.
            Event::EndReload(_) if announced == 0 => Vec::new(),
            Event::EndReload(status) => {
                announced -= 1;
                let status = status.map(|status| format!("status {status}"));
                protocol.end_reload(status.as_deref()).into_iter().collect()
            }
        };
        said.extend(messages.into_iter().map(|message| (now - began, message.text().to_owned())));
    }
    said
}

fn positions(said: &[(Duration, String)], begins: &str) -> Vec<usize> {
    let begin = |(position, (_, text)): (usize, &(Duration, String))| {
        text.starts_with(begins).then_some(position)
    };
    said.iter().enumerate().filter_map(begin).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn ready_once_and_per_reload_and_never_after_stopping(
        extending in extending(),
        events in vec(event(), 0..60),
    ) {
        let said = play(extending, &events);
        let ready = positions(&said, "READY=1");
        let reloading = positions(&said, "RELOADING=1");
        let stopping = positions(&said, "STOPPING=1");
        prop_assert!(stopping.len() <= 1);
        if let Some(stopping) = stopping.first() {
            let is_before = |position: &usize| position < stopping;
            prop_assert!(ready.iter().chain(&reloading).all(is_before), "{said:?}");
        }
        // The group's own comes first; then each reload has a beginning and, unless the stop comes
        // first, an end, one after the other.
        let mut both: Vec<_> = ready.iter().map(|at| (at, false)).collect();
        both.extend(reloading.iter().map(|at| (at, true)));
        both.sort_unstable();
        for (ordinal, (_, is_reloading)) in both.iter().enumerate() {
            prop_assert_eq!(*is_reloading, ordinal % 2 == 1, "{:?}", said);
        }
        // If it was ever looked at while ready and not stopping, it was said.
        let first = events.iter().find_map(|event| match event {
            Event::Look(_, seen, _) if *seen >= Seen::Ready => Some(*seen),
            _ => None,
        });
        prop_assert_eq!(!ready.is_empty(), first == Some(Seen::Ready));
    }

    #[test]
    fn nothing_but_a_status_is_said_at_most_once_a_second(
        extending in extending(),
        events in vec(event(), 0..80),
    ) {
        let said = play(extending, &events);
        let lone = positions(&said, "STATUS=");
        // The last look at a shutdown, which is over, does not wait.
        let is_last = |at: usize| at + 1 == said.len();
        for pair in lone.windows(2).filter(|pair| !is_last(pair[1])) {
            prop_assert!(said[pair[1]].0 - said[pair[0]].0 >= PAUSE, "{said:?}");
        }
    }

    #[test]
    fn the_last_thing_that_was_seen_for_a_second_is_the_last_that_was_said(
        extending in extending(),
        mut events in vec(event(), 0..40),
        status in 0_u8..4,
    ) {
        events.retain(|event| !matches!(event, Event::Look(_, Seen::Ended, _)));
        let last = Event::Look(PAUSE, Seen::Stopping, status);
        let said = play(extending, &[events, vec![last]].concat());
        let shown = said.iter().filter_map(|(_, text)| text.split("STATUS=").nth(1)).next_back();
        let shown = shown.and_then(|text| text.lines().next());
        prop_assert_eq!(shown, Some(&*format!("status {status}")), "{:?}", said);
    }
}

const SECOND: Duration = Duration::from_secs(1);

fn texts(extending: Extending, events: &[Event]) -> Vec<String> {
    play(extending, events).into_iter().map(|(_, text)| text).collect()
}

#[test]
fn a_start_is_extended_each_second_up_to_its_limit() {
    let extending = Extending { start: Some(Duration::from_secs(12)), stop: false };
    let looks = [Event::Look(SECOND / 2, Seen::Starting, 0); 40];
    let said = texts(extending, &looks);
    let extended: Vec<u64> = said
        .iter()
        .filter_map(|text| text.strip_prefix("EXTEND_TIMEOUT_USEC=")?.parse().ok())
        .map(|micros: u64| micros / 1_000_000)
        .collect();
    assert_eq!(extended, [10, 10, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1]);
}

#[test]
fn a_start_whose_runtime_is_blocked_is_not_extended() {
    let start = Some(Duration::from_secs(60));
    let mut protocol = Protocol::new(Extending { start, stop: false });
    let began = Instant::now();
    let mut extends = |seconds, is_blocked| {
        let now = began + Duration::from_secs(seconds);
        let step = protocol.look(now, Seen::Starting, is_blocked, Details::default);
        step.messages.iter().any(|message| message.text().starts_with("EXTEND_TIMEOUT_USEC="))
    };
    let seen = [(0, false), (2, true), (4, true), (6, false)];
    assert_eq!(seen.map(|(at, is_blocked)| extends(at, is_blocked)), [true, false, false, true]);
}

#[test]
fn a_stop_is_extended_by_what_it_may_take_if_asked_for() {
    let looks = [Event::Look(SECOND, Seen::Ready, 0), Event::Look(SECOND, Seen::Stopping, 1)];
    let extending = Extending { start: None, stop: true };
    let expected =
        ["READY=1\nSTATUS=status 0", "STOPPING=1\nSTATUS=status 1\nEXTEND_TIMEOUT_USEC=7000000"];
    assert_eq!(texts(extending, &looks), expected);
    let plain = texts(Extending::default(), &looks);
    assert_eq!(plain, [expected[0], "STOPPING=1\nSTATUS=status 1"]);
}

#[test]
fn reloads_that_overlap_are_one() {
    let events = [
        Event::Look(SECOND, Seen::Ready, 0),
        Event::BeginReload,
        Event::BeginReload,
        Event::EndReload(Some(1)),
        Event::EndReload(Some(2)),
    ];
    assert_eq!(
        texts(Extending::default(), &events),
        ["READY=1\nSTATUS=status 0", "RELOADING=1\nMONOTONIC_USEC=7", "READY=1\nSTATUS=status 2",]
    );
}

#[test]
fn that_the_runtime_is_blocked_is_said_at_once() {
    let mut protocol = Protocol::new(Extending::default());
    let now = Instant::now();
    let mut look = |is_blocked, status: &str| {
        let details = || Details { status: status.to_owned(), remaining: None };
        protocol.look(now, Seen::Ready, is_blocked, details).messages.len()
    };
    assert_eq!(look(false, "ready"), 1);
    assert_eq!(look(false, "ready, 2 tasks"), 0);
    assert_eq!(look(true, "blocked for 1 s"), 1);
    assert_eq!(look(true, "blocked for 2 s"), 0);
}
