//! Placing, reading and listing orders.

use axum::{
    Json,
    extract::{Path, Query, State},
    http::StatusCode,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::failure::Failure;
use crate::{
    order::{NewOrder, Order},
    shop::Shop,
};

/// The most orders in one answer, and how many there are if the request does not say.
const LIMIT: u32 = 1_000;
const DEFAULT_LIMIT: u32 = 100;

/// Places an order: 201 if it is new, 200 if it was placed before, and 503 if the queue is full.
///
/// The server lets it finish although its client is gone, so that no order is recorded and not
/// queued.
pub(super) async fn place(
    State(shop): State<Shop>,
    Json(new): Json<NewOrder>,
) -> Result<(StatusCode, Json<Order>), Failure> {
    new.check().map_err(Failure::Invalid)?;
    // The place in the queue comes first: what is recorded is also queued.
    let Ok(place) = shop.queue.try_reserve() else {
        shop.counts.refused.inc();
        return Err(Failure::Busy);
    };
    let order = shop.database.place(&new).await?;
    if !order.is_for(&new) {
        return Err(Failure::Conflict);
    }
    if order.requests > 1 {
        shop.counts.repeated.inc();
        return Ok((StatusCode::OK, Json(order)));
    }
    place.send(order.id.clone());
    shop.counts.placed.inc();
    // Fails if there is no stream.
    let _ = shop.changes.send(order.clone());
    Ok((StatusCode::CREATED, Json(order)))
}

pub(super) async fn show(
    State(shop): State<Shop>,
    Path(id): Path<String>,
) -> Result<Json<Order>, Failure> {
    shop.database.find(&id).await?.map(Json).ok_or(Failure::Unknown)
}

/// Which orders to list.
#[derive(Debug, Deserialize)]
pub(super) struct Page {
    #[serde(default)]
    after: String,
    #[serde(default = "default_limit")]
    limit: u32,
}

fn default_limit() -> u32 {
    DEFAULT_LIMIT
}

pub(super) async fn list(
    State(shop): State<Shop>,
    Query(page): Query<Page>,
) -> Result<Json<Value>, Failure> {
    let orders = shop.database.page(&page.after, page.limit.clamp(1, LIMIT), None).await?;
    Ok(Json(json!({ "orders": orders })))
}
