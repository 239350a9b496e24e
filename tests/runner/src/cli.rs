//! Sub-commands and options.

use crate::hosts::{HOSTS, Hosts};
use crate::report::Report;
use crate::{bits, cipher, exchange, pins, scenarios, transplants, vectors};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Runs the `conformance` program with these arguments.
///
/// The last line printed is `N passed, N failed`. The exit code is 0 only if something was
/// checked and nothing failed.
#[must_use]
pub fn run(arguments: Vec<String>) -> ExitCode {
    let (command, options) = match parse(arguments) {
        Ok(parsed) => parsed,
        Err(reason) => {
            eprintln!("{reason}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let report = Report::default();
    if let Err(reason) = dispatch(&command, &options, &report) {
        report.fail(&reason);
    }
    if report.close() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

struct Options {
    shims: PathBuf,
    release_shims: PathBuf,
    hosts: Vec<String>,
    vectors: PathBuf,
    pins: PathBuf,
    pin: bool,
    messages: usize,
    cavp: Option<PathBuf>,
    only: Option<String>,
    timeout: Duration,
}

fn parse(arguments: Vec<String>) -> Result<(String, Options), String> {
    let mut options = Options {
        shims: "target/shims.json".into(),
        release_shims: "target/shims-release.json".into(),
        hosts: Vec::new(),
        vectors: "tests/vectors".into(),
        pins: "tests/shims".into(),
        pin: false,
        messages: 200,
        cavp: std::env::var_os("STRONGROOM_CAVP").map(PathBuf::from),
        only: None,
        timeout: Duration::from_secs(120),
    };
    let mut arguments = arguments.into_iter();
    let command = arguments.next().ok_or("no command")?;
    while let Some(option) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{option} needs a value"));
        match option.as_str() {
            "--shims" => options.shims = value()?.into(),
            "--release-shims" => options.release_shims = value()?.into(),
            "--host" => options.hosts.push(value()?),
            "--vectors" => options.vectors = value()?.into(),
            "--pins" => options.pins = value()?.into(),
            "--pin" => options.pin = true,
            "--messages" => options.messages = value()?.parse().map_err(|_| "--messages needs a number")?,
            "--cavp" => options.cavp = Some(value()?.into()),
            "--only" => options.only = Some(value()?),
            "--timeout" => {
                options.timeout = Duration::from_secs(value()?.parse().map_err(|_| "--timeout needs seconds")?)
            }
            _ => return Err(format!("unknown option {option}")),
        }
    }
    Ok((command, options))
}

fn dispatch(command: &str, options: &Options, report: &Report) -> Result<(), String> {
    let hosts = |file: &PathBuf| {
        let wanted = if options.hosts.is_empty() { HOSTS.map(str::to_owned).to_vec() } else { options.hosts.clone() };
        Hosts::read(file, &wanted, options.timeout)
    };
    match command {
        "vectors" => {
            vectors::run(&hosts(&options.shims)?, &options.vectors, &options.pins, options.pin, report)?;
            // The pins of all hosts are judged where all hosts ran.
            if options.hosts.is_empty() { pins::hello(&options.pins.join("hello.json"), report) } else { Ok(()) }
        }
        "exchange" => exchange::run(&hosts(&options.release_shims)?, options.messages, report),
        "bits" => {
            bits::run(&hosts(&options.shims)?, report);
            Ok(())
        }
        "transplants" => {
            transplants::run(&hosts(&options.shims)?, report);
            Ok(())
        }
        "scenarios" => {
            scenarios::run(&hosts(&options.shims)?, options.only.as_deref(), report);
            Ok(())
        }
        "cipher" => {
            let folder = options.cavp.as_ref().ok_or("cipher needs --cavp DIR or STRONGROOM_CAVP")?;
            let wanted = if options.hosts.is_empty() {
                cipher::HOSTS.map(str::to_owned).to_vec()
            } else {
                options.hosts.clone()
            };
            cipher::run(&Hosts::read(&options.shims, &wanted, options.timeout)?, folder, report)
        }
        "all" => {
            for command in ["vectors", "bits", "transplants", "scenarios", "exchange", "cipher"] {
                println!("-- {command}");
                if let Err(reason) = dispatch(command, options, report) {
                    report.fail(&format!("{command}: {reason}"));
                }
            }
            Ok(())
        }
        _ => Err(format!("unknown command {command}\n\n{USAGE}")),
    }
}

const USAGE: &str = "\
conformance COMMAND [OPTION...]

  vectors      every case of tests/vectors in every host; counts and hello as pinned
  exchange     every host seals, every other opens; on the released artefacts
  bits         every bit of an envelope flipped, every truncation, every spelling
  transplants  36 x 36 bindings under one DEK
  scenarios    what several ops in a row show
  cipher       NIST CAVP and Wycheproof through the core's cipher
  all          all of them

  --host H             only this host; may be given again
  --shims FILE         target/shims.json
  --release-shims FILE target/shims-release.json
  --vectors DIR        tests/vectors
  --pins DIR           where hello.json and counts.json lie: tests/shims
  --pin                vectors: write counts and hello instead of comparing
  --messages N         exchange: messages a pair, 200
  --only TEXT          scenarios: those whose name holds TEXT
  --cavp DIR           cipher: the folder of gcmDecrypt256.rsp and gcmEncryptExtIV256.rsp
  --timeout SECONDS    for one answer: 120";

#[cfg(test)]
mod tests {
    use super::parse;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn options_are_read() {
        let parsed = parse(words("vectors --host go --host c --pin --timeout 5"));
        assert!(
            parsed.is_ok_and(|(command, options)| command == "vectors" && options.hosts == ["go", "c"] && options.pin)
        );
    }

    #[test]
    fn what_is_not_an_option_is_refused() {
        for line in ["", "vectors --hots go", "vectors --host", "exchange --messages many", "bits extra"] {
            assert!(parse(words(line)).is_err(), "{line}");
        }
    }
}
