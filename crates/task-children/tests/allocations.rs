//! What a child allocates, beside a bare spawn. A binary of its own, since it counts with an
//! allocator of its own.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use allocation_counter::measure;
use task_children::Children;
use task_manager::{Context, Manager, task_fn};
use tokio::runtime::Builder;

/// Runs `body` for some and for more children, and returns how many allocations one takes.
fn per_child(body: impl AsyncFn(usize)) -> f64 {
    let runtime = Builder::new_current_thread().enable_time().build().unwrap();
    let count = |children| measure(|| runtime.block_on(body(children))).count_total as f64;
    let (few, many) = (100, 2_100);
    count(few); // what is made once
    let (before, after) = (count(few), count(many));
    (after - before) / (many - few) as f64
}

async fn bare(count: usize) {
    for number in 0..count {
        tokio::spawn(async move { std::hint::black_box(number) }).await.unwrap();
    }
}

/// Runs a task that spawns children, one after the other.
async fn children(count: usize, named: bool) {
    let manager = Manager::new();
    let task = task_fn("server", async move |ctx: Context| {
        let children = Children::new(&ctx, 10)?;
        for number in 0..count {
            let child = async move |_| {
                std::hint::black_box(number);
                Ok(())
            };
            let name = if named { format!("child {number}").into() } else { "child".into() };
            let name: std::borrow::Cow<'static, str> = name;
            children.spawn(name, child).await?.ended().await;
        }
        Ok(())
    });
    manager.run(task).unwrap();
    manager.wait().await.unwrap();
}

async fn values(count: usize) {
    let manager = Manager::new();
    let task = task_fn("server", async move |ctx: Context| {
        let children = Children::new(&ctx, 10)?;
        for number in 0..count {
            children.run("child", async move |_| std::hint::black_box(number)).await?.await?;
        }
        Ok(())
    });
    manager.run(task).unwrap();
    manager.wait().await.unwrap();
}

#[test]
fn a_child_takes_one_allocation_more_than_a_bare_spawn_and_two_with_a_name_of_its_own() {
    let bare = per_child(bare);
    let unnamed = per_child(async |count| children(count, false).await);
    let named = per_child(async |count| children(count, true).await);
    let values = per_child(values);
    println!("bare: {bare:.2}, child: {unnamed:.2}, with a name: {named:.2}, value: {values:.2}");
    // A list that grows now and then is no cost of a child.
    let little = 0.01;
    assert!(unnamed <= bare + 1.0 + little, "{unnamed} against {bare}");
    assert!(named <= bare + 2.0 + little, "{named} against {bare}");
    assert!(values <= bare + 1.0 + little, "{values} against {bare}");
}
