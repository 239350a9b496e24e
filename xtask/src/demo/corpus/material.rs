//! Real texts that lie on every machine that passed set-up: the documentation and the
//! licences of the toolchains, and messages in a dozen languages.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::util::{Ctx, files_in, output};

/// Texts, each cut into passages of a few lines.
#[derive(Debug, Default)]
pub(super) struct Material {
    pub(super) english: Vec<Text>,
    /// In other languages and scripts, a text a language.
    pub(super) foreign: Vec<Text>,
}

/// One text.
#[derive(Debug)]
pub(super) struct Text {
    pub(super) title: String,
    pub(super) passages: Vec<String>,
}

impl Text {
    /// Cuts prose at its empty lines; passages that are too short to say something are left out.
    fn of_prose(title: &str, prose: &str) -> Self {
        let prose = prose.replace("\r\n", "\n");
        let passages = prose.split("\n\n").map(str::trim).filter(|part| part.chars().count() >= SHORTEST);
        let passages = passages.map(|part| part.chars().take(LONGEST).collect()).collect();
        Self { title: title.to_owned(), passages }
    }
}

/// Gathers what there is.
///
/// # Errors
/// Where too little is found; the message says where it was looked for.
pub(super) fn gather(ctx: &Ctx) -> Result<Material> {
    let mut material = Material::default();
    rust(ctx, &mut material)?;
    go(ctx, &mut material)?;
    python(ctx, &mut material)?;
    project(ctx, &mut material)?;
    languages(ctx, &mut material)?;
    for texts in [&mut material.english, &mut material.foreign] {
        texts.retain(|text| text.passages.len() >= FEWEST_PASSAGES);
    }
    judge(&material)?;
    Ok(material)
}

fn judge(material: &Material) -> Result<()> {
    let passages: usize = material.english.iter().map(|text| text.passages.len()).sum();
    let languages = material.foreign.len();
    if passages < FEWEST_ENGLISH || languages < FEWEST_LANGUAGES {
        bail!(
            "too little text for the demo: {passages} passages of documentation (at least {FEWEST_ENGLISH} are needed) \
             and {languages} languages (at least {FEWEST_LANGUAGES}) were found in the documentation of rustc, in \
             GOROOT, in Python's pydoc and in the TypeScript package below xtask/tools/node_modules; \
             `cargo xtask setup` installs the last"
        );
    }
    Ok(())
}

/// Licences and front pages of the Rust toolchain.
fn rust(ctx: &Ctx, material: &mut Material) -> Result<()> {
    let sysroot = output(ctx.cmd("rustc").args(["--print", "sysroot"]))?;
    let docs = Path::new(sysroot.trim()).join("share/doc");
    let is_text = |path: &PathBuf| {
        // The book as HTML is there only with the full profile, and is no prose as it stands.
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        !path.components().any(|part| part.as_os_str() == "html")
            && (name.ends_with(".md") || name.ends_with(".txt") || name.starts_with("LICENSE"))
    };
    if docs.is_dir() {
        add(material, "Rust", files_in(&docs)?.into_iter().filter(is_text));
    }
    Ok(())
}

/// The package documentation of Go's standard library.
fn go(ctx: &Ctx, material: &mut Material) -> Result<()> {
    let root = PathBuf::from(output(ctx.cmd("go").args(["env", "GOROOT"]))?.trim());
    let sources = root.join("src");
    if sources.is_dir() {
        let is_doc = |path: &PathBuf| path.file_name().is_some_and(|name| name == "doc.go");
        for path in files_in(&sources)?.into_iter().filter(is_doc) {
            let name =
                path.parent().and_then(|dir| dir.strip_prefix(&sources).ok()).map(|dir| dir.display().to_string());
            let title = format!("Go package {}", name.unwrap_or_default());
            material.english.push(Text::of_prose(&title, &comment(&readable(&path).unwrap_or_default())));
        }
    }
    let names = ["README.md", "CONTRIBUTING.md", "SECURITY.md", "LICENSE", "PATENTS"];
    add(material, "Go", names.iter().map(|name| root.join(name)).filter(|path| path.is_file()));
    Ok(())
}

/// Python's language reference, as `help()` shows it.
fn python(ctx: &Ctx, material: &mut Material) -> Result<()> {
    let script = "import json; from pydoc_data.topics import topics; print(json.dumps(topics))";
    let topics = output(ctx.cmd(ctx.venv("python")).args(["-c", script]))?;
    let topics: BTreeMap<String, String> = serde_json::from_str(&topics).context("Python's topics are no texts")?;
    material.english.extend(topics.iter().map(|(name, text)| Text::of_prose(&format!("Python {name}"), text)));
    Ok(())
}

/// The project's own pages.
fn project(ctx: &Ctx, material: &mut Material) -> Result<()> {
    let mut pages: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(&ctx.root)? {
        pages.push(entry?.path());
    }
    let docs = ctx.path("docs");
    if docs.is_dir() {
        pages.extend(files_in(&docs)?);
    }
    pages.sort();
    let is_page = |path: &PathBuf| path.extension().is_some_and(|end| end == "md") && path.is_file();
    add(material, "Strongroom", pages.into_iter().filter(is_page));
    Ok(())
}

/// The TypeScript compiler's messages in every language that it speaks: a text a language.
fn languages(ctx: &Ctx, material: &mut Material) -> Result<()> {
    let root = ctx.path("xtask/tools/node_modules");
    let packages = ["typescript", "@arethetypeswrong/core/node_modules/typescript"];
    let folders = packages.iter().map(|package| root.join(package).join("lib"));
    let Some(lib) = folders.into_iter().find(|lib| lib.join("ja/diagnosticMessages.generated.json").is_file()) else {
        return Ok(());
    };
    let mut names: Vec<String> = Vec::new();
    for entry in fs::read_dir(&lib)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    for name in names {
        let file = lib.join(&name).join("diagnosticMessages.generated.json");
        if file.is_file() {
            let messages: BTreeMap<String, Value> = serde_json::from_str(&readable(&file)?)?;
            material.foreign.push(messages_of(&name, messages.values().filter_map(Value::as_str)));
        }
    }
    Ok(())
}

/// Joins single sentences to passages.
fn messages_of<'a>(language: &str, messages: impl Iterator<Item = &'a str>) -> Text {
    let sentences: Vec<&str> = messages.filter(|message| message.chars().count() >= 24).collect();
    let passages = sentences.chunks(4).map(|chunk| chunk.join(" ")).collect();
    Text { title: format!("messages ({language})"), passages }
}

fn add(material: &mut Material, origin: &str, files: impl Iterator<Item = PathBuf>) {
    for path in files {
        // What is no UTF-8 is no text for this purpose.
        if let Ok(text) = readable(&path) {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            material.english.push(Text::of_prose(&format!("{origin}: {name}"), &text));
        }
    }
}

fn readable(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("can't read {}", path.display()))
}

/// The prose of a Go file: what stands in its comments.
fn comment(source: &str) -> String {
    let mut prose = String::new();
    let mut block = false;
    for line in source.lines() {
        if line.starts_with("/*") {
            block = true;
        } else if line.starts_with("*/") {
            block = false;
        } else if block {
            prose.push_str(line);
            prose.push('\n');
        } else if let Some(rest) = line.strip_prefix("//") {
            prose.push_str(rest.strip_prefix(' ').unwrap_or(rest));
            prose.push('\n');
        }
    }
    prose
}

const SHORTEST: usize = 40;
const LONGEST: usize = 1_800;
const FEWEST_PASSAGES: usize = 4;
const FEWEST_ENGLISH: usize = 500;
const FEWEST_LANGUAGES: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prose_is_cut_at_empty_lines_and_scraps_are_left_out() {
        let long = "A sentence that is long enough to be worth sealing.";
        let text = Text::of_prose("t", &format!("{long}\r\n\r\nscrap\n\n{long}\n"));
        assert_eq!(text.passages, [long, long]);
    }

    #[test]
    fn both_kinds_of_go_comment_are_prose_and_code_is_not() {
        assert_eq!(comment("// one\npackage p\n/*\ntwo\n*/\nfunc f() {}\n"), "one\ntwo\n");
    }

    #[test]
    fn too_little_text_is_an_error_that_says_where_it_was_looked_for() {
        let error = judge(&Material::default()).map_err(|error| error.to_string());
        assert!(error.is_err_and(|text| text.contains("0 languages") && text.contains("GOROOT")));
    }
}
