//! Cron patterns, in their time zones.

use std::{
    collections::BTreeSet,
    process::Command,
    time::{Duration, SystemTime},
};

use jiff::{Timestamp, ToSpan as _, civil::DateTime, tz::TimeZone};
use proptest::{collection::btree_set, prelude::*};
use task_periodic::CronSchedule;

use crate::rig::{ms, secs};

fn time(text: &str) -> SystemTime {
    text.parse::<Timestamp>().unwrap().into()
}

/// The first ticks after an instant, as local times with their offsets.
fn ticks(pattern: &str, zone: &str, after: &str, count: usize) -> Vec<String> {
    let schedule = CronSchedule::in_zone(pattern, zone).unwrap();
    let zone = TimeZone::get(zone).unwrap();
    let mut last = time(after);
    (0..count)
        .map(|_| {
            last = schedule.next_after(last).unwrap();
            let tick = Timestamp::try_from(last).unwrap().to_zoned(zone.clone());
            tick.strftime("%F %T %:z").to_string()
        })
        .collect()
}

fn list(set: &BTreeSet<i8>) -> String {
    set.iter().map(i8::to_string).collect::<Vec<_>>().join(",")
}

#[test]
fn patterns_that_cannot_be_parsed_or_never_match_are_rejected() {
    for (pattern, fault) in [
        ("", "has 0 fields, and not 5, or 6 with the seconds in front"),
        ("* * * *", "has 4 fields, and not 5, or 6 with the seconds in front"),
        ("* * * * * * *", "has 7 fields, and not 5, or 6 with the seconds in front"),
        ("@reboot", "is none of `@hourly`, `@daily`, `@weekly`, `@monthly` and `@yearly`"),
        ("61 * * * *", "has an invalid minute: 61 is not within 0 to 59"),
        ("60 * * * * *", "has an invalid second: 60 is not within 0 to 59"),
        ("0,59,60 24 * * * *", "has an invalid second: 60 is not within 0 to 59"),
        ("0 9-24 * * *", "has an invalid hour: 24 is not within 0 to 23"),
        ("0 0 0 0 0", "has an invalid day of the month: 0 is not within 1 to 31"),
        ("0 0 32w * *", "has an invalid day of the month: 32 is not within 1 to 31"),
        ("0 0 1 1-13/2 *", "has an invalid month: 13 is not within 1 to 12"),
        ("0 0 * * +8", "has an invalid day of the week: 8 is not within 0 to 7"),
        ("*/0 * * * *", "has an invalid minute: a step of zero in `*/0`"),
        ("22-2 * * * *", "has an invalid minute: `22-2` goes backwards"),
        ("0 0 1 DEC-jan *", "has an invalid month: `DEC-jan` goes backwards"),
    ] {
        let error = CronSchedule::utc(pattern).unwrap_err();
        assert!(error.is_pattern() && !error.is_time_zone(), "{pattern}: {error}");
        assert_eq!(error.to_string(), format!("cron pattern `{pattern}` {fault}"));
        assert!(std::error::Error::source(&error).is_none(), "{pattern}");
    }
    for (pattern, fault) in [
        ("x * * * *", "has an invalid minute: `x` cannot be parsed"),
        ("5/10 * * * *", "has an invalid minute: `5/10` cannot be parsed"),
        ("1,,x * * * *", "has an invalid minute: `x` cannot be parsed"),
        ("0 0 * * mon-xyz", "has an invalid day of the week: `mon-xyz` cannot be parsed"),
        ("0 0 * * MON#6", "has an invalid day of the week: `MON#6` cannot be parsed"),
        ("0 99999999999 * * *", "has an invalid hour: `99999999999` cannot be parsed"),
    ] {
        let error = CronSchedule::utc(pattern).unwrap_err();
        assert!(error.is_pattern(), "{error}");
        assert_eq!(error.to_string(), format!("cron pattern `{pattern}` {fault}"));
        assert!(std::error::Error::source(&error).is_some(), "{pattern}: the parser's reason");
    }
    let error = CronSchedule::utc("0 0 30 2 *").unwrap_err();
    assert!(error.is_pattern(), "{error}");
    assert_eq!(error.to_string(), "cron pattern `0 0 30 2 *` matches no instant");
    for pattern in [
        "* * * * *",
        "*/5 * * * * *",
        "@daily",
        "0 0 29 2 +MON",
        "15 3 L * *",
        "0 9 * JAN-MAR MON-FRI",
    ] {
        assert!(CronSchedule::utc(pattern).is_ok(), "{pattern}");
    }
}

#[test]
fn a_step_that_is_larger_than_what_it_steps_through_is_rejected() {
    for (pattern, field, part, step, values) in [
        ("*/90 * * * *", "minute", "*/90", 90, 60),
        ("*/61 * * * * *", "second", "*/61", 61, 60),
        ("0 */25 * * *", "hour", "*/25", 25, 24),
        ("0 0 */32 * *", "day of the month", "*/32", 32, 31),
        ("0 0 1 */13 *", "month", "*/13", 13, 12),
        ("0 0 * * */8", "day of the week", "*/8", 8, 7),
        ("0 0 * * mon-fri/6", "day of the week", "mon-fri/6", 6, 5),
        ("0 0 * * MON-SUN/8", "day of the week", "MON-SUN/8", 8, 7),
        ("5,0-30/40 * * * *", "minute", "0-30/40", 40, 31),
        ("0 0 1 JAN-MAR/4 *", "month", "JAN-MAR/4", 4, 3),
    ] {
        let error = CronSchedule::utc(pattern).unwrap_err();
        assert!(error.is_pattern(), "{error}");
        let text = format!(
            "cron pattern `{pattern}` has an invalid {field}: a step of {step} in `{part}`, which \
             has {values} values"
        );
        assert_eq!(error.to_string(), text);
    }
    // Once in the field is what they say.
    for pattern in [
        "*/60 * * * *",
        "0 */24 * * *",
        "*/45 * * * *",
        "0-30/31 * * * *",
        "0 0 1 OCT-DEC/3 *",
        "0 0 * * */7",
        "0 0 * * MON-FRI/5",
    ] {
        assert!(CronSchedule::utc(pattern).is_ok(), "{pattern}");
    }
    for pattern in ["22-2 * * * *", "0 0 31 2,4,6,9,11 *", "* * * * MON-XYZ", "5/10 * * * *"] {
        assert!(CronSchedule::utc(pattern).unwrap_err().is_pattern(), "{pattern}");
    }
}

/// In a process of its own, since the zone is taken from the environment.
#[test]
fn the_system_zone_is_that_of_the_machine_or_an_error() {
    const CHILD: &str = "TASK_PERIODIC_ZONE";
    match std::env::var(CHILD).as_deref() {
        Err(_) => {
            for zone in ["Asia/Tokyo", "Mars/Olympus_Mons"] {
                let test = "cron_patterns::the_system_zone_is_that_of_the_machine_or_an_error";
                let mut child = Command::new(std::env::current_exe().unwrap());
                child.args(["--exact", test]).env("TZ", zone).env(CHILD, zone);
                let output = child.output().unwrap();
                let has_run = String::from_utf8_lossy(&output.stdout).contains("1 passed");
                assert!(output.status.success() && has_run, "{zone}: {output:?}");
            }
        }
        Ok("Asia/Tokyo") => {
            let schedule = CronSchedule::in_system_zone("0 3 * * *").unwrap();
            let next = schedule.next_after(time("2026-05-05T12:00:00Z"));
            assert_eq!(next, Some(time("2026-05-05T18:00:00Z")));
            assert_eq!(schedule.to_string(), "0 3 * * * Asia/Tokyo");
        }
        Ok(_) => {
            let error = CronSchedule::in_system_zone("0 3 * * *").unwrap_err();
            assert!(error.is_time_zone() && !error.is_pattern(), "{error}");
            assert_eq!(error.to_string(), "failed to find the system's time zone");
        }
    }
}

/// The table in the docs of `CronSchedule`.
#[test]
fn patterns_match_as_the_table_says() {
    for (pattern, first) in [
        ("*/5 * * * *", "2026-05-05 12:05:00 +00:00"),
        ("30 3 * * MON-FRI", "2026-05-06 03:30:00 +00:00"),
        ("0 9,17 1 * *", "2026-06-01 09:00:00 +00:00"),
        ("0 0 L * *", "2026-05-31 00:00:00 +00:00"),
        ("0 12 15W * *", "2026-05-15 12:00:00 +00:00"),
        ("0 8 * * MON#2", "2026-05-11 08:00:00 +00:00"),
        ("*/10 * * * * *", "2026-05-05 12:00:10 +00:00"),
        ("@monthly", "2026-06-01 00:00:00 +00:00"),
    ] {
        assert_eq!(ticks(pattern, "Etc/UTC", "2026-05-05T12:00:00Z", 1), [first], "{pattern}");
    }
}

#[test]
fn an_unknown_time_zone_is_rejected() {
    let error = CronSchedule::in_zone("* * * * *", "Mars/Olympus_Mons").unwrap_err();
    assert!(error.is_time_zone() && !error.is_pattern(), "{error}");
    assert_eq!(error.to_string(), "failed to find the time zone `Mars/Olympus_Mons`");
}

#[test]
fn a_schedule_displays_its_pattern_and_time_zone() {
    assert_eq!(CronSchedule::utc("0 3 * * *").unwrap().to_string(), "0 3 * * * UTC");
    let schedule = CronSchedule::in_zone("@daily", "Europe/Berlin").unwrap();
    assert!(schedule.to_string().ends_with("Europe/Berlin"), "{schedule}");
}

#[test]
fn the_tick_after_a_tick_is_the_next_one() {
    let schedule = CronSchedule::utc("0 * * * *").unwrap();
    let tick = time("2026-05-05T12:00:00Z");
    // 100 ns is the resolution of Windows.
    for before in [tick - ms(1), tick - secs(3600), tick - Duration::from_nanos(100)] {
        assert_eq!(schedule.next_after(before), Some(tick));
    }
    for after in [tick, tick + ms(1), tick + secs(3599)] {
        assert_eq!(schedule.next_after(after), Some(tick + secs(3600)));
    }
}

#[test]
fn there_is_a_last_tick_before_the_year_5000() {
    let schedule = CronSchedule::utc("0 0 1 1 *").unwrap();
    assert_eq!(schedule.next_after(time("5000-01-01T00:00:00Z")), None);
    // The year 19,391; on Windows the last one is 30,828.
    let ever_after = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(1 << 39)).unwrap();
    assert_eq!(schedule.next_after(ever_after), None);
    assert_eq!(
        schedule.next_after(time("1960-01-01T00:00:00Z")),
        Some(time("1971-01-01T00:00:00Z")),
        "what is before 1970 counts as 1970"
    );
}

#[test]
fn a_fixed_time_in_the_skipped_hour_runs_right_after_it() {
    assert_eq!(
        ticks("30 2 * * *", "Europe/Berlin", "2026-03-27T12:00:00Z", 3),
        ["2026-03-28 02:30:00 +01:00", "2026-03-29 03:00:00 +02:00", "2026-03-30 02:30:00 +02:00"]
    );
    assert_eq!(
        ticks("30 2 * * *", "America/New_York", "2026-03-08T05:00:00Z", 2),
        ["2026-03-08 03:00:00 -04:00", "2026-03-09 02:30:00 -04:00"]
    );
}

#[test]
fn a_fixed_time_in_the_repeated_hour_runs_once() {
    assert_eq!(
        ticks("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 2),
        ["2026-10-25 02:30:00 +02:00", "2026-10-26 02:30:00 +01:00"]
    );
    // Also when asked between the two.
    assert_eq!(
        ticks("30 2 * * *", "Europe/Berlin", "2026-10-25T00:45:00Z", 1),
        ["2026-10-26 02:30:00 +01:00"]
    );
}

#[test]
fn fixed_times_of_a_list_or_a_range_in_the_skipped_hour_run_once_right_after_it() {
    assert_eq!(
        ticks("0 2,14 * * *", "Europe/Berlin", "2026-03-28T13:30:00Z", 3),
        ["2026-03-29 03:00:00 +02:00", "2026-03-29 14:00:00 +02:00", "2026-03-30 02:00:00 +02:00"]
    );
    assert_eq!(
        ticks("0,30 2-3 * * *", "Europe/Berlin", "2026-03-29T00:00:00Z", 3),
        ["2026-03-29 03:00:00 +02:00", "2026-03-29 03:30:00 +02:00", "2026-03-30 02:00:00 +02:00"]
    );
    assert_eq!(
        ticks("30 1-2 * * *", "America/New_York", "2026-03-08T06:00:00Z", 3),
        ["2026-03-08 01:30:00 -05:00", "2026-03-08 03:00:00 -04:00", "2026-03-09 01:30:00 -04:00"]
    );
    // Also when asked in the last second before.
    assert_eq!(
        ticks("0,30 2,4 * * *", "Europe/Berlin", "2026-03-29T00:59:59Z", 2),
        ["2026-03-29 03:00:00 +02:00", "2026-03-29 04:00:00 +02:00"]
    );
}

#[test]
fn fixed_times_of_a_list_or_a_range_in_the_repeated_hour_run_once() {
    assert_eq!(
        ticks("0 2,14 * * *", "Europe/Berlin", "2026-10-24T13:00:00Z", 3),
        ["2026-10-25 02:00:00 +02:00", "2026-10-25 14:00:00 +01:00", "2026-10-26 02:00:00 +01:00"]
    );
    assert_eq!(
        ticks("10,50 30 1-2 * * *", "America/New_York", "2026-11-01T05:30:30Z", 3),
        ["2026-11-01 01:30:50 -04:00", "2026-11-01 02:30:10 -05:00", "2026-11-01 02:30:50 -05:00"]
    );
    // Also when asked at the change, and between the two.
    for after in ["2026-10-25T00:59:59Z", "2026-10-25T01:00:00Z", "2026-10-25T01:10:00Z"] {
        assert_eq!(
            ticks("0,30 2,3 * * *", "Europe/Berlin", after, 1),
            ["2026-10-25 03:00:00 +01:00"],
            "{after}"
        );
    }
}

#[test]
fn a_fixed_time_in_a_gap_that_reaches_midnight_runs_on_the_next_day() {
    // 23:00 to 24:00 was skipped.
    assert_eq!(
        ticks("30 23 * * SAT", "America/Nuuk", "2025-03-24T12:00:00Z", 2),
        ["2025-03-30 00:00:00 -01:00", "2025-04-05 23:30:00 -01:00"]
    );
    assert_eq!(
        ticks("0,30 0,23 * * *", "America/Nuuk", "2025-03-29T12:00:00Z", 3),
        ["2025-03-30 00:00:00 -01:00", "2025-03-30 00:30:00 -01:00", "2025-03-30 23:00:00 -01:00"]
    );
}

#[test]
fn an_interval_follows_the_elapsed_time_through_skipped_and_repeated_hours() {
    assert_eq!(
        ticks("*/30 * * * *", "Europe/Berlin", "2026-03-29T00:20:00Z", 4),
        [
            "2026-03-29 01:30:00 +01:00",
            "2026-03-29 03:00:00 +02:00",
            "2026-03-29 03:30:00 +02:00",
            "2026-03-29 04:00:00 +02:00",
        ]
    );
    assert_eq!(
        ticks("*/30 * * * *", "Europe/Berlin", "2026-10-25T00:10:00Z", 5),
        [
            "2026-10-25 02:30:00 +02:00",
            "2026-10-25 02:00:00 +01:00",
            "2026-10-25 02:30:00 +01:00",
            "2026-10-25 03:00:00 +01:00",
            "2026-10-25 03:30:00 +01:00",
        ]
    );
}

#[test]
fn a_pattern_with_a_star_or_a_step_is_an_interval() {
    assert_eq!(
        ticks("@hourly", "Europe/Berlin", "2026-10-24T23:30:00Z", 3),
        ["2026-10-25 02:00:00 +02:00", "2026-10-25 02:00:00 +01:00", "2026-10-25 03:00:00 +01:00"]
    );
    assert_eq!(
        ticks("0-59/30 2-3 * * *", "Europe/Berlin", "2026-10-25T00:10:00Z", 3),
        ["2026-10-25 02:30:00 +02:00", "2026-10-25 02:00:00 +01:00", "2026-10-25 02:30:00 +01:00"]
    );
    assert_eq!(
        ticks("0-59/30 2-3 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", 3),
        ["2026-03-29 03:00:00 +02:00", "2026-03-29 03:30:00 +02:00", "2026-03-30 02:00:00 +02:00"]
    );
}

#[test]
fn a_day_that_a_country_skipped_does_not_end_the_schedule() {
    // Samoa had no 30 December 2011.
    assert_eq!(
        ticks("0 12 * * *", "Pacific/Apia", "2011-12-29T20:00:00Z", 3),
        ["2011-12-29 12:00:00 -10:00", "2011-12-31 12:00:00 +14:00", "2012-01-01 12:00:00 +14:00"]
    );
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 200,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// In UTC a minute is a tick if and only if its fields are in the lists.
    #[test]
    fn ticks_are_the_minutes_that_match(
        minutes in btree_set(0..60_i8, 1..4),
        hours in btree_set(0..24_i8, 1..4),
        start in 0..500_000_i64,
    ) {
        let pattern = format!("{} {} * * *", list(&minutes), list(&hours));
        let schedule = CronSchedule::utc(&pattern).unwrap();
        let start = 1_767_225_600 + start;
        let after = SystemTime::UNIX_EPOCH + secs(start.unsigned_abs());
        let found = schedule.next_after(after).unwrap();
        let expected = (start / 60 + 1..)
            .map(|minute| Timestamp::from_second(minute * 60).unwrap())
            .find(|at| {
                let civil: DateTime = TimeZone::UTC.to_datetime(*at);
                minutes.contains(&civil.minute()) && hours.contains(&civil.hour())
            })
            .unwrap();
        prop_assert_eq!(found, SystemTime::from(expected));
    }

    /// Around a clock change, fixed times are those of a wall clock that is set forward and never
    /// back.
    #[test]
    fn fixed_times_are_those_of_a_clock_that_is_never_set_back(
        minutes in btree_set(0..60_i8, 1..4),
        hours in btree_set(0..24_i8, 1..12),
        zone in prop::sample::select(vec![
            "Europe/Berlin",
            "America/Nuuk",
            "America/Havana",
            "Australia/Lord_Howe",
            "Antarctica/Troll",
        ]),
        change in 0..6_usize,
        start in -9_000..9_000_i64,
    ) {
        let pattern = format!("{} {} * * *", list(&minutes), list(&hours));
        let schedule = CronSchedule::in_zone(&pattern, zone).unwrap();
        let zone = TimeZone::get(zone).unwrap();
        let since = "2024-01-01T00:00:00Z".parse::<Timestamp>().unwrap();
        let change = zone.following(since).nth(change).unwrap().timestamp().as_second();
        let after = change + start;

        let at = |minute: i64| Timestamp::from_second(minute * 60).unwrap();
        let first = change / 60 - 1440;
        let mut clock = zone.to_datetime(at(first));
        let mut expected = (first..).filter(|minute| {
            let mut is_tick = false;
            while clock < zone.to_datetime(at(*minute)) {
                clock = clock.checked_add(1.minute()).unwrap();
                is_tick |= minutes.contains(&clock.minute()) && hours.contains(&clock.hour());
            }
            is_tick
        });
        let next = expected.find(|minute| minute * 60 > after).unwrap();
        let after = SystemTime::UNIX_EPOCH + secs(after.unsigned_abs());
        let found = schedule.next_after(after).unwrap();
        prop_assert_eq!(Timestamp::try_from(found).unwrap(), at(next));
    }
}
