//! The operations on bare DEKs, which only test builds have.

use crate::values::{Members, Out, Stop, hex};
use serde_json::Value;
use strongroom::Identity;
use strongroom::WrapRow;
use strongroom::hazmat::{self as hz};

pub(crate) fn out(op: &str, m: &Members<'_>) -> Out {
    match op {
        "dek_ref" => Ok(hex(hz::dek_ref(&m.bytes("key")?, &identity(m, "identity")?)?.as_bytes())),
        "binding_aad" => Ok(hex(&hz::binding_aad(&m.bytes("header")?, &m.place("bind")?.binding()?)?)),
        "seal" => {
            let (key, iv, padded) = (m.bytes("key")?, m.opt_bytes("iv")?, m.flag("padded")?.unwrap_or_default());
            let (identity, place) = (identity(m, "identity")?, m.place("bind")?);
            Ok(hex(&hz::seal(&key, &identity, &place.binding()?, &m.bytes("pt")?, padded, iv.as_deref())?))
        }
        "open" => {
            let (key, identity, place) = (m.bytes("key")?, identity(m, "identity")?, m.place("bind")?);
            Ok(hex(&hz::open(&key, &identity, &place.binding()?, &m.bytes("env")?)?))
        }
        "seal_many" => {
            let (key, identity, place) = (m.bytes("key")?, identity(m, "identity")?, m.place("bind")?);
            let list = hz::seal_many(&key, &identity, &place.binding()?, m.number("n")?)?;
            Ok(list.iter().map(|envelope| hex(envelope)).collect())
        }
        "reseal" => {
            let (from, to, place) = (m.object("from")?, m.object("to")?, m.place("bind")?);
            let from = (from.bytes("key")?, identity(&from, "identity")?);
            let to = (to.bytes("key")?, identity(&to, "identity")?);
            Ok(hex(&hz::reseal((&from.0, &from.1), (&to.0, &to.1), &place.binding()?, &m.bytes("env")?)?))
        }
        "wrap_local" => {
            let (kek, key, iv) = (m.bytes("kek")?, m.bytes("key")?, m.opt_bytes("iv")?);
            let (kek_identity, identity) = (identity(m, "kek_identity")?, identity(m, "identity")?);
            let (purpose, reader) = (m.text("purpose")?, m.text("reader")?);
            let row = hz::wrap_local(
                (&kek, &kek_identity),
                (&key, &identity),
                &purpose,
                &reader,
                m.u64("created")?,
                iv.as_deref(),
            )?;
            Ok(serde_json::from_str::<Value>(&row.to_json())?)
        }
        "unwrap_local" => {
            let (kek, kek_identity, probe) = (m.bytes("kek")?, identity(m, "kek_identity")?, m.object("probe")?);
            let row = WrapRow::from_json(m.json("row")?.as_bytes())?;
            Ok(hex(&hz::unwrap_local(
                (&kek, &kek_identity),
                &row,
                &probe.place("bind")?.binding()?,
                &probe.bytes("env")?,
            )?))
        }
        "hz_gcm_seal" => Ok(hex(&hz::gcm_seal(&m.bytes("key")?, &m.bytes("iv")?, &m.bytes("aad")?, &m.bytes("pt")?)?)),
        "hz_gcm_open" => Ok(hex(&hz::gcm_open(&m.bytes("key")?, &m.bytes("iv")?, &m.bytes("aad")?, &m.bytes("ct")?)?)),
        _ => Err(Stop::Crash(format!("no op {op}"))),
    }
}

fn identity(m: &Members<'_>, name: &str) -> Out<Identity> {
    Ok(Identity::from_json(m.json(name)?.as_bytes())?)
}
