//! How far an order has come, as servers have said. They lag, repeat themselves and overtake each other.

use crate::model::order::OrderStatus;

/// The number of unknown statuses of one order that are passed on. The limit keeps a server that invents
/// statuses from filling the game's memory.
const MAX_UNKNOWN: u8 = 32;

/// The statuses that servers reported for an order.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// The last status; `None` until a server has reported one.
    status: Option<OrderStatus>,
    /// The furthest known stage. Unknown statuses do not change it.
    reached: Stage,
    unknown: u8,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    #[default]
    New,
    Paid,
    Done,
    Over,
}

impl Progress {
    pub(super) fn status(&self) -> Option<&OrderStatus> {
        self.status.as_ref()
    }

    /// Whether it was paid for, as far as servers have said.
    pub(super) fn is_paid(&self) -> bool {
        self.reached >= Stage::Paid
    }

    /// Assumes the status `New` if there is none.
    pub(super) fn assume_new(&mut self) {
        self.status.get_or_insert(OrderStatus::New);
    }

    /// Takes the status if it is news, and returns whether it is.
    pub(super) fn advance(&mut self, status: &OrderStatus) -> bool {
        let is_news = match status {
            OrderStatus::New => self.reach(Stage::New),
            OrderStatus::Paid => self.reach(Stage::Paid),
            OrderStatus::Done => self.reach(Stage::Done),
            OrderStatus::Canceled => self.reach(Stage::Over),
            // A done order no longer waits for its payment.
            OrderStatus::Expired => self.reached < Stage::Done && self.reach(Stage::Over),
            OrderStatus::Other(_) => {
                let is_news = self.reached < Stage::Done
                    && self.status.as_ref() != Some(status)
                    && self.unknown < MAX_UNKNOWN;
                self.unknown += u8::from(is_news);
                is_news
            }
        };
        if is_news {
            self.status = Some(status.clone());
        }
        is_news
    }

    fn reach(&mut self, stage: Stage) -> bool {
        let moves = match &self.status {
            None => true,
            // After an unknown status, an order may return to the stage that it had reached before.
            Some(OrderStatus::Other(_)) => stage >= self.reached,
            Some(_) => stage > self.reached,
        };
        if moves {
            self.reached = stage;
        }
        moves
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(statuses: &[&str]) -> Vec<String> {
        let mut progress = Progress::default();
        let statuses = statuses.iter().map(|status| OrderStatus::parse(status));
        statuses
            .filter(|status| progress.advance(status))
            .map(|status| status.to_string())
            .collect()
    }

    #[test]
    fn statuses_move_forward_only() {
        for (heard, expected) in [
            (
                &["new", "new", "paid", "new", "done", "paid"][..],
                &["new", "paid", "done"][..],
            ),
            (&["done", "new", "done"], &["done"]),
            (
                &["paid", "canceled", "done", "expired"],
                &["paid", "canceled"],
            ),
            (&["done", "canceled", "canceled"], &["done", "canceled"]),
            (&["done", "expired", "shipped"], &["done"]),
            (&["new", "expired", "canceled", "paid"], &["new", "expired"]),
        ] {
            assert_eq!(told(heard), expected, "{heard:?}");
        }
    }

    #[test]
    fn an_unknown_status_is_told_and_hinders_nothing() {
        assert_eq!(
            told(&["paid", "on_hold", "on_hold", "new", "paid", "done"]),
            ["paid", "on_hold", "paid", "done"]
        );
    }

    #[test]
    fn a_flood_of_unknown_statuses_ends_and_the_final_one_still_comes() {
        let mut flood: Vec<String> = (0..10_000).map(|n| format!("s{n}")).collect();
        flood.push("done".to_owned());
        let flood: Vec<&str> = flood.iter().map(String::as_str).collect();
        let told = told(&flood);
        assert_eq!(told.len(), usize::from(MAX_UNKNOWN) + 1);
        assert_eq!(told.last().unwrap(), "done");
    }
}
