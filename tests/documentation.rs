//! Whether what the README, the guide and `docs/` name is there: features, chapters, files, tests.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on is to stop"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The repository's folder. The package for Bevy 0.20 has links to its files.
fn root() -> PathBuf {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = fs::canonicalize(readme).unwrap();
    readme.parent().unwrap().to_owned()
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The files below a folder that end so, as paths from the root.
fn files(folder: &str, end: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root().join(folder)).unwrap() {
        let entry = entry.unwrap();
        let path = format!("{folder}/{}", entry.file_name().to_str().unwrap());
        if entry.path().is_dir() {
            found.extend(files(&path, end));
        } else if path.ends_with(end) {
            found.push(path);
        }
    }
    found
}

/// What is between each `open` and the next `close`.
fn all_between<'a>(text: &'a str, open: &'a str, close: char) -> impl Iterator<Item = &'a str> {
    text.split(open)
        .skip(1)
        .filter_map(move |rest| Some(rest.split_once(close)?.0))
}

#[test]
fn the_readme_fits_on_a_page() {
    let lines = read("README.md").lines().count();
    assert!(lines <= 150, "it has {lines} lines");
}

#[test]
fn the_tables_of_features_are_those_of_the_manifest() {
    let manifest = read("Cargo.toml");
    let (_, features) = manifest.split_once("\n[features]\n").unwrap();
    let features = features.split("\n[").next().unwrap();
    let entries: Vec<(&str, &str)> = features
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once(" = "))
        .collect();
    let default = entries
        .iter()
        .find(|(name, _)| *name == "default")
        .unwrap()
        .1;
    let names = entries.iter().map(|(name, _)| *name);
    let expected: BTreeSet<(String, bool)> = names
        .filter(|name| *name != "default")
        .map(|name| (name.to_owned(), default.contains(&format!("\"{name}\""))))
        .collect();
    for page in ["README.md", "src/game/guide/features.md"] {
        let text = read(page);
        let rows = text.lines().filter_map(|line| {
            let (name, rest) = line.strip_prefix("| `")?.split_once("` | ")?;
            let (on, _) = rest.split_once(" | ")?;
            Some((name.to_owned(), on == "on"))
        });
        assert_eq!(rows.collect::<BTreeSet<_>>(), expected, "{page}");
    }
}

#[test]
fn every_chapter_is_in_the_guide_and_in_its_contents() {
    let (library, contents) = (read("src/lib.rs"), read("src/game/guide/index.md"));
    for path in files("src/game/guide", ".md") {
        let file = path.strip_prefix("src/").unwrap();
        assert!(
            library.contains(&format!("include_str!(\"{file}\")")),
            "{path}"
        );
        let chapter = path.rsplit('/').next().unwrap().trim_end_matches(".md");
        let is_listed = contents.contains(&format!("(crate::guide::{chapter})"));
        assert!(is_listed || chapter == "index", "{path}");
    }
}

#[test]
fn links_to_files_lead_to_files() {
    let address = env!("CARGO_PKG_REPOSITORY");
    let raw = address.replace("//github.com/", "//raw.githubusercontent.com/");
    let mut pages = files("src/game/guide", ".md");
    pages.extend(files("docs", ".md"));
    pages.extend(
        [
            "README.md",
            "CHANGELOG.md",
            "CONTRIBUTING.md",
            "SECURITY.md",
        ]
        .map(String::from),
    );
    let mut looked_at = 0;
    for page in pages {
        let text = read(&page);
        let folder = root().join(&page);
        let folder = folder.parent().unwrap();
        for link in all_between(&text, "](", ')') {
            let link = link.split('#').next().unwrap();
            let file = if let Some(path) = link.strip_prefix(&raw) {
                Some(root().join(path.strip_prefix("/main/").unwrap()))
            } else if let Some(path) = link.strip_prefix(address).filter(|path| !path.is_empty()) {
                let path = path
                    .strip_prefix("/tree/main/")
                    .or(path.strip_prefix("/blob/main/"));
                Some(root().join(path.unwrap()))
            } else if link.contains("://") || link.contains("::") || link == "crate" {
                // A link into a repository that the manifest does not name.
                let is_old = ["tree", "blob", "main"]
                    .iter()
                    .any(|part| link.contains(&format!("/bevy_xsolla/{part}/")));
                assert!(!is_old, "{page}: {link}");
                None
            } else {
                Some(folder.join(link))
            };
            if let Some(file) = file {
                looked_at += 1;
                assert!(file.exists(), "{page}: {link}");
            }
        }
    }
    assert!(looked_at >= 5, "only {looked_at} links were found");
}

#[test]
fn the_tests_that_the_page_on_reliability_names_are_there() {
    let mut sources = files("tests", ".rs");
    let programs: BTreeSet<String> = sources
        .iter()
        .filter_map(|path| path.strip_prefix("tests/")?.strip_suffix(".rs"))
        .map(|program| program.trim_end_matches("/main").to_owned())
        .collect();
    sources.extend(files("src", ".rs"));
    let sources: Vec<String> = sources.iter().map(|path| read(path)).collect();
    let has_test = |name: &str| {
        let function = format!("fn {name}(");
        sources.iter().any(|source| source.contains(&function))
    };
    let page = read("docs/reliability.md");
    let is_sentence = |word: &&str| {
        let mut letters = word.chars();
        letters.all(|c| c.is_ascii_lowercase() || c == '_') && word.matches('_').count() > 2
    };
    let words = page.split('`').skip(1).step_by(2);
    let mut names: BTreeSet<&str> = words.filter(is_sentence).collect();
    for line in page.lines().filter(|line| line.starts_with("| ")) {
        // Programs are named in the last column of those tables that have such a column.
        let last = line.trim_end_matches(" |").rsplit(" | ").next().unwrap();
        if last.starts_with('`') && last.ends_with('`') {
            names.extend(last.split('`').skip(1).step_by(2));
        }
    }
    assert!(names.len() >= 40, "only {} names were found", names.len());
    let is_missing = |name: &&str| !programs.contains(*name) && !has_test(name) && *name != "fuzz/";
    let missing: Vec<&str> = names.into_iter().filter(is_missing).collect();
    assert!(missing.is_empty(), "there are no tests {missing:#?}");
}
