//! Orders: as a client sends them, and as the shop keeps them.

use serde::{Deserialize, Serialize};

/// An order as a client sends it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewOrder {
    /// The id, 1 to 64 bytes. The client chooses it, and repeats it when it repeats the request.
    pub id: String,
    /// The article, 1 to 64 bytes.
    pub item: String,
    /// The quantity, 1 to 1000.
    pub quantity: i64,
}

impl NewOrder {
    /// Checks the limits.
    ///
    /// # Errors
    ///
    /// Returns the reason why the order is invalid.
    pub fn check(&self) -> Result<(), String> {
        for (name, text) in [("id", &self.id), ("item", &self.item)] {
            if !(1..=64).contains(&text.len()) {
                return Err(format!("the {name} has {} bytes, not 1 to 64", text.len()));
            }
        }
        if !(1..=1000).contains(&self.quantity) {
            return Err(format!("quantity {} is not between 1 and 1000", self.quantity));
        }
        Ok(())
    }
}

/// An order in the database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Order {
    /// The id that the client chose.
    pub id: String,
    /// The article.
    pub item: String,
    /// The quantity.
    pub quantity: i64,
    /// What has been done with it.
    pub state: State,
    /// How many requests have placed it: more than one if the client repeated its request.
    pub requests: i64,
}

impl Order {
    /// Returns whether a request for `new` asks for this order.
    pub fn is_for(&self, new: &NewOrder) -> bool {
        (&*self.id, &*self.item, self.quantity) == (&*new.id, &*new.item, new.quantity)
    }
}

/// What has been done with an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It is recorded.
    Placed,
    /// It is packed.
    Packed,
}

impl State {
    /// Returns its name, as in the database, in JSON and in the stream of events.
    pub fn name(self) -> &'static str {
        match self {
            Self::Placed => "placed",
            Self::Packed => "packed",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::NewOrder;

    fn check(id: &str, item: &str, quantity: i64) -> Result<(), String> {
        NewOrder { id: id.into(), item: item.into(), quantity }.check()
    }

    #[test]
    fn the_error_states_the_reason() {
        assert_eq!(check("a", "tea", 1), Ok(()));
        assert_eq!(check(&"x".repeat(64), "tea", 1000), Ok(()));
        assert_eq!(check("", "tea", 1), Err("the id has 0 bytes, not 1 to 64".into()));
        let long = "x".repeat(65);
        assert_eq!(check("a", &long, 1), Err("the item has 65 bytes, not 1 to 64".into()));
        assert_eq!(check("a", "tea", 0), Err("quantity 0 is not between 1 and 1000".into()));
        assert_eq!(check("a", "tea", 1001), Err("quantity 1001 is not between 1 and 1000".into()));
    }
}
