//! The store's requests: the catalogue, and the creation of orders.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::mpsc;

use super::servers::Servers;
use crate::machine::notice::StoreNotice;
use crate::model::catalog::{CatalogItem, CatalogRequest};
use crate::model::config::XsollaConfig;
use crate::model::error::RequestError;
use crate::model::order::OrderId;
use crate::model::purchase::{PaymentPageError, Purchase, PurchaseError};
use crate::model::user::{UserId, XsollaUser};
use crate::wire::store::CreatedOrder;

/// What the game's side asks of the store.
#[derive(Debug)]
pub(crate) enum StoreCommand {
    FetchCatalog {
        /// Who it is shown to, if somebody is logged in.
        user: Option<UserId>,
        request: CatalogRequest,
    },
    Purchase {
        user: UserId,
        purchase: Purchase,
    },
    ResumePayment(OrderId),
}

/// A request of the store's has ended.
pub(super) enum StoreAnswer {
    Catalog(Result<Vec<CatalogItem>, RequestError>),
    Purchase {
        user: UserId,
        purchase: Box<Purchase>,
        result: Result<CreatedOrder, RequestError>,
    },
    #[cfg_attr(not(feature = "browser"), expect(dead_code, reason = "nothing opens"))]
    NoBrowser {
        order_id: OrderId,
        message: String,
    },
}

/// The payment pages of this run's orders, and what is on the way to them.
pub(super) struct Shop {
    answers: mpsc::UnboundedSender<StoreAnswer>,
    /// Purchases whose orders are not in the ledger yet.
    starting: BTreeMap<OrderId, (UserId, Purchase)>,
    pages: BTreeMap<OrderId, String>,
    notices: Vec<StoreNotice>,
}

impl Shop {
    pub(super) fn new(answers: mpsc::UnboundedSender<StoreAnswer>) -> Self {
        Self {
            answers,
            starting: BTreeMap::new(),
            pages: BTreeMap::new(),
            notices: Vec::new(),
        }
    }

    pub(super) fn fetch_catalog(
        &mut self,
        config: Option<Arc<XsollaConfig>>,
        user: Option<XsollaUser>,
        request: CatalogRequest,
        servers: Arc<Servers>,
    ) {
        let Some(config) = config else {
            let error = RequestError::Network("there is no config".to_owned());
            return self.notices.push(StoreNotice::Catalog(Err(error)));
        };
        let answers = self.answers.clone();
        tokio::spawn(async move {
            let catalog = servers.catalog(&config, user.as_ref(), &request);
            // Nobody waits for it after the game's end.
            let _ = answers.send(StoreAnswer::Catalog(catalog.await));
        });
    }

    pub(super) fn purchase(
        &mut self,
        config: Option<Arc<XsollaConfig>>,
        (id, user): (UserId, Option<XsollaUser>),
        purchase: Purchase,
        servers: Arc<Servers>,
    ) {
        let (Some(config), Some(user)) = (config, user) else {
            return self.notices.push(StoreNotice::Failed {
                user: id,
                purchase,
                error: PurchaseError::NotLoggedIn,
            });
        };
        let answers = self.answers.clone();
        tokio::spawn(async move {
            let result = servers.create_order(&config, &user, &purchase).await;
            let _ = answers.send(StoreAnswer::Purchase {
                user: user.id().clone(),
                purchase: Box::new(purchase),
                result,
            });
        });
    }

    /// Takes an answer. An order that was created is to be tracked, and comes back.
    pub(super) fn take(
        &mut self,
        answer: StoreAnswer,
        config: Option<&XsollaConfig>,
    ) -> Option<(UserId, OrderId)> {
        match answer {
            StoreAnswer::Catalog(result) => {
                self.notices.push(StoreNotice::Catalog(result));
                None
            }
            StoreAnswer::NoBrowser { order_id, message } => {
                let error = PaymentPageError::NoBrowser(message);
                self.notices
                    .push(StoreNotice::PageFailed { order_id, error });
                None
            }
            StoreAnswer::Purchase {
                user,
                purchase,
                result,
            } => match result {
                Ok(CreatedOrder { order_id, token }) => {
                    let page = token
                        .zip(config)
                        .and_then(|(token, config)| config.payment_page(&token, purchase.sandbox));
                    if let Some(page) = page {
                        self.pages.insert(order_id, page);
                    }
                    self.starting.insert(order_id, (user.clone(), *purchase));
                    Some((user, order_id))
                }
                Err(error) => {
                    self.notices.push(StoreNotice::Failed {
                        user,
                        purchase: *purchase,
                        error: error.into(),
                    });
                    None
                }
            },
        }
    }

    /// An order is tracked: now its payment page may open.
    pub(super) fn start(&mut self, order_id: OrderId, config: Option<&XsollaConfig>) {
        let Some((user, purchase)) = self.starting.remove(&order_id) else {
            return;
        };
        // Where nothing is to be paid there is no page.
        if self.pages.contains_key(&order_id) {
            self.open_page(order_id, config);
        }
        self.notices.push(StoreNotice::Started {
            order_id,
            user,
            purchase,
            payment_url: self.pages.get(&order_id).cloned(),
        });
    }

    pub(super) fn open_page(&mut self, order_id: OrderId, config: Option<&XsollaConfig>) {
        match self.pages.get(&order_id) {
            Some(page) if config.is_some_and(|config| config.open_payment_page) => {
                open(order_id, page, &self.answers);
            }
            Some(_) => {}
            None => {
                let error = PaymentPageError::NoPage;
                log::warn!("order {order_id}: {error}");
                self.notices
                    .push(StoreNotice::PageFailed { order_id, error });
            }
        }
    }

    /// An order has ended: nothing is to be paid any more.
    pub(super) fn close(&mut self, order_id: OrderId) {
        self.pages.remove(&order_id);
    }

    pub(super) fn notices(&mut self) -> Vec<StoreNotice> {
        std::mem::take(&mut self.notices)
    }
}

/// Opens a page in the player's browser, on a thread of its own: finding the browser takes time.
#[cfg(feature = "browser")]
fn open(order_id: OrderId, page: &str, answers: &mpsc::UnboundedSender<StoreAnswer>) {
    let (page, answers) = (page.to_owned(), answers.clone());
    let report = answers.clone();
    let opened = std::thread::Builder::new()
        .name("xsolla-browser".to_owned())
        .spawn(move || {
            if let Err(error) = webbrowser::open(&page) {
                // Whoever has the address can pay.
                let message = error.to_string().replace(&page, "the page");
                fail(order_id, message, &answers);
            }
        });
    if let Err(error) = opened {
        fail(order_id, error.to_string(), &report);
    }
}

#[cfg(feature = "browser")]
fn fail(order_id: OrderId, message: String, answers: &mpsc::UnboundedSender<StoreAnswer>) {
    log::error!("the payment page of order {order_id} cannot be opened: {message}");
    // Nobody waits for it after the game's end.
    let _ = answers.send(StoreAnswer::NoBrowser { order_id, message });
}

#[cfg(not(feature = "browser"))]
fn open(order_id: OrderId, _page: &str, _answers: &mpsc::UnboundedSender<StoreAnswer>) {
    log::debug!("order {order_id}: the feature `browser` is off, so the game opens the page");
}
