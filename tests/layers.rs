//! The layout of `src/`: its rooms, and what each of them may use.
//!
//! These tests read `src/**/*.rs` as text and look at the paths that begin with `crate`, `self`, `super`
//! or the name of a child module, at the words that the rooms without input and output must not have,
//! and at the conditions in `cfg`. A path is followed through `use` to the file that has the thing.
//!
//! What they cannot see:
//! - method calls, trait implementations and macros, which need no path to another file;
//! - which names a glob brings in: `use super::*` counts as a use of the parent's file and no other;
//! - that a module within a file is one: its `super` is taken for the file's;
//! - code that is compiled for tests only, which is passed over except for its `cfg` conditions;
//! - whether a `cfg` holds: every other file counts, on every platform and with every feature;
//! - files outside `src/`.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test fails by a panic"
)]

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::path::Path;

/// Each room, and the rooms that it may use. `lib.rs` may use all of them.
const ROOMS: [(&str, &[&str]); 9] = [
    ("model", &[]),
    ("wire", &["model"]),
    ("centrifuge", &["model"]),
    ("machine", &["model"]),
    ("platform", &["model"]),
    ("ledger", &["model", "platform"]),
    (
        "tracker",
        &[
            "ledger",
            "platform",
            "machine",
            "centrifuge",
            "wire",
            "model",
        ],
    ),
    (
        "game",
        &["tracker", "platform", "ledger", "machine", "model"],
    ),
    ("emulator", &["model"]),
];

/// The rooms that know neither an app, nor a runtime, nor a clock.
const PURE: [&str; 4] = ["model", "wire", "centrifuge", "machine"];

/// Where the sources of a platform are chosen.
const PLATFORM_FILES: [&str; 2] = ["platform/mod.rs", "ledger/mod.rs"];

#[test]
fn the_rooms_of_the_crate_use_only_what_they_may() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut breaches = misplaced(&entries(&src));
    let mut sources = Vec::new();
    read_all(&src, "", &mut sources);
    breaches.extend(Crate::read(sources).breaches());
    assert!(breaches.is_empty(), "\n{}", breaches.join("\n"));
}

fn entries(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name().into_string();
    let mut names: Vec<String> = entries.map(|entry| name(entry).unwrap()).collect();
    names.sort();
    names
}

/// The sources in a folder, by their paths within `src`.
fn read_all(folder: &Path, within: &str, sources: &mut Vec<(String, String)>) {
    for name in entries(folder) {
        let path = folder.join(&name);
        let name = format!("{within}{name}");
        if path.is_dir() {
            read_all(&path, &format!("{name}/"), sources);
        } else if name.ends_with(".rs") {
            sources.push((name, fs::read_to_string(path).unwrap()));
        }
    }
}

/// What is in `src` besides `lib.rs` and the rooms, and which rooms are not.
fn misplaced(entries: &[String]) -> Vec<String> {
    let rooms = || ROOMS.iter().map(|(room, _)| *room);
    let is_known = |name: &&String| *name == "lib.rs" || rooms().any(|room| room == *name);
    let loose = entries.iter().filter(|name| !is_known(name));
    let missing = rooms().filter(|room| !entries.iter().any(|name| name == room));
    loose
        .map(|name| format!("src/{name}: it is neither lib.rs nor a room"))
        .chain(missing.map(|room| format!("src/{room}: there is no such room")))
        .collect()
}

/// A word, a string with its quotes, `::`, or any other character.
struct Token {
    text: String,
    line: usize,
}

impl Token {
    fn is_word(&self) -> bool {
        self.text
            .starts_with(|c: char| c == '_' || c.is_alphabetic())
    }
}

/// A source without its comments, lifetimes, literal characters and raw strings.
fn tokens(source: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let (mut rest, mut line) = (source, 1);
    while let Some(first) = rest.chars().next() {
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if let Some(length) = raw_string_length(rest) {
            length
        } else if first == '\'' {
            quote_length(rest)
        } else {
            let length = token_length(rest, first);
            if !first.is_whitespace() {
                let text = rest[..length].to_owned();
                tokens.push(Token { text, line });
            }
            length
        };
        line += rest[..length].matches('\n').count();
        rest = &rest[length..];
    }
    tokens
}

fn token_length(rest: &str, first: char) -> usize {
    let is_in_word = |c: char| c == '_' || c.is_alphanumeric();
    if is_in_word(first) {
        rest.find(|c| !is_in_word(c)).unwrap_or(rest.len())
    } else if first == '"' {
        let mut is_escaped = false;
        let end = rest[1..].find(|c| {
            let is_end = c == '"' && !is_escaped;
            is_escaped = c == '\\' && !is_escaped;
            is_end
        });
        end.map_or(rest.len(), |end| end + 2)
    } else if rest.starts_with("::") {
        2
    } else {
        first.len_utf8()
    }
}

fn raw_string_length(rest: &str) -> Option<usize> {
    let prefix = ["r", "br", "cr"]
        .into_iter()
        .find(|p| rest.starts_with(p))?;
    let quoted = rest[prefix.len()..].trim_start_matches('#');
    let hashes = rest.len() - prefix.len() - quoted.len();
    let text = quoted.strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let before = rest.len() - text.len();
    Some(
        text.find(&end)
            .map_or(rest.len(), |at| before + at + end.len()),
    )
}

/// A literal character, or the quote of a lifetime and its name.
fn quote_length(rest: &str) -> usize {
    let mut chars = rest.char_indices().skip(1);
    match (chars.next(), chars.next()) {
        // The end may not be the character that is escaped.
        (Some((_, '\\')), Some((at, c))) => {
            let from = at + c.len_utf8();
            rest[from..]
                .find('\'')
                .map_or(rest.len(), |end| from + end + 1)
        }
        (Some(_), Some((at, '\''))) => at + 1,
        _ => 1 + token_length(&rest[1..], rest[1..].chars().next().unwrap_or(' ')),
    }
}

/// The index after the group that opens at this index.
fn after_group(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0;
    for (i, token) in tokens.iter().enumerate().skip(open) {
        match token.text.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return i + 1;
        }
    }
    tokens.len()
}

fn is_at(tokens: &[Token], i: usize, words: &[&str]) -> bool {
    let there = tokens.get(i..i + words.len());
    there.is_some_and(|there| there.iter().map(|token| &token.text).eq(words))
}

/// Takes out what is compiled for tests only; gives the names of the modules among it that are files.
fn take_out_tests(tokens: &mut Vec<Token>) -> Vec<String> {
    let mut files = Vec::new();
    let mut i = 0;
    while i < tokens.len() {
        let is_test = is_at(tokens, i, &["#", "[", "cfg", "(", "test", ")"])
            || is_at(tokens, i, &["#", "[", "cfg", "(", "all", "(", "test", ","]);
        if !is_test {
            i += 1;
            continue;
        }
        let mut end = i;
        while is_at(tokens, end, &["#"]) {
            end = after_group(tokens, end + 1);
        }
        // At its beginning an item may have its visibility.
        let begins_with = |word| (end..end + 5).find(|&i| is_at(tokens, i, &[word]));
        let is_use = begins_with("use").is_some();
        if let Some(keyword) = begins_with("mod")
            && is_at(tokens, keyword + 2, &[";"])
        {
            files.push(tokens[keyword + 1].text.clone());
        }
        // An item ends with a semicolon, or with its body.
        while let Some(token) = tokens.get(end)
            && token.text != ";"
        {
            let is_body = token.text == "{" && !is_use;
            end = match token.text.as_str() {
                "(" | "[" | "{" => after_group(tokens, end),
                _ => end + 1,
            };
            if is_body {
                end -= 1;
                break;
            }
        }
        tokens.drain(i..(end + 1).min(tokens.len()));
    }
    files
}

/// A path that stands in a source.
struct Reference {
    /// The module that it stands in, from the root.
    module: Vec<String>,
    path: Vec<String>,
    line: usize,
    /// The name that a `use` gives to the thing; `*` for everything that is there.
    name: Option<String>,
    /// Whether it is a `pub use`.
    is_public: bool,
}

/// Every `use`, and every other path of at least two names.
fn references(module: &[String], tokens: &[Token]) -> Vec<Reference> {
    let mut references = Vec::new();
    let reference = |path: Vec<String>, line| Reference {
        module: module.to_vec(),
        path,
        line,
        name: None,
        is_public: false,
    };
    let mut i = 0;
    while let Some(token) = tokens.get(i) {
        i += 1;
        // Not `use<'a>`, which is no import.
        if token.text == "use" && !is_at(tokens, i, &["<"]) {
            let is_public = is_public(tokens, i - 1);
            imports(tokens, &mut i, &[], &mut |path, name, line| {
                references.push(Reference {
                    name: Some(name),
                    is_public,
                    ..reference(path, line)
                });
            });
            continue;
        }
        // Attributes name functions in strings.
        let names = token.text.trim_matches('"').split("::");
        let mut path: Vec<String> = names.map(str::to_owned).collect();
        while let [colons, name, ..] = &tokens[i..]
            && colons.text == "::"
            && name.is_word()
        {
            path.push(name.text.clone());
            i += 2;
        }
        if path.len() > 1 && token.text != "::" {
            references.push(reference(path, token.line));
        }
    }
    references
}

fn is_public(tokens: &[Token], keyword: usize) -> bool {
    let before = tokens[..keyword]
        .iter()
        .rev()
        .map(|token| token.text.as_str());
    let mut before = before.skip_while(|text| *text != "pub" && !["}", ";", "]"].contains(text));
    before.next() == Some("pub")
}

/// Reads what a `use` names, up to its end or to the comma after it.
fn imports(
    tokens: &[Token],
    i: &mut usize,
    prefix: &[String],
    found: &mut impl FnMut(Vec<String>, String, usize),
) {
    let mut path = prefix.to_vec();
    while let Some(token) = tokens.get(*i) {
        *i += 1;
        match token.text.as_str() {
            "::" => {}
            "{" => {
                while tokens.get(*i).is_some_and(|token| token.text != "}") {
                    imports(tokens, i, &path, found);
                    if is_at(tokens, *i, &[","]) {
                        *i += 1;
                    }
                }
                *i += 1;
                return;
            }
            name => {
                if name != "*" && (name != "self" || prefix.is_empty()) {
                    path.push(name.to_owned());
                }
                if is_at(tokens, *i, &["::"]) {
                    continue;
                }
                let mut name = if name == "*" {
                    name
                } else {
                    path.last().map_or("", |name| name)
                };
                if is_at(tokens, *i, &["as"]) {
                    name = tokens.get(*i + 1).map_or("", |token| &token.text);
                    *i += 2;
                }
                let (name, line) = (name.to_owned(), token.line);
                found(path, name, line);
                return;
            }
        }
    }
}

/// A file, without what is compiled for tests only.
struct File {
    /// Within `src`.
    path: String,
    room: String,
    tokens: Vec<Token>,
    references: Vec<Reference>,
}

struct Crate {
    /// By the path of the module.
    files: BTreeMap<Vec<String>, File>,
    /// Conditions that name a platform where none may.
    misplaced_conditions: Vec<String>,
}

impl Crate {
    fn read(sources: Vec<(String, String)>) -> Self {
        let mut files = BTreeMap::new();
        let mut misplaced_conditions = Vec::new();
        let mut tests: Vec<Vec<String>> = Vec::new();
        for (path, source) in sources {
            let mut tokens = tokens(&source);
            let lines = platform_conditions(&tokens);
            if !PLATFORM_FILES.contains(&path.as_str()) {
                misplaced_conditions.extend(lines.iter().map(|line| {
                    format!(
                        "src/{path}:{line}: a condition on the platform belongs in platform/mod.rs or ledger/mod.rs"
                    )
                }));
            }
            let module = module(&path);
            for name in take_out_tests(&mut tokens) {
                tests.push([&module[..], &[name]].concat());
            }
            let references = references(&module, &tokens);
            let room = module.first().cloned().unwrap_or_default();
            let file = File {
                path,
                room,
                tokens,
                references,
            };
            files.insert(module, file);
        }
        let is_test = |module: &Vec<String>| {
            module.iter().any(|name| name == "tests")
                || tests.iter().any(|tests| module.starts_with(tests))
        };
        files.retain(|module, _| !is_test(module));
        Self {
            files,
            misplaced_conditions,
        }
    }

    fn breaches(&self) -> Vec<String> {
        let mut breaches = self.misplaced_conditions.clone();
        for (module, file) in &self.files {
            breaches.extend(self.breaches_of_rooms(file));
            if PURE.contains(&file.room.as_str()) {
                breaches.extend(impurities(file));
            }
            breaches.extend(self.circle(module));
        }
        breaches
    }

    /// Uses of rooms that this file's room may not use or not pass on.
    fn breaches_of_rooms(&self, file: &File) -> BTreeSet<String> {
        let mut breaches = BTreeSet::new();
        let rules = ROOMS.iter().find(|(room, _)| *room == file.room);
        let Some((room, may_use)) = rules else {
            return breaches;
        };
        for reference in &file.references {
            for used in self.files_of(reference).map(|module| &self.files[&module]) {
                if used.room == *room {
                    continue;
                }
                let at = format!("src/{}:{}", file.path, reference.line);
                if !may_use.contains(&used.room.as_str()) {
                    breaches.insert(format!("{at}: {room} must not use src/{}", used.path));
                }
                if reference.is_public {
                    breaches.insert(format!("{at}: {room} must not pass on src/{}", used.path));
                }
            }
        }
        breaches
    }

    /// The shortest circle of files that begins at this one, if it is the circle's first.
    fn circle(&self, first: &Vec<String>) -> Option<String> {
        let mut ways = BTreeMap::from([(first.clone(), format!("src/{}", self.files[first].path))]);
        let mut next = VecDeque::from([first.clone()]);
        while let Some(module) = next.pop_front() {
            for reference in &self.files[&module].references {
                for used in self.files_of(reference) {
                    let way = format!("{}:{}", ways[&module], reference.line);
                    if used == *first && module != *first {
                        return Some(format!("{way} -> src/{}: a circle", self.files[first].path));
                    }
                    // A circle with an earlier file is told of there.
                    if used > *first && !ways.contains_key(&used) {
                        let way = format!("{way} -> src/{}", self.files[&used].path);
                        ways.insert(used.clone(), way);
                        next.push_back(used);
                    }
                }
            }
        }
        None
    }

    /// The modules of the files that a path leads to.
    fn files_of(&self, reference: &Reference) -> impl Iterator<Item = Vec<String>> {
        let mut files = BTreeSet::new();
        if let Some(path) = self.absolute(reference) {
            self.follow(&path, 0, &mut files);
        }
        files.into_iter()
    }

    /// The path from the crate's root; `None` where it leads to another crate, or begins with a type.
    fn absolute(&self, reference: &Reference) -> Option<Vec<String>> {
        let mut module = reference.module.clone();
        let mut path = &reference.path[..];
        match path[0].as_str() {
            "crate" => module.clear(),
            "self" | "super" => {}
            child => {
                module.push(child.to_owned());
                self.files.keys().find(|file| file.starts_with(&module))?;
            }
        }
        if ["crate", "self"].contains(&path[0].as_str()) || module.len() > reference.module.len() {
            path = &path[1..];
        }
        while path.first().is_some_and(|name| name == "super") {
            module.pop()?;
            path = &path[1..];
        }
        module.extend_from_slice(path);
        Some(module)
    }

    /// Walks down the modules, and through the imports of the last one.
    fn follow(&self, path: &[String], depth: usize, files: &mut BTreeSet<Vec<String>>) {
        let is_file = |length: &usize| self.files.contains_key(&path[..*length]);
        let Some(length) = (0..=path.len()).rev().find(is_file) else {
            return;
        };
        let (module, rest) = path.split_at(length);
        let imports = self.files[module].references.iter().filter(|reference| {
            reference.name.is_some() && reference.name.as_ref() == rest.first()
        });
        let targets: Vec<_> = imports.filter_map(|import| self.absolute(import)).collect();
        if targets.is_empty() {
            files.insert(module.to_vec());
        }
        // A prelude passes on what is passed on beside it, under the same name.
        for target in targets.iter().filter(|_| depth < 8) {
            self.follow(&[&target[..], &rest[1..]].concat(), depth + 1, files);
        }
    }
}

/// The module of a source: `a/b.rs` and `a/b/mod.rs` are `a::b`.
fn module(path: &str) -> Vec<String> {
    let path = path.trim_end_matches(".rs");
    let mut names: Vec<String> = path.split('/').map(str::to_owned).collect();
    if names.last().is_some_and(|name| name == "mod") || names == ["lib"] {
        names.pop();
    }
    names
}

/// What a room without input and output must not have.
fn impurities(file: &File) -> Vec<String> {
    let mut found = Vec::new();
    let mut add = |line: usize, what: &str| {
        let File { path, room, .. } = file;
        found.push(format!("src/{path}:{line}: {room} must not have {what}"));
    };
    for (i, token) in file.tokens.iter().enumerate() {
        match token.text.as_str() {
            word @ ("World" | "App" | "Commands" | "tokio") => add(token.line, word),
            word @ ("Res" | "ResMut") if is_at(&file.tokens, i + 1, &["<"]) => {
                add(token.line, word)
            }
            _ => {}
        }
    }
    for reference in &file.references {
        let path: Vec<&str> = reference.path.iter().map(String::as_str).collect();
        match path[..] {
            ["std" | "core", "thread" | "fs" | "net", ..]
            | [.., "Instant" | "SystemTime", "now"] => add(reference.line, &path.join("::")),
            _ => {}
        }
    }
    found
}

/// The lines of the conditions that name a platform.
fn platform_conditions(tokens: &[Token]) -> Vec<usize> {
    let names_one = |token: &Token| {
        token.text.starts_with("target_")
            || token.text.contains("wasm")
            || ["unix", "windows"].contains(&token.text.as_str())
    };
    let is_condition = |i: &usize| {
        let is_cfg = ["cfg", "cfg_attr"].contains(&tokens[*i].text.as_str());
        let open = i + 1 + usize::from(is_at(tokens, i + 1, &["!"]));
        is_cfg
            && is_at(tokens, open, &["("])
            && tokens[open..after_group(tokens, open)]
                .iter()
                .any(names_one)
    };
    let conditions = (0..tokens.len()).filter(is_condition);
    conditions.map(|i| tokens[i].line).collect()
}

/// What is said of sources that are made up.
#[track_caller]
fn check(sources: &[(&str, &str)], expected: &[&str]) {
    let sources = sources
        .iter()
        .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()));
    assert_eq!(Crate::read(sources.collect()).breaches(), expected);
}

const ORDER: (&str, &str) = ("model/order.rs", "pub struct Order;");

#[test]
fn a_room_may_use_what_is_below_it_and_nothing_else() {
    let wire = ("wire/order.rs", "use crate::model::order::Order;");
    check(&[ORDER, wire], &[]);
    let machine = ("machine/mod.rs", "\nfn f() { crate::wire::order::read() }");
    check(
        &[ORDER, wire, machine],
        &["src/machine/mod.rs:2: machine must not use src/wire/order.rs"],
    );
    let up = (
        "model/state.rs",
        "use crate::{\n    model::order::Order,\n    machine,\n};",
    );
    check(
        &[ORDER, ("machine/mod.rs", ""), up],
        &["src/model/state.rs:3: model must not use src/machine/mod.rs"],
    );
    let all = (
        "lib.rs",
        "mod wire; mod model; pub use wire::order::Wire; pub use model::order::Order;",
    );
    check(&[ORDER, wire, all], &[]);
}

#[test]
fn a_path_is_followed_to_the_file_that_has_the_thing() {
    let lib = ("lib.rs", "pub use model::order::Order;");
    let emulator = ("emulator/mod.rs", "use crate::Order;");
    check(&[lib, ORDER, emulator], &[]);
    let emulator = ("emulator/mod.rs", "use crate::Machine;");
    let lib = (
        "lib.rs",
        "use machine::Machine as Core;\nuse machine::Machine;",
    );
    check(
        &[lib, ("machine/mod.rs", ""), emulator],
        &["src/emulator/mod.rs:1: emulator must not use src/machine/mod.rs"],
    );
    let platform = (
        "platform/mod.rs",
        "mod native; pub(crate) use native::{clock, http as requests};",
    );
    let clock = ("platform/native/clock.rs", "");
    let http = (
        "platform/native/http.rs",
        "use crate::platform::clock::Clock;",
    );
    let game = ("game/mod.rs", "fn f() { crate::platform::requests::get() }");
    check(
        &[platform, ("platform/native/mod.rs", ""), clock, http, game],
        &[],
    );
    let attribute = (
        "model/order.rs",
        "#[serde(with = \"crate::wire::read\")] struct Order;",
    );
    check(
        &[attribute, ("wire/mod.rs", "")],
        &["src/model/order.rs:1: model must not use src/wire/mod.rs"],
    );
}

#[test]
fn files_must_not_form_a_circle() {
    let two = ("model/b.rs", "\nuse super::a::A;");
    check(
        &[("model/a.rs", "fn f(b: crate::model::b::B) {}"), two],
        &["src/model/a.rs:1 -> src/model/b.rs:2 -> src/model/a.rs: a circle"],
    );
    // A child that takes a thing from its parent, which uses the child.
    check(
        &[
            (
                "wire/mod.rs",
                "mod child; struct Thing; fn f() { child::run() }",
            ),
            ("wire/child.rs", "use super::Thing;"),
        ],
        &["src/wire/mod.rs:1 -> src/wire/child.rs:1 -> src/wire/mod.rs: a circle"],
    );
    // The parent only declares and passes on: the thing is in another file.
    check(
        &[
            (
                "wire/mod.rs",
                "mod child; mod thing; use self::thing::Thing;",
            ),
            (
                "wire/child.rs",
                "use super::Thing; use super::thing::Other;",
            ),
            ("wire/thing.rs", ""),
        ],
        &[],
    );
    check(
        &[
            ("wire/mod.rs", "mod a; use a::A;"),
            ("wire/a.rs", "use super::*;"),
        ],
        &["src/wire/mod.rs:1 -> src/wire/a.rs:1 -> src/wire/mod.rs: a circle"],
    );
}

#[test]
fn the_rooms_without_io_have_no_app_no_runtime_and_no_clock() {
    for (text, what) in [
        ("fn f(world: &World) {}", "World"),
        ("use bevy::app::App;", "App"),
        ("fn f(c: Commands) {}", "Commands"),
        ("fn f(orders: Res<Orders>) {}", "Res"),
        ("fn f(orders: ResMut<Orders>) {}", "ResMut"),
        ("async fn f() { tokio::time::sleep(T).await }", "tokio"),
        ("use std::{fmt, thread};", "std::thread"),
        ("fn f() { std::fs::read(P) }", "std::fs::read"),
        ("use std::net::Ipv4Addr;", "std::net::Ipv4Addr"),
        ("fn f() { Instant::now() }", "Instant::now"),
        (
            "fn f() { std::time::SystemTime::now() }",
            "std::time::SystemTime::now",
        ),
    ] {
        for room in PURE {
            let path = format!("{room}/a.rs");
            let breach = format!("src/{path}:2: {room} must not have {what}");
            check(&[(&path, &format!("\n{text}"))], &[&breach]);
        }
        check(&[("game/a.rs", text)], &[]);
    }
    let fine = "// World, tokio\n/* App std::fs */ struct Res; fn f<'App>(c: Command) -> char {
        let text = \"World \\\" Commands\"; let raw = r#\"Instant::now \" tokio\"#; ('\\'', '\"').0
    }
    #[cfg(test)]
    use std::thread;
    #[cfg(all(test, unix))]
    #[allow(unused)]
    mod tests { use super::*; fn f() { Instant::now() } }";
    check(&[("model/a.rs", &fine.replace(", unix", ", feature"))], &[]);
}

#[test]
fn tests_may_use_anything() {
    check(
        &[
            (
                "machine/mod.rs",
                "#[cfg(test)] pub(crate) mod cases; mod tests; fn f() {}",
            ),
            (
                "machine/cases.rs",
                "use crate::game::Game; fn f() { std::thread::sleep(T) }",
            ),
            (
                "machine/tests/a.rs",
                "use crate::game::Game; use super::super::*;",
            ),
            ("game/mod.rs", "use crate::machine::f;"),
        ],
        &[],
    );
    check(
        &[(
            "machine/mod.rs",
            "#[cfg(test)]\nfn f() { tokio() }\nfn g() { tokio() }",
        )],
        &["src/machine/mod.rs:3: machine must not have tokio"],
    );
}

#[test]
fn a_room_passes_nothing_on_that_is_another_rooms() {
    let wire = (
        "wire/mod.rs",
        "pub(crate) mod order;\npub(crate) use crate::model::order::Order;",
    );
    check(
        &[ORDER, wire],
        &["src/wire/mod.rs:2: wire must not pass on src/model/order.rs"],
    );
    check(&[ORDER, ("model/mod.rs", "pub use order::Order;")], &[]);
    check(&[ORDER, ("lib.rs", "pub use model::order::Order;")], &[]);
}

#[test]
fn the_platform_is_chosen_in_two_files() {
    let conditions =
        "\n#[cfg(target_arch = \"wasm32\")]\nmod web;\nfn f() -> bool { cfg!(windows) }
        #[cfg_attr(not(target_os = \"linux\"), ignore)]\n#[cfg(feature = \"emulator\")]\nfn g() {}";
    check(&[("platform/mod.rs", conditions)], &[]);
    check(&[("ledger/mod.rs", conditions)], &[]);
    check(
        &[("game/wake.rs", conditions)],
        &[2, 4, 5].map(|line| {
            format!("src/game/wake.rs:{line}: a condition on the platform belongs in platform/mod.rs or ledger/mod.rs")
        }).each_ref().map(String::as_str),
    );
}

#[test]
fn src_holds_lib_rs_and_the_rooms() {
    let mut entries: Vec<String> = ROOMS.map(|(room, _)| room.to_owned()).into();
    entries.push("lib.rs".to_owned());
    assert_eq!(misplaced(&entries), [""; 0]);
    entries.remove(0);
    entries.push("util.rs".to_owned());
    assert_eq!(
        misplaced(&entries),
        [
            "src/util.rs: it is neither lib.rs nor a room",
            "src/model: there is no such room",
        ]
    );
}
