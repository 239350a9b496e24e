//! The operations on a vault.

use crate::ops::refusal;
use crate::values::{Members, Out, Place, Stop, hex, unhex};
use base64ct::{Base64, Encoding};
use serde_json::{Value, json};
use strongroom::{
    ActiveRow, DekRef, Error, KmsReply, KmsRequest, OpenItem, ResealOptions, SealItem, SealOptions, Vault,
    VaultOptions, WrapRow,
};

/// Vaults by number; a closed one leaves its place empty.
#[derive(Default)]
pub(crate) struct Vaults(Vec<Option<Slot>>);

struct Slot {
    vault: Vault,
    #[cfg(feature = "hazmat")]
    platform: strongroom::hazmat::TestPlatform,
}

impl Vaults {
    pub(crate) fn out(&mut self, op: &str, m: &Members<'_>, wiped: &mut bool) -> Out {
        if op == "vault.new" {
            self.0.push(Some(new(m)?));
            return Ok(json!(self.0.len().saturating_sub(1)));
        }
        #[cfg(feature = "hazmat")]
        if op == "vault.rng" {
            strongroom::hazmat::set_rng_ok(m.flag("ok")?.ok_or(Error::BadInput)?);
            return Ok(json!(true));
        }
        let place = self.0.get_mut(m.number::<usize>("vault")?).ok_or(Error::BadInput)?;
        if op == "vault.close" {
            *place = None;
            return Ok(json!(true));
        }
        let slot = place.as_ref().ok_or(Error::BadInput)?;
        #[cfg(feature = "hazmat")]
        if op == "vault.set_clock" {
            slot.platform.set_clock(m.u64("wall")?, m.u64("mono")?);
            return Ok(json!(true));
        }
        let vault = &slot.vault;
        match op {
            "vault.mint_request" => request(&vault.mint_request(
                &m.text("org")?,
                &m.text("cmk")?,
                m.number("version")?,
                m.u64("created")?,
            )?),
            "vault.admit_minted" => {
                let id = m.number("request")?;
                let minted = reply(m, wiped, |reply| Ok(vault.admit_minted(id, reply.unwrap_or_default())?))?;
                Ok(json!({"row": parsed(&minted.row.to_json())?, "active": parsed(&minted.active.to_json())?}))
            }
            "vault.set_active" => done(vault.set_active(&ActiveRow::from_json(m.json("active")?.as_bytes())?)),
            "vault.unwrap_request" => {
                request(&vault.unwrap_request(&m.text("org")?, &WrapRow::from_json(m.json("row")?.as_bytes())?)?)
            }
            "vault.admit" => {
                let (org, row) = (m.text("org")?, m.json("row")?);
                let dek_ref =
                    reply(m, wiped, |reply| Ok(vault.admit(&org, &WrapRow::from_json(row.as_bytes())?, reply)?))?;
                Ok(hex(dek_ref.as_bytes()))
            }
            "vault.missing" => {
                let envelopes: Vec<_> =
                    m.list("envs")?.iter().map(|raw| unhex(raw.get().trim_matches('"'))).collect::<Out<_>>()?;
                let envelopes: Vec<&[u8]> = envelopes.iter().map(Vec::as_slice).collect();
                Ok(refs(&vault.missing(&envelopes)?))
            }
            "vault.seal" => Ok(hex(&vault.seal(&m.place("bind")?.binding()?, &m.bytes("pt")?, seal_options(m)?)?)),
            "vault.seal_many" => seal_many(vault, m),
            "vault.open" => Ok(hex(&vault.open(&m.place("bind")?.binding()?, &m.bytes("env")?)?)),
            "vault.open_many" => open_many(vault, m),
            "vault.reseal" => {
                let mut options = ResealOptions::default();
                if m.has("options") {
                    let given = m.object("options")?;
                    options = ResealOptions { scope: given.scope()?, padded: given.flag("padded")? };
                }
                Ok(hex(&vault.reseal(&m.place("bind")?.binding()?, &m.bytes("env")?, options)?))
            }
            "vault.rebind" => {
                Ok(hex(&vault.rebind(&m.place("from")?.binding()?, &m.place("to")?.binding()?, &m.bytes("env")?)?))
            }
            "vault.generate_record_dek" => {
                let (org, table, record) = (m.text("org")?, m.text("table")?, m.text("record")?);
                row(&vault.generate_record_dek(&org, &table, &record, m.number("version")?, m.u64("created")?)?)
            }
            "vault.wrap_local" => row(&vault.wrap_local(&m.text("org")?, &m.bytes("dek_ref")?, m.u64("created")?)?),
            "vault.wrap_request" => {
                encrypt(vault, &vault.wrap_request(&m.bytes("dek_ref")?, &m.text("cmk")?, m.u64("created")?)?)
            }
            "vault.share_request" => {
                let (dek_ref, reader, cmk) = (m.bytes("dek_ref")?, m.text("reader")?, m.text("cmk")?);
                encrypt(vault, &vault.share_request(&dek_ref, &reader, &cmk, m.u64("created")?)?)
            }
            "vault.admit_shared" => {
                let id = m.number("request")?;
                row(&reply(m, &mut false, |reply| Ok(vault.admit_shared(id, reply.unwrap_or_default())?))?)
            }
            "vault.shred_request" => {
                request(&vault.shred_request(&m.text("org")?, &m.text("cmk")?, m.number("days")?)?)
            }
            "vault.status" => status(vault),
            "vault.cache_export" => Ok(hex(&vault.cache_export(&m.bytes("dek_ref")?)?)),
            "vault.cache_import" => Ok(hex(vault.cache_import(&mut m.bytes("entry")?)?.as_bytes())),
            "vault.tombstone" => done(vault.tombstone(&m.text("org")?)),
            "vault.sign_out" => Ok(refs(&vault.sign_out()?)),
            _ => Err(Stop::Crash(format!("no op {op}"))),
        }
    }
}

fn new(m: &Members<'_>) -> Out<Slot> {
    let options = VaultOptions::from_json(m.json("options")?.as_bytes())?;
    #[cfg(feature = "hazmat")]
    {
        let clock = m.object("clock")?;
        let platform = strongroom::hazmat::TestPlatform::new(clock.u64("wall")?, clock.u64("mono")?);
        Ok(Slot { vault: Vault::with_platform(&options, Box::new(platform.clone()))?, platform })
    }
    #[cfg(not(feature = "hazmat"))]
    Ok(Slot { vault: Vault::new(&options)? })
}

/// Makes the call with the line's reply and looks afterwards whether the DEK's buffer was wiped.
fn reply<T>(m: &Members<'_>, wiped: &mut bool, call: impl FnOnce(Option<KmsReply<'_>>) -> Out<T>) -> Out<T> {
    if !m.has("reply") {
        return call(None);
    }
    let given = m.object("reply")?;
    let (endpoint, error, key_id) = (given.text("endpoint")?, given.opt_text("error")?, given.opt_text("KeyId")?);
    let (mut plaintext, blob) = (given.opt_bytes("Plaintext")?, given.opt_bytes("CiphertextBlob")?);
    let out = call(Some(KmsReply {
        endpoint: &endpoint,
        error: error.as_deref(),
        key_id: key_id.as_deref(),
        plaintext: plaintext.as_deref_mut(),
        ciphertext_blob: blob.as_deref(),
    }));
    *wiped = plaintext.is_some_and(|bytes| bytes.iter().all(|byte| *byte == 0));
    out
}

fn request(request: &KmsRequest) -> Out {
    let mut json = parsed(&request.to_json())?;
    if let Some(blob) = json.pointer_mut("/params/CiphertextBlob") {
        let bytes = Base64::decode_vec(blob.as_str().unwrap_or_default()).map_err(|error| error.to_string())?;
        *blob = hex(&bytes);
    }
    Ok(json)
}

/// An `Encrypt` request with the DEK where the KMS expects it.
fn encrypt(vault: &Vault, encrypt: &KmsRequest) -> Out {
    let mut json = request(encrypt)?;
    if let Some(params) = json.pointer_mut("/params").and_then(Value::as_object_mut) {
        params.insert("Plaintext".into(), hex(&vault.take_request_plaintext(encrypt.id)?));
    }
    Ok(json)
}

fn seal_options(m: &Members<'_>) -> Out<SealOptions> {
    let mut options = SealOptions::default();
    if m.has("options") {
        let given = m.object("options")?;
        options.scope = given.scope()?.unwrap_or(options.scope);
        options.padded = given.flag("padded")?.unwrap_or(options.padded);
    }
    Ok(options)
}

fn seal_many(vault: &Vault, m: &Members<'_>) -> Out {
    let items = each(m, |item| Ok((item.place("bind")?, item.bytes("pt")?, seal_options(item)?)))?;
    let bound: Vec<Result<SealItem<'_>, Error>> = items
        .iter()
        .map(|(place, plaintext, options)| Ok(SealItem { binding: place.binding()?, plaintext, options: *options }))
        .collect();
    let good: Vec<_> = bound.iter().filter_map(|item| item.as_ref().ok().copied()).collect();
    Ok(merged(bound, vault.seal_many(&good)?))
}

fn open_many(vault: &Vault, m: &Members<'_>) -> Out {
    let items = each(m, |item| Ok((item.place("bind")?, item.bytes("env")?)))?;
    let bound: Vec<Result<OpenItem<'_>, Error>> = items
        .iter()
        .map(|(place, envelope): &(Place, Vec<u8>)| Ok(OpenItem { binding: place.binding()?, envelope }))
        .collect();
    let good: Vec<_> = bound.iter().filter_map(|item| item.as_ref().ok().copied()).collect();
    Ok(merged(bound, vault.open_many(&good)?))
}

fn each<T>(m: &Members<'_>, convert: impl Fn(&Members<'_>) -> Out<T>) -> Out<Vec<T>> {
    m.list("items")?.iter().map(|raw| convert(&Members::read(raw.get())?)).collect()
}

/// Puts the results of the items that could be bound among the errors of those that couldn't.
fn merged<I, T: AsRef<[u8]>>(bound: Vec<Result<I, Error>>, results: Vec<Result<T, Error>>) -> Value {
    let mut results = results.into_iter();
    let answers =
        bound.into_iter().map(|item| match item.and_then(|_| results.next().unwrap_or(Err(Error::Internal))) {
            Ok(bytes) => json!({"ok": true, "out": hex(bytes.as_ref())}),
            Err(error) => refusal(&Stop::Core(error)),
        });
    answers.collect()
}

fn status(vault: &Vault) -> Out {
    let list = vault.status()?.into_iter().map(|dek| {
        json!({
            "dek_ref": hex(dek.dek_ref.as_bytes()), "kind": dek.kind.name(), "org": dek.org, "version": dek.version,
            "reader": dek.reader, "ends": dek.ends.to_string(), "seals": dek.seals,
        })
    });
    Ok(list.collect())
}

fn refs(list: &[DekRef]) -> Value {
    list.iter().map(|dek_ref| hex(dek_ref.as_bytes())).collect()
}

fn row(row: &WrapRow) -> Out {
    parsed(&row.to_json())
}

fn done(result: Result<(), Error>) -> Out {
    result?;
    Ok(json!(true))
}

fn parsed(json: &str) -> Out {
    Ok(serde_json::from_str(json)?)
}
