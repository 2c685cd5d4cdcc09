//! The arguments of the command line, and the settings in the environment.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use bevy_xsolla::prelude::*;

use crate::restart::Restart;

pub const USAGE: &str = "\
usage: demo_shop [--headless] [--autoplay] [--screenshot DIR] [--size WxH] [--save DIR] [--new]
                 [--sandbox] [--order ID]...";

pub const HELP: &str = "\
This is a small shop in a small game: the hero wears what you buy.

usage: demo_shop [--headless] [--autoplay] [--screenshot DIR] [--size WxH] [--save DIR] [--new]
                 [--sandbox] [--order ID]...

  --headless        buy one item in the terminal, without a window
                    (this is also done where there is no display)
  --autoplay        buy everything by itself, restart in between, then quit
  --screenshot DIR  play by itself in the window, and save a PNG of each step in DIR
  --size WxH        set the window's size, 800x600 or more (default: 1280x720)
  --save DIR        keep the game in DIR: what was bought, and which orders are open
                    (default: your data folder; --headless and --autoplay keep nothing)
  --new             begin with nothing
  --sandbox         with Xsolla: make test payments, with which no money moves
  --order ID        with Xsolla: follow this order of yours (repeat it for more)
  --help            print this text

In the window, F12 shows what the plugin is doing: the report that a player can send to support.

Without any set-up a local emulator stands in for Xsolla and pays by itself. It needs no account and
moves no money.

If XSOLLA_PROJECT_ID and XSOLLA_USER_TOKEN are set, the shop sells what that project sells: buying opens
Xsolla's payment page in the browser, and takes real money unless --sandbox is given.";

/// The demo gives itself this argument when it starts itself again.
const RESTARTED: &str = "--restarted";

/// How the demo runs.
pub struct Args {
    pub headless: bool,
    pub autoplay: bool,
    pub screenshots: Option<PathBuf>,
    pub size: (u32, u32),
    pub save: Option<PathBuf>,
    pub is_new: bool,
    pub is_restarted: bool,
    pub backend: Backend,
}

/// Who speaks for Xsolla.
pub enum Backend {
    /// The emulator stands in for Xsolla, and the demo plays the payments.
    Emulator,
    /// The demo talks to Xsolla itself.
    Xsolla {
        config: Box<XsollaConfig>,
        user: XsollaUser,
        /// Orders that exist already, to be followed.
        orders: Vec<OrderId>,
        test_payments: bool,
    },
}

/// What to do instead of running the demo.
pub enum Instead {
    Help,
    /// The arguments make no sense, and the text says why.
    Refuse(String),
}

impl From<&str> for Instead {
    fn from(reason: &str) -> Self {
        Self::Refuse(reason.to_owned())
    }
}

impl Args {
    pub fn read(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, Instead> {
        let mut arguments = arguments.into_iter();
        let (mut orders, mut sandbox) = (Vec::new(), false);
        let mut args = Self {
            headless: false,
            autoplay: false,
            screenshots: None,
            size: (1280, 720),
            save: None,
            is_new: false,
            is_restarted: false,
            backend: Backend::Emulator,
        };
        while let Some(argument) = arguments.next() {
            match argument.to_str() {
                Some("--headless") => args.headless = true,
                Some("--autoplay") => args.autoplay = true,
                Some("--sandbox") => sandbox = true,
                Some("--new") => args.is_new = true,
                Some(RESTARTED) => args.is_restarted = true,
                Some("--screenshot") => {
                    let folder = arguments.next().ok_or("--screenshot needs a folder")?;
                    args.screenshots = Some(PathBuf::from(folder));
                }
                Some("--save") => {
                    let folder = arguments.next().ok_or("--save needs a folder")?;
                    args.save = Some(PathBuf::from(folder));
                }
                Some("--size") => {
                    let size = arguments.next();
                    let size = size
                        .as_ref()
                        .and_then(|size| size.to_str()?.split_once('x'));
                    let size = size.and_then(|(w, h)| Some((w.parse().ok()?, h.parse().ok()?)));
                    args.size = size
                        .filter(|&(width, height)| width >= 800 && height >= 600)
                        .ok_or("--size needs 800x600 or more, such as 1024x768")?;
                }
                Some("--order") => {
                    let id = arguments.next().ok_or("--order needs an order id")?;
                    let number = id.to_str().and_then(|id| id.parse().ok());
                    let refuse = || Instead::Refuse(format!("--order needs a number, not {id:?}"));
                    orders.push(OrderId(number.ok_or_else(refuse)?));
                }
                Some("--help" | "-h") => return Err(Instead::Help),
                _ => return Err(Instead::Refuse(format!("unknown argument {argument:?}"))),
            }
        }
        if args.screenshots.is_some() {
            if args.headless {
                return Err("--screenshot needs the window, --headless has none".into());
            }
            if !has_display() {
                return Err("--screenshot needs a display".into());
            }
            args.autoplay = true;
        }
        args.headless |= !has_display();
        args.backend = Backend::choose(orders, sandbox)?;
        if let Backend::Xsolla { orders, .. } = &args.backend {
            if args.autoplay {
                return Err("--autoplay and --screenshot are for the emulator's payments".into());
            }
            if orders.is_empty() && args.headless {
                return Err("there is nothing to follow: give --order ID".into());
            }
        }
        Ok(args)
    }

    /// Whether nobody plays. Then nothing is kept and no browser is opened.
    pub fn is_by_itself(&self) -> bool {
        self.headless || self.autoplay
    }

    /// The arguments with which the demo starts again and goes on with the game in this folder.
    pub fn for_restart(&self, restart: Restart, folder: &Path) -> Vec<OsString> {
        let (width, height) = self.size;
        let mut arguments: Vec<OsString> = vec![RESTARTED.into(), "--save".into(), folder.into()];
        arguments.extend(["--size".into(), format!("{width}x{height}").into()]);
        if let Restart::Anew = restart {
            arguments.push("--new".into());
        }
        if self.autoplay {
            arguments.push("--autoplay".into());
        }
        if let Some(screenshots) = &self.screenshots {
            arguments.extend(["--screenshot".into(), screenshots.into()]);
        }
        arguments
    }
}

impl Backend {
    fn choose(orders: Vec<OrderId>, test_payments: bool) -> Result<Self, Instead> {
        let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        match (is_set("XSOLLA_PROJECT_ID"), XsollaUser::from_env()) {
            (true, Some(user)) => {
                let config =
                    XsollaConfig::from_env().map_err(|error| Instead::Refuse(error.to_string()))?;
                Ok(Self::Xsolla {
                    config: Box::new(config),
                    user,
                    orders,
                    test_payments,
                })
            }
            (false, None) if orders.is_empty() => Ok(Self::Emulator),
            (false, None) => Err("--order needs XSOLLA_PROJECT_ID and XSOLLA_USER_TOKEN".into()),
            // One without the other is a mistake, and the emulator would hide it.
            (true, None) => Err("XSOLLA_PROJECT_ID is set, XSOLLA_USER_TOKEN is not".into()),
            (false, Some(_)) => Err("XSOLLA_USER_TOKEN is set, XSOLLA_PROJECT_ID is not".into()),
        }
    }
}

/// Whether a window can be opened. On Linux this demo is built for X11 alone, which Wayland desktops have
/// too, so that it builds without Wayland's development packages.
fn has_display() -> bool {
    !cfg!(target_os = "linux") || std::env::var_os("DISPLAY").is_some_and(|name| !name.is_empty())
}
