//! The demo restarts itself, to show that orders outlive the game.
//!
//! The program starts itself as a new process, which has nothing but the files. It works by hand as well:
//! buy something, close the window before it is delivered, and start the demo.

use std::path::Path;
use std::process::Command;

use bevy::prelude::*;

use crate::args::Args;

/// How the game exits when it wants to be started again.
#[derive(Clone, Copy)]
pub enum Restart {
    /// Keeps all that was bought.
    Continue,
    /// Begins with nothing.
    Anew,
}

impl Restart {
    pub fn exit(self) -> AppExit {
        AppExit::from_code(match self {
            Self::Continue => 71,
            Self::Anew => 72,
        })
    }

    fn of(exit: &AppExit) -> Option<Self> {
        [Self::Continue, Self::Anew]
            .into_iter()
            .find(|restart| *exit == restart.exit())
    }
}

/// Starts the game again as long as it exits with a restart. Its window and its files are closed by now.
pub fn obey(mut exit: AppExit, args: &Args, folder: &Path) -> AppExit {
    if args.is_restarted {
        // Only the first process starts others.
        return exit;
    }
    while let Some(restart) = Restart::of(&exit) {
        let status = std::env::current_exe().and_then(|program| {
            let mut command = Command::new(program);
            command.args(args.for_restart(restart, folder)).status()
        });
        exit = match status {
            Ok(status) if status.success() => AppExit::Success,
            Ok(status) => {
                let code = status.code().and_then(|code| u8::try_from(code).ok());
                AppExit::from_code(code.unwrap_or(1))
            }
            Err(error) => {
                eprintln!("demo_shop: it cannot be started again: {error}");
                AppExit::error()
            }
        };
    }
    exit
}
