//! The arguments of the command line.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

pub const HELP: &str = "\
This game server grants what its players bought.

usage: dedicated_server [--database FILE] [--players N] [--once]
       dedicated_server [--database DATABASE] [--join ADDRESS] [--webhooks ADDRESS [--secret SECRET]]
       dedicated_server --database postgres://… --fleet N

Without further options, an emulator stands in for Xsolla and the players:

  --database FILE     keep the grants in FILE, and the ledger in FILE with the ending .ledger
                      (default: bevy_xsolla_server.db in the folder for temporary files)
  --players N         play N players, 1 to 1000 (default: 20)
  --once              end when all that was ordered is granted

With these, the players come from outside, and Xsolla or an emulator is named by the variables
XSOLLA_PROJECT_ID, XSOLLA_STORE_URL and XSOLLA_SOCKET_URL. With port 0 the system chooses a port:

  --database postgres://USER:PASSWORD@HOST/NAME
                      keep the grants and the ledger in a database that servers share
  --join ADDRESS      listen at ADDRESS, such as 127.0.0.1:7000, for the games of players
  --webhooks ADDRESS  listen at ADDRESS for webhooks
  --secret SECRET     the secret of the webhooks (default: the variable XSOLLA_WEBHOOK_SECRET)

  --fleet N           start an emulator, N servers on one database, 1 to 20, and players who
                      move between them
  --help              print this text";

pub enum Place {
    File(PathBuf),
    /// The address may have a password in it.
    Postgres(String),
}

pub struct Args {
    pub database: Place,
    pub players: usize,
    pub once: bool,
    pub join: Option<SocketAddr>,
    pub webhooks: Option<SocketAddr>,
    pub secret: Option<String>,
    pub fleet: Option<usize>,
    pub help: bool,
}

impl Args {
    /// Reads the arguments. The error is a text for the user.
    pub fn read(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, String> {
        let mut args = Self {
            database: Place::File(std::env::temp_dir().join("bevy_xsolla_server.db")),
            players: 20,
            once: false,
            join: None,
            webhooks: None,
            secret: std::env::var("XSOLLA_WEBHOOK_SECRET").ok(),
            fleet: None,
            help: false,
        };
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            match argument.to_str() {
                Some("--database") => {
                    let place = arguments.next();
                    let place = place.ok_or("--database needs a file or an address")?;
                    let address = place.to_str().filter(|text| is_address(text));
                    args.database = match address {
                        Some(address) => Place::Postgres(address.to_owned()),
                        None => Place::File(place.into()),
                    };
                }
                Some("--players") => {
                    args.players = number(arguments.next(), 1000)
                        .ok_or("--players needs a number from 1 to 1000")?;
                }
                Some("--fleet") => {
                    let servers = number(arguments.next(), 20);
                    args.fleet = Some(servers.ok_or("--fleet needs a number from 1 to 20")?);
                }
                Some(option @ ("--join" | "--webhooks")) => {
                    let address = text(arguments.next()).and_then(|text| text.parse().ok());
                    let address =
                        address.ok_or(format!("{option} needs an address like 127.0.0.1:7000"))?;
                    match option {
                        "--join" => args.join = Some(address),
                        _ => args.webhooks = Some(address),
                    }
                }
                Some("--secret") => {
                    args.secret = Some(text(arguments.next()).ok_or("--secret needs a text")?);
                }
                Some("--once") => args.once = true,
                Some("--help" | "-h") => args.help = true,
                _ => return Err(format!("unknown argument {argument:?}; try --help")),
            }
        }
        args.check()
    }

    fn check(self) -> Result<Self, String> {
        let has_secret = self
            .secret
            .as_ref()
            .is_some_and(|secret| !secret.is_empty());
        if self.webhooks.is_some() && !has_secret {
            return Err("--webhooks needs --secret or XSOLLA_WEBHOOK_SECRET".to_owned());
        }
        match (&self.database, self.fleet) {
            (Place::File(_), Some(_)) => Err("--fleet needs --database postgres://…".to_owned()),
            (Place::Postgres(_), None) if self.is_alone() => Err(
                "with postgres://… the players come from outside: add --join, --webhooks or --fleet"
                    .to_owned(),
            ),
            _ => Ok(self),
        }
    }

    /// Whether the server has to play its players and Xsolla itself.
    pub fn is_alone(&self) -> bool {
        self.join.is_none() && self.webhooks.is_none()
    }
}

fn is_address(text: &str) -> bool {
    text.starts_with("postgres://") || text.starts_with("postgresql://")
}

fn text(argument: Option<OsString>) -> Option<String> {
    argument?.into_string().ok()
}

fn number(argument: Option<OsString>, most: usize) -> Option<usize> {
    let number = text(argument)?.parse().ok()?;
    (1..=most).contains(&number).then_some(number)
}
