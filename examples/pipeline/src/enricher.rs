//! The transform: from an order to an enriched order and a row, or to a dead letter.

use std::sync::Arc;

use taskkit::kafka::{Incoming, Output, Record, Transform, Verdict};

use crate::{clock::now_ms, database::Row, order::enrich};

/// Enriches orders. The key is the customer, so the orders of a customer stay in order.
#[derive(Clone, Debug)]
pub struct Enricher {
    output_topic: Arc<str>,
}

impl Enricher {
    /// Creates a transform that produces to this topic.
    pub fn new(output_topic: &str) -> Self {
        Self { output_topic: output_topic.into() }
    }

    fn decide(&self, payload: Option<&[u8]>) -> anyhow::Result<Verdict<Row>> {
        let now_ms = now_ms();
        let Some(payload) = payload else {
            return Ok(Verdict::DeadLetter(String::from("the message has no payload")));
        };
        let enriched = match enrich(payload, now_ms) {
            Ok(enriched) => enriched,
            Err(reason) => return Ok(Verdict::DeadLetter(reason)),
        };
        let record = Record::to(Arc::clone(&self.output_topic))
            .key(enriched.order.customer.as_str())
            .payload(serde_json::to_vec(&enriched)?);
        let row = Row {
            id: enriched.order.id,
            customer: enriched.order.customer,
            region: enriched.region,
            total_eur_cents: enriched.total_eur_cents,
            placed_ms: enriched.order.placed_ms,
            stored_ms: now_ms,
        };
        Ok(Verdict::Forward(Output::new().record(record).effect(row)))
    }
}

impl Transform for Enricher {
    type Effect = Row;

    async fn transform(&mut self, message: &Incoming<'_>) -> anyhow::Result<Verdict<Row>> {
        self.decide(message.payload())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_valid_order_becomes_a_record_keyed_by_customer_and_a_row() {
        let payload = br#"{"id":"o-1","customer":"c-7","country":"DE","currency":"EUR",
            "items":[{"sku":"tea","quantity":2,"unit_cents":1250}],"placed_ms":1}"#;
        let Verdict::Forward(Output { records, effect, .. }) =
            Enricher::new("out").decide(Some(payload)).unwrap()
        else {
            panic!("the order was rejected");
        };
        let row = effect.unwrap();
        assert_eq!((row.id.as_str(), row.total_eur_cents, row.placed_ms), ("o-1", 2500, 1));
        let expected = serde_json::json!({
            "id": "o-1", "customer": "c-7", "country": "DE", "currency": "EUR",
            "items": [{"sku": "tea", "quantity": 2, "unit_cents": 1250}], "placed_ms": 1,
            "region": "central", "total_cents": 2500, "total_eur_cents": 2500, "size": "small",
        });
        assert_eq!(records.len(), 1);
        let payload: serde_json::Value =
            serde_json::from_slice(records[0].as_payload().unwrap()).unwrap();
        assert_eq!(payload, expected);
        assert_eq!(records[0].as_key(), Some(&b"c-7"[..]));
    }

    #[test]
    fn a_tombstone_is_dead_lettered() {
        let verdict = Enricher::new("out").decide(None).unwrap();
        assert_eq!(verdict, Verdict::DeadLetter("the message has no payload".into()));
    }
}
