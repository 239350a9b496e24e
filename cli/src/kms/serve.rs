//! `strongroom kms serve`.

use std::{
    io::{self, Write},
    net::SocketAddr,
    path::PathBuf,
    process::ExitCode,
    sync::Arc,
};

use clap::Args;
use serde_json::json;
use tokio::{net::TcpListener, runtime};

use super::{
    Kms,
    gate::{Gate, Origin},
    http,
};

/// Options of `strongroom kms serve`.
#[derive(Args)]
pub(crate) struct Options {
    /// Folder for keys and log; made if it isn't there
    #[arg(long)]
    dir: PathBuf,
    /// Loopback address and port; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Web origin whose pages may call, such as http://127.0.0.1:8080; may be repeated
    #[arg(long = "allow-origin", value_name = "ORIGIN")]
    allow_origins: Vec<Origin>,
    /// Test aid: answer the first N calls with ThrottlingException
    #[arg(long, value_name = "N", default_value_t = 0)]
    throttle_first: u64,
}

/// Runs the KMS until the process is ended. One JSON line on stdout says where it listens.
pub(crate) fn serve(options: &Options) -> ExitCode {
    match run(options) {
        Ok(never) => match never {},
        Err(error) => {
            eprintln!("strongroom kms: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> io::Result<std::convert::Infallible> {
    if !options.listen.ip().is_loopback() {
        return Err(io::Error::other("--listen takes loopback addresses only"));
    }
    let kms = Arc::new(Kms::open(&options.dir, options.throttle_first)?);
    let gate = Arc::new(Gate::new(&options.allow_origins));
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(options.listen).await?;
        let endpoint = format!("http://{}/", listener.local_addr()?);
        eprintln!("strongroom kms: a development KMS, NOT for production: it verifies no signature");
        let mut stdout = io::stdout().lock();
        writeln!(stdout, "{}", json!({ "endpoint": endpoint }))?;
        stdout.flush()?;
        drop(stdout);
        Ok(http::serve(listener, kms, gate).await)
    })
}
