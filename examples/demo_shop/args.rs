//! What the command line and the environment ask for.

use std::ffi::OsString;
use std::path::PathBuf;

use bevy_xsolla::prelude::*;

pub const USAGE: &str =
    "usage: demo_shop [--headless] [--autoplay] [--screenshot DIR] [--sandbox] [--order ID]...";

pub const HELP: &str = "\
A small shop in a small game: what you buy, the hero wears.

usage: demo_shop [--headless] [--autoplay] [--screenshot DIR] [--sandbox] [--order ID]...

  --headless        buy one item in the terminal, without a window
                    (so it is too where there is no display)
  --autoplay        buy everything by itself, then quit
  --screenshot DIR  with the window: play by itself, and save a PNG of each step
  --sandbox         with Xsolla: test payments, no money moves
  --order ID        with Xsolla: follow this order of yours (repeat it for more)
  --help            this text

With nothing set up, a local emulator stands in for Xsolla and pays by itself: no account, no money.

With XSOLLA_PROJECT_ID and XSOLLA_USER_TOKEN set, it sells what that project sells: buying opens
Xsolla's payment page in the browser, and takes real money unless --sandbox is given.";

/// How the demo runs.
pub struct Args {
    pub headless: bool,
    pub autoplay: bool,
    pub screenshots: Option<PathBuf>,
    pub backend: Backend,
}

/// Who speaks for Xsolla.
pub enum Backend {
    /// The emulator, and the demo plays the payments.
    Emulator,
    /// Xsolla itself.
    Xsolla {
        config: Box<XsollaConfig>,
        user: XsollaUser,
        /// Orders that exist already.
        orders: Vec<OrderId>,
        test_payments: bool,
    },
}

/// What to do instead of running the demo.
pub enum Instead {
    Help,
    /// The arguments make no sense; the text says why.
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
        let (mut headless, mut autoplay, mut sandbox) = (false, false, false);
        let mut screenshots = None;
        let mut orders = Vec::new();
        while let Some(argument) = arguments.next() {
            match argument.to_str() {
                Some("--headless") => headless = true,
                Some("--autoplay") => autoplay = true,
                Some("--sandbox") => sandbox = true,
                Some("--screenshot") => {
                    let folder = arguments.next().ok_or("--screenshot needs a folder")?;
                    screenshots = Some(PathBuf::from(folder));
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
        if screenshots.is_some() {
            if headless {
                return Err("--screenshot needs the window, --headless has none".into());
            }
            if !has_display() {
                return Err("--screenshot needs a display".into());
            }
            autoplay = true;
        }
        let backend = Backend::choose(orders, sandbox)?;
        if let Backend::Xsolla { orders, .. } = &backend {
            if autoplay {
                return Err("--autoplay and --screenshot are for the emulator's payments".into());
            }
            if orders.is_empty() && (headless || !has_display()) {
                return Err("there is nothing to follow: give --order ID".into());
            }
        }
        Ok(Self {
            headless: headless || !has_display(),
            autoplay,
            screenshots,
            backend,
        })
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
            // Half of it is a mistake, and buying on the emulator would hide it.
            (true, None) => Err("XSOLLA_PROJECT_ID is set, XSOLLA_USER_TOKEN is not".into()),
            (false, Some(_)) => Err("XSOLLA_USER_TOKEN is set, XSOLLA_PROJECT_ID is not".into()),
        }
    }
}

/// Whether a window can be opened. On Linux this demo is built for X11, which Wayland desktops have
/// too, so that it builds without their development packages.
fn has_display() -> bool {
    !cfg!(target_os = "linux") || std::env::var_os("DISPLAY").is_some_and(|name| !name.is_empty())
}
