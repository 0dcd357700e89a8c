//! `kubernetes-trials`: starts a Kubernetes node in namespaces, and plays on it what the docs say
//! about Kubernetes, with both flagships.

// A command-line program.
#![allow(clippy::print_stdout, clippy::print_stderr)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod scenarios;

mod stage;

mod image;
mod load;
mod node;
mod traffic;

use std::{env, path::Path, process::ExitCode, time::Instant};

use anyhow::{Result, bail};

use node::{Life, Node};
use scenarios::Scenario;
use stage::Stage;

/// The exit code if a promise was broken.
const BROKEN: u8 = 1;
/// The exit code if this program itself failed.
const FAILED: u8 = 3;

const USAGE: &str = "\
usage: kubernetes-trials FOLDER COMMAND
    FOLDER has the programs `node` and `pause`; the node's own folder is made in it. There is one
    node at most for each: a new one ends the one before.
commands:
    up [OPTION]              starts a node, and leaves it running
    down                     ends it
    test [OPTION] [NAME...]  starts a node, plays the scenarios, and ends it
    list                     prints the scenarios
options:
    --proxy MODE             of kube-proxy: iptables or nftables; default: iptables
    --quick                  without the scenarios that take long";

/// What is asked for of a node.
struct Arguments {
    is_quick: bool,
    proxy: String,
    names: Vec<String>,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let ended = match words.as_slice() {
        ["load", address] => load::run(address).map(|()| true),
        ["connect", address] => traffic::connect(address).map(|()| true),
        ["serve", address] => traffic::serve(address).map(|()| true),
        [folder, "up", words @ ..] => {
            read(words).and_then(|arguments| up(Path::new(folder), &arguments)).map(|()| true)
        }
        [folder, "down"] => node::clean(Path::new(folder)).map(|()| true),
        [folder, "test", words @ ..] => {
            read(words).and_then(|arguments| play(Path::new(folder), &arguments))
        }
        [_, "list"] => {
            for Scenario { name, shows, .. } in scenarios::ALL {
                println!("{name:<10} {shows}");
            }
            Ok(true)
        }
        _ => {
            println!("{USAGE}");
            Ok(words.iter().any(|word| ["--help", "-h"].contains(word)))
        }
    };
    match ended {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(BROKEN),
        Err(error) => {
            eprintln!("kubernetes-trials: {error:#}");
            ExitCode::from(FAILED)
        }
    }
}

/// Starts a node with the images, and says how to talk to it.
fn up(base: &Path, arguments: &Arguments) -> Result<()> {
    let begun = Instant::now();
    let node = Node::start(base, Life::Free, &arguments.proxy)?;
    let images = stage::import(&node)?;
    let first = node.first();
    println!("node0 is ready after {:.1} s; images: {images}", begun.elapsed().as_secs_f64());
    println!("    alias kubectl='nsenter -t {first} --net --mount --pid \\");
    println!("        /run/node/node kubectl --kubeconfig=/run/node/access.yaml'");
    println!("logs: {}", node.folder().join("log").display());
    println!("an image: nsenter -t {first} --net --mount --pid \\");
    println!("    ctr --address=/run/node/containerd.sock -n k8s.io images import ARCHIVE");
    println!("`cargo xtask kubernetes down` ends it");
    node.keep();
    Ok(())
}

fn read(words: &[&str]) -> Result<Arguments> {
    let mut arguments =
        Arguments { is_quick: false, proxy: "iptables".to_owned(), names: Vec::new() };
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match *word {
            "--quick" => arguments.is_quick = true,
            "--proxy" => match words.next() {
                Some(mode) if ["iptables", "nftables"].contains(mode) => {
                    arguments.proxy = (*mode).to_owned();
                }
                _ => bail!("--proxy needs `iptables` or `nftables`"),
            },
            name if scenarios::ALL.iter().any(|scenario| scenario.name == name) => {
                arguments.names.push(name.to_owned());
            }
            other => bail!("`{other}` is neither an option nor a scenario\n{USAGE}"),
        }
    }
    Ok(arguments)
}

/// Plays the scenarios, and prints what was seen. Returns whether all promises were kept.
fn play(base: &Path, arguments: &Arguments) -> Result<bool> {
    let is_chosen = |scenario: &&Scenario| match arguments.names.as_slice() {
        [] => scenario.is_quick || !arguments.is_quick,
        names => names.iter().any(|name| name == scenario.name),
    };
    let scenarios: Vec<_> = scenarios::ALL.iter().filter(is_chosen).collect();
    let begun = Instant::now();
    let node = Node::start(base, Life::Bound, &arguments.proxy)?;
    println!("node0 is ready after {:.1} s", begun.elapsed().as_secs_f64());
    println!("images: {}", stage::import(&node)?);
    let mut broken = 0;
    for Scenario { name, run, .. } in &scenarios {
        let begun = Instant::now();
        let seen = run(&Stage::new(&node, name));
        let took = begun.elapsed().as_secs_f64();
        match seen {
            Ok(seen) => println!("ok      {name:<10} {took:>6.1} s  {seen}"),
            Err(error) => {
                println!("BROKEN  {name:<10} {took:>6.1} s  {error:#}");
                broken += 1;
            }
        }
    }
    let took = begun.elapsed().as_secs_f64();
    println!("{} scenarios, {broken} broken, {took:.1} s", scenarios.len());
    Ok(broken == 0)
}
