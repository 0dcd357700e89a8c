//! What is fed: orders that are numbered, one in 25 of them bad.

/// How many customers there are: each is a key, whose orders have to stay in order.
const CUSTOMERS: u32 = 400;
/// One in so many is bad, and has to come out as a dead letter.
const BAD: u32 = 25;

/// Tells whether the order of this number has to be refused.
pub(crate) fn is_bad(number: u32) -> bool {
    number % BAD == 7
}

/// The order's key. Numbers of one key are far enough from one another to meet in different batches.
pub(crate) fn key(number: u32) -> String {
    // A multiplication by an odd number keeps customers from coming in turns.
    format!("customer-{:03}", (number.wrapping_mul(2_654_435_761) >> 8) % CUSTOMERS)
}

pub(crate) fn payload(number: u32) -> String {
    let (id, customer) = (id(number), key(number));
    let currency = if is_bad(number) { "BTC" } else { "EUR" };
    format!(
        r#"{{"id":"{id}","customer":"{customer}","country":"DE","currency":"{currency}","items":[{{"sku":"tea","quantity":2,"unit_cents":1250}}],"placed_ms":1}}"#
    )
}

/// The order's id.
pub(crate) fn id(number: u32) -> String {
    format!("m{number:08}")
}

/// The number within an id.
pub(crate) fn number(id: &str) -> Option<u32> {
    id.strip_prefix('m')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_found_again_in_its_payload() {
        let value: serde_json::Value = serde_json::from_str(&payload(4711)).unwrap();
        assert_eq!(number(value["id"].as_str().unwrap()), Some(4711));
        assert_eq!(value["customer"], key(4711));
    }

    #[test]
    fn one_in_25_is_bad() {
        assert_eq!((0..1000).filter(|number| is_bad(*number)).count(), 40);
    }
}
