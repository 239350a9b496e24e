//! All set-up and all chores: `cargo xtask help` lists them.

mod build;
mod check;
mod demo;
mod jobs;
mod setup;
mod shims;
mod test;
mod util;

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::util::{Ctx, say};

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let name = args.next().unwrap_or_else(|| "help".to_owned());
    let rest: Vec<String> = args.collect();
    match dispatch(&name, &rest) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask {name}: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// A chore: its name, its arguments, what it does, and how.
struct Chore {
    name: &'static str,
    args: &'static str,
    about: &'static str,
    run: fn(&Ctx, &[String]) -> Result<()>,
}

const CHORES: &[Chore] = &[
    Chore { name: "help", args: "", about: "list the chores", run: help },
    Chore {
        name: "setup",
        args: "",
        about: "check the prerequisites and install what is missing; says what it installs",
        run: |ctx, args| plain(args).and_then(|()| setup::everything(ctx)),
    },
    Chore {
        name: "build",
        args: "[PART]",
        about: "build all, or one of: released hazmat cli tools, {node c wasm}[-hazmat]",
        run: |ctx, args| {
            setup::for_checks(ctx)?;
            match args {
                [] => build::released(ctx).and_then(|()| build::hazmat(ctx)),
                [part] => build::part(ctx, part),
                _ => bail!("one part at a time"),
            }
        },
    },
    Chore {
        name: "header",
        args: "",
        about: "write the C headers anew from the Rust code",
        run: |ctx, args| plain(args).and_then(|()| build::c::headers(ctx)),
    },
    Chore {
        name: "shims",
        args: "",
        about: "build each host's shim; writes target/shims.json and target/shims-release.json",
        run: |ctx, args| {
            plain(args)?;
            setup::everything(ctx)?;
            shims::build(ctx)
        },
    },
    Chore {
        name: "check",
        args: "[--only WORD]",
        about: "formatting, lints, generated files and limits; one line each",
        run: |ctx, args| check::run(ctx, only(args)?),
    },
    Chore {
        name: "test",
        args: "[--only STAGE]",
        about: "set up, build, and run every test of every host",
        run: |ctx, args| test::run(ctx, only(args)?),
    },
    Chore {
        name: "demo",
        args: "[--built]",
        about: "set up, build, and show it all at work; leaves target/demo/report.html",
        run: demo::run,
    },
    Chore {
        name: "dist",
        args: "",
        about: "pack what is released into target/dist",
        run: |ctx, args| plain(args).and_then(|()| jobs::dist::pack(ctx)),
    },
    Chore {
        name: "wasm-pack",
        args: "",
        about: "build the browser's package by wasm-pack and test it; leaves a report",
        run: |ctx, args| plain(args).and_then(|()| jobs::wasm_pack::build_and_test(ctx)),
    },
    Chore {
        name: "bench",
        args: "threads",
        about: "show that two threads do more in one vault than one; leaves a report",
        run: |ctx, args| match args {
            [name] if name == "threads" => jobs::bench::threads(ctx),
            _ => bail!("the only benchmark is `threads`"),
        },
    },
    Chore {
        name: "size",
        args: "",
        about: "measure the browser's first entry; fails above its limit",
        run: |ctx, args| {
            plain(args)?;
            setup::for_checks(ctx)?;
            build::part(ctx, "wasm")?;
            util::run(ctx.cmd("node").arg("bindings-wasm/scripts/size.mjs"))
        },
    },
    Chore {
        name: "tsan",
        args: "",
        about: "run the core's thread tests under ThreadSanitizer; leaves a report",
        run: |ctx, args| plain(args).and_then(|()| jobs::tsan::run_tests(ctx)),
    },
];

fn dispatch(name: &str, args: &[String]) -> Result<()> {
    let name = if matches!(name, "-h" | "--help") { "help" } else { name };
    let Some(chore) = CHORES.iter().find(|chore| chore.name == name) else {
        bail!("no such chore; `cargo xtask help` lists them");
    };
    (chore.run)(&Ctx::new()?, args)
}

fn help(_: &Ctx, args: &[String]) -> Result<()> {
    plain(args)?;
    say("cargo xtask <chore>\n");
    for chore in CHORES {
        let head = format!("{} {}", chore.name, chore.args);
        say(format_args!("  {head:<28} {}", chore.about));
    }
    Ok(())
}

/// For chores of which a part can be asked for.
fn only(args: &[String]) -> Result<Option<&str>> {
    match args {
        [] => Ok(None),
        [option, word] if option == "--only" => Ok(Some(word)),
        _ => bail!("the only option is `--only NAME`"),
    }
}

/// For chores that take no argument.
fn plain(args: &[String]) -> Result<()> {
    match args.first() {
        Some(arg) => bail!("unexpected argument {arg:?}"),
        None => Ok(()),
    }
}
