//! The arguments of the command line.

use std::ffi::OsString;
use std::path::PathBuf;

pub const HELP: &str = "\
This game server grants what its players bought. An emulator stands in for Xsolla and the players.

usage: dedicated_server [--database FILE] [--players N] [--once]

  --database FILE  keep the grants in FILE, and the ledger in FILE with the ending .ledger
                   (default: bevy_xsolla_server.db in the folder for temporary files)
  --players N      play N players, 1 to 1000 (default: 20)
  --once           end when all that was ordered is granted
  --help           print this text";

pub struct Args {
    pub database: PathBuf,
    pub players: usize,
    pub once: bool,
    pub help: bool,
}

impl Args {
    /// Reads the arguments. The error is a text for the user.
    pub fn read(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, String> {
        let mut args = Self {
            database: std::env::temp_dir().join("bevy_xsolla_server.db"),
            players: 20,
            once: false,
            help: false,
        };
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            match argument.to_str() {
                Some("--database") => {
                    args.database = arguments.next().ok_or("--database needs a file")?.into();
                }
                Some("--players") => {
                    let number = arguments.next();
                    let number = number.and_then(|number| number.to_str()?.parse().ok());
                    args.players = number
                        .filter(|number| (1..=1000).contains(number))
                        .ok_or("--players needs a number from 1 to 1000")?;
                }
                Some("--once") => args.once = true,
                Some("--help" | "-h") => args.help = true,
                _ => return Err(format!("unknown argument {argument:?}; try --help")),
            }
        }
        Ok(args)
    }
}
