//! Tests that need another process.

use std::io::{BufRead, BufReader};
use std::ops::{Deref, DerefMut};
use std::process::{Child, ChildStdout, Command, ExitStatus};
use std::sync::mpsc::{Receiver, channel};

use serde_json::Value;

use super::wait::wait_until;

/// The command that runs the test of this name in a process of its own. `None` in that process.
pub fn own_process(test: &str) -> Option<Command> {
    const CHILD: &str = "BEVY_XSOLLA_TEST_CHILD";
    if std::env::var_os(CHILD).is_some_and(|name| name == test) {
        return None;
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]);
    command.env(CHILD, test);
    Some(command)
}

/// Runs the command to its end, and fails with what it printed where it fails.
#[track_caller]
pub fn run(command: &mut Command) {
    let ended = command.output().unwrap();
    let printed = [ended.stdout, ended.stderr].concat();
    let printed = String::from_utf8_lossy(&printed);
    assert!(ended.status.success(), "{}: {printed}", ended.status);
}

/// A process that is killed when this is dropped, also by a panic.
pub struct Process(Child);

impl Process {
    pub fn start(command: &mut Command) -> Self {
        Self(command.spawn().unwrap())
    }

    /// Waits until the process has ended by itself.
    #[track_caller]
    pub fn wait_for_end(&mut self) -> ExitStatus {
        let mut status = None;
        wait_until("the process ends", || {
            status = self.0.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }
}

impl Deref for Process {
    type Target = Child;

    fn deref(&self) -> &Child {
        &self.0
    }
}

impl DerefMut for Process {
    fn deref_mut(&mut self) -> &mut Child {
        &mut self.0
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The lines of a process, each of which is JSON. A line that is not is given as a string.
pub fn json_lines(stdout: ChildStdout) -> Receiver<Value> {
    let lines = BufReader::new(stdout).lines();
    let (sender, values) = channel();
    // It ends with the process, whose end closes the pipe.
    std::thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            let value = serde_json::from_str(&line).unwrap_or(Value::String(line));
            if sender.send(value).is_err() {
                return;
            }
        }
    });
    values
}
