//! The page of `/tasks` in a real browser, while the service runs, while it stops and when it is
//! gone: wide and narrow, light and dark. Layout, colours and text are checked; the screenshots are
//! for people. The browser gets the page from a file, since it may take longer to start than the
//! service to stop.

use std::fs;
use std::path::Path;

use anyhow::{Result, ensure};

use super::{Service, is_installed};
use crate::command::Run;
use crate::http;
use crate::section::Ending;
use crate::workspace::Workspace;

const BROWSER: &str = "chromium";
/// For a container: as root, and without a network other than loopback.
const FLAGS: &[&str] = &[
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
];
/// The preferred colour scheme, its flag, and the page's background.
const SCHEMES: [(&str, &str, &str); 2] = [
    ("light", "--blink-settings=preferredColorScheme=1", "rgb(251, 251, 250)"),
    ("dark", "--blink-settings=preferredColorScheme=0", "rgb(20, 23, 26)"),
];
const WIDTHS: [u32; 3] = [320, 500, 1200];

pub(crate) fn run(workspace: &Workspace) -> Result<Ending> {
    if !is_installed(workspace, BROWSER) {
        return Ok(Ending::Skipped("chromium is not installed (Debian: chromium)".to_owned()));
    }
    let folder = workspace.target.join("browser");
    fs::create_dir_all(&folder)?;
    let mut service = Service::start(workspace)?;
    let address = service.address;
    let (_, running) = http::get(address, "/tasks?still")?;
    service.terminate()?;
    service.until("a task has ended and another one is being stopped", |_, address| {
        let tasks = Service::tasks(address)?;
        let has_ended = tasks["shutdown"]["ended"].as_array().is_some_and(|it| !it.is_empty());
        Ok(has_ended && tasks["step"] == "stopping")
    })?;
    let (_, stopping) = http::get(address, "/tasks?still")?;
    // Its script finds no server, as it does when the service is gone.
    let (_, gone) = http::get(address, "/tasks")?;
    service.ended()?;

    for (name, html, text) in [
        ("running", &running, "consumer orders.v1"),
        ("stopping", &stopping, "left to shut down"),
        ("gone", &gone, "while stopping `"),
    ] {
        screenshot(workspace, &folder, name, html)?;
        for scheme in SCHEMES {
            for width in WIDTHS {
                check(workspace, &folder, html, width, scheme, text)
                    .map_err(|error| error.context(format!("{name}, {}, {width}", scheme.0)))?;
            }
        }
    }
    println!("screenshots to look at: {}/*.png", folder.display());
    Ok(Ending::Passed)
}

fn screenshot(workspace: &Workspace, folder: &Path, name: &str, html: &str) -> Result<()> {
    let saved = folder.join(format!("{name}.html"));
    fs::write(&saved, html)?;
    for (scheme, setting, _) in SCHEMES {
        let width = if scheme == "dark" { 500 } else { 1200 };
        let file = folder.join(format!("{name}-{scheme}-{width}.png"));
        browser(workspace, folder)
            .arguments([setting, &format!("--window-size={width},1300")])
            .arguments(["--virtual-time-budget=3000", "--timeout=20000"])
            .arguments([format!("--screenshot={}", file.display())])
            .arguments([format!("file://{}", saved.display())])
            .read()?;
        ensure!(fs::metadata(&file)?.len() > 10_000, "{} is nearly empty", file.display());
    }
    Ok(())
}

/// Lays a page out in a frame of a given width, and checks that it fits, that it has the colours of
/// the scheme, and that it shows `text`.
fn check(
    workspace: &Workspace,
    folder: &Path,
    html: &str,
    width: u32,
    (_, setting, background): (&str, &str, &str),
    text: &str,
) -> Result<()> {
    let escaped = html.replace('&', "&amp;").replace('"', "&quot;");
    let frame = format!(
        "<!doctype html><body><iframe id=page style=\"width:{width}px;height:900px;border:0\" srcdoc=\"{escaped}\">\
         </iframe><pre id=found></pre><script>const look=()=>{{const d=page.contentDocument;\
         found.textContent='@'+[d.documentElement.scrollWidth,getComputedStyle(d.body).backgroundColor,\
         d.body.innerText.includes('{text}')].join('|')+'@'}};\
         page.onload=()=>setTimeout(look,2000)</script>"
    );
    let file = folder.join("frame.html");
    fs::write(&file, frame)?;
    let (dom, _) = browser(workspace, folder)
        .arguments([setting, "--virtual-time-budget=3000", "--timeout=20000", "--dump-dom"])
        .arguments([format!("file://{}", file.display())])
        .read()?;
    let found = dom.split('@').find(|part| part.contains("|rgb")).unwrap_or("nothing");
    let expected = format!("{width}|{background}|true");
    ensure!(found == expected, "found {found}, expected {expected}");
    Ok(())
}

/// Meant for [`Run::read`]: a browser outside of a desktop prints many warnings.
fn browser(workspace: &Workspace, folder: &Path) -> Run {
    let profile = format!("--user-data-dir={}", folder.join("profile").display());
    Run::program(workspace, BROWSER).arguments(FLAGS.iter().copied()).arguments([profile])
}
