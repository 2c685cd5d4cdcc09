//! A browser, moved by a script of Node: a JSON command a line, and for each a JSON answer a line.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::process::{Process, json_lines};

/// Browsers start slowly on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The program, or what is missing.
pub fn chromium() -> Result<PathBuf, &'static str> {
    program("CHROMIUM_BIN", &["chromium", "chromium-browser"]).ok_or("there is no Chromium")
}

/// The program that a variable names, or the first of these names on the path.
pub fn program(variable: &str, names: &[&str]) -> Option<PathBuf> {
    let named = std::env::var_os(variable).filter(|name| !name.is_empty());
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut found = std::env::split_paths(&path)
        .flat_map(|folder| names.iter().map(move |name| folder.join(name)));
    named
        .map(PathBuf::from)
        .or_else(|| found.find(|file| file.is_file()))
}

/// A script of `tests/interop/npm` that needs this package of Node's, or what is missing.
pub fn script(name: &str, package: &str) -> Result<PathBuf, &'static str> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/npm");
    if !folder.join("node_modules").join(package).is_dir() {
        return Err("the browser's Node packages are not installed");
    }
    let node = Command::new("node").arg("--version").output();
    if node.is_err() {
        return Err("there is no Node");
    }
    Ok(folder.join(name))
}

/// A running script. It ends with the test.
pub struct Script {
    process: Process,
    input: Option<ChildStdin>,
    answers: Receiver<Value>,
}

impl Script {
    pub fn start(path: &Path) -> Self {
        let mut command = Command::new("node");
        command.arg(path);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = Process::start(&mut command);
        Self {
            answers: json_lines(process.stdout.take().unwrap()),
            input: process.stdin.take(),
            process,
        }
    }

    #[track_caller]
    pub fn command(&mut self, command: Value) -> Value {
        writeln!(self.input.as_mut().unwrap(), "{command}").unwrap();
        match self.answers.recv_timeout(PATIENCE) {
            Ok(answer) if answer.get("value").is_some() => answer["value"].clone(),
            Ok(answer) => panic!("{answer}"),
            Err(error) => panic!("no answer to {command}: {error}"),
        }
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        // The end of its input is its sign to close the browser.
        drop(self.input.take());
        let deadline = Instant::now() + Duration::from_secs(10);
        while matches!(self.process.try_wait(), Ok(None)) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}
