//! The orders that are fed: numbered, one in 25 bad.

/// The number of customers. Each is a key, whose orders have to stay in order.
const CUSTOMERS: u32 = 400;
/// One order in this many is bad and has to become a dead letter.
const BAD: u32 = 25;

/// Returns whether the order with this number is bad.
pub(crate) fn is_bad(number: u32) -> bool {
    number % BAD == 7
}

/// Returns the key of an order. Orders of one key are far enough apart to be in different batches.
pub(crate) fn key(number: u32) -> String {
    // Multiplying by an odd number prevents a fixed sequence of customers.
    format!("customer-{:03}", (number.wrapping_mul(2_654_435_761) >> 8) % CUSTOMERS)
}

pub(crate) fn payload(number: u32) -> String {
    let (id, customer) = (id(number), key(number));
    let currency = if is_bad(number) { "BTC" } else { "EUR" };
    format!(
        r#"{{"id":"{id}","customer":"{customer}","country":"DE","currency":"{currency}","items":[{{"sku":"tea","quantity":2,"unit_cents":1250}}],"placed_ms":1}}"#
    )
}

/// Returns the id of an order.
pub(crate) fn id(number: u32) -> String {
    format!("m{number:08}")
}

/// Returns the number in an id.
pub(crate) fn number(id: &str) -> Option<u32> {
    id.strip_prefix('m')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_contains_its_number() {
        let value: serde_json::Value = serde_json::from_str(&payload(4711)).unwrap();
        assert_eq!(number(value["id"].as_str().unwrap()), Some(4711));
        assert_eq!(value["customer"], key(4711));
    }

    #[test]
    fn one_in_25_is_bad() {
        assert_eq!((0..1000).filter(|number| is_bad(*number)).count(), 40);
    }
}
