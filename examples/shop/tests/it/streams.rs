//! The stream of events and the WebSocket.

use std::net::TcpStream;

use serde_json::Value;
use tungstenite::{Message, WebSocket, client, protocol::frame::coding::CloseCode};

use crate::{client::order, database::TestFile, within::Shop};

#[test]
fn events_are_streamed_and_the_last_one_says_that_the_service_stops() {
    let file = TestFile::new("events");
    let shop = Shop::start(&file, &[]);
    let mut events = shop.client();
    events.send("GET", "/events", "");
    assert!(events.head().contains(&"content-type: text/event-stream".into()));
    assert_eq!(shop.client().post("/orders", &order("a-1")).status, 201);
    for state in ["placed", "packed"] {
        events.until(&format!("event: {state}"));
        let data = events.until("data: ");
        let order: Value = serde_json::from_str(&data["data: ".len()..]).unwrap();
        assert_eq!((&order["id"], &order["state"]), (&"a-1".into(), &state.into()));
    }
    shop.stop();
    events.until("event: stopping");
    // The body is complete: the last chunk is empty.
    events.until("0");
    shop.end();
}

#[test]
fn a_websocket_follows_orders_and_is_closed_when_the_service_stops() {
    let file = TestFile::new("track");
    let shop = Shop::start(&file, &["--packing-time=300ms"]);
    let mut socket = track(&shop);
    socket.send(Message::text("a-1")).unwrap();
    assert_eq!(read(&mut socket)["error"], "there is no such order");
    assert_eq!(shop.client().post("/orders", &order("other")).status, 201);
    assert_eq!(shop.client().post("/orders", &order("a-1")).status, 201);
    for state in ["placed", "packed"] {
        let order = read(&mut socket);
        assert_eq!((&order["id"], &order["state"]), (&"a-1".into(), &state.into()));
    }
    shop.stop();
    let Message::Close(Some(frame)) = socket.read().unwrap() else { panic!("no close") };
    assert_eq!(frame.code, CloseCode::Away);
    shop.end();
}

#[test]
fn a_websocket_is_closed_at_its_limit() {
    let file = TestFile::new("track-limit");
    let shop = Shop::start(&file, &[]);
    let mut socket = track(&shop);
    for number in 0..=100 {
        socket.send(Message::text(format!("a-{number}"))).unwrap();
        read(&mut socket);
    }
    let Message::Close(Some(frame)) = socket.read().unwrap() else { panic!("no close") };
    assert_eq!(frame.code, CloseCode::Policy);
    shop.end();
}

fn track(shop: &Shop) -> WebSocket<TcpStream> {
    client("ws://shop/track", shop.client().into_stream()).unwrap().0
}

fn read(socket: &mut WebSocket<TcpStream>) -> Value {
    serde_json::from_str(socket.read().unwrap().to_text().unwrap()).unwrap()
}
