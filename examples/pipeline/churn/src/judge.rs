//! The judge: compares the results with the orders that were fed, id by id.

use std::collections::{HashMap, HashSet};

use crate::{message, reader::Seen};

/// The contents of the brokers and the database at the end of a stage.
#[derive(Debug)]
pub(crate) struct Evidence<'a> {
    /// The number of orders of the feeder, numbered from 0. Those in the input topic count.
    pub(crate) fed: u32,
    pub(crate) input: &'a [Seen],
    pub(crate) output: &'a [Seen],
    pub(crate) dead: &'a [Seen],
    pub(crate) rows: &'a HashSet<Option<u32>>,
    /// The output topics again, as other readers saw them.
    pub(crate) others: &'a [Others<'a>],
}

/// One output topic, as the reader of committed records saw it at the end, and as others did.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Others<'a> {
    pub(crate) last: &'a [Seen],
    /// Committed records, read during the failures.
    pub(crate) concurrent: &'a [Seen],
    /// All records, read at the end.
    pub(crate) uncommitted: &'a [Seen],
}

/// The counts of a judgement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) fed: u64,
    /// Orders without a record in the expected topic.
    pub(crate) lost: u64,
    /// Good orders without a row.
    pub(crate) rows_lost: u64,
    /// Further records of an order.
    pub(crate) duplicates: u64,
    /// Orders whose first record comes after that of a later order with the same key.
    pub(crate) misordered: u64,
    /// Orders that are not in the input topic, because the feeder could not deliver them.
    pub(crate) unfed: u64,
    /// Records and rows that are not of the feeder, or in the wrong topic.
    pub(crate) unexpected: u64,
    /// Records that not all readers saw at the same place: the concurrent and the last one of
    /// committed records differ (one has seen what was aborted, skipped a record, or found another
    /// one at its offset), or the reader of all records misses one.
    pub(crate) disputed: u64,
    /// Records that only the reader of all records saw. Each is no promise broken: it shows that a
    /// failure has met an open transaction.
    pub(crate) aborted: u64,
}

impl Tally {
    pub(crate) fn add(&mut self, other: Self) {
        self.fed += other.fed;
        self.lost += other.lost;
        self.rows_lost += other.rows_lost;
        self.duplicates += other.duplicates;
        self.misordered += other.misordered;
        self.unfed += other.unfed;
        self.unexpected += other.unexpected;
        self.disputed += other.disputed;
        self.aborted += other.aborted;
    }
}

pub(crate) fn judge(evidence: &Evidence<'_>) -> Tally {
    let Evidence { fed, input, output, dead, rows, others } = *evidence;
    let mut tally = Tally { fed: fed.into(), ..Tally::default() };
    // The position of an order in the input decides its position among the orders of its key.
    let mut places = HashMap::new();
    // An order that is in the input twice is in the output twice: the embedded brokers do not
    // detect that a producer repeats a request after they were unavailable.
    let mut repeated = 0;
    for seen in input {
        match seen.number.filter(|number| *number < fed) {
            None => tally.unexpected += 1,
            Some(number) if places.contains_key(&number) => repeated += 1,
            Some(number) => _ = places.insert(number, place(seen)),
        }
    }
    let mut found = HashSet::new();
    for (records, are_bad) in [(output, false), (dead, true)] {
        // Per key: the output partition, and the input position of its last order.
        let mut last: HashMap<&str, (i32, (i32, i64))> = HashMap::new();
        for seen in records {
            let Some((number, place)) = seen
                .number
                .filter(|number| message::is_bad(*number) == are_bad)
                .and_then(|number| Some((number, *places.get(&number)?)))
            else {
                tally.unexpected += 1;
                continue;
            };
            if !found.insert(number) {
                tally.duplicates += 1;
                continue;
            }
            let last = last.entry(&seen.key).or_insert((seen.partition, place));
            if seen.partition != last.0 || place < last.1 {
                tally.misordered += 1;
            } else {
                last.1 = place;
            }
        }
    }
    tally.duplicates = tally.duplicates.saturating_sub(repeated);
    tally.unfed = u64::from(fed) - places.len() as u64;
    let missing = |number: &&u32| !found.contains(*number);
    tally.lost = places.keys().filter(missing).count() as u64;
    let good = |number: &u32| !message::is_bad(*number);
    let rowless = |number: &&u32| good(number) && !rows.contains(&Some(**number));
    tally.rows_lost = places.keys().filter(rowless).count() as u64;
    let unexpected = |row: &&Option<u32>| row.is_none_or(|number| number >= fed || !good(&number));
    for Others { last, concurrent, uncommitted } in others {
        let [last, concurrent, all] = [last, concurrent, uncommitted].map(|seen| records(seen));
        tally.disputed += last.symmetric_difference(&concurrent).count() as u64;
        tally.disputed += last.difference(&all).count() as u64;
        tally.aborted += all.difference(&last).count() as u64;
    }
    tally.unexpected += rows.iter().filter(unexpected).count() as u64;
    tally
}

fn place(seen: &Seen) -> (i32, i64) {
    (seen.partition, seen.offset)
}

/// Returns what was read where.
fn records(seen: &[Seen]) -> HashSet<((i32, i64), Option<u32>)> {
    seen.iter().map(|seen| (place(seen), seen.number)).collect()
}

/// Returns the maximum number of duplicates that the loss of a member at these instants explains:
/// the records of one commit interval before each, and the messages in flight.
pub(crate) fn bound(losses_ms: &[i64], commit_ms: i64, window: u64, records: &[&[Seen]]) -> u64 {
    let within = |loss: i64, seen: &Seen| (loss - commit_ms..=loss).contains(&seen.timestamp_ms);
    let produced = |loss: i64| {
        records.iter().flat_map(|topic| topic.iter()).filter(|seen| within(loss, seen)).count()
            as u64
    };
    losses_ms.iter().map(|loss| produced(*loss) + window).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(number: u32, offset: i64) -> Seen {
        Seen {
            number: Some(number),
            key: message::key(number),
            partition: 0,
            offset,
            timestamp_ms: 1000 + offset,
        }
    }

    /// Records of a single key, so that their order can be judged.
    fn topic(numbers: &[u32]) -> Vec<Seen> {
        let keyed = |(offset, number): (usize, &u32)| Seen {
            key: "k".into(),
            ..seen(*number, offset as i64)
        };
        numbers.iter().enumerate().map(keyed).collect()
    }

    fn tally(output: &[u32], dead: &[u32], rows: &[u32]) -> Tally {
        let input = topic(&[0, 1, 2, 3, 4, 5, 6, 7]);
        let rows = rows.iter().map(|number| Some(*number)).collect();
        judge(&Evidence {
            fed: 8,
            input: &input,
            output: &topic(output),
            dead: &topic(dead),
            rows: &rows,
            others: &[],
        })
    }

    /// What readers disagree about, if the last one saw these.
    fn dispute(last: &[u32], concurrent: &[u32], uncommitted: &[u32]) -> (u64, u64) {
        let [last, concurrent, uncommitted] = [last, concurrent, uncommitted].map(topic);
        let others = [Others { last: &last, concurrent: &concurrent, uncommitted: &uncommitted }];
        let rows = HashSet::new();
        let evidence =
            Evidence { fed: 0, input: &[], output: &[], dead: &[], rows: &rows, others: &others };
        let tally = judge(&evidence);
        (tally.disputed, tally.aborted)
    }

    #[test]
    fn readers_have_to_see_the_same_records_at_the_same_places() {
        assert_eq!(dispute(&[0, 1, 2], &[0, 1, 2], &[0, 1, 2]), (0, 0));
        // The concurrent reader saw more, less, or another record.
        assert_eq!(dispute(&[0, 1], &[0, 1, 2], &[0, 1, 2]), (1, 1));
        assert_eq!(dispute(&[0, 1, 2], &[0, 1], &[0, 1, 2]), (1, 0));
        assert_eq!(dispute(&[0, 1, 2], &[0, 7, 2], &[0, 1, 2]), (2, 0));
        // Committed, and nowhere in the topic.
        assert_eq!(dispute(&[0, 1, 2], &[0, 1, 2], &[0, 1]), (1, 0));
    }

    #[test]
    fn what_only_the_reader_of_all_records_saw_was_aborted() {
        assert_eq!(dispute(&[0], &[0], &[0, 1, 2]), (0, 2));
    }

    const GOOD: [u32; 7] = [0, 1, 2, 3, 4, 5, 6];

    #[test]
    fn output_equal_to_the_input_is_in_order() {
        assert_eq!(tally(&GOOD, &[7], &GOOD), Tally { fed: 8, ..Tally::default() });
    }

    #[test]
    fn missing_records_and_rows_are_lost() {
        let found = tally(&[0, 1, 2, 4, 5, 6], &[], &[0, 1, 2, 3, 4, 5]);
        assert_eq!(found, Tally { fed: 8, lost: 2, rows_lost: 1, ..Tally::default() });
    }

    #[test]
    fn a_repeated_record_is_a_duplicate_and_not_out_of_order() {
        let found = tally(&[0, 1, 2, 3, 1, 2, 3, 4, 5, 6], &[7, 7], &GOOD);
        assert_eq!(found, Tally { fed: 8, duplicates: 4, ..Tally::default() });
    }

    #[test]
    fn a_record_after_a_later_one_is_out_of_order() {
        let found = tally(&[0, 1, 3, 2, 4, 6, 5], &[7], &GOOD);
        assert_eq!(found, Tally { fed: 8, misordered: 2, ..Tally::default() });
    }

    #[test]
    fn a_record_in_the_wrong_topic_is_unexpected_and_lost() {
        let found = tally(&[0, 1, 2, 3, 4, 5, 6, 7], &[], &[0, 1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(found, Tally { fed: 8, lost: 1, unexpected: 3, ..Tally::default() });
    }

    #[test]
    fn an_order_that_never_reached_the_input_is_not_lost() {
        let (topic, rows) = (topic(&[0, 1, 2]), (0..3).map(Some).collect());
        let evidence =
            Evidence { fed: 5, input: &topic, output: &topic, dead: &[], rows: &rows, others: &[] };
        assert_eq!(judge(&evidence), Tally { fed: 5, unfed: 2, ..Tally::default() });
    }

    #[test]
    fn a_lost_member_explains_recent_records_and_its_window() {
        let records = topic(&[0, 1, 2, 3, 4, 5]);
        assert_eq!(bound(&[1003], 2, 10, &[&records]), 13);
        assert_eq!(bound(&[1003, 2000], 2, 10, &[&records]), 23);
        assert_eq!(bound(&[], 2, 10, &[&records]), 0);
    }
}
