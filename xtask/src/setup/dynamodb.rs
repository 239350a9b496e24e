//! DynamoDB Local, for the tests of the DynamoDB stores: fetched by Maven in exact
//! versions, and compared with the checksums that are committed.

use std::{
    fs,
    net::{TcpListener, TcpStream},
    process::{Child, Stdio},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};

use crate::util::{Ctx, digest, once, output, retry, say};

/// A DynamoDB Local that runs until this is dropped.
#[derive(Debug)]
pub(crate) struct DynamoDb {
    child: Child,
    /// Its URL, without a slash at the end.
    pub(crate) endpoint: String,
}

impl Drop for DynamoDb {
    fn drop(&mut self) {
        // One that has ended by itself has nothing left to end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Fetches it where it isn't there, and starts an empty one on a port of its own.
///
/// # Errors
/// The remedy, where Java or Maven is missing; a download fails or isn't what it was; it doesn't start.
pub(crate) fn start(ctx: &Ctx) -> Result<DynamoDb> {
    fetch(ctx)?;
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let mut java = ctx.cmd("java");
    java.current_dir(ctx.target.join("dynamodb-local")).args(["-Xmx512m", "-Djava.library.path=.", "-cp", "*"]);
    java.args(["com.amazonaws.services.dynamodbv2.local.main.ServerRunner", "-inMemory", "-port", &port.to_string()]);
    let child = java.stdin(Stdio::null()).stdout(Stdio::null()).spawn().context("can't start java")?;
    let mut started = DynamoDb { child, endpoint: format!("http://127.0.0.1:{port}") };
    // A minute: a loaded machine takes a while.
    for _ in 0..600 {
        if TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return Ok(started);
        }
        if started.child.try_wait()?.is_some() {
            break;
        }
        thread::sleep(Duration::from_millis(100));
    }
    bail!("DynamoDB Local doesn't start")
}

fn fetch(ctx: &Ctx) -> Result<()> {
    if output(ctx.cmd("java").arg("-version")).is_err() || output(ctx.cmd("mvn").arg("-version")).is_err() {
        bail!("Java or Maven is missing: install Java 17 and Maven (`apt-get install openjdk-17-jre-headless maven`)");
    }
    let (folder, place) = (ctx.path("xtask/tools/dynamodb-local"), ctx.target.join("dynamodb-local"));
    let sums = folder.join("SHA256SUMS");
    once(ctx, &place, &digest(&[folder.join("pom.xml"), sums.clone()])?, || {
        say("fetching DynamoDB Local (Maven)");
        let into = format!("-DoutputDirectory={}", place.display());
        retry("Maven", || {
            if place.exists() {
                fs::remove_dir_all(&place).with_context(|| format!("can't empty {}", place.display()))?;
            }
            let mut maven = ctx.cmd("mvn");
            output(maven.args(["-q", "-B", "dependency:copy-dependencies", &into]).current_dir(&folder)).map(drop)
        })?;
        output(ctx.cmd("sha256sum").args(["--strict", "--quiet", "-c"]).arg(&sums).current_dir(&place))?;
        let (there, known) = (fs::read_dir(&place)?.count(), fs::read_to_string(&sums)?.lines().count());
        if there != known {
            bail!("Maven brought {there} files, and {known} are known");
        }
        Ok(())
    })
}
