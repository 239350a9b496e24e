//! The tools that a machine must already have, and what to do about one that is missing.

use anyhow::{Result, bail};

use crate::util::{Ctx, output};

struct Prerequisite {
    name: &'static str,
    /// Asks the tool for its version.
    command: &'static [&'static str],
    /// The least version that will do; empty where any does.
    least: &'static [u32],
    remedy: &'static str,
}

const ALL: &[Prerequisite] = &[
    Prerequisite {
        name: "rustup",
        command: &["rustup", "--version"],
        least: &[],
        remedy: "install Rust by rustup, which adds the targets that are built here",
    },
    Prerequisite {
        name: "Rust",
        command: &["rustc", "--version"],
        least: &[1, 90],
        remedy: "run `rustup update stable`",
    },
    Prerequisite { name: "git", command: &["git", "--version"], least: &[], remedy: "install git" },
    Prerequisite {
        name: "a C compiler",
        command: &["cc", "--version"],
        least: &[],
        remedy: "install one (`apt-get install build-essential`)",
    },
    Prerequisite { name: "Node", command: &["node", "--version"], least: &[20], remedy: "install Node 20 or later" },
    Prerequisite { name: "npm", command: &["npm", "--version"], least: &[9], remedy: "install npm 9 or later" },
    Prerequisite { name: "Go", command: &["go", "version"], least: &[1, 26], remedy: "install Go 1.26 or later" },
    Prerequisite {
        name: "Python",
        command: &["python3", "--version"],
        least: &[3, 10],
        remedy: "install Python 3.10 or later",
    },
    Prerequisite {
        name: "Python's venv",
        command: &["python3", "-c", "import ensurepip, venv; print('1')"],
        least: &[],
        remedy: "install it (`apt-get install python3-venv`)",
    },
];

/// Looks for every tool and names all that are missing or too old at once.
///
/// # Errors
/// One line a tool: what is wrong, and the remedy.
pub(crate) fn check(ctx: &Ctx) -> Result<()> {
    let mut faults = Vec::new();
    for tool in ALL {
        let Some((program, args)) = tool.command.split_first() else {
            continue;
        };
        let answer = output(ctx.cmd(program).args(args)).ok();
        if let Some(fault) = fault(tool, answer.as_deref()) {
            faults.push(fault);
        }
    }
    if faults.is_empty() { Ok(()) } else { bail!("{}", faults.join("\n")) }
}

fn fault(tool: &Prerequisite, answer: Option<&str>) -> Option<String> {
    let Some(answer) = answer else {
        return Some(format!("{} is missing: {}", tool.name, tool.remedy));
    };
    let found = version(answer);
    (found.as_slice() < tool.least).then(|| {
        let least: Vec<String> = tool.least.iter().map(u32::to_string).collect();
        format!("{} is older than {}: {}", tool.name, least.join("."), tool.remedy)
    })
}

/// The first dotted number in what a tool says about itself.
fn version(answer: &str) -> Vec<u32> {
    let from = answer.find(|c: char| c.is_ascii_digit()).unwrap_or(answer.len());
    let digits = answer.get(from..).unwrap_or_default();
    let to = digits.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(digits.len());
    let digits = digits.get(..to).unwrap_or_default();
    digits.split('.').filter_map(|part| part.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GO: Prerequisite =
        Prerequisite { name: "Go", command: &["go"], least: &[1, 26], remedy: "install Go 1.26 or later" };

    #[test]
    fn a_missing_tool_is_named_with_its_remedy() {
        assert_eq!(fault(&GO, None).as_deref(), Some("Go is missing: install Go 1.26 or later"));
    }

    #[test]
    fn an_old_tool_is_named_with_the_least_version() {
        let answer = fault(&GO, Some("go version go1.19.8 linux/amd64"));
        assert_eq!(answer.as_deref(), Some("Go is older than 1.26: install Go 1.26 or later"));
    }

    #[test]
    fn a_tool_that_says_no_version_is_too_old() {
        assert!(fault(&GO, Some("go version devel")).is_some());
    }

    #[test]
    fn a_tool_of_the_least_version_or_later_will_do() {
        assert_eq!(fault(&GO, Some("go version go1.26.8 linux/amd64")), None);
        assert_eq!(fault(&GO, Some("go version go2.0 linux/amd64")), None);
        assert_eq!(fault(&GO, Some("go version go1.26 linux/amd64")), None);
    }

    #[test]
    fn a_tool_of_which_any_version_will_do_only_has_to_answer() {
        let any = Prerequisite { least: &[], ..GO };
        assert_eq!(fault(&any, Some("yes")), None);
        assert!(fault(&any, None).is_some());
    }
}
