//! The server is restarted or away, and sessions are ended.

use task_leader::{Register, Times};

use crate::rig::{Database, Replica, ms, patient, until};

async fn renewals(database: &Database) -> u64 {
    database.lock("purge").read().await.unwrap().unwrap().0.renewals
}

#[tokio::test]
async fn ended_sessions_and_a_restarted_server_cost_nobody_the_lead() {
    let Some(database) = Database::start().await else { return };
    let one = Replica::run("one", database.lock("purge"), patient());
    let term = one.leads().await;
    let two = Replica::run("two", database.lock("purge"), patient());
    until(async || two.handle.holder() == Some(one.handle.identity())).await;
    for round in 0..6 {
        let before = renewals(&database).await;
        if round % 2 == 0 {
            assert!(database.end_sessions().await >= 2, "each replica has a connection");
        } else {
            database.crash().unwrap();
            database.restart().unwrap();
        }
        until(async || renewals(&database).await > before + 2).await;
    }
    assert_eq!(one.handle.term(), Some(term));
    assert!(one.handle.to_string().contains("why=\"deadline\"} 0\n"));
    // At an orderly stop the other one finds the release with its next read.
    let released = one.stop().await;
    let next = two.leads().await;
    eprintln!("measured: {:?} from the release to the next term", released.elapsed());
    assert!(next > term);
    two.stop().await;
}

#[tokio::test]
async fn a_server_that_is_away_for_too_long_costs_the_lead_and_a_new_term_begins_with_it() {
    let Some(database) = Database::start().await else { return };
    let times = Times::new(ms(4000), ms(1000), ms(100)).unwrap();
    let one = Replica::run("one", database.lock("purge"), times);
    let mut last = 0;
    for _ in 0..2 {
        let term = one.leads().await;
        assert!(term > last, "{term} after {last}");
        last = term;
        database.crash().unwrap();
        until(async || !one.handle.is_leader()).await;
        database.restart().unwrap();
    }
    assert!(one.leads().await > last);
    assert!(!one.handle.to_string().contains("why=\"deadline\"} 0\n"));
    assert_eq!(one.scope.failures().len(), 0);
    one.stop().await;
}
