//! What every chore needs: where things lie, how a command is run, how time is told.

use std::{
    collections::hash_map::DefaultHasher,
    ffi::OsStr,
    fmt::Display,
    fs,
    hash::{Hash as _, Hasher as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

/// Where things lie, and what was found on this machine.
#[derive(Debug)]
pub(crate) struct Ctx {
    /// The project's folder.
    pub(crate) root: PathBuf,
    /// Everything built or installed goes below this folder of the project.
    pub(crate) target: PathBuf,
    browser: OnceLock<PathBuf>,
}

impl Ctx {
    /// Finds the project: this crate lies directly in it.
    ///
    /// # Errors
    /// If the project has been moved away since xtask was built.
    pub(crate) fn new() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask lies in no folder")?.to_path_buf();
        if !root.join("Cargo.toml").is_file() {
            bail!("the project is no longer in {}: run `cargo xtask` from it", root.display());
        }
        let target = root.join("target");
        Ok(Self { root, target, browser: OnceLock::new() })
    }

    /// A path of the project.
    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    /// A command that starts in the project's folder and knows what set-up found.
    pub(crate) fn cmd(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root);
        command.env("STRONGROOM_CLI", self.bin("strongroom"));
        command.env("STRONGROOM_PYTHON", self.venv("python"));
        command.env("MOTO_SERVER", self.venv("moto_server"));
        command.env("STRONGROOM_NODE20", self.node("node20"));
        command.env("STRONGROOM_NODE24", self.node("node24"));
        command.env("STRONGROOM_FLEET", self.fleet());
        // The Go that set-up has checked, and no download of another.
        command.env("GOTOOLCHAIN", "local");
        if let Some(browser) = self.browser.get() {
            command.env("CHROME", browser);
        }
        command
    }

    /// The cargo that runs this xtask, with its lock file held to.
    pub(crate) fn cargo(&self, verb: &str) -> Command {
        let mut command = self.cmd(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.arg(verb).arg("--locked");
        command
    }

    /// A program in the Python environment of our own.
    pub(crate) fn venv(&self, program: &str) -> PathBuf {
        self.target.join("venv/bin").join(program)
    }

    /// A program among the npm development tools.
    pub(crate) fn tool(&self, program: &str) -> PathBuf {
        self.path("xtask/tools/node_modules/.bin").join(program)
    }

    /// A Node of a version of its own, for the tests of packages.
    pub(crate) fn node(&self, version: &str) -> PathBuf {
        self.path("xtask/tools/node_modules").join(version).join("bin/node")
    }

    /// A program of the project's own that is built for chores and tests.
    pub(crate) fn bin(&self, program: &str) -> PathBuf {
        self.target.join("bin").join(program)
    }

    /// How the workers of the fleet's tests start.
    pub(crate) fn fleet(&self) -> PathBuf {
        self.target.join("fleet.json")
    }

    /// Where cargo puts what it builds without further wishes.
    pub(crate) fn cargo_target(&self) -> PathBuf {
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| self.target.clone(), |dir| self.root.join(dir))
    }

    /// Remembers the browser for every later command.
    pub(crate) fn set_browser(&self, browser: PathBuf) {
        // A second set-up in one process finds the same browser again.
        let _ = self.browser.set(browser);
    }
}

/// Prints one line of progress at once, also when the output is a file.
pub(crate) fn say(line: impl Display) {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    // A reader that has gone away is no reason to stop a build.
    let _ = writeln!(out, "{line}");
    let _ = out.flush();
}

/// Runs a command with its output shown.
///
/// # Errors
/// If it can't be started or ends with anything but success.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status =
        command.stdin(Stdio::null()).status().with_context(|| format!("can't start `{}`", line_of(command)))?;
    if !status.success() {
        bail!("`{}` failed: {status}", line_of(command));
    }
    Ok(())
}

/// Runs a command and returns its standard output; shows its output only if it fails.
///
/// # Errors
/// If it can't be started or ends with anything but success.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let out = command.stdin(Stdio::null()).output().with_context(|| format!("can't start `{}`", line_of(command)))?;
    let stdout = String::from_utf8_lossy(&out.stdout).into_owned();
    if !out.status.success() {
        let stderr = String::from_utf8_lossy(&out.stderr);
        bail!("`{}` failed: {}\n{}{}", line_of(command), out.status, tail(&stdout), tail(&stderr));
    }
    Ok(stdout)
}

/// Runs something that downloads up to three times.
///
/// # Errors
/// The last attempt's error.
pub(crate) fn retry<T>(what: &str, mut attempt: impl FnMut() -> Result<T>) -> Result<T> {
    for pause in [5, 20] {
        match attempt() {
            Ok(value) => return Ok(value),
            Err(error) => say(format_args!("  {what}: {error:#}; trying again in {pause} s")),
        }
        thread::sleep(Duration::from_secs(pause));
    }
    attempt()
}

/// Runs one step and says how long it took.
///
/// # Errors
/// The step's own.
pub(crate) fn timed<T>(name: &str, step: impl FnOnce() -> Result<T>) -> Result<T> {
    let start = Instant::now();
    let result = step().with_context(|| name.to_owned());
    let word = if result.is_ok() { "done" } else { "FAILED" };
    say(format_args!("-- {name}: {word} in {}", seconds(start.elapsed())));
    result
}

/// A duration as people say it.
pub(crate) fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

/// Makes `product` unless it is there and its inputs, told by `key`, are those of the last time.
///
/// # Errors
/// The step's own, or the stamp file can't be written.
pub(crate) fn once(ctx: &Ctx, product: &Path, key: &str, step: impl FnOnce() -> Result<()>) -> Result<()> {
    let name = product.strip_prefix(&ctx.root).unwrap_or(product).display().to_string();
    let stamp = ctx.target.join("xtask").join(name.replace('/', "-"));
    if product.exists() && fs::read_to_string(&stamp).is_ok_and(|last| last == key) {
        return Ok(());
    }
    step()?;
    write(&stamp, key.as_bytes())
}

/// A digest of files and of everything in folders, as a key for [`once`].
///
/// # Errors
/// If one can't be read.
pub(crate) fn digest(paths: &[PathBuf]) -> Result<String> {
    let mut hasher = DefaultHasher::new();
    for path in paths {
        let files = if path.is_dir() { files_below(path)? } else { vec![path.clone()] };
        for file in files {
            file.hash(&mut hasher);
            fs::read(&file).with_context(|| format!("can't read {}", file.display()))?.hash(&mut hasher);
        }
    }
    Ok(format!("{:016x}", hasher.finish()))
}

/// Copies a file, making the folder it goes to; the old one stays whole until the new one is.
///
/// # Errors
/// If either can't be done.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<()> {
    let bytes = fs::read(from).with_context(|| format!("can't read {}", from.display()))?;
    write(to, &bytes)?;
    let mode = fs::metadata(from)?.permissions();
    fs::set_permissions(to, mode).with_context(|| format!("can't set the mode of {}", to.display()))
}

/// Writes a file by rename, making the folder it goes to.
///
/// # Errors
/// If either can't be done.
pub(crate) fn write(to: &Path, bytes: &[u8]) -> Result<()> {
    let name = to.file_name().with_context(|| format!("{} names no file", to.display()))?;
    let dir = to.parent().with_context(|| format!("{} lies in no folder", to.display()))?;
    fs::create_dir_all(dir).with_context(|| format!("can't make {}", dir.display()))?;
    let mut part = name.to_owned();
    part.push(".part");
    let part = dir.join(part);
    fs::write(&part, bytes).with_context(|| format!("can't write {}", part.display()))?;
    fs::rename(&part, to).with_context(|| format!("can't rename {}", part.display()))
}

/// Every file below a folder of the source, but those that were built or installed.
///
/// # Errors
/// If a folder can't be read.
pub(crate) fn files_below(dir: &Path) -> Result<Vec<PathBuf>> {
    walk(dir, &NOT_WRITTEN)
}

/// Every file below a folder.
///
/// # Errors
/// If a folder can't be read.
pub(crate) fn files_in(dir: &Path) -> Result<Vec<PathBuf>> {
    walk(dir, &[])
}

fn walk(dir: &Path, without: &[&str]) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![dir.to_path_buf()];
    while let Some(dir) = folders.pop() {
        for entry in fs::read_dir(&dir).with_context(|| format!("can't read {}", dir.display()))? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() && !without.iter().any(|name| entry.file_name() == *name) {
                folders.push(entry.path());
            } else if kind.is_file() {
                files.push(entry.path());
            }
        }
    }
    files.sort();
    Ok(files)
}

fn line_of(command: &Command) -> String {
    let mut line = command.get_program().to_string_lossy().into_owned();
    for arg in command.get_args() {
        line.push(' ');
        line.push_str(&arg.to_string_lossy());
    }
    line
}

fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let from = lines.len().saturating_sub(60);
    lines.iter().skip(from).flat_map(|line| [line, "\n"]).collect()
}

/// Folders of files that nobody wrote.
const NOT_WRITTEN: [&str; 5] = ["target", "node_modules", ".git", "dist", "vendor"];
