//! The table of stages.

use anyhow::{Result, bail};

use super::{Needs, Stage, crate_package, fleet};
use crate::{
    build::native::SOFT,
    setup::{dynamodb, keyring},
    shims::CIPHERS,
    util::{Ctx, files_below, output, run},
};

pub(super) const STAGES: &[Stage] = &[
    Stage { name: "rust", about: "every crate of the workspace", needs: Needs::Sources, run: rust },
    Stage { name: "rust-soft", about: "the core on its soft AES back end", needs: Needs::Sources, run: rust_soft },
    Stage {
        name: "rust-release",
        about: "the process's memory in a release build",
        needs: Needs::Sources,
        run: |ctx| run(ctx.cargo("test").args(["--release", "--quiet", "-p", "strongroom", "--test", "memory"])),
    },
    Stage {
        name: "crate-package",
        about: "the packed crate, outside the project",
        needs: Needs::Sources,
        run: crate_package::test,
    },
    Stage {
        name: "typescript",
        about: "the source of both JavaScript packages",
        needs: Needs::Builds,
        run: typescript,
    },
    Stage { name: "node", about: "the Node package", needs: Needs::Builds, run: node },
    Stage { name: "wasm", about: "the browser's package, in Node and in Chromium", needs: Needs::Builds, run: wasm },
    Stage { name: "go", about: "the C example and the Go modules", needs: Needs::Builds, run: go },
    Stage {
        name: "go-boring",
        about: "the Go module with its AES-GCM in BoringCrypto",
        needs: Needs::Builds,
        run: go_boring,
    },
    Stage {
        name: "go-kms",
        about: "the Go adapter and loop on the local KMS and on moto",
        needs: Needs::Builds,
        run: go_kms,
    },
    Stage {
        name: "go-stores",
        about: "the SQLite and DynamoDB stores in Go, on a file and on DynamoDB Local",
        needs: Needs::Builds,
        run: go_stores,
    },
    Stage {
        name: "node-stores",
        about: "the SQLite and DynamoDB stores in Node 24, on a file and on DynamoDB Local",
        needs: Needs::Builds,
        run: node_stores,
    },
    Stage {
        name: "keychain",
        about: "the operating system's keychain from Node and Go, on a gnome-keyring",
        needs: Needs::Builds,
        run: keychain,
    },
    Stage {
        name: "vectors",
        about: "the shared vectors in every host",
        needs: Needs::Builds,
        run: |ctx| conformance(ctx, &["vectors"]),
    },
    Stage {
        name: "bits",
        about: "every bit flipped, every truncation, in every host",
        needs: Needs::Builds,
        run: |ctx| conformance(ctx, &["bits"]),
    },
    Stage {
        name: "transplants",
        about: "36 x 36 transplants in every host",
        needs: Needs::Builds,
        run: |ctx| conformance(ctx, &["transplants"]),
    },
    Stage {
        name: "scenarios",
        about: "vaults over time, in every host",
        needs: Needs::Builds,
        run: |ctx| conformance(ctx, &["scenarios"]),
    },
    Stage {
        name: "exchange",
        about: "each host seals, every other opens, on released artefacts",
        needs: Needs::Builds,
        run: |ctx| conformance(ctx, &["exchange", "--messages", "200"]),
    },
    Stage {
        name: "surface",
        about: "what each host exports, against tests/surface.json",
        needs: Needs::Builds,
        run: |ctx| node_tests(ctx, "tests/surface", "."),
    },
    Stage {
        name: "fleet",
        about: "Node and Go on one store: killed at each point, racing, counting seals together",
        needs: Needs::Builds,
        run: fleet::test,
    },
    Stage { name: "cipher", about: "NIST's and Wycheproof's AES-256-GCM cases", needs: Needs::Builds, run: cipher },
    Stage {
        name: "node-package",
        about: "the packed Node package, outside the project",
        needs: Needs::Builds,
        run: |ctx| run(ctx.cmd("node").arg("bindings-node/test/pack.mjs")),
    },
    Stage {
        name: "wasm-package",
        about: "the packed browser's package, outside the project",
        needs: Needs::Builds,
        run: |ctx| run(ctx.cmd("node").arg("bindings-wasm/test/pack.mjs")),
    },
    Stage {
        name: "electron-example",
        about: "the example of an Electron main process",
        needs: Needs::Builds,
        run: |ctx| node_tests(ctx, "examples/electron-main", "test"),
    },
    Stage { name: "preview-example", about: "the example of a page, in Chromium", needs: Needs::Builds, run: preview },
];

fn rust(ctx: &Ctx) -> Result<()> {
    run(ctx.cargo("test").args(["--workspace", "--quiet"]))
}

fn rust_soft(ctx: &Ctx) -> Result<()> {
    let mut cargo = ctx.cargo("test");
    cargo.args(["-p", "strongroom", "--features", "hazmat", "--quiet", "--target-dir"]);
    cargo.arg(ctx.cargo_target().join("soft"));
    run(cargo.env("RUSTFLAGS", SOFT))
}

fn typescript(ctx: &Ctx) -> Result<()> {
    run(ctx.cmd("npm").args(["test", "--silent"]).current_dir(ctx.path("hosts/ts")))
}

fn node(ctx: &Ctx) -> Result<()> {
    node_tests(ctx, "bindings-node", "test")
}

fn wasm(ctx: &Ctx) -> Result<()> {
    node_tests(ctx, "bindings-wasm", "test")
}

fn go(ctx: &Ctx) -> Result<()> {
    run(ctx.cmd("sh").arg("bindings-go/test.sh"))
}

fn go_boring(ctx: &Ctx) -> Result<()> {
    run(ctx.cargo("test").args(["-p", "strongroom", "--features", "external-aead", "--test", "external", "--quiet"]))?;
    for args in [["vet", "-mod=readonly", "."].as_slice(), &["test", "-mod=readonly", "-count=1", "."]] {
        let mut go = ctx.cmd("go");
        go.args(args).current_dir(ctx.path("bindings-go"));
        run(go.env("GOEXPERIMENT", "boringcrypto"))?;
    }
    Ok(())
}

fn go_kms(ctx: &Ctx) -> Result<()> {
    for module in ["bindings-go/awskms", "examples/go-agent"] {
        let args = ["test", "-mod=readonly", "-count=1", "-tags", "kmsit", "./..."];
        run(ctx.cmd("go").args(args).current_dir(ctx.path(module)))?;
    }
    Ok(())
}

fn go_stores(ctx: &Ctx) -> Result<()> {
    let database = dynamodb::start(ctx)?;
    for module in ["sqlitestore", "dynamostore"] {
        let mut go = ctx.cmd("go");
        go.args(["test", "-mod=readonly", "-count=1", "-tags", "dynamoit", "./..."]);
        go.current_dir(ctx.path("bindings-go").join(module));
        run(go.env("STRONGROOM_DYNAMODB", &database.endpoint))?;
    }
    Ok(())
}

fn node_stores(ctx: &Ctx) -> Result<()> {
    let database = dynamodb::start(ctx)?;
    let package = ctx.path("hosts/ts");
    let tsc = ["node_modules/.bin/tsc", "-p", "tsconfig.json", "--outDir", "build"];
    run(ctx.cmd("node").args(tsc).current_dir(&package))?;
    for test in ["sqlite", "dynamo"] {
        // Node 20 has no SQLite.
        let mut node = ctx.cmd(ctx.node("node24"));
        node.args(["--test", "--test-reporter=spec"]).arg(format!("test-stores/{test}.test.mjs"));
        run(node.current_dir(&package).env("STRONGROOM_DYNAMODB", &database.endpoint))?;
    }
    Ok(())
}

fn keychain(ctx: &Ctx) -> Result<()> {
    keyring::installed(ctx)?;
    let on_keyring = || {
        let mut sh = ctx.cmd("sh");
        sh.arg(ctx.path("xtask/tools/keyring.sh"));
        sh
    };
    let module = ctx.path("bindings-go/keychain");
    // Compiled here for the systems that it can't be run on.
    for system in ["windows", "darwin"] {
        let mut vet = ctx.cmd("go");
        vet.args(["vet", "-mod=readonly", "."]).current_dir(&module);
        run(vet.env("GOOS", system).env("CGO_ENABLED", "0"))?;
    }
    let go = ["go", "test", "-mod=readonly", "-count=1", "-tags", "keychainit", "./..."];
    run(on_keyring().args(go).current_dir(&module))?;
    let package = ctx.path("bindings-node");
    let mut tests = files_below(&package.join("test-keychain"))?;
    tests.retain(|file| file.to_string_lossy().ends_with(".test.mjs"));
    let node = ["node", "--test", "--test-concurrency=1", "--test-reporter=spec"];
    for test in tests {
        // One that locks the keyring or kills the daemon harms no other.
        run(on_keyring().args(node).arg(test).current_dir(&package))?;
    }
    Ok(())
}

fn preview(ctx: &Ctx) -> Result<()> {
    output(ctx.cmd("npm").args(["run", "--silent", "build"]).current_dir(ctx.path("examples/browser-preview")))?;
    node_tests(ctx, "examples/browser-preview", "test")
}

fn cipher(ctx: &Ctx) -> Result<()> {
    let find = "import cryptography_vectors as v, os; print(os.path.dirname(v.__file__))";
    let vectors = output(ctx.cmd(ctx.venv("python")).args(["-c", find]))?;
    let folder = format!("{}/ciphers/AES/GCM", vectors.trim());
    conformance(ctx, &["cipher", "--shims", CIPHERS, "--cavp", &folder])
}

fn conformance(ctx: &Ctx, args: &[&str]) -> Result<()> {
    run(ctx.cmd(ctx.bin("conformance")).args(args))
}

/// Every `*.test.mjs` of a package's test folder; Node 20 knows no patterns, so they are listed.
pub(super) fn node_tests(ctx: &Ctx, package: &str, folder: &str) -> Result<()> {
    let package = ctx.path(package);
    let mut tests = files_below(&package.join(folder))?;
    tests.retain(|file| file.to_string_lossy().ends_with(".test.mjs"));
    if tests.is_empty() {
        bail!("{} has no test", package.display());
    }
    let mut node = ctx.cmd("node");
    node.current_dir(&package).args(["--test", "--test-concurrency=2", "--test-reporter=spec"]);
    run(node.args(tests))
}
