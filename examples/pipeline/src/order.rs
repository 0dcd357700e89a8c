//! Orders: as received, validated, and enriched.

use serde::{Deserialize, Serialize};

/// An order whose time is further in the future is rejected. 5 min, in milliseconds.
const MAX_AHEAD_MS: i64 = 5 * 60 * 1000;

/// An order as received.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// The id, unique among all orders, at most 64 bytes.
    pub id: String,
    /// The customer's id.
    pub customer: String,
    /// The country, as two letters.
    pub country: String,
    /// The currency, as three letters.
    pub currency: String,
    /// 1 to 100 items.
    pub items: Vec<Item>,
    /// The time of the order, in milliseconds since 1970.
    pub placed_ms: i64,
}

/// One line of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// The article.
    pub sku: String,
    /// The quantity, 1 to 1000.
    pub quantity: u32,
    /// The price of one piece, in cents of the order's currency, 1 to ten million.
    pub unit_cents: i64,
}

/// A valid order with additional data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnrichedOrder {
    /// The order as received.
    #[serde(flatten)]
    pub order: Order,
    /// The region of the country.
    pub region: String,
    /// The sum of all items, in cents of the order's currency.
    pub total_cents: i64,
    /// The sum in euro cents, rounded half up.
    pub total_eur_cents: i64,
    /// `small` below 50 EUR, `large` from 500 EUR on, `medium` between.
    pub size: String,
}

/// Parses, validates and enriches one payload. It is a pure function: an order that is read again
/// gives the same result.
///
/// # Errors
///
/// Returns the reason why the order is invalid.
pub fn enrich(payload: &[u8], now_ms: i64) -> Result<EnrichedOrder, String> {
    let order: Order = serde_json::from_slice(payload).map_err(|e| format!("not an order: {e}"))?;
    check(!order.id.is_empty() && order.id.len() <= 64, || "the id is empty or too long".into())?;
    check(!order.customer.is_empty(), || "the customer is empty".into())?;
    check(order.placed_ms <= now_ms + MAX_AHEAD_MS, || "the order is from the future".into())?;
    check((1..=100).contains(&order.items.len()), || {
        format!("{} items are not between 1 and 100", order.items.len())
    })?;
    let mut total_cents = 0;
    for Item { sku, quantity, unit_cents } in &order.items {
        check((1..=1000).contains(quantity), || {
            format!("quantity {quantity} of `{sku}` is not between 1 and 1000")
        })?;
        check((1..=10_000_000).contains(unit_cents), || {
            format!("price {unit_cents} of `{sku}` is not between 1 and 10000000")
        })?;
        total_cents += unit_cents * i64::from(*quantity); // at most 10^12 over all items
    }
    let rate = rate_to_euro(&order.currency)
        .ok_or_else(|| format!("unknown currency `{}`", order.currency))?;
    let region =
        region(&order.country).ok_or_else(|| format!("unknown country `{}`", order.country))?;
    let total_eur_cents = (total_cents * rate + 5000) / 10_000;
    let size = match total_eur_cents {
        ..5_000 => "small",
        5_000..50_000 => "medium",
        _ => "large",
    };
    Ok(EnrichedOrder {
        region: region.to_owned(),
        total_cents,
        total_eur_cents,
        size: size.to_owned(),
        order,
    })
}

fn check(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise()) }
}

/// Returns the euros for 10,000 units of the currency. A real service would request the rate.
fn rate_to_euro(currency: &str) -> Option<i64> {
    Some(match currency {
        "EUR" => 10_000,
        "USD" => 9_200,
        "GBP" => 11_700,
        "CHF" => 10_400,
        "SEK" => 880,
        "PLN" => 2_300,
        _ => return None,
    })
}

fn region(country: &str) -> Option<&'static str> {
    Some(match country {
        "AT" | "CH" | "CZ" | "DE" | "PL" => "central",
        "DK" | "FI" | "NO" | "SE" => "north",
        "ES" | "GR" | "IT" | "PT" => "south",
        "BE" | "FR" | "GB" | "IE" | "NL" => "west",
        "CA" | "US" => "america",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const NOW: i64 = 1_700_000_000_000;

    fn order() -> Order {
        let item = |sku: &str, quantity, unit_cents| Item { sku: sku.into(), quantity, unit_cents };
        Order {
            id: "o-1".into(),
            customer: "c-1".into(),
            country: "SE".into(),
            currency: "SEK".into(),
            items: vec![item("tea", 3, 4_999), item("pot", 1, 20_001)],
            placed_ms: NOW,
        }
    }

    fn reason(change: impl FnOnce(&mut Order)) -> String {
        let mut order = order();
        change(&mut order);
        enrich(&serde_json::to_vec(&order).unwrap(), NOW).unwrap_err()
    }

    #[test]
    fn a_valid_order_gets_region_totals_and_size() {
        let enriched = enrich(&serde_json::to_vec(&order()).unwrap(), NOW).unwrap();
        assert_eq!(enriched.total_cents, 34_998);
        assert_eq!(enriched.total_eur_cents, 3_080); // 3079.824
        assert_eq!((enriched.region.as_str(), enriched.size.as_str()), ("north", "small"));
        assert_eq!(enriched.order, order());
    }

    #[test]
    fn sizes_change_at_50_and_500_euros() {
        for (euro_cents, size) in
            [(4_999, "small"), (5_000, "medium"), (49_999, "medium"), (50_000, "large")]
        {
            let mut order = order();
            order.currency = "EUR".into();
            order.items.truncate(1);
            (order.items[0].quantity, order.items[0].unit_cents) = (1, euro_cents);
            let enriched = enrich(&serde_json::to_vec(&order).unwrap(), NOW).unwrap();
            assert_eq!(enriched.size, size, "{euro_cents}");
        }
    }

    #[test]
    fn the_error_states_the_reason() {
        assert!(enrich(b"{\"id\": \"o-1\"", NOW).unwrap_err().starts_with("not an order: EOF"));
        assert!(enrich(b"{\"id\": \"o-1\"}", NOW).unwrap_err().contains("missing field"));
        assert_eq!(reason(|it| it.id.clear()), "the id is empty or too long");
        assert_eq!(reason(|it| it.id = "x".repeat(65)), "the id is empty or too long");
        assert_eq!(reason(|it| it.customer.clear()), "the customer is empty");
        assert_eq!(reason(|it| it.items.clear()), "0 items are not between 1 and 100");
        assert_eq!(
            reason(|it| it.items[0].quantity = 0),
            "quantity 0 of `tea` is not between 1 and 1000"
        );
        assert_eq!(
            reason(|it| it.items[1].unit_cents = -5),
            "price -5 of `pot` is not between 1 and 10000000"
        );
        assert_eq!(reason(|it| it.currency = "XYZ".into()), "unknown currency `XYZ`");
        assert_eq!(reason(|it| it.country = "XX".into()), "unknown country `XX`");
        assert_eq!(
            reason(|it| it.placed_ms = NOW + MAX_AHEAD_MS + 1),
            "the order is from the future"
        );
    }

    #[test]
    fn the_largest_order_does_not_overflow() {
        let mut order = order();
        order.currency = "GBP".into();
        order.items = vec![Item { sku: "x".into(), quantity: 1000, unit_cents: 10_000_000 }; 100];
        let enriched = enrich(&serde_json::to_vec(&order).unwrap(), NOW).unwrap();
        assert_eq!(enriched.total_eur_cents, 1_170_000_000_000);
    }
}
