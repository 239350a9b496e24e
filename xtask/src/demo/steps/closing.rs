//! What can be said only at the end: about everything that any process said or asked.

use std::collections::{BTreeSet, HashSet};

use crate::demo::{
    export,
    kms::Log,
    step::Refusal,
    world::{CONTOSO, MALLORY, NORTHWIND, World},
};

/// No opened field passed between processes: none stands in what they said.
pub(super) fn outputs(world: &mut World<'_>) {
    world.step("xtask", "looks for plaintext in all that the processes said", |world, step| {
        let said = world.said.join("\n").into_bytes();
        let corpus = world.corpus()?;
        let pieces = corpus.pieces(PIECES);
        let values: Vec<&[u8]> = corpus.values().into_values().collect();
        step.check("pieces to look for", pieces.len() == PIECES, pieces.len().to_string());
        let found = found_in(&said, &pieces);
        step.equal("pieces found in it", &found, &0);
        let data = values.concat();
        step.equal("pieces that the same search finds in the data", &found_in(&data, &pieces), &PIECES);
        step.figure("lines said", world.said.len());
        step.searches.push(Refusal {
            what: "pieces of plaintexts, looked for in all that processes said".to_owned(),
            tried: u64::try_from(pieces.len()).unwrap_or(u64::MAX),
            errors: format!("{found} found"),
            twin: format!("the data itself, same search: {PIECES} found"),
        });
        world.witness(step, &[])
    });
}

/// The whole log once more: nobody called whom no step accounts for.
pub(super) fn log(world: &mut World<'_>) {
    world.step("xtask", "reads the KMS's whole log once more", |world, step| {
        let all = Log::new(world.files.log()).take()?;
        let accounted: Vec<_> = world.steps.iter().flat_map(|step| step.calls.iter().cloned()).collect();
        step.equal("calls, each accounted for by a step", &all.len(), &accounted.len());
        step.check("they are the same calls in the same order", all == accounted, "others");
        let callers: BTreeSet<&str> = all.iter().map(|call| call.caller.as_str()).collect();
        step.equal("callers", &callers, &BTreeSet::from([CONTOSO, MALLORY, NORTHWIND]));
        let clear = all.iter().filter(|call| call.context.values().any(|value| value.starts_with("proc-"))).count();
        step.equal("contexts that name a record in clear", &clear, &0);
        step.figure("calls in all", all.len());
        step.figure("SHA-256 of the log", export::file_digest(&world.files.log())?);
        world.witness(step, &[])
    });
}

/// How many of the pieces, all of one length, stand in a text.
fn found_in(text: &[u8], pieces: &[&[u8]]) -> usize {
    let wanted: HashSet<&[u8]> = pieces.iter().copied().collect();
    // Most places are told by their first byte, which is much quicker than a look into the set.
    let first: BTreeSet<u8> = pieces.iter().filter_map(|piece| piece.first().copied()).collect();
    let starts: Vec<bool> = (0..=u8::MAX).map(|byte| first.contains(&byte)).collect();
    let begins = |window: &&[u8]| window.first().is_some_and(|byte| starts.get(usize::from(*byte)) == Some(&true));
    let len = pieces.first().map_or(1, |piece| piece.len()).max(1);
    text.windows(len).filter(begins).filter_map(|window| wanted.get(window)).collect::<HashSet<_>>().len()
}

const PIECES: usize = 500;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_is_found_wherever_it_stands() {
        let pieces = [b"piece".as_slice(), b"other"];
        for text in ["piece", "a piece", "piece b", "piece piece"] {
            assert_eq!(found_in(text.as_bytes(), &pieces), 1, "{text}");
        }
        assert_eq!(found_in(b"an other piece", &pieces), 2);
        assert_eq!(found_in(b"pie ce othe r", &pieces), 0);
        assert_eq!(found_in(b"", &pieces), 0);
    }
}
