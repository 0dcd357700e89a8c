//! Sorting: one sort of numbers for all lists. The standard library's is compiled for each type of
//! the elements, at about 10 KiB each.

/// Sorts a list in ascending order of its keys. What has the same key stays in its order.
///
/// For the descending order, the key is the complement of the number.
pub(crate) fn sort_by_key<T>(items: &mut [T], key: impl Fn(&T) -> u128) {
    let mut targets = targets(items.iter().map(key).collect());
    for place in 0..items.len() {
        // Each swap brings one to its place for good.
        while targets[place] != place {
            let target = targets[place];
            items.swap(place, target);
            targets.swap(place, target);
        }
    }
}

/// Returns where what is at each place belongs.
fn targets(keys: Vec<u128>) -> Vec<usize> {
    let mut order: Vec<(u128, usize)> = keys.into_iter().zip(0..).collect();
    order.sort_unstable();
    let mut targets = vec![0; order.len()];
    for (target, (_, place)) in order.into_iter().enumerate() {
        targets[place] = target;
    }
    targets
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::sort_by_key;

    proptest! {
        #[test]
        fn a_list_is_sorted_and_what_is_alike_stays_in_order(keys in prop::collection::vec(0..9_u128, 0..40)) {
            let mut sorted: Vec<_> = keys.iter().copied().zip(0..).collect();
            let mut expected = sorted.clone();
            sort_by_key(&mut sorted, |(key, _)| *key);
            expected.sort_by_key(|(key, _)| *key);
            prop_assert_eq!(&sorted, &expected);
            sort_by_key(&mut sorted, |(key, _)| !*key);
            expected.sort_by_key(|(key, _)| std::cmp::Reverse(*key));
            prop_assert_eq!(&sorted, &expected);
        }
    }
}
