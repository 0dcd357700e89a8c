//! The choice of the points at which a sweep stops a task or a service.

use std::time::Duration;

/// How many points from the first on are always tested.
const FIRST: usize = 64;

/// Returns which of the points `0..total` are tested, in order, at most `most` of them: the first
/// 64, then of the others one half at equal distances, and the rest at random, which the seed
/// decides.
pub(crate) fn chosen(total: usize, most: usize, seed: u64) -> Vec<usize> {
    if total <= most {
        return (0..total).collect();
    }
    let mut points: Vec<usize> = (0..FIRST.min(most)).collect();
    let first = points.len();
    let others = most - first;
    let evenly = others / 2;
    // The last point is one of them.
    points.extend((1..=evenly).map(|nth| first + (total - first) * nth / evenly - 1));
    let mut random = fastrand::Rng::with_seed(seed);
    points.sort_unstable();
    points.dedup();
    while points.len() < most {
        let point = random.usize(first..total);
        if let Err(place) = points.binary_search(&point) {
            points.insert(place, point);
        }
    }
    points
}

/// Returns `count` instants of the span, in order: one at random, which the seed decides, in each
/// of as many equal parts of it. 0 counts as 1.
pub(crate) fn instants(count: u32, span: Duration, seed: u64) -> Vec<Duration> {
    let mut random = fastrand::Rng::with_seed(seed);
    let count = count.max(1);
    let part = span / count;
    (0..count).map(|nth| part * nth + part.mul_f64(random.f64())).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{chosen, instants};

    #[test]
    fn all_points_are_chosen_where_they_are_few() {
        assert_eq!(chosen(3, 3, 1), [0, 1, 2]);
        assert_eq!(chosen(0, 3, 1), []);
    }

    #[test]
    fn of_many_points_the_first_the_last_and_as_many_as_allowed_are_chosen() {
        for (total, most) in [(257, 256), (610, 256), (100_000, 256), (100, 70), (65, 64), (9, 1)] {
            let points = chosen(total, most, 7);
            assert_eq!(points.len(), most, "{total}");
            assert!(points.is_sorted_by(|one, next| one < next), "{points:?}");
            assert!(points.iter().take(64).copied().eq(0..most.min(64)), "{points:?}");
            assert!(points[most - 1] < total);
            assert!(most < 66 || points[most - 1] == total - 1, "{points:?}");
        }
    }

    #[test]
    fn a_seed_reproduces_the_choice_and_another_makes_another() {
        assert_eq!(chosen(9000, 256, 7), chosen(9000, 256, 7));
        assert_ne!(chosen(9000, 256, 7), chosen(9000, 256, 8));
    }

    #[test]
    fn each_part_of_a_span_has_one_instant_which_the_seed_decides() {
        let span = Duration::from_secs(10);
        let chosen = instants(5, span, 7);
        for (nth, at) in (0..).zip(&chosen) {
            let begin = Duration::from_secs(2) * nth;
            assert!((begin..=begin + Duration::from_secs(2)).contains(at), "{chosen:?}");
        }
        assert_eq!((chosen.len(), &chosen), (5, &instants(5, span, 7)));
        assert_ne!(chosen, instants(5, span, 8));
        assert_eq!(instants(0, Duration::ZERO, 7), [Duration::ZERO]);
    }
}
