//! The layout of `src/`: its rooms, and what each of them may use.
//!
//! A path counts as a use of the file that it leads to, and is followed through the imports on its way. Tests are
//! passed over, except for their `cfg` conditions. What is not seen:
//! - method calls, trait implementations and macros, which need no path to another file;
//! - which names a glob brings in: `use super::*` counts as a use of the parent's file and no other;
//! - which files `#[path]` and `include!` bring in;
//! - whether a `cfg` holds: every file counts, on every platform and with every feature.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by a panic"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use proc_macro2::{TokenStream, TokenTree};

/// Each room, and the rooms that it may use. `lib.rs` may use all of them.
const ROOMS: [(&str, &str); 9] = [
    ("model", ""),
    ("wire", "model"),
    ("centrifuge", "model"),
    ("machine", "model"),
    ("platform", "model"),
    ("ledger", "model platform"),
    ("tracker", "model wire centrifuge machine platform ledger"),
    ("game", "model machine platform ledger tracker"),
    ("emulator", "model"),
];

/// The rooms that know neither an app, nor a runtime, nor a clock.
const PURE: [&str; 4] = ["model", "wire", "centrifuge", "machine"];

/// What the pure rooms must not name, nor any path with `now`.
const IMPURE: [&str; 11] = [
    "App", "Commands", "Instant", "Res", "ResMut", "World", "elapsed", "fs", "net", "thread",
    "tokio",
];

/// Where the sources of a platform are chosen, and in `lib.rs` the attribute of unit tests.
const PLATFORM_FILES: [&str; 3] = ["platform/mod.rs", "ledger/mod.rs", "lib.rs"];

#[test]
fn the_rooms_of_the_crate_use_only_what_they_may() {
    let mut sources = Sources::default();
    sources.read_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), "");
    let breaches = sources.breaches();
    assert!(breaches.is_empty(), "{breaches:#?}");
}

/// A module, by its names from the crate's root, and the file that it stands in.
#[derive(Clone)]
struct Place {
    module: Vec<String>,
    file: String,
}

impl Place {
    fn room(&self) -> &str {
        self.file.split('/').next().unwrap()
    }

    /// The rooms that its room may use.
    fn below(&self) -> Option<&'static str> {
        let room = ROOMS.iter().find(|(room, _)| *room == self.room());
        room.map(|(_, below)| *below)
    }
}

/// A path that stands in a source.
struct Use {
    place: Place,
    line: usize,
    path: Vec<String>,
    is_public: bool,
}

#[derive(Default)]
struct Sources {
    files: BTreeMap<Vec<String>, Place>,
    uses: Vec<Use>,
    /// The indices of the uses that a `use` gives a name, by the module and that name.
    imports: BTreeMap<Vec<String>, Vec<usize>>,
    breaches: BTreeSet<String>,
}

impl Sources {
    fn read_folder(&mut self, folder: &Path, within: &str) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let file = format!("{within}{}", path.file_name().unwrap().to_str().unwrap());
            if path.is_dir() {
                self.read_folder(&path, &format!("{file}/"));
            } else {
                self.read(&file, &fs::read(path).unwrap());
            }
        }
    }

    fn read(&mut self, file: &str, source: &[u8]) {
        let names = file.trim_end_matches(".rs").split('/');
        // `a/b.rs` and `a/b/mod.rs` are `a::b`.
        let names = names.filter(|name| !["lib", "mod"].contains(name));
        let (module, file) = (names.map(str::to_owned).collect(), file.to_owned());
        let place = Place { module, file };
        if place.file != "lib.rs" && place.below().is_none() {
            self.report(&place, 1, "it is neither lib.rs nor in a room");
        }
        if place.file.ends_with(".rs") {
            let tokens = str::from_utf8(source).unwrap().parse().unwrap();
            self.walk(&place, tokens, None, &[]);
            self.files.insert(place.module.clone(), place);
        }
    }

    fn report(&mut self, place: &Place, line: usize, breach: &str) {
        let breach = format!("src/{}:{line}: {breach}", place.file);
        self.breaches.insert(breach);
    }

    /// Finds the paths among tokens, and checks what needs no other file. Within the braces of a `use`, `import`
    /// says whether it is public, and `prefix` is the path before them.
    fn walk(&mut self, at: &Place, tokens: TokenStream, import: Option<bool>, prefix: &[String]) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let text = |i: usize| tokens.get(i).map(ToString::to_string).unwrap_or_default();
        let is_word = |i: usize| matches!(tokens.get(i), Some(TokenTree::Ident(_)));
        let goes_on = |i: usize| text(i + 1) == ":" && text(i + 2) == ":";
        let is_test = at.module.iter().any(|name| name == "tests");
        let (mut import, mut i) = (import, 0);
        while let Some(token) = tokens.get(i) {
            let before = |n| i.checked_sub(n).map(text).unwrap_or_default();
            let line = token.span().start().line;
            let mut path = Vec::new();
            match token {
                // `pub(in path)` says who may use something, and uses nothing.
                TokenTree::Group(_) if before(1) == "pub" => {}
                TokenTree::Group(group) => {
                    let mut place = at.clone();
                    if before(2) == "mod" {
                        place.module.push(before(1));
                    }
                    self.walk(&place, group.stream(), None, &[]);
                }
                // Attributes name functions in strings.
                TokenTree::Literal(_) => {
                    let names = text(i);
                    path.extend(names.trim_matches('"').split("::").map(str::to_owned));
                }
                TokenTree::Punct(_) if text(i) == ";" => import = None,
                TokenTree::Punct(_) if text(i) == "*" => path.extend_from_slice(prefix),
                TokenTree::Punct(_) => {}
                TokenTree::Ident(word) if word == "use" && text(i + 1) != "<" => {
                    import = Some(before(1) == "pub" || before(2) == "pub");
                }
                TokenTree::Ident(word) => {
                    if word == "tests" && before(1) == "mod" && !before(2).ends_with("(test)]") {
                        self.report(at, line, "tests must be behind #[cfg(test)]");
                    }
                    if word.to_string().starts_with("cfg") {
                        self.check_condition(at, line, &(text(i + 1) + &text(i + 2)));
                    }
                    path.extend_from_slice(prefix);
                    path.push(text(i));
                    while goes_on(i) && is_word(i + 3) {
                        i += 3;
                        path.push(text(i));
                    }
                    if PURE.contains(&at.room()) && !is_test {
                        self.check_purity(at, line, &path);
                    }
                    let braces = tokens.get(i + 3).filter(|_| import.is_some() && goes_on(i));
                    if let Some(TokenTree::Group(group)) = braces {
                        self.walk(at, group.stream(), import, &path);
                        path.clear();
                        i += 3;
                    }
                }
            }
            i += 1;
            if is_test || path.is_empty() || path.len() == 1 && import.is_none() {
                continue;
            }
            if import.is_some() {
                let mut name = path.iter().rfind(|name| *name != "self").cloned();
                if text(i) == "as" {
                    name = Some(text(i + 1));
                    i += 2;
                }
                let name = at.module.iter().cloned().chain(name).collect();
                self.imports.entry(name).or_default().push(self.uses.len());
            }
            self.uses.push(Use {
                place: at.clone(),
                line,
                path,
                is_public: import == Some(true),
            });
        }
    }

    fn check_condition(&mut self, at: &Place, line: usize, condition: &str) {
        let mut platforms = ["target_", "unix", "windows"].iter();
        let is_free = PLATFORM_FILES.contains(&at.file.as_str());
        if !is_free && platforms.any(|name| condition.contains(name)) {
            let files = PLATFORM_FILES.join(", ");
            self.report(at, line, &format!("only {files} may ask for the platform"));
        }
    }

    fn check_purity(&mut self, at: &Place, line: usize, path: &[String]) {
        // `core` has no system: its `net` are addresses.
        if path.first().is_some_and(|name| name == "core") {
            return;
        }
        for name in path {
            if IMPURE.contains(&name.as_str()) || name == "now" && path.len() > 1 {
                self.report(at, line, &format!("a pure room must not have {name}"));
            }
        }
    }

    fn breaches(&self) -> BTreeSet<String> {
        let mut breaches = self.breaches.clone();
        // The first line on which a file uses another.
        let mut edges = Edges::new();
        for each in &self.uses {
            let (file, room, line) = (&each.place.file, each.place.room(), each.line);
            for used in self.follow(each, &[], &mut BTreeSet::new()) {
                if used.file != *file {
                    edges.entry((file, &used.file)).or_insert(line);
                }
                let Some(below) = each.place.below().filter(|_| used.room() != room) else {
                    continue;
                };
                let used_file = &used.file;
                let breach =
                    |verb| format!("src/{file}:{line}: {room} must not {verb} src/{used_file}");
                if !below.split(' ').any(|room| room == used.room()) {
                    breaches.insert(breach("use"));
                }
                if each.is_public {
                    breaches.insert(breach("pass on"));
                }
            }
        }
        for ((file, used), line) in &edges {
            if leads_to(&edges, used, file, &mut BTreeSet::new()) {
                breaches.insert(format!("src/{file}:{line}: a circle through src/{used}"));
            }
        }
        breaches
    }

    /// The files that a path leads to, with the names after it. A path to another crate stays in its own file.
    /// `seen` are the imports on the way: `use log::log` leads to itself.
    fn follow(&self, from: &Use, rest: &[String], seen: &mut BTreeSet<usize>) -> Vec<&Place> {
        let mut full = from.place.module.clone();
        for name in from.path.iter().chain(rest) {
            match name.as_str() {
                "crate" => full.clear(),
                "self" => {}
                "super" => drop(full.pop()),
                _ => full.push(name.clone()),
            }
        }
        let mut lengths = (0..=full.len()).rev();
        let length = lengths.find(|length| self.files.contains_key(&full[..*length]));
        let length = length.unwrap();
        let imports = full.get(..=length).and_then(|name| self.imports.get(name));
        let mut files = Vec::new();
        for import in imports.into_iter().flatten() {
            if seen.insert(*import) {
                files.extend(self.follow(&self.uses[*import], &full[length + 1..], seen));
            }
        }
        if files.is_empty() {
            files.push(&self.files[&full[..length]]);
        }
        files
    }
}

type Edges<'a> = BTreeMap<(&'a str, &'a str), usize>;

fn leads_to<'a>(edges: &Edges<'a>, from: &'a str, to: &str, seen: &mut BTreeSet<&'a str>) -> bool {
    let mut next = edges.keys().filter(|(file, _)| *file == from);
    from == to || seen.insert(from) && next.any(|(_, used)| leads_to(edges, used, to, seen))
}

/// A crate with every kind of breach. `==` begins a file, and `//~` stands before a breach of its line.
const EXAMPLE: &str = r#"
== lib.rs
pub use wire::Event as Renamed;
pub use model::Order;
== model/mod.rs
pub use order::Order;
== model/order.rs
pub(in crate::model) struct Order;
== wire/mod.rs
== emulator/mod.rs
use crate::Order;
use crate::Renamed; //~ emulator must not use src/wire/mod.rs
use crate::Unknown; //~ emulator must not use src/lib.rs
== tracker/mod.rs
use crate::wire::read;
== ledger/mod.rs
use crate::wire::{self}; //~ ledger must not use src/wire/mod.rs
fn f() { wire::read() } //~ ledger must not use src/wire/mod.rs
== game/mod.rs
use crate::wire; //~ game must not use src/wire/mod.rs
use crate::{
    model::{self, Order},
    wire::{*}, //~ game must not use src/wire/mod.rs
    wire as other, //~ game must not use src/wire/mod.rs
};
fn f() -> fn() { crate::wire::read } //~ game must not use src/wire/mod.rs
fn g() { other::read::<T>() } //~ game must not use src/wire/mod.rs
macro_rules! m { () => { $crate::wire::read() } } //~ game must not use src/wire/mod.rs
mod inner { use super::super::wire::read; } //~ game must not use src/wire/mod.rs
#[serde(with = "crate::wire::read")] //~ game must not use src/wire/mod.rs
struct World(Instant);
== wire/pass.rs
use crate::model::Order;
pub use self::Order as Mine; //~ wire must not pass on src/model/order.rs
pub(crate) use crate::model::order; //~ wire must not pass on src/model/order.rs
== model/a.rs
use crate::model::d::D;
fn f(b: crate::model::b::B) {} //~ a circle through src/model/b.rs
fn g(b: crate::model::b::B) {}
== model/b.rs
use super::c::C; //~ a circle through src/model/c.rs
== model/c.rs
use crate::model as m;
fn f(a: m::a::A) {} //~ a circle through src/model/a.rs
== model/d.rs
== model/e.rs
use super::a::A;
== game/parent/mod.rs
use std::fmt; fn child() -> impl Fn() + use<> { run } fn child() {}
fn f() { child::run() } //~ a circle through src/game/parent/child.rs
== game/parent/child.rs
use super::*; //~ a circle through src/game/parent/mod.rs
== platform/mod.rs
#[cfg(target_family = "wasm")]
mod web;
pub(crate) use self::native::{http, time as clock};
== platform/native/http.rs
use crate::platform::{clock::Instant, http};
== platform/native/time.rs
pub(crate) use std::time::Instant;
== model/pure.rs
fn f(world: &World) {} //~ a pure room must not have World
use bevy::{ecs, app::App}; //~ a pure room must not have App
fn f(orders: Res<Orders>) {} //~ a pure room must not have Res
fn f(orders: ResMut<Orders>) {} //~ a pure room must not have ResMut
/// World
fn g(now: SystemTime) -> &str { "Instant::now" }
== wire/pure.rs
async fn f() { tokio::time::sleep(T).await } //~ a pure room must not have tokio
use std::{fmt, thread}; //~ a pure room must not have thread
== centrifuge/pure.rs
fn f() { std::fs::read(P) } //~ a pure room must not have fs
fn g() { std::net::TcpStream::connect(A) } //~ a pure room must not have net
use core::net::IpAddr;
== machine/pure.rs
fn e(mut commands: Commands) {} //~ a pure room must not have Commands
fn f() { SystemTime::now() } //~ a pure room must not have now
fn g() { UNIX_EPOCH.elapsed() } //~ a pure room must not have elapsed
struct Timer { at: Instant } //~ a pure room must not have Instant
#[cfg(test)]
mod tests { use super::*; use crate::game::Game; fn f() { std::thread::sleep(T) } }
== machine/more.rs
mod tests { use crate::game::Game; } //~ tests must be behind #[cfg(test)]
== machine/tests/all.rs
use crate::game::Game;
#[cfg(target_os = "linux")] //~ only platform/mod.rs, ledger/mod.rs, lib.rs may ask for the platform
#[cfg_attr(unix, ignore)] //~ only platform/mod.rs, ledger/mod.rs, lib.rs may ask for the platform
fn f() -> bool { cfg!(windows) } //~ only platform/mod.rs, ledger/mod.rs, lib.rs may ask for the platform
#[cfg(feature = "emulator")]
fn g() {}
== util.rs
//~ it is neither lib.rs nor in a room
== util/notes.txt
//~ it is neither lib.rs nor in a room
"#;

#[test]
fn each_breach_is_told_with_its_file_and_line() {
    let (mut sources, mut expected) = (Sources::default(), BTreeSet::new());
    for file in EXAMPLE.split("\n== ").skip(1) {
        let (file, source) = file.split_once('\n').unwrap_or((file, ""));
        sources.read(file, source.as_bytes());
        for (line, text) in (1..).zip(source.lines()) {
            let breaches = text.split("//~ ").skip(1);
            expected.extend(breaches.map(|breach| format!("src/{file}:{line}: {breach}")));
        }
    }
    let breaches = sources.breaches();
    let wrong: Vec<_> = breaches.symmetric_difference(&expected).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}
