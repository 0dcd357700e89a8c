//! The API: orders as JSON. Its streams are in rooms of their own.

mod events;
mod failure;
mod orders;
mod track;

use axum::{Router, routing::get};

use crate::shop::Shop;

const INDEX: &str = "\
POST /orders         places an order: {\"id\": \"a-1\", \"item\": \"tea\", \"quantity\": 2}
GET  /orders         orders by id: ?after=a-1&limit=10
GET  /orders/{id}    one order
GET  /events         what changes, as server-sent events
GET  /track          a WebSocket: send an id, receive that order at each change
";

/// Returns the API over a shop.
pub fn router(shop: Shop) -> Router {
    Router::new()
        .route("/", get(INDEX))
        .route("/orders", get(orders::list).post(orders::place))
        .route("/orders/{id}", get(orders::show))
        .route("/events", get(events::stream))
        .route("/track", get(track::upgrade))
        .with_state(shop)
}
