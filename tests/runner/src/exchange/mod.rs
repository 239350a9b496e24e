//! Every host seals, every other opens: on the released artefacts, with the real clock and
//! generator, and with nothing that a release doesn't have.

mod messages;

use crate::answer::Answer;
use crate::bytes::{bytes_of, hex, unhex};
use crate::hosts::{Hello, Hosts, may_lack};
use crate::pins::{HAZMAT, OPS};
use crate::report::Report;
use crate::rng::Rng;
use crate::shim::Shim;
use crate::world::{BLOB, Dek, ENDPOINT, Step, World, cmk, expect, named_by, padded, same};
use messages::{Message, RECORDS, messages};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

/// What a sealing host leaves behind: rows, and sealed messages.
struct Parcel {
    from: String,
    /// Admitted in this order: KMS rows with the KMS's answer, then local rows.
    rows: Vec<(Value, Option<Value>)>,
    /// The share of one record with org globex.
    share: (Value, Value),
    sealed: Vec<Sealed>,
}

struct Sealed {
    message: Message,
    env: Value,
    text: Value,
}

pub(crate) fn run(hosts: &Hosts, count: usize, report: &Report) -> Result<(), String> {
    if count < 200 {
        return Err("at least 200 messages a pair".into());
    }
    let parcels = Mutex::new(BTreeMap::new());
    hosts.each("exchange, seal", report, |shim, report| {
        let name = shim.name.clone();
        match released(shim).and_then(|hello| seal(&mut World::new(shim, &hello), &name, count)) {
            Ok(parcel) => {
                report.pass();
                parcels.lock().unwrap_or_else(PoisonError::into_inner).insert(name, parcel);
            }
            Err(reason) => report.fail(&format!("{name} seals: {reason}")),
        }
    });
    let parcels = parcels.into_inner().unwrap_or_else(PoisonError::into_inner);
    expect(parcels.len() == hosts.names().count(), "a parcel of every host")?;
    hosts.each("exchange, open", report, |shim, report| {
        for parcel in parcels.values() {
            let name = shim.name.clone();
            let hello = Hello(json!({}));
            let result = open(&mut World::new(shim, &hello), parcel, report);
            report.check(|| format!("{name} opens what {} sealed", parcel.from), result);
        }
    });
    Ok(())
}

/// A released artefact offers exactly what is no test entry.
fn released(shim: &mut Shim) -> Step<Hello> {
    let hello = Hello::ask(shim)?;
    for op in OPS {
        let should = !HAZMAT.contains(op) && !may_lack(&shim.name, op);
        expect(
            hello.lists("ops", op) == should,
            &format!("a release {} {op}", if should { "with" } else { "without" }),
        )?;
    }
    expect(!hello.lists("extras", "iv"), "a release without iv")?;
    Ok(hello)
}

fn seal(world: &mut World<'_>, name: &str, count: usize) -> Step<Parcel> {
    world.ok("vault.new", json!({"options": {}})).map(|vault| world.vault = vault)?;
    let mut rng = Rng::new(&format!("exchange {name}"));
    let deks = [1, 2].map(|version| Dek::org("acme", version, &format!("exchange {name} {version}")));
    let mut rows = Vec::new();
    let mut sealed = Vec::new();
    let mut half = messages(&mut rng, count);
    let rest = half.split_off(count / 2);
    // Half is sealed before a rotation, half after it; each half partly in a batch.
    for (dek, messages) in deks.iter().zip([half, rest]) {
        world.mint(dek)?;
        rows.push((dek.row(), Some(dek.reply())));
        for record in RECORDS {
            let created = crate::world::WALL.to_string();
            let members =
                json!({"org": "acme", "table": "hosts", "record": record, "version": dek.version, "created": created});
            rows.push((world.ok("vault.generate_record_dek", members)?, None));
        }
        sealed.extend(seal_all(world, dek, messages)?);
    }
    rows.sort_by_key(|(_, reply)| reply.is_none());
    let share = share(world, &rows)?;
    let parcel = Parcel { from: name.to_owned(), rows, share, sealed };
    world.ok("vault.close", json!({}))?;
    Ok(parcel)
}

fn seal_all(world: &mut World<'_>, dek: &Dek, messages: Vec<Message>) -> Step<Vec<Sealed>> {
    let (alone, together) = messages.split_at(messages.len() / 2);
    let mut envelopes = world.all("vault.seal", alone.iter().map(Message::to_seal))?;
    let items: Value = together.iter().map(Message::to_seal).collect();
    for answer in world.batch("vault.seal_many", &items)? {
        envelopes.push(answer.out()?);
    }
    let texts = world.all("to_text", envelopes.iter().map(|env| json!({"env": env})))?;
    let sealed: Vec<Sealed> = messages
        .into_iter()
        .zip(envelopes)
        .zip(texts)
        .map(|((message, env), text)| Sealed { message, env, text })
        .collect();
    for Sealed { message, env, .. } in &sealed {
        let length = unhex(&message.pt)?.len();
        let length = if message.padded { (length / 64 + 1) * 64 } else { length };
        expect(bytes_of(env)?.len() == 68 + length, "the length of an envelope is its overhead and its value's")?;
        expect(padded(env)? == message.padded, "padded as asked for")?;
        expect((named_by(env)? == dek.hex_ref()) != message.record_dek, "sealed under the kind of DEK asked for")?;
    }
    Ok(sealed)
}

/// Shares the first record's newest DEK: the share row, and the DEK as the reader's KMS gives it.
fn share(world: &mut World<'_>, rows: &[(Value, Option<Value>)]) -> Step<(Value, Value)> {
    let row = rows.iter().map(|(row, _)| row).rfind(|row| row["record"] == RECORDS[0]).ok_or("no row of the record")?;
    let header = world.ok("vault.status", json!({}))?;
    let held = header.as_array().into_iter().flatten();
    let newest =
        held.filter(|dek| dek["kind"] == "record" && text_ref(&dek["dek_ref"]).is_ok_and(|text| row["dekRef"] == text));
    let dek_ref = newest.map(|dek| dek["dek_ref"].clone()).next().ok_or("the record DEK is not held")?;
    let created = crate::world::WALL.to_string();
    let request = world.ok(
        "vault.share_request",
        json!({"dek_ref": dek_ref, "reader": "globex", "cmk": cmk("globex"), "created": created}),
    )?;
    let reply = json!({"KeyId": cmk("globex"), "CiphertextBlob": hex(BLOB), "endpoint": ENDPOINT});
    let row = world.ok("vault.admit_shared", json!({"request": request["id"], "reply": reply}))?;
    let unwrapped = json!({"KeyId": cmk("globex"), "Plaintext": request["params"]["Plaintext"], "endpoint": ENDPOINT});
    Ok((row, unwrapped))
}

fn open(world: &mut World<'_>, parcel: &Parcel, report: &Report) -> Step {
    world.ok("vault.new", json!({"options": {}})).map(|vault| world.vault = vault)?;
    let envelopes: Value = parcel.sealed.iter().map(|sealed| sealed.env.clone()).collect();
    let missing = world.ok("vault.missing", json!({"envs": envelopes}))?;
    let needed: BTreeSet<String> = parcel.sealed.iter().map(|sealed| named_by(&sealed.env)).collect::<Step<_>>()?;
    let missing: BTreeSet<String> =
        missing.as_array().into_iter().flatten().filter_map(|dek| Some(dek.as_str()?.to_owned())).collect();
    expect(missing == needed, "missing lists the DEKs that the envelopes name")?;
    for (row, reply) in &parcel.rows {
        let mut admission = json!({"org": "acme", "row": row});
        if let Some(reply) = reply {
            let request = world.ok("vault.unwrap_request", json!({"org": "acme", "row": row}))?;
            same(&request["params"]["CiphertextBlob"], &json!(hex(BLOB)))?;
            admission["reply"] = reply.clone();
        }
        world.ok("vault.admit", admission)?;
    }
    same(&world.ok("vault.missing", json!({"envs": envelopes}))?, &json!([]))?;
    good(world, parcel, report)?;
    bad(world, parcel, report)?;
    world.ok("vault.close", json!({}))?;
    reader(world, parcel, report)
}

/// All of it opens, one by one and in a batch, and the printable forms are the same.
fn good(world: &mut World<'_>, parcel: &Parcel, report: &Report) -> Step {
    let name = world.shim.name.clone();
    let lines =
        parcel.sealed.iter().map(|sealed| world.line("vault.open", sealed.message.to_open(&sealed.env))).collect();
    let alone = world.shim.ask_all(lines);
    let items: Value = parcel.sealed.iter().map(|sealed| sealed.message.to_open(&sealed.env)).collect();
    let together = world.batch("vault.open_many", &items)?.into_iter().map(Ok).collect();
    for answers in [alone, together] {
        for (sealed, answer) in parcel.sealed.iter().zip(answers) {
            let result = answer.and_then(Answer::out).and_then(|pt| same(&pt, &json!(sealed.message.pt)));
            report.check(|| format!("{name} opens {} of {}", sealed.message.bind, parcel.from), result);
        }
    }
    let texts = world.all("to_text", parcel.sealed.iter().map(|sealed| json!({"env": sealed.env})))?;
    let back = world.all("from_text", parcel.sealed.iter().map(|sealed| json!({"text": sealed.text})))?;
    for (sealed, (text, env)) in parcel.sealed.iter().zip(texts.iter().zip(back)) {
        report.check(
            || format!("{name} printable form"),
            same(text, &sealed.text).and_then(|()| same(&env, &sealed.env)),
        );
    }
    Ok(())
}

/// None of it opens elsewhere or changed.
fn bad(world: &mut World<'_>, parcel: &Parcel, report: &Report) -> Step {
    let mut rng = Rng::new(&parcel.from);
    let mut tried = Vec::new();
    for sealed in &parcel.sealed {
        for part in ["org", "table", "record", "field", "revision"] {
            tried.push((part, json!({"bind": sealed.message.elsewhere(part), "env": sealed.env})));
        }
        // IV, ciphertext or tag: what stands before them changes the name of the error.
        let mut bytes = bytes_of(&sealed.env)?;
        let bit = 8 * 40 + rng.below(8 * (bytes.len() - 40));
        bytes[bit / 8] ^= 1 << (bit % 8);
        tried.push(("bit", json!({"bind": sealed.message.bind, "env": hex(&bytes)})));
    }
    let lines = tried.iter().map(|(_, members)| world.line("vault.open", members.clone())).collect();
    for ((what, members), answer) in tried.iter().zip(world.shim.ask_all(lines)) {
        let result = answer.and_then(|answer| answer.is("AUTH_FAILED"));
        report.check(
            || {
                format!(
                    "{} opens what {} sealed with another {what}: {}",
                    world.shim.name, parcel.from, members["bind"]
                )
            },
            result,
        );
    }
    Ok(())
}

/// The reader of the share opens that record with the owner's binding, and nothing else.
fn reader(world: &mut World<'_>, parcel: &Parcel, report: &Report) -> Step {
    world.ok("vault.new", json!({"options": {}})).map(|vault| world.vault = vault)?;
    let (row, reply) = &parcel.share;
    let dek_ref = world.ok("vault.admit", json!({"org": "globex", "row": row, "reply": reply}))?;
    let lines =
        parcel.sealed.iter().map(|sealed| world.line("vault.open", sealed.message.to_open(&sealed.env))).collect();
    let mut opened = 0;
    for (sealed, answer) in parcel.sealed.iter().zip(world.shim.ask_all(lines)) {
        let shared = json!(named_by(&sealed.env)?) == dek_ref;
        opened += u64::from(shared);
        let result = answer.and_then(|answer| {
            if shared { same(&answer.out()?, &json!(sealed.message.pt)) } else { answer.is("UNKNOWN_DEK") }
        });
        report.check(|| format!("{} reads a share of {}", world.shim.name, parcel.from), result);
    }
    expect(opened > 0, "a message under the shared DEK")?;
    world.ok("vault.close", json!({})).map(drop)
}

fn text_ref(dek_ref: &Value) -> Step<String> {
    use base64ct::Encoding;
    Ok(base64ct::Base64UrlUnpadded::encode_string(&bytes_of(dek_ref)?))
}
