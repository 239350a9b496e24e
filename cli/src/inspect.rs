//! `strongroom inspect`: what an envelope's header says, without any key.

use std::{
    io::{self, Read, Write},
    process::ExitCode,
};

use clap::Args;
use strongroom::{Error, MAX_FIELD_LIMIT, OVERHEAD, UntrustedHeader, from_text};

/// Options of `strongroom inspect`.
#[derive(Args)]
pub(crate) struct Options {
    /// The envelope in printable form (sr1....) or as hex; `-` or nothing reads stdin, where it
    /// may be binary too
    text: Option<String>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Prints the header on stdout, or the error's name on stderr with a non-zero exit code.
pub(crate) fn run(options: &Options) -> ExitCode {
    let header = match &options.text {
        Some(text) if text != "-" => Ok(read(text.as_bytes())),
        _ => stdin().map(|bytes| read(&bytes)),
    };
    match header {
        Ok(Ok(header)) => print(&header, options.json),
        Ok(Err(error)) => fail(&format!("{}: {}", error.name(), error.text())),
        Err(error) => fail(&error.to_string()),
    }
}

/// Reads an envelope in any of its spellings.
///
/// # Errors
/// Those of the core's `from_text` and `inspect`.
fn read(bytes: &[u8]) -> Result<UntrustedHeader, Error> {
    // An envelope's first byte never starts a text, so there is no doubt which it is.
    let Ok(text) = strongroom::text(bytes) else {
        return strongroom::inspect(bytes);
    };
    let text = text.strip_suffix('\n').unwrap_or(text);
    match unhex(text) {
        Some(bytes) => strongroom::inspect(&bytes),
        None => strongroom::inspect(&from_text(text)?),
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |c: u8| char::from(c).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let bytes = pairs.iter().map(|&[high, low]| Some(digit(high)? << 4 | digit(low)?));
    (rest.is_empty() && !pairs.is_empty()).then(|| bytes.collect())?
}

fn stdin() -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    io::stdin().lock().take(MAX_INPUT).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn print(header: &UntrustedHeader, json: bool) -> ExitCode {
    let text = if json {
        header.to_json()
    } else {
        format!(
            "format version     {}\nsuite              {:02x}\npadded             {}\n\
             dek_ref            {}\nciphertext length  {}\n\
             Nothing of this is authenticated: whoever can write the envelope can write it.",
            header.version,
            header.suite,
            if header.padded { "yes" } else { "no" },
            header.dek_ref.to_text(),
            header.ct_len,
        )
    };
    match writeln!(io::stdout(), "{text}") {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error.to_string()),
    }
}

fn fail(what: &str) -> ExitCode {
    eprintln!("strongroom inspect: {what}");
    ExitCode::FAILURE
}

/// Hex of the longest envelope and a line end; a longer input is refused for its length.
const MAX_INPUT: u64 = 2 * (MAX_FIELD_LIMIT as u64 + OVERHEAD as u64) + 3;
