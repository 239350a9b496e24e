//! `strongroom kms policy` and `strongroom kms check-policy`.

use std::{fs, path::PathBuf, process::ExitCode};

use clap::Args;
use serde_json::{Value, json};

use super::{
    check::{self, Report, Scope},
    document::Policy,
    template::template,
};

/// Options of `strongroom kms policy`.
#[derive(Args)]
pub(crate) struct TemplateOptions {
    /// The account of the keys, 12 digits
    #[arg(long, default_value = "000000000000", value_parser = account)]
    account: String,
    /// ARN of a principal that may manage every key, and use none
    #[arg(long, value_name = "ARN", value_parser = arn)]
    admin: Option<String>,
}

/// Options of `strongroom kms check-policy`.
#[derive(Args)]
pub(crate) struct CheckOptions {
    /// The policy, as JSON
    file: PathBuf,
    /// The account of the keys, 12 digits
    #[arg(long, default_value = "000000000000", value_parser = account)]
    account: String,
    /// ARN of a principal that may manage the key; may be repeated
    #[arg(long = "admin", value_name = "ARN", value_parser = arn)]
    admins: Vec<String>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Prints the template.
pub(crate) fn print_template(options: &TemplateOptions) -> ExitCode {
    println!("{}", template(&options.account, options.admin.as_deref()));
    ExitCode::SUCCESS
}

/// Says what a policy lets through. Exit code 1 if it is more than the rules, 2 if it is none.
pub(crate) fn check(options: &CheckOptions) -> ExitCode {
    let text = match fs::read_to_string(&options.file) {
        Ok(text) => text,
        Err(error) => return refuse(&error.to_string()),
    };
    let policy = match Policy::parse(&text) {
        Ok(policy) => policy,
        Err(error) => return refuse(&format!("MalformedPolicyDocumentException: {}", error.0)),
    };
    let scope = Scope { account: &options.account, admins: &options.admins };
    let report = check::check(&policy, &scope);
    if options.json {
        println!("{}", as_json(&report));
    } else {
        print(&report);
    }
    if report.findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn refuse(why: &str) -> ExitCode {
    eprintln!("strongroom kms check-policy: {why}");
    ExitCode::from(2)
}

fn as_json(report: &Report) -> Value {
    let findings: Vec<Value> = report
        .findings
        .iter()
        .map(|(statement, finding)| json!({ "statement": statement, "finding": finding }))
        .collect();
    json!({
        "weakened": !report.findings.is_empty(), "findings": findings, "allows": report.allows,
        "refusedThoughNeeded": report.refused, "probes": report.probes,
    })
}

fn print(report: &Report) {
    for (statement, actions) in &report.allows {
        let actions: Vec<&str> = actions.iter().map(String::as_str).collect();
        println!("{statement}: allows, within the rules, {}", actions.join(", "));
    }
    for (statement, finding) in &report.findings {
        println!("WEAK  {statement}: {finding}");
    }
    for action in &report.refused {
        println!("note  {action} is refused to some caller whom the rules allow it");
    }
    let verdict = if report.findings.is_empty() { "nothing gets through" } else { "weakened" };
    println!("{} requests tried: {verdict}", report.probes);
}

fn account(text: &str) -> Result<String, String> {
    let good = text.len() == 12 && text.chars().all(|c| c.is_ascii_digit());
    good.then(|| text.to_owned()).ok_or_else(|| "an account has 12 digits".to_owned())
}

fn arn(text: &str) -> Result<String, String> {
    let good = text.starts_with("arn:") && text.split(':').count() >= 6 && !text.contains(['*', '?', '"']);
    good.then(|| text.to_owned()).ok_or_else(|| "an ARN without wildcards".to_owned())
}
