//! The report for support: one text with what is known of the orders and their trouble, and with no secret.

use std::env::consts::{ARCH, OS};
use std::fmt;
use std::time::{Duration, SystemTime};

use bevy::ecs::system::SystemParam;
use bevy::prelude::{Res, World};

use crate::game::orders::{Order, Orders};
use crate::game::secrets::without_secrets;
use crate::game::tracking::Tracking;
use crate::machine::output::Notice;
use crate::model::address::Address;
use crate::model::catalog::{Catalog, CatalogState};
use crate::model::config::XsollaConfig;
use crate::model::ledger::LedgerState;
use crate::model::order::OrderPhase;
use crate::model::state::TrackerState;
use crate::model::user::XsollaUser;
use crate::platform::time::calendar;

/// The Bevy of this version of the crate. Bevy tells its version to no program.
const BEVY: &str = match env!("CARGO_PKG_VERSION_MINOR").as_bytes() {
    b"1" => "0.19",
    _ => "0.20",
};

/// The numbers of orders that are listed. The newest are, which are those with the highest ids.
const OPEN_MAX: usize = 30;
const OTHERS_MAX: usize = 20;

/// The report that a player can paste into a support ticket, for a system of the game, such as that of a button. Its text
/// is its [`Display`](fmt::Display).
///
/// ```
/// use bevy::prelude::*;
/// use bevy_xsolla::SupportReport;
///
/// #[derive(Resource, Default)]
/// struct Clipboard(String);
///
/// fn copy_report(report: SupportReport, mut clipboard: ResMut<Clipboard>) {
///     clipboard.0 = report.to_string();
/// }
/// # App::new().init_resource::<Clipboard>().add_systems(Update, copy_report).update();
/// ```
///
/// # What is in it
///
/// - The versions of this crate and of Bevy, the operating system, and the time.
/// - The project's id, and the hosts of the servers where they are not Xsolla's own.
/// - The [id](crate::UserId) of the logged-in player, and when their token ends. An id is no secret: support finds the
///   player by it.
/// - [`TrackerState`], [`LedgerState`] and the state of the [`Catalog`], with their reasons; the figures of
///   [`XsollaDiagnosticsPlugin`](crate::XsollaDiagnosticsPlugin), which need not be added.
/// - Of up to 50 orders the status, the phase, the source of the status, and when it last changed; open orders
///   and the newest come first. The report says how many are left out.
/// - The last errors, with their times, Xsolla's error codes and its transaction ids: of purchases, payment pages,
///   tracking, tokens, the catalogue, the connection and the ledger.
///
/// # What is not
///
/// No token, no address of a payment page and no email address is in it, also where a server repeats one. The path of a
/// ledger that has trouble is, and it may have in it the name under which the player is logged in to the computer.
///
/// It reads several resources, so a system that has it cannot change [`Orders`], [`XsollaConfig`] or [`XsollaUser`].
/// Nothing is computed until its text is asked for, which visits each order.
#[derive(SystemParam)]
pub struct SupportReport<'w> {
    config: Option<Res<'w, XsollaConfig>>,
    user: Option<Res<'w, XsollaUser>>,
    orders: Option<Res<'w, Orders>>,
    tracker: Option<Res<'w, TrackerState>>,
    ledger: Option<Res<'w, LedgerState>>,
    catalog: Option<Res<'w, Catalog>>,
    tracking: Option<Res<'w, Tracking>>,
}

impl fmt::Display for SupportReport<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Facts {
            config: self.config.as_deref(),
            user: self.user.as_deref(),
            orders: self.orders.as_deref(),
            tracker: self.tracker.as_deref(),
            ledger: self.ledger.as_deref(),
            catalog: self.catalog.as_deref(),
            tracking: self.tracking.as_deref(),
            now: calendar(),
        }
        .fmt(f)
    }
}

impl fmt::Debug for SupportReport<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SupportReport").finish_non_exhaustive()
    }
}

/// Returns the text of the [`SupportReport`], for whoever has the world: tests, and exclusive systems.
///
/// ```
/// use bevy::prelude::*;
/// use bevy_xsolla::prelude::*;
/// use bevy_xsolla::support_report;
///
/// let mut app = App::new();
/// app.add_plugins((MinimalPlugins, XsollaOrderPlugin))
///     .insert_resource(XsollaConfig::new(77640));
/// app.update();
/// assert!(support_report(app.world()).contains("project 77640"));
/// ```
pub fn support_report(world: &World) -> String {
    Facts {
        config: world.get_resource(),
        user: world.get_resource(),
        orders: world.get_resource(),
        tracker: world.get_resource(),
        ledger: world.get_resource(),
        catalog: world.get_resource(),
        tracking: world.get_resource(),
        now: calendar(),
    }
    .to_string()
}

/// What the report is made of. A game may have removed each of the resources.
struct Facts<'a> {
    config: Option<&'a XsollaConfig>,
    user: Option<&'a XsollaUser>,
    orders: Option<&'a Orders>,
    tracker: Option<&'a TrackerState>,
    ledger: Option<&'a LedgerState>,
    catalog: Option<&'a Catalog>,
    tracking: Option<&'a Tracking>,
    now: SystemTime,
}

impl fmt::Display for Facts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_head(f)?;
        self.write_states(f)?;
        self.write_orders(f)?;
        self.write_errors(f)
    }
}

impl Facts<'_> {
    fn write_head(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = env!("CARGO_PKG_VERSION");
        writeln!(f, "bevy_xsolla {version}, Bevy {BEVY}, {OS} {ARCH}")?;
        writeln!(f, "{}", Date(self.now))?;
        match self.config {
            Some(config) => {
                write!(f, "project {}", config.project_id)?;
                write_servers(f, config)?;
                writeln!(f)?;
            }
            None => writeln!(f, "no project: there is no XsollaConfig")?,
        }
        let Some(user) = self.user else {
            return writeln!(f, "nobody is logged in");
        };
        // An external id may be an email address.
        write!(f, "player {}, ", without_secrets(user.id(), None))?;
        match user.expires_at() {
            Some(end) if end > self.now => writeln!(f, "token ends {}", Date(end)),
            Some(end) => writeln!(f, "token has ended {}", self.since(end)),
            None => writeln!(f, "the token's end is not known"),
        }
    }

    fn write_states(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.tracker {
            Some(state) => writeln!(f, "tracking: {}", self.clean(&Tracker(state)))?,
            None => writeln!(f, "tracking: XsollaOrderPlugin is not added")?,
        }
        match self.ledger {
            Some(LedgerState::Trouble(error)) => writeln!(f, "ledger: {}", self.clean(error))?,
            Some(LedgerState::Kept) => writeln!(f, "ledger: kept")?,
            Some(LedgerState::Disabled) => writeln!(f, "ledger: disabled")?,
            None => {}
        }
        if let Some(catalog) = self.catalog {
            write!(f, "catalogue: {} items", catalog.items().len())?;
            match catalog.state() {
                CatalogState::Empty => writeln!(f, ", not fetched")?,
                CatalogState::Loading => writeln!(f, ", being fetched")?,
                CatalogState::Ready => writeln!(f)?,
                CatalogState::Failed(error) => writeln!(f, "; {}", self.clean(error))?,
            }
        }
        if let Some(tracking) = self.tracking {
            let counts = tracking.handle.counters.counts();
            let waiting = tracking.purchases.len();
            writeln!(
                f,
                "open sockets {}, reconnects {}, polls {}, unanswered purchases {waiting}",
                counts.sockets, counts.reconnects, counts.requests,
            )?;
        }
        Ok(())
    }

    fn write_orders(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(orders) = self.orders else {
            return Ok(());
        };
        let newest_first = || orders.iter().rev();
        let open = orders.iter().filter(|order| order.phase.is_open()).count();
        let others = orders.len() - open;
        writeln!(f, "\norders: {open} open, {others} others")?;
        if orders.is_empty() {
            return Ok(());
        }
        writeln!(
            f,
            "  {:<14}{:<10}{:<14}{:<16}changed",
            "id", "status", "phase", "source"
        )?;
        let listed = newest_first()
            .filter(|order| order.phase.is_open())
            .take(OPEN_MAX)
            .chain(
                newest_first()
                    .filter(|order| !order.phase.is_open())
                    .take(OTHERS_MAX),
            );
        for order in listed {
            self.write_order(f, order)?;
        }
        let (open, others) = (
            open.saturating_sub(OPEN_MAX),
            others.saturating_sub(OTHERS_MAX),
        );
        if open + others > 0 {
            writeln!(f, "  not listed: {open} open, {others} others")?;
        }
        Ok(())
    }

    fn write_order(&self, f: &mut fmt::Formatter<'_>, order: &Order) -> fmt::Result {
        let phase = match &order.phase {
            OrderPhase::Failed(_) => "Failed".to_owned(),
            phase => format!("{phase:?}"),
        };
        let source = match order.source {
            Some(source) => format!("{source:?}"),
            None => "none".to_owned(),
        };
        let history = self.tracking.map(|tracking| &tracking.history);
        let changed = history.and_then(|history| history.changed_at(order.order_id));
        let changed = match changed {
            Some(at) => self.since(at).to_string(),
            None => "not known".to_owned(),
        };
        let (id, status) = (order.order_id.0, self.clean(&order.status));
        write!(
            f,
            "  {id:<13} {status:<9} {phase:<13} {source:<15} {changed}"
        )?;
        match &order.user {
            None => write!(f, ", waits for a player")?,
            Some(owner) if self.user.is_none_or(|user| user.id() != owner) => {
                write!(f, ", of {}", without_secrets(owner, None))?;
            }
            Some(_) => {}
        }
        if let OrderPhase::Failed(error) = &order.phase {
            write!(f, ": {}", self.clean(error))?;
        }
        writeln!(f)
    }

    fn write_errors(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(tracking) = self.tracking else {
            return Ok(());
        };
        let history = &tracking.history;
        let mut errors: Vec<_> = history.errors().chain(history.states()).collect();
        // The sort is stable: of two in the same moment, that of an order comes first.
        errors.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
        match errors.len() {
            0 => return writeln!(f, "\nerrors: none since the start"),
            _ => writeln!(f, "\nerrors, the newest first:")?,
        }
        for (at, notice) in errors {
            let text = self.clean(&Trouble(notice));
            writeln!(f, "  {} ({})\n    {text}", Date(*at), self.since(*at))?;
        }
        Ok(())
    }

    /// A text that comes from outside, as it may be shown.
    fn clean(&self, text: &impl fmt::Display) -> String {
        without_secrets(text, self.user)
    }

    fn since(&self, at: SystemTime) -> Ago {
        // The calendar may have been set back.
        Ago(self.now.duration_since(at).unwrap_or_default())
    }
}

/// Writes the hosts that are not those of Xsolla.
fn write_servers(f: &mut fmt::Formatter<'_>, config: &XsollaConfig) -> fmt::Result {
    let xsolla = XsollaConfig::new(config.project_id);
    for (name, address, usual) in [
        ("store", &config.store_url, &xsolla.store_url),
        ("socket", &config.socket_url, &xsolla.socket_url),
        ("payment page", &config.payment_url, &xsolla.payment_url),
        (
            "sandbox",
            &config.sandbox_payment_url,
            &xsolla.sandbox_payment_url,
        ),
    ] {
        if address == usual {
            continue;
        }
        match Address::parse(address) {
            Ok(address) => {
                let uri = address.uri();
                write!(f, ", {name} {}", uri.host().unwrap_or_default())?;
                if let Some(port) = uri.port_u16() {
                    write!(f, ":{port}")?;
                }
            }
            // The state says why.
            Err(_) => write!(f, ", {name} not an address")?,
        }
    }
    Ok(())
}

/// A state, with its reasons in the words of the errors.
struct Tracker<'a>(&'a TrackerState);

impl fmt::Display for Tracker<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            TrackerState::InvalidConfig(error) => write!(f, "InvalidConfig: {error}"),
            TrackerState::Reconnecting { reason } => write!(f, "Reconnecting: {reason}"),
            TrackerState::Polling { reason, requests } => {
                f.write_str("Polling")?;
                if let Some(reason) = reason {
                    write!(f, "; {reason}")?;
                }
                if let Some(error) = requests {
                    write!(f, "; {error}")?;
                }
                Ok(())
            }
            TrackerState::Unauthorized { reason } => write!(f, "Unauthorized: {reason}"),
            TrackerState::Failed { reason } => write!(f, "Failed: {reason}"),
            state => write!(f, "{state:?}"),
        }
    }
}

/// What an entry of the history says.
struct Trouble<'a>(&'a Notice);

impl fmt::Display for Trouble<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Notice::State(state) => write!(f, "tracking: {}", Tracker(state)),
            Notice::Ledger(LedgerState::Trouble(error)) => write!(f, "ledger: {error}"),
            Notice::Catalog(Err(error)) => write!(f, "catalogue: {error}"),
            Notice::Failed(failed) => {
                write!(f, "order {} is given up: {}", failed.order_id, failed.error)
            }
            Notice::AuthorizationRequired(required) => {
                write!(f, "a new token is needed: {}", required.error)
            }
            Notice::PurchaseFailed(failed) => {
                write!(f, "purchase of {}: {}", failed.sku, failed.error)?;
                match failed.error.answer() {
                    Some(error) => write!(f, "; {error}"),
                    None => Ok(()),
                }
            }
            Notice::PageFailed(failed) => write!(
                f,
                "payment page of order {}: {}",
                failed.order_id, failed.error
            ),
            // The history has no others.
            _ => Ok(()),
        }
    }
}

/// A date as in HTTP, in GMT.
struct Date(SystemTime);

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The last second that the library writes is that of the year 9999.
        const END: u64 = 253_402_300_799;
        let since_1970 = self.0.duration_since(SystemTime::UNIX_EPOCH);
        match since_1970 {
            Ok(since) if since.as_secs() <= END => {
                write!(f, "{}", httpdate::HttpDate::from(self.0))
            }
            _ => f.write_str("at a date that no calendar has"),
        }
    }
}

/// A duration in its largest unit.
struct Ago(Duration);

impl fmt::Display for Ago {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        match seconds {
            0..120 => write!(f, "{seconds} s ago"),
            120..7_200 => write!(f, "{} min ago", seconds / 60),
            7_200..172_800 => write!(f, "{} h ago", seconds / 3_600),
            _ => write!(f, "{} days ago", seconds / 86_400),
        }
    }
}
