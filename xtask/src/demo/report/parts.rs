//! The sections of the report.

use std::collections::BTreeMap;

use super::{escaped, mark};
use crate::{
    demo::{
        step::{Refusal, Step},
        terminal::{calls, grouped},
        witness::{self, Kind},
        worker::Host,
        world::World,
    },
    util::{output, seconds},
};

/// Every step: who did what, and under it what was expected and found.
pub(super) fn timeline(steps: &[Step]) -> String {
    let mut list = String::from("<ol class=\"steps\">\n");
    for step in steps {
        let fields = step.fields.map_or_else(String::new, |count| format!("{} · ", fields(count)));
        let open = if step.holds() { "" } else { " open" };
        list.push_str(&format!(
            "<li><details{open}><summary><span class=\"who {who}\">{who}</span><span class=\"title\">{title}</span>\
             <span class=\"facts\">{fields}KMS: {calls} · {time}</span>{mark}</summary>\n{figures}{checks}</details></li>\n",
            who = escaped(&step.who),
            title = escaped(&step.title),
            calls = escaped(&calls(step)),
            time = seconds(step.time),
            mark = mark(step),
            figures = figures(step),
            checks = checks(step),
        ));
    }
    list.push_str("</ol>\n");
    list
}

fn figures(step: &Step) -> String {
    if step.figures.is_empty() {
        return String::new();
    }
    let row = |(name, value): &(String, String)| format!("<dt>{}</dt><dd>{}</dd>", escaped(name), escaped(value));
    format!("<dl>{}</dl>\n", step.figures.iter().map(row).collect::<String>())
}

fn checks(step: &Step) -> String {
    let mut list = String::from("<ul class=\"checks\">");
    for check in &step.checks {
        let text = escaped(&check.text);
        if check.ok {
            list.push_str(&format!("<li class=\"good\">{text}</li>"));
        } else {
            list.push_str(&format!("<li class=\"bad\">{text}<br>found: {}</li>", escaped(&check.got)));
        }
    }
    list.push_str("</ul>");
    list
}

fn fields(count: u64) -> String {
    if count == 1 { "1 field".to_owned() } else { format!("{} fields", grouped(count)) }
}

/// Who opened what whom had resealed.
pub(super) fn exchange(steps: &[Step]) -> String {
    let mut opened: BTreeMap<(&str, &str), Vec<&Step>> = BTreeMap::new();
    for step in steps {
        if let Some(maker) = step.resealed_by {
            opened.entry((maker, &step.who)).or_default().push(step);
        }
    }
    let hosts = [Host::Go, Host::Node, Host::Browser].map(Host::name);
    let mut rows = String::new();
    for maker in hosts {
        rows.push_str(&format!("<tr><th><span class=\"who {maker}\">{maker}</span></th>"));
        for opener in hosts {
            let cell = opened.get(&(maker, opener)).map(|steps| {
                let sum = steps.iter().filter_map(|step| step.fields).fold(0, u64::saturating_add);
                let (class, word) =
                    if steps.iter().all(|step| step.holds()) { ("good", "equal") } else { ("bad", "broke") };
                format!("{} <span class=\"mark {class}\">{word}</span>", fields(sum))
            });
            rows.push_str(&format!("<td>{}</td>", cell.as_deref().unwrap_or("<span class=\"none\">-</span>")));
        }
        rows.push_str("</tr>\n");
    }
    let heads: String =
        hosts.iter().map(|host| format!("<th>opened by <span class=\"who {host}\">{host}</span></th>")).collect();
    format!(
        "<p>Each host opened a part of the fields and sealed them anew at the same place: another IV, another ciphertext, \
         the same DEK. The others opened that and came to the digest of the original values. The page acts for contoso \
         alone, so it has no part in northwind's.</p>\n\
         <div class=\"wide\"><table><thead><tr><th>resealed by</th>{heads}</tr></thead><tbody>\n{rows}</tbody></table></div>\n"
    )
}

/// The KMS's log, summed up by host: nobody's word but the KMS's own.
pub(super) fn witness(world: &World<'_>) -> String {
    let mut answered = BTreeMap::new();
    let mut refused = BTreeMap::new();
    for step in &world.steps {
        for (kind, count) in witness::count(&step.calls, &world.cmks) {
            let sums = if kind.result == "ok" { &mut answered } else { &mut refused };
            let sum = sums.entry((step.who.as_str(), kind)).or_insert(0_usize);
            *sum = sum.saturating_add(count);
        }
    }
    format!(
        "<p>The local KMS writes a line for every call before it answers. Each step was held against these lines: the \
         caller's org, the operation, the encryption context, the key, the result and the count. A host opens thousands \
         of fields with one call for each org, and with none when it holds the DEKs already.</p>\n\
         <h3>Answered</h3>\n{}<h3>Refused</h3>\n{}",
        calls_of(&answered),
        calls_of(&refused),
    )
}

fn calls_of(sums: &BTreeMap<(&str, Kind), usize>) -> String {
    let mut rows = String::new();
    for ((who, kind), count) in sums {
        let (class, result) =
            if kind.result == "ok" { ("good", "answered") } else { ("refused", kind.result.as_str()) };
        rows.push_str(&format!(
            "<tr><td><span class=\"who {who}\">{who}</span></td><td>{caller}</td><td>{operation}</td><td>{subject}</td>\
             <td>{cmk}</td><td><span class=\"mark {class}\">{result}</span></td><td class=\"number\">{count}</td></tr>\n",
            who = escaped(who),
            caller = escaped(&kind.caller),
            operation = escaped(&kind.operation),
            subject = escaped(&kind.subject()),
            cmk = escaped(&kind.cmk),
            result = escaped(result),
        ));
    }
    format!(
        "<div class=\"wide\"><table><thead><tr><th>process</th><th>caller's org</th><th>operation</th><th>about</th>\
         <th>CMK of</th><th>result</th><th class=\"number\">calls</th></tr></thead><tbody>\n{rows}</tbody></table></div>\n"
    )
}

/// Each refusal beside the call that differs in nothing but its fault.
pub(super) fn refusals(steps: &[Step]) -> String {
    let words = "A refusal proves little if everything is refused. So each had a twin: the same call in the same process \
                 and vault with only the wrong part put right, and that one had to succeed.";
    pairs(words, ["what was tried", "times", "outcome", "its twin"], steps, |step| &step.refusals)
}

/// What had to stand nowhere, beside the place where the same search finds it.
pub(super) fn searches(steps: &[Step]) -> String {
    let words = "All files that a thief could take, and all that the processes said, were searched for every DEK and for \
                 pieces of 500 plaintexts, as bytes, hex, base64 and base64url. That the search can find them is shown \
                 where they are.";
    let heads = ["what was looked for", "needles", "outcome", "the same search elsewhere"];
    pairs(words, heads, steps, |step| &step.searches)
}

fn pairs(words: &str, heads: [&str; 4], steps: &[Step], list: fn(&Step) -> &Vec<Refusal>) -> String {
    let [what, count, outcome, twin] = heads;
    let mut rows = String::new();
    for (step, refusal) in steps.iter().flat_map(|step| list(step).iter().map(move |refusal| (step, refusal))) {
        rows.push_str(&format!(
            "<tr><td><span class=\"who {who}\">{who}</span></td><td>{}</td><td class=\"number\">{}</td><td>{}</td><td>{}</td></tr>\n",
            escaped(&refusal.what),
            grouped(refusal.tried),
            escaped(&refusal.errors),
            escaped(&refusal.twin),
            who = escaped(&step.who),
        ));
    }
    format!(
        "<p>{words}</p>\n<div class=\"wide\"><table><thead><tr><th>process</th><th>{what}</th><th class=\"number\">{count}</th>\
         <th>{outcome}</th><th>{twin}</th></tr></thead><tbody>\n{rows}</tbody></table></div>\n"
    )
}

/// What was sealed.
pub(super) fn data(world: &World<'_>) -> String {
    let Some(corpus) = &world.corpus else { return "<p>There was none.</p>\n".to_owned() };
    let number = |count: usize| grouped(u64::try_from(count).unwrap_or(u64::MAX));
    let mut rows = String::new();
    for (table, [records, fields, bytes]) in corpus.tables() {
        rows.push_str(&format!(
            "<tr><td>{table}</td><td class=\"number\">{}</td><td class=\"number\">{}</td><td class=\"number\">{}</td></tr>\n",
            number(records),
            number(fields),
            number(bytes),
        ));
    }
    format!(
        "<p>Passwords, PEM keys, OAuth, bearer and header blobs, camera credentials, markdown runbooks, conversations, \
         empty strings and binary. The secrets come from a seeded generator; the texts are {} documentation texts and \
         licences of this machine's toolchains and messages in {} other languages.</p>\n\
         <div class=\"wide\"><table><thead><tr><th>table</th><th class=\"number\">records</th><th class=\"number\">fields</th>\
         <th class=\"number\">bytes</th></tr></thead><tbody>\n{rows}</tbody></table></div>\n",
        corpus.texts, corpus.languages,
    )
}

/// A bar for each step.
pub(super) fn times(steps: &[Step]) -> String {
    let longest = steps.iter().map(|step| step.time.as_secs_f64()).fold(0.01, f64::max);
    let mut bars = String::from("<div class=\"bars\">\n");
    for step in steps {
        let width = step.time.as_secs_f64() / longest * 100.0;
        bars.push_str(&format!(
            "<span class=\"who {who}\">{who}</span><span>{title}</span><span class=\"bar\"><i style=\"width:{width:.1}%\"></i></span>\
             <span class=\"number\">{time}</span>\n",
            who = escaped(&step.who),
            title = escaped(&step.title),
            time = seconds(step.time),
        ));
    }
    bars.push_str("</div>\n");
    bars
}

/// Versions, as the programs themselves say them.
pub(super) fn machine(world: &World<'_>) -> String {
    let ctx = world.ctx;
    let programs = [
        ("Strongroom", output(ctx.cmd(ctx.bin("strongroom")).arg("--version"))),
        ("Rust", output(ctx.cmd("rustc").arg("--version"))),
        ("Node", output(ctx.cmd("node").arg("--version"))),
        ("Go", output(ctx.cmd("go").arg("version"))),
        ("Browser", output(ctx.cmd("sh").args(["-c", r#""$CHROME" --version"#]))),
    ];
    let mut list = String::from("<dl>");
    for (name, version) in programs {
        let version = version.unwrap_or_else(|_| "does not say".to_owned());
        list.push_str(&format!("<dt>{name}</dt><dd>{}</dd>", escaped(version.trim())));
    }
    let endpoint = world.kms.as_ref().map_or("none", |kms| kms.endpoint.as_str());
    list.push_str(&format!(
        "<dt>danger_endpoint</dt><dd>{} in every process: the local KMS on loopback, without TLS</dd>",
        escaped(endpoint)
    ));
    list.push_str("</dl>\n");
    list
}
