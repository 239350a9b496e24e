//! Every bit of an envelope flipped, every truncation, every other spelling: refused, under
//! exactly the name that the specification gives it.

use crate::answer::Answer;
use crate::bytes::{bytes_of, hex};
use crate::hosts::{Hello, Hosts};
use crate::report::Report;
use crate::shim::Shim;
use crate::world::{Dek, PT, Step, World, at, expect};
use base64ct::{Base64UrlUnpadded, Encoding};
use serde_json::{Value, json};

pub(crate) fn run(hosts: &Hosts, report: &Report) {
    hosts.each("bits", report, |shim, report| {
        let name = shim.name.clone();
        let result = host(shim, report);
        report.check(|| format!("{name} bits"), result);
    });
}

fn host(shim: &mut Shim, report: &Report) -> Step {
    let hello = Hello::ask(shim)?;
    let mut world = World::new(shim, &hello);
    let org = Dek::org("acme", 1, "bits");
    let record = Dek::record("acme", "h-17", 1, "bits");
    world.vault(json!({}))?;
    world.mint(&org)?;
    world.admit(&record)?;
    let plain = at("h-17", "password");
    let mut revised = plain.clone();
    revised["revision"] = json!("7");
    for (bind, options) in [
        (&plain, json!({})),
        (&revised, json!({"padded": true})),
        (&revised, json!({"scope": "record"})),
        (&plain, json!({"scope": "record", "padded": true})),
    ] {
        let env = world.seal_with(bind, options)?;
        changed(&mut world, bind, &env, report)?;
        spelt(&mut world, bind, &env, report)?;
    }
    world.close()
}

/// Flips, cuts and lengthens.
fn changed(world: &mut World<'_>, bind: &Value, env: &Value, report: &Report) -> Step {
    world.opens(bind, env)?;
    let whole = bytes_of(env)?;
    let flipped = (0..8 * whole.len()).map(|bit| {
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        (format!("bit {bit} flipped"), bytes)
    });
    let cut = (0..whole.len()).map(|length| (format!("cut to {length} bytes"), whole[..length].to_vec()));
    let longer = [1, 16, 64].map(|more| (format!("{more} bytes more"), [whole.clone(), vec![0; more]].concat()));
    let changed: Vec<(String, Vec<u8>)> = flipped.chain(cut).chain(longer).collect();
    for (op, with_bind) in [("vault.open", true), ("inspect", false), ("to_text", false)] {
        let lines = changed.iter().map(|(_, bytes)| {
            let members = if with_bind { json!({"bind": bind, "env": hex(bytes)}) } else { json!({"env": hex(bytes)}) };
            world.line(op, members)
        });
        let lines = lines.collect();
        for ((what, bytes), answer) in changed.iter().zip(world.shim.ask_all(lines)) {
            let expected = if with_bind { Some(refusal(bytes, &whole)) } else { frame(bytes) };
            let result = answer.and_then(|answer| judge(&answer, expected));
            report.check(|| format!("{} {op} of {env}, {what}", world.shim.name), result);
        }
    }
    // The vault is none the worse for it.
    world.opens(bind, env)
}

/// Other spellings of the printable form.
fn spelt(world: &mut World<'_>, bind: &Value, env: &Value, report: &Report) -> Step {
    let text = world.ok("to_text", json!({"env": env}))?;
    let text = text.as_str().ok_or("to_text gives a string")?.to_owned();
    let whole = bytes_of(env)?;
    expect(text == format!("sr1.{}", Base64UrlUnpadded::encode_string(&whole)), "sr1. and base64url")?;
    let mut spellings =
        vec![format!("{text}="), format!("{text}\n"), format!(" {text}"), text.to_uppercase(), text[4..].to_owned()];
    for place in 0..text.len() {
        let (before, after) = (&text[..place], &text[place + 1..]);
        let other = if &text[place..=place] == "A" { "B" } else { "A" };
        spellings.extend([other, "=", "+", "/", " ", "", "\u{e9}"].map(|put| format!("{before}{put}{after}")));
    }
    spellings.retain(|spelling| *spelling != text);
    let lines = spellings.iter().map(|spelling| world.line("from_text", json!({"text": spelling}))).collect();
    for (spelling, answer) in spellings.iter().zip(world.shim.ask_all(lines)) {
        let read = decoded(spelling);
        let result = answer.and_then(|answer| match &read {
            Err(name) => answer.is(name),
            Ok(bytes) => expect(answer.result == Ok(json!(hex(bytes))), "the bytes that stand there"),
        });
        report.check(|| format!("{} from_text of {spelling:?}", world.shim.name), result);
        if let Ok(bytes) = read {
            world.no_open(bind, &json!(hex(&bytes)), refusal(&bytes, &whole))?;
        }
    }
    Ok(())
}

fn judge(answer: &Answer, expected: Option<&str>) -> Step {
    match expected {
        Some(name) => answer.is(name),
        None => {
            expect(answer.result.is_ok() && answer.result != Ok(json!(PT)), "an answer: nothing of the frame is wrong")
        }
    }
}

/// What `open` must say to `bytes`, which differ from the whole envelope.
fn refusal(bytes: &[u8], whole: &[u8]) -> &'static str {
    frame(bytes).unwrap_or_else(|| if bytes[4..36] == whole[4..36] { "AUTH_FAILED" } else { "UNKNOWN_DEK" })
}

/// What reading the frame must say: the first line of the table that applies.
fn frame(bytes: &[u8]) -> Option<&'static str> {
    let wrong = |place: usize, holds: fn(u8) -> bool, name| match bytes.get(place) {
        None => Some("TRUNCATED"),
        Some(byte) if holds(*byte) => None,
        Some(_) => Some(name),
    };
    if bytes.is_empty() {
        return Some("NOT_AN_ENVELOPE");
    }
    wrong(0, |magic| magic == 0xf7, "NOT_AN_ENVELOPE")
        .or_else(|| wrong(1, |version| version == 1, "UNSUPPORTED_VERSION"))
        .or_else(|| wrong(2, |suite| suite == 1, "UNSUPPORTED_SUITE"))
        .or_else(|| wrong(3, |flags| flags & !1 == 0, "MALFORMED"))
        .or_else(|| lengths(bytes))
}

fn lengths(bytes: &[u8]) -> Option<&'static str> {
    let Some(announced) = bytes.get(36..40).filter(|_| bytes.len() >= 68) else { return Some("TRUNCATED") };
    let announced = announced.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    let padded = bytes[3] == 1;
    match (bytes.len() as u64).cmp(&(68 + announced)) {
        std::cmp::Ordering::Less => Some("TRUNCATED"),
        std::cmp::Ordering::Greater => Some("MALFORMED"),
        std::cmp::Ordering::Equal => (padded && (announced == 0 || announced % 64 != 0)).then_some("MALFORMED"),
    }
}

fn decoded(text: &str) -> Result<Vec<u8>, &'static str> {
    let body = text.strip_prefix("sr1.").ok_or("NOT_AN_ENVELOPE")?;
    let bytes = Base64UrlUnpadded::decode_vec(body).map_err(|_| "MALFORMED")?;
    // One spelling: what is left of the last character must be zero.
    if Base64UrlUnpadded::encode_string(&bytes) != body {
        return Err("MALFORMED");
    }
    frame(&bytes).map_or(Ok(bytes), Err)
}

#[cfg(test)]
mod tests {
    use super::{decoded, frame, refusal};

    fn envelope(flags: u8, announced: u8, length: usize) -> Vec<u8> {
        let mut bytes = vec![0xf7, 1, 1, flags];
        bytes.extend([9; 32]);
        bytes.extend([0, 0, 0, announced]);
        bytes.resize(length, 7);
        bytes
    }

    #[test]
    fn the_frame_is_judged_in_the_order_of_the_table() {
        assert_eq!(frame(&envelope(0, 5, 73)), None);
        assert_eq!(frame(&[]), Some("NOT_AN_ENVELOPE"));
        assert_eq!(frame(&[0xf6]), Some("NOT_AN_ENVELOPE"));
        assert_eq!(frame(&[0xf7]), Some("TRUNCATED"));
        assert_eq!(frame(&[0xf7, 2]), Some("UNSUPPORTED_VERSION"));
        assert_eq!(frame(&[0xf7, 1, 2]), Some("UNSUPPORTED_SUITE"));
        assert_eq!(frame(&[0xf7, 1, 1, 2]), Some("MALFORMED"));
        assert_eq!(frame(&envelope(0, 5, 67)), Some("TRUNCATED"));
        assert_eq!(frame(&envelope(0, 5, 72)), Some("TRUNCATED"));
        assert_eq!(frame(&envelope(0, 5, 74)), Some("MALFORMED"));
        assert_eq!(frame(&envelope(1, 0, 68)), Some("MALFORMED"));
        assert_eq!(frame(&envelope(1, 65, 133)), Some("MALFORMED"));
        assert_eq!(frame(&envelope(1, 64, 132)), None);
    }

    #[test]
    fn a_changed_reference_is_told_from_a_changed_value() {
        let whole = envelope(0, 5, 73);
        let (mut reference, mut value) = (whole.clone(), whole.clone());
        reference[35] ^= 1;
        value[72] ^= 1;
        assert_eq!(refusal(&reference, &whole), "UNKNOWN_DEK");
        assert_eq!(refusal(&value, &whole), "AUTH_FAILED");
    }

    #[test]
    fn the_printable_form_has_one_spelling() {
        assert_eq!(decoded("9wEB"), Err("NOT_AN_ENVELOPE"));
        assert_eq!(decoded("sr1.9wEB"), Err("TRUNCATED"));
        assert_eq!(decoded("sr1.9wEC"), Err("UNSUPPORTED_SUITE"));
        for spelling in ["sr1.9wF=", "sr1.9wF", "sr1.9", "sr1.9w+B"] {
            assert_eq!(decoded(spelling), Err("MALFORMED"), "{spelling}");
        }
    }
}
