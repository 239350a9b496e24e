//! The `strongroom` command: a development KMS on loopback, and a look at envelopes.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod audit;
mod inspect;
mod kms;
mod policy;

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Kms { command } => match command {
            KmsCommand::Serve(options) => kms::serve(&options),
            KmsCommand::Policy(options) => policy::print_template(&options),
            KmsCommand::CheckPolicy(options) => policy::check(&options),
        },
        Command::Audit { command } => audit::run(&command),
        Command::Inspect(options) => inspect::run(&options),
    }
}

/// Seals single fields of a multi-tenant product: tools for developers and operators.
#[derive(Parser)]
#[command(name = "strongroom", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// The local development KMS
    Kms {
        #[command(subcommand)]
        command: KmsCommand,
    },
    /// What a log of KMS calls proves
    Audit {
        #[command(subcommand)]
        command: audit::Command,
    },
    /// Print what an envelope's header says; needs no key and proves nothing
    Inspect(inspect::Options),
}

#[derive(Subcommand)]
enum KmsCommand {
    /// Serve a strict development KMS on loopback; NOT for production
    Serve(kms::Options),
    /// Print the key policy that holds the tenant rules, for AWS and the local KMS alike
    Policy(policy::TemplateOptions),
    /// Say what a key policy lets through; exit code 1 if that is more than the tenant rules
    CheckPolicy(policy::CheckOptions),
}
