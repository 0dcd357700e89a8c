//! Placing, reading and listing orders, and the packer.

use std::{
    thread,
    time::{Duration, Instant},
};

use serde_json::json;
use sqlx::{Connection as _, SqliteConnection, query};

use crate::{client::order, database::TestFile, within::Shop};

#[test]
fn a_repeated_request_is_answered_and_places_nothing() {
    let file = TestFile::new("repeated");
    let shop = Shop::start(&file, &["--packing-time=1h"]);
    let mut client = shop.client();
    let first = client.post("/orders", &order("a-1"));
    let mut placed = json!({
        "id": "a-1", "item": "tea", "quantity": 2, "state": "placed", "requests": 1,
    });
    assert_eq!((first.status, first.json()), (201, placed.clone()));
    let second = client.post("/orders", &order("a-1"));
    placed["requests"] = 2.into();
    assert_eq!((second.status, second.json()), (200, placed.clone()));
    let shown = client.get("/orders/a-1");
    assert_eq!((shown.status, shown.json()), (200, placed));

    let other = client.post("/orders", r#"{"id": "a-1", "item": "pot", "quantity": 2}"#);
    assert_eq!(other.status, 409, "{other:?}");
    assert_eq!(client.get("/orders/a-1").json()["item"], "tea");
    shop.end();
}

#[test]
fn what_is_no_order_is_refused_with_the_reason() {
    let file = TestFile::new("refused");
    let shop = Shop::start(&file, &[]);
    let mut client = shop.client();
    for (body, status, reason) in [
        (r#"{"id": "a", "item": "tea", "quantity": 0}"#, 422, "quantity 0 is not between"),
        (r#"{"id": "a", "item": "tea"}"#, 422, "missing field"),
        (r#"{"id": "a""#, 400, "EOF"),
    ] {
        let answer = client.post("/orders", body);
        assert_eq!(answer.status, status, "{answer:?}");
        assert!(answer.body.contains(reason), "{answer:?}");
    }
    let unknown = client.get("/orders/a");
    assert_eq!((unknown.status, unknown.json()["error"].as_str().is_some()), (404, true));
    shop.end();
}

#[test]
fn the_list_goes_on_after_an_id() {
    let file = TestFile::new("list");
    let shop = Shop::start(&file, &[]);
    let mut client = shop.client();
    for id in ["b", "c", "a"] {
        assert_eq!(client.post("/orders", &order(id)).status, 201);
    }
    let mut ids = |path: &str| {
        let list = client.get(path).json();
        let ids = list["orders"].as_array().unwrap().iter().map(|order| order["id"].to_string());
        ids.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(ids("/orders"), r#""a" "b" "c""#);
    assert_eq!(ids("/orders?limit=2"), r#""a" "b""#);
    assert_eq!(ids("/orders?after=b"), r#""c""#);
    shop.end();
}

#[test]
fn a_full_queue_refuses_orders_and_does_not_record_them() {
    let file = TestFile::new("full");
    let shop = Shop::start(&file, &["--packing-time=1h", "--queue=1"]);
    let mut client = shop.client();
    // One is being packed and one waits, once the packer has taken the first.
    assert_eq!(client.post("/orders", &order("a-0")).status, 201);
    let mut accepted = 1;
    let begun = Instant::now();
    let refused = loop {
        assert!(begun.elapsed() < Duration::from_secs(20), "{accepted} accepted in 20 s");
        let answer = client.post("/orders", &order(&format!("a-{accepted}")));
        if answer.status != 201 && accepted == 2 {
            break answer;
        }
        accepted += u32::from(answer.status == 201);
        thread::sleep(Duration::from_millis(5));
    };
    assert_eq!(refused.status, 503, "{refused:?}");
    assert!(refused.has("retry-after: 1"), "{refused:?}");
    assert_eq!(client.get("/orders/a-2").status, 404);
    shop.end();
}

#[test]
fn the_next_run_packs_what_is_left() {
    let file = TestFile::new("left");
    let shop = Shop::start(&file, &["--packing-time=1h"]);
    let mut client = shop.client();
    for id in ["a", "b", "c"] {
        assert_eq!(client.post("/orders", &order(id)).status, 201);
    }
    shop.end();
    let shop = Shop::start(&file, &[]);
    for id in ["a", "b", "c"] {
        shop.until_packed(id);
    }
    shop.end();
}

/// The handler is dropped when its client is gone; the order must be recorded and queued, or
/// neither.
#[test]
fn an_order_of_a_client_that_is_gone_is_recorded_and_packed() {
    let file = TestFile::new("gone");
    let shop = Shop::start(&file, &[]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut lock = runtime.block_on(SqliteConnection::connect(&file.url())).unwrap();
    runtime.block_on(query("BEGIN IMMEDIATE").execute(&mut lock)).unwrap();
    let mut client = shop.client();
    client.send("POST", "/orders", &order("gone"));
    thread::sleep(Duration::from_millis(300)); // its statement waits for the lock
    drop(client);
    thread::sleep(Duration::from_millis(300)); // the server has noticed
    runtime.block_on(query("COMMIT").execute(&mut lock)).unwrap();
    shop.until_packed("gone");
    shop.end();
}
