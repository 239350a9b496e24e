//! `conformance`: see `conformance help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    strongroom_conformance::run(std::env::args().skip(1).collect())
}
