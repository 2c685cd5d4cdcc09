//! A comparison of Xsolla's orders with the ledger's. It asks for page after page, and ends.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::ledger::writer::Job;
use crate::machine::input::Input;
use crate::model::config::XsollaConfig;
use crate::model::error::RequestError;
use crate::model::ledger::LedgerError;
use crate::model::maps::HashSet;
use crate::model::message::NewsSource;
use crate::model::order::{OrderId, OrderStatus, Report};
use crate::model::reconciliation::{
    Difference, Finding, Reconciled, Reconciliation, ReconciliationError,
};
use crate::model::record::LedgerEntry;
use crate::platform::runtime::sleep;
use crate::tracker::services::Services;
use crate::tracker::source::inbox::put;
use crate::tracker::source::requests::ask;
use crate::wire::order_search::{FoundOrder, Page, read_page, search};

/// How often a page, or the ledger, is asked for before the comparison ends with the error.
const ATTEMPTS: u32 = 10;
/// The pause after the first failure. It doubles with each.
const PAUSE: Duration = Duration::from_millis(if cfg!(test) { 10 } else { 1_000 });
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// How long a server may ask to wait.
const LONGEST_WAIT: Duration = Duration::from_secs(5 * 60);

struct Comparison {
    what: Reconciliation,
    config: Arc<XsollaConfig>,
    services: Services,
}

/// Compares, and tells the machine what came of it.
pub(crate) async fn run(what: Reconciliation, config: Arc<XsollaConfig>, services: Services) {
    let mut reconciled = Reconciled {
        created: what.created.clone(),
        compared: 0,
        findings: Vec::new(),
        error: None,
    };
    let inbox = services.inbox.clone();
    let comparison = Comparison {
        what,
        config,
        services,
    };
    reconciled.error = comparison.compare(&mut reconciled).await.err();
    put(&inbox, Input::Reconciled(Box::new(reconciled))).await;
}

impl Comparison {
    async fn compare(&self, reconciled: &mut Reconciled) -> Result<(), ReconciliationError> {
        let (mut offset, mut seen) = (0, HashSet::default());
        loop {
            let page = self.page(offset).await;
            let Page {
                length,
                orders,
                has_more,
            } = page.map_err(ReconciliationError::Search)?;
            offset += length;
            // The next page may repeat orders when others are made meanwhile.
            let new: Vec<FoundOrder> = orders
                .into_iter()
                .filter(|order| seen.insert(order.order_id))
                .collect();
            // A server that gives the same page for ever has no more.
            let is_last = !has_more || length == 0 || new.is_empty();
            let ids = new.iter().map(|order| order.order_id).collect();
            let entries = self.entries(ids).await;
            let entries = entries.map_err(ReconciliationError::Ledger)?;
            for (order, entry) in new.into_iter().zip(entries) {
                reconciled.compared += 1;
                if let Some(difference) = Difference::between(&order.status, entry) {
                    let finding = self.find(order, entry, difference).await;
                    reconciled.findings.push(finding);
                }
            }
            if is_last {
                return Ok(());
            }
        }
    }

    async fn page(&self, offset: usize) -> Result<Page, RequestError> {
        let mut attempt = 0;
        loop {
            let body = ask(
                &self.services.network,
                search(&self.config, &self.what, offset),
            )
            .await;
            let page = body.and_then(|body| read_page(&body).map_err(RequestError::Malformed));
            attempt += 1;
            match page {
                Err(error) if attempt < ATTEMPTS && may_pass(&error) => {
                    sleep(pause(attempt).max(wanted_pause(&error))).await;
                }
                page => return page,
            }
        }
    }

    /// What the ledger has of these orders. It may be away for minutes, or held by a server that is just ending.
    async fn entries(&self, orders: Vec<OrderId>) -> Result<Vec<Option<LedgerEntry>>, LedgerError> {
        let mut attempt = 0;
        loop {
            let entries = self.find_entries(orders.clone()).await;
            attempt += 1;
            match entries {
                Err(error) if attempt < ATTEMPTS && error != LedgerError::NoLookUp => {
                    sleep(pause(attempt)).await;
                }
                entries => return entries,
            }
        }
    }

    async fn find_entries(
        &self,
        orders: Vec<OrderId>,
    ) -> Result<Vec<Option<LedgerEntry>>, LedgerError> {
        let (answer, answered) = oneshot::channel();
        let ledger = self.services.ledger.as_ref().ok_or(LedgerError::NoAnswer)?;
        ledger.give(Job::Find {
            project_id: self.config.project_id,
            orders,
            answer,
        });
        answered.await.unwrap_or(Err(LedgerError::NoAnswer))
    }

    /// Has the order granted, or its refund told, if that is wanted.
    async fn find(
        &self,
        order: FoundOrder,
        entry: Option<LedgerEntry>,
        difference: Difference,
    ) -> Finding {
        let user = order.user.as_deref().map(self.what.user_id);
        let mut finding = Finding {
            order_id: order.order_id,
            user: user.clone(),
            status: order.status,
            entry,
            difference,
            is_mended: false,
        };
        let status = match difference {
            Difference::Unknown | Difference::Missing if order.items.is_some() => OrderStatus::Done,
            Difference::Refunded => OrderStatus::Canceled,
            Difference::Unknown | Difference::Missing | Difference::Unpaid => return finding,
        };
        if let Some(user) = user
            && self.what.grants
        {
            finding.is_mended = true;
            let input = Input::Pushed {
                user,
                project_id: Some(self.config.project_id),
                report: Report {
                    order_id: order.order_id,
                    status: Some(status),
                    items: order.items,
                    price: order.price,
                },
                source: NewsSource::Reconciliation,
                receipt: None,
            };
            put(&self.services.inbox, input).await;
        }
        finding
    }
}

/// Whether the same request may succeed later.
fn may_pass(error: &RequestError) -> bool {
    match error {
        RequestError::TimedOut | RequestError::Network(_) => true,
        RequestError::Status { status, .. } => *status == 429 || *status >= 500,
        _ => false,
    }
}

fn pause(attempt: u32) -> Duration {
    let doubled = 2_u32.saturating_pow(attempt.saturating_sub(1));
    PAUSE.saturating_mul(doubled).min(LONGEST_PAUSE)
}

/// The pause that the server wants.
fn wanted_pause(error: &RequestError) -> Duration {
    match error {
        RequestError::Status {
            retry_after: Some(wait),
            ..
        } => (*wait).min(LONGEST_WAIT),
        _ => Duration::ZERO,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(status: u16, seconds: u64) -> RequestError {
        RequestError::Status {
            status,
            code: None,
            message: None,
            transaction_id: None,
            retry_after: Some(Duration::from_secs(seconds)),
        }
    }

    #[test]
    fn what_may_pass_is_asked_again_after_a_pause_and_a_refusal_is_not() {
        assert!(may_pass(&RequestError::TimedOut) && may_pass(&status(429, 0)));
        assert!(may_pass(&status(503, 0)) && !may_pass(&status(401, 0)));
        assert!(!may_pass(&RequestError::Malformed(String::new())));
        assert_eq!(wanted_pause(&status(429, 7)), Duration::from_secs(7));
        assert_eq!(wanted_pause(&status(429, 3_600)), LONGEST_WAIT);
        assert_eq!((pause(3), pause(99)), (PAUSE * 4, LONGEST_PAUSE));
    }
}
