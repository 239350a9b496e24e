//! `strongroom audit cadence`: what a log of KMS calls proves, by itself.

use std::{fs, path::PathBuf, process::ExitCode};

use clap::{Args, Subcommand};
use sha2::{Digest, Sha256};

mod prove;
mod time;

pub(crate) use time::timestamp;

/// What `strongroom audit` offers.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Prove rotation cadence and per-org isolation from a log; exit code 1 if it doesn't
    Cadence(Options),
}

/// Options of `strongroom audit cadence`.
#[derive(Args)]
pub(crate) struct Options {
    /// The log: JSON lines, or a CloudTrail file with Records
    log: PathBuf,
    /// Longest time between two versions of an org's DEK, and from the last one to the end
    #[arg(long, default_value = "90d", value_parser = time::duration)]
    max_age: u64,
    /// Longest time without any line; 24h where lines have no sequence numbers, else no limit
    #[arg(long, value_parser = time::duration)]
    max_gap: Option<u64>,
    /// Time at which the log must begin (or within max-gap after it), as 2026-01-31T00:00:00Z
    #[arg(long, value_parser = time::moment)]
    from: Option<u64>,
    /// Time at which the log must end (or within max-gap before it)
    #[arg(long, value_parser = time::moment)]
    to: Option<u64>,
    /// SHA-256 of the last line, kept elsewhere: proves that nothing is cut off at the end
    #[arg(long, value_name = "HEX")]
    last: Option<String>,
    /// Org of a caller whose lines carry no principal tag; may be repeated
    #[arg(long = "caller", value_name = "ARN=ORG")]
    callers: Vec<String>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Runs it. Exit code 0: proven; 1: faults; 2: no log.
pub(crate) fn run(command: &Command) -> ExitCode {
    let Command::Cadence(options) = command;
    let text = match fs::read_to_string(&options.log) {
        Ok(text) => text,
        Err(error) => {
            eprintln!("strongroom audit: {error}");
            return ExitCode::from(2);
        }
    };
    match prove::prove(&text, options) {
        Ok(report) => {
            if options.json {
                println!("{}", report.to_json());
            } else {
                report.print();
            }
            if report.faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(why) => {
            eprintln!("strongroom audit: {why}");
            ExitCode::from(2)
        }
    }
}

/// SHA-256 of a line without its end, in hex.
pub(crate) fn digest(line: &str) -> String {
    Sha256::digest(line.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What the first line names as the digest before it.
pub(crate) const FIRST: &str = "0000000000000000000000000000000000000000000000000000000000000000";
