//! What a player owns, and how it grows and shrinks.

use std::time::{Duration, SystemTime};

use serde_json::Value;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The life of a subscription that names none.
const MONTH: Duration = DAY.saturating_mul(30);

/// What a player owns, in the order in which it was first got.
#[derive(Default)]
pub(crate) struct Belongings(Vec<Belonging>);

pub(crate) struct Belonging {
    pub(crate) sku: String,
    pub(crate) kind: Kind,
    /// The number of pieces that were got and not used up.
    pub(crate) quantity: u64,
    /// The end of a subscription.
    pub(crate) ends_at: SystemTime,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Consumable,
    NonConsumable,
    /// It lasts so long for each piece.
    Subscription(Duration),
}

impl Kind {
    /// Reads the kind of an item. One that is not for sale, or does not say what it is, is used up.
    pub(super) fn of(item: Option<&Value>) -> Self {
        let kind = item.and_then(|item| item.get("virtual_item_type")?.as_str());
        match kind {
            Some("non_consumable") => Self::NonConsumable,
            Some("non_renewing_subscription") => {
                Self::Subscription(item.and_then(life).unwrap_or(MONTH))
            }
            _ => Self::Consumable,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Consumable => "consumable",
            Self::NonConsumable => "non_consumable",
            Self::Subscription(_) => "non_renewing_subscription",
        }
    }
}

/// How long a piece of a subscription lasts.
fn life(item: &Value) -> Option<Duration> {
    let period = item.get("inventory_options")?.get("expiration_period")?;
    let unit = match period.get("type")?.as_str()? {
        "minute" => Duration::from_secs(60),
        "hour" => Duration::from_secs(60 * 60),
        "day" => DAY,
        "week" => DAY * 7,
        "year" => DAY * 365,
        _ => MONTH,
    };
    let value = period.get("value")?.as_u64()?;
    Some(unit.saturating_mul(u32::try_from(value).ok()?))
}

impl Belonging {
    pub(crate) fn has_ended(&self) -> bool {
        matches!(self.kind, Kind::Subscription(_)) && self.ends_at <= SystemTime::now()
    }
}

impl Belongings {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Belonging> {
        self.0.iter()
    }

    pub(crate) fn get(&self, sku: &str) -> Option<&Belonging> {
        self.0.iter().find(|owned| owned.sku == sku)
    }

    fn get_mut(&mut self, sku: &str) -> Option<&mut Belonging> {
        self.0.iter_mut().find(|owned| owned.sku == sku)
    }

    pub(super) fn add(&mut self, sku: &str, quantity: u64, kind: Kind) {
        if self.get(sku).is_none() {
            self.0.push(Belonging {
                sku: sku.to_owned(),
                kind,
                quantity: 0,
                ends_at: SystemTime::UNIX_EPOCH,
            });
        }
        if let Some(owned) = self.get_mut(sku) {
            owned.quantity = owned.quantity.saturating_add(quantity);
            if let Kind::Subscription(life) = owned.kind {
                let begin = owned.ends_at.max(SystemTime::now());
                let end = begin.checked_add(times(life, quantity));
                owned.ends_at = end.unwrap_or(begin);
            }
        }
    }

    pub(super) fn remove(&mut self, sku: &str, quantity: u64) {
        if let Some(owned) = self.get_mut(sku) {
            owned.quantity = owned.quantity.saturating_sub(quantity);
            if let Kind::Subscription(life) = owned.kind {
                let end = owned.ends_at.checked_sub(times(life, quantity));
                owned.ends_at = end.unwrap_or(SystemTime::UNIX_EPOCH);
            }
        }
        self.0.retain(|owned| owned.quantity > 0);
    }

    pub(crate) fn end(&mut self, sku: &str) -> bool {
        let owned = self.get_mut(sku);
        let subscription = owned.filter(|owned| matches!(owned.kind, Kind::Subscription(_)));
        subscription.is_some_and(|subscription| {
            subscription.ends_at = SystemTime::now();
            true
        })
    }
}

fn times(life: Duration, quantity: u64) -> Duration {
    life.saturating_mul(u32::try_from(quantity).unwrap_or(u32::MAX))
}
