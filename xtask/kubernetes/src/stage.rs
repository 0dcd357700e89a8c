//! What a scenario works with: the flagships on the node, and the load.

use std::{
    env, fs,
    io::Read as _,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use crate::{image, node::Node};

const SHOP: &str = include_str!("manifests/shop.yaml");
const TRAFFIC: &str = include_str!("manifests/traffic.yaml");
const PIPELINE: &str = include_str!("manifests/pipeline.yaml");
/// This program, which is a server in some scenarios.
const OURS: &str = "kubernetes-trials";
/// What is waited for longest.
const LIMIT: Duration = Duration::from_secs(180);
const TICK: Duration = Duration::from_millis(100);

/// Makes the images of the flagships and of the pause, and returns their names.
pub(crate) fn import(node: &Node) -> Result<String> {
    let programs = env::current_exe()?;
    let programs = programs.parent().context("this program is in a folder")?;
    let base = node.folder().parent().context("the node's folder is in one")?;
    let mut names = Vec::new();
    let ours = [("shop", programs), ("pipeline", programs), (OURS, programs)];
    for (name, folder) in [("pause", base)].into_iter().chain(ours) {
        let archive = image::make(node.folder(), name, &folder.join(name))?;
        // Its folder is that of the node.
        node.import(&format!("/run/node/{name}.tar"))?;
        fs::remove_file(archive)?;
        names.push(format!("localhost/{name}:1"));
    }
    Ok(names.join(", "))
}

/// A node, on which the objects of a scenario have its name.
pub(crate) struct Stage<'a> {
    pub(crate) node: &'a Node,
    pub(crate) name: String,
}

/// How a container ended, as the kubelet shows it.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) code: i64,
    pub(crate) reason: String,
    pub(crate) message: String,
}

impl<'a> Stage<'a> {
    pub(crate) fn new(node: &'a Node, name: &str) -> Self {
        Self { node, name: name.to_owned() }
    }

    /// Applies the shop, two replicas, and waits until both are ready. Returns the address of its
    /// service.
    pub(crate) fn shop(&self) -> Result<String> {
        self.serve(&SHOP.replace("NAME", &self.name))
    }

    /// The same with servers that keep their listeners until they are killed.
    pub(crate) fn servers(&self, replicas: usize) -> Result<String> {
        let manifest = TRAFFIC.replace("NAME", &self.name);
        self.serve(&manifest.replace("REPLICAS", &replicas.to_string()))
    }

    fn serve(&self, manifest: &str) -> Result<String> {
        self.node.apply(manifest)?;
        self.rolled_out()?;
        let service = self.node.get(&["service", &self.name])?;
        let address = service["spec"]["clusterIP"].as_str().context("no address")?;
        Ok(format!("{address}:80"))
    }

    /// Waits until a rollout of the shop is over.
    pub(crate) fn rolled_out(&self) -> Result<()> {
        let deployment = format!("deployment/{}", self.name);
        self.node.kubectl(&["rollout", "status", &deployment, "--timeout=180s"]).map(drop)
    }

    /// Replaces all replicas of the shop.
    pub(crate) fn restart(&self) -> Result<()> {
        self.node.kubectl(&["rollout", "restart", &format!("deployment/{}", self.name)])?;
        self.rolled_out()
    }

    /// The names of the pods that are not being deleted.
    pub(crate) fn pods(&self) -> Result<Vec<String>> {
        let pods = self.node.get(&["pods", "-l", &format!("app={}", self.name)])?;
        let pods = pods["items"].as_array().context("no list")?.iter();
        let stay = pods.filter(|pod| pod["metadata"]["deletionTimestamp"].is_null());
        Ok(stay.filter_map(|pod| pod["metadata"]["name"].as_str().map(str::to_owned)).collect())
    }

    /// Deletes the shop, and waits until its pods are gone.
    pub(crate) fn close(&self) -> Result<()> {
        self.node.kubectl(&["delete", "deployment,service", &self.name])?;
        let label = format!("app={}", self.name);
        self.node.kubectl(&["wait", "--for=delete", "pod", "-l", &label, "--timeout=180s"])?;
        Ok(())
    }

    /// Starts clients at an address: `load`, which is that of the shop, or `connect`.
    pub(crate) fn load(&self, clients: &str, address: &str) -> Result<Load> {
        let first = self.node.first().to_string();
        let program = env::current_exe()?;
        // In the network alone: the program is a file of the machine.
        let mut command = Command::new("nsenter");
        command.args(["-t", &first, "--net"]).arg(program).args([clients, address]);
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        Ok(Load(child))
    }

    /// Applies a pod with the pipeline.
    pub(crate) fn pipeline(&self, pod: &Pod<'_>) -> Result<()> {
        let manifest = PIPELINE
            .replace("NAME", pod.name)
            .replace("RESTART", pod.restart)
            .replace("GRACE", &pod.grace.to_string())
            .replace("MEMORY", pod.memory)
            .replace("ARGUMENTS", &pod.arguments.join(", "));
        self.node.apply(&manifest)
    }

    /// Waits until a pod's container has ended, for the first time or again, and returns how.
    pub(crate) fn ended(&self, pod: &str) -> Result<End> {
        self.until(pod, |status| {
            [&status["state"]["terminated"], &status["lastState"]["terminated"]]
                .into_iter()
                .find(|end| end.is_object())
                .map(|end| End {
                    code: end["exitCode"].as_i64().unwrap_or(-1),
                    reason: end["reason"].as_str().unwrap_or_default().to_owned(),
                    message: end["message"].as_str().unwrap_or_default().to_owned(),
                })
        })
    }

    /// Polls the status of a pod's one container until `look` returns a value.
    pub(crate) fn until<T>(&self, pod: &str, look: impl Fn(&Value) -> Option<T>) -> Result<T> {
        let begun = Instant::now();
        loop {
            let object = self.node.get(&["pod", pod])?;
            let status = &object["status"]["containerStatuses"][0];
            if let Some(found) = look(status) {
                return Ok(found);
            }
            if begun.elapsed() > LIMIT {
                let logs = self.node.kubectl(&["logs", pod]).unwrap_or_default();
                bail!("{pod} stays {}\n{logs}", object["status"]);
            }
            sleep(TICK);
        }
    }

    /// Sends a signal to the process of a pod that runs a program, once its log has a text.
    pub(crate) fn signal(&self, pod: &str, program: &str, name: &str, since: &str) -> Result<()> {
        self.until(pod, |_| {
            let logs = self.node.kubectl(&["logs", pod]).ok()?;
            logs.contains(since).then_some(())
        })?;
        let object = self.node.get(&["pod", pod])?;
        let uid = object["metadata"]["uid"].as_str().context("the pod has no id")?;
        // Its image has no program for it.
        let script = "for process in /proc/[0-9]*; do \
                      grep -q \"$0\" $process/cgroup && [ $(cat $process/comm) = $2 ] && \
                      kill -s $1 ${process#/proc/} && exit 0; done; exit 1";
        let status = self.node.command(&["sh", "-c", script, uid, name, program]).status()?;
        ensure!(status.success(), "{pod} cannot be sent SIG{name}: {status}");
        Ok(())
    }

    /// Deletes a pod at once.
    pub(crate) fn kill(&self, pod: &str) -> Result<()> {
        let force = ["delete", "pod", pod, "--force", "--grace-period=0", "--wait=false"];
        self.node.kubectl(&force).map(drop)
    }
}

/// A pod with the pipeline.
pub(crate) struct Pod<'a> {
    pub(crate) name: &'a str,
    pub(crate) restart: &'a str,
    /// In seconds.
    pub(crate) grace: u32,
    pub(crate) memory: &'a str,
    pub(crate) arguments: &'a [&'a str],
}

impl<'a> Pod<'a> {
    /// One that is not run again, with the grace that is Kubernetes' default.
    pub(crate) fn once(name: &'a str, arguments: &'a [&'a str]) -> Self {
        Self { name, restart: "Never", grace: 30, memory: "512Mi", arguments }
    }
}

/// Clients that run. Dropping them ends them.
pub(crate) struct Load(Child);

/// What clients have seen.
#[derive(Debug)]
pub(crate) struct Seen {
    /// The orders that were acknowledged.
    pub(crate) placed: u64,
    /// The requests that failed, with the first of the reasons.
    pub(crate) failed: u64,
    pub(crate) errors: String,
    /// The acknowledged orders that are not recorded.
    pub(crate) lost: usize,
}

impl Load {
    /// Ends them, and has them count.
    pub(crate) fn end(mut self) -> Result<Seen> {
        drop(self.0.stdin.take());
        let mut text = String::new();
        let stdout = self.0.stdout.as_mut().context("its output is read")?;
        stdout.read_to_string(&mut text)?;
        let status = self.0.wait()?;
        ensure!(status.success(), "the clients failed: {status}");
        let seen: Value = serde_json::from_str(&text)?;
        let count = |name: &str| seen[name].as_u64().with_context(|| format!("no {name}: {text}"));
        Ok(Seen {
            placed: count("placed")?,
            failed: count("failed")?,
            errors: seen["errors"].to_string(),
            lost: seen["lost"].as_array().context("no list of the lost")?.len(),
        })
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        // Both fail only for one that has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
