//! The commands of the game to the plugin.

use bevy::prelude::{Commands, World};

use crate::game::deliver::take_tracking;
use crate::game::orders::Orders;
use crate::game::resources::resource_or_default;
use crate::game::settings::expires_in;
use crate::game::tracking::Tracking;
use crate::machine::input::Input;
use crate::machine::output::Notice;
use crate::model::catalog::{Catalog, CatalogRequest, CatalogState};
use crate::model::order::{OrderId, OrderPhase};
use crate::model::page::{PaymentPage, PaymentReturn};
use crate::model::purchase::{
    PageUrl, Payment, Purchase, PurchaseError, PurchaseFailed, PurchaseId,
};
use crate::model::user::XsollaUser;
use crate::platform::browser;

/// Commands to track orders, which extend [`Commands`].
pub trait OrderCommands {
    /// Follows an order of the logged-in [`XsollaUser`]: call it when the payment page opens.
    ///
    /// Without a user, the order waits for one. An order that is already followed, granted or acknowledged
    /// stays as it is; an order that ended otherwise is followed again.
    fn track_order(&mut self, order_id: OrderId);

    /// Follows an order of this player, for servers with many players. The same call refreshes such a
    /// player's token: all their orders use the newest token that was given.
    ///
    /// The player's id is read from the token, and nothing here checks its signature. A server that receives
    /// tokens from its players must verify them first, or one player could act for another: `TokenVerifier` (feature
    /// `token_verifier`) makes a `VerifiedUser` of a token.
    ///
    /// An acknowledged order stays known, so that it is not granted again. A server that runs for months
    /// and has a database of its own [untracks](Self::untrack_order) it instead, unless it takes webhooks, which may
    /// tell of it again.
    fn track_order_as(&mut self, user: &XsollaUser, order_id: OrderId);

    /// Confirms that the game has granted an order that is [done](crate::OrderDone). The order is not
    /// delivered again in this run, and never again once [`Order::phase`](crate::Order::phase) says that the
    /// ledger has the acknowledgement. An order that is not done stays as it is.
    fn acknowledge_order(&mut self, order_id: OrderId);

    /// Sends [`OrderDone`](crate::OrderDone) once more for each order that was granted and is not
    /// acknowledged, as the next start would. A game that could not save a grant can so try again without a
    /// restart.
    fn deliver_again(&mut self);

    /// Forgets an order: it is no longer followed or known, and it is removed from the ledger. If its player is not
    /// logged in, it is removed when they log in, provided that this is before the game ends. A game that
    /// [listens for orders made elsewhere](crate::guide::elsewhere) keeps in the ledger that it is not to be discovered.
    fn untrack_order(&mut self, order_id: OrderId);
}

/// Commands to buy items, which extend [`Commands`].
pub trait StoreCommands {
    /// Fills the [`Catalog`] with all virtual items of the project. Bundles and virtual currencies come with
    /// [`CatalogRequest::everything`].
    fn fetch_catalog(&mut self);

    /// Fills the [`Catalog`] with what the request asks for: everything, bundles, virtual currencies or their packages,
    /// a group, or items by SKU; in another language, or with another country's prices.
    fn fetch_catalog_for(&mut self, request: CatalogRequest);

    /// Creates an order for the logged-in [`XsollaUser`], tracks it, and then opens the payment page in the
    /// player's browser. The answer is one [`PurchaseStarted`](crate::PurchaseStarted) or
    /// [`PurchaseFailed`](crate::PurchaseFailed) with the id that is returned here.
    /// [`OrderDone`](crate::OrderDone) follows when the order is paid and delivered.
    ///
    /// If nobody is logged in, it fails with [`NotLoggedIn`](crate::PurchaseError::NotLoggedIn). With a
    /// [`TokenProvider`](crate::TokenProvider) it waits for that one's answer.
    ///
    /// A second identical purchase, while the first is under way or within a second of its answer, counts as
    /// a double click: it creates no order, and is answered with
    /// [`PurchaseError::Repeated`](crate::PurchaseError::Repeated).
    fn purchase(&mut self, purchase: impl Into<Purchase>) -> PurchaseId;

    /// Creates an order for this player, for servers with many players. See
    /// [`track_order_as`](OrderCommands::track_order_as), also for what a server must verify first.
    fn purchase_as(&mut self, user: &XsollaUser, purchase: impl Into<Purchase>) -> PurchaseId;

    /// Opens the payment page of an order of this run again, for a player who has closed it. The page works
    /// for 24 h. If there is no page to open, [`PaymentPageFailed`](crate::PaymentPageFailed) is sent.
    ///
    /// A game that shows the page itself takes the address from [`PurchaseStarted`](crate::PurchaseStarted);
    /// for such a game this command does nothing.
    fn resume_payment(&mut self, order_id: OrderId);

    /// Has every open order asked for at once, because the player has come back from the payment page.
    /// [`payment_return`](crate::payment_return) reads the address that brought them. Whatever it says, it grants
    /// nothing: what was paid is heard from the servers.
    /// A game that was suspended meanwhile, or whose window had lost the focus, does not need it: see [the chapter on
    /// phones](crate::guide::phones).
    fn payment_returned(&mut self, returned: PaymentReturn);

    /// Stops following an order that the player does not want to pay now. If it is paid after all, it is
    /// granted, either over a socket that is open for another order or at the next start.
    fn abandon_order(&mut self, order_id: OrderId);
}

impl OrderCommands for Commands<'_, '_> {
    fn track_order(&mut self, order_id: OrderId) {
        self.queue(move |world: &mut World| track(world, None, order_id));
    }

    fn track_order_as(&mut self, user: &XsollaUser, order_id: OrderId) {
        let user = user.clone();
        self.queue(move |world: &mut World| track(world, Some(user), order_id));
    }

    fn acknowledge_order(&mut self, order_id: OrderId) {
        self.queue(move |world: &mut World| send(world, Input::Acknowledge(order_id)));
    }

    fn deliver_again(&mut self) {
        self.queue(|world: &mut World| send(world, Input::DeliverAgain));
    }

    fn untrack_order(&mut self, order_id: OrderId) {
        self.queue(move |world: &mut World| untrack(world, order_id));
    }
}

impl StoreCommands for Commands<'_, '_> {
    fn fetch_catalog(&mut self) {
        self.fetch_catalog_for(CatalogRequest::new());
    }

    fn fetch_catalog_for(&mut self, request: CatalogRequest) {
        self.queue(move |world: &mut World| fetch_catalog(world, request));
    }

    fn purchase(&mut self, purchase: impl Into<Purchase>) -> PurchaseId {
        let (id, purchase) = (PurchaseId::next(), purchase.into());
        self.queue(move |world: &mut World| buy(world, id, None, purchase));
        id
    }

    fn purchase_as(&mut self, user: &XsollaUser, purchase: impl Into<Purchase>) -> PurchaseId {
        let (id, purchase, user) = (PurchaseId::next(), purchase.into(), user.clone());
        self.queue(move |world: &mut World| buy(world, id, Some(user), purchase));
        id
    }

    fn resume_payment(&mut self, order_id: OrderId) {
        self.queue(move |world: &mut World| send(world, Input::ResumePayment(order_id)));
    }

    fn payment_returned(&mut self, returned: PaymentReturn) {
        self.queue(move |world: &mut World| {
            log::debug!("the player has come back from the payment page: {returned:?}");
            send(world, Input::Returned);
        });
    }

    fn abandon_order(&mut self, order_id: OrderId) {
        self.queue(move |world: &mut World| {
            browser::close_page(Some(order_id));
            send(world, Input::Abandon(order_id));
        });
    }
}

/// Runs `work` with the tracking, if the plugin is there.
pub(super) fn with_tracking(world: &mut World, work: impl FnOnce(&mut World, &mut Tracking)) {
    if !world.contains_resource::<Tracking>() {
        log::error!("no order can be tracked: XsollaOrderPlugin is not added");
        return;
    }
    take_tracking(world, |world, tracking| {
        // Resources that were inserted in this frame count at once, because games set up and buy in
        // `Startup`.
        tracking.pass_settings_on(world);
        work(world, tracking);
        tracking.tell_state(world);
    });
}

/// Sends what changes nothing on the game's side. To take the tracking out of the world would cost a server that
/// acknowledges thousands of orders in a frame more than all else.
fn send(world: &mut World, input: Input) {
    let tracking = world.get_resource::<Tracking>();
    match tracking.filter(|tracking| !tracking.settings.have_moved_in(world)) {
        Some(tracking) => tracking.handle.send(input),
        None => with_tracking(world, |_, tracking| tracking.handle.send(input)),
    }
}

fn track(world: &mut World, explicit: Option<XsollaUser>, order_id: OrderId) {
    with_tracking(world, |world, tracking| {
        // The game may have removed the resource.
        let mut orders = resource_or_default::<Orders>(world);
        let user = explicit.as_ref().or(tracking.settings.user.as_ref());
        let user = user.map(|user| user.id().clone());
        let has_ended = |phase: &OrderPhase| !phase.is_open() && !phase.is_granted();
        if orders
            .get(order_id)
            .is_some_and(|order| has_ended(&order.phase))
        {
            orders.remove(order_id);
        }
        let waits_for_user = &mut tracking.settings.waits_for_user;
        orders.change(order_id, |order| {
            *waits_for_user |= user.is_none() && order.user.is_none();
            // A granted order stays with the player who paid.
            if user.is_some() && !order.phase.is_granted() {
                order.user.clone_from(&user);
            }
        });
        if let Some(user) = user {
            tracking.handle.send(match explicit {
                Some(credentials) => {
                    tracking.fence.log_in(&user);
                    let expires_in = expires_in(&credentials);
                    Input::TrackAs {
                        user: credentials,
                        expires_in,
                        order_id,
                    }
                }
                None => Input::Track { user, order_id },
            });
        }
        if let Some(order) = orders.get(order_id) {
            tracking.fail_if_dead(order);
        }
    });
}

fn untrack(world: &mut World, order_id: OrderId) {
    browser::close_page(Some(order_id));
    with_tracking(world, |world, tracking| {
        let mut orders = resource_or_default::<Orders>(world);
        orders.remove(order_id);
        let is_waiting = orders.iter().any(|order| order.user.is_none());
        tracking.settings.waits_for_user &= is_waiting;
        tracking.untrack(order_id);
    });
}

fn fetch_catalog(world: &mut World, request: CatalogRequest) {
    with_tracking(world, |world, tracking| {
        let user = tracking.settings.user_id();
        tracking.is_fetching = true;
        tracking.handle.send(Input::FetchCatalog { user, request });
        resource_or_default::<Catalog>(world).state = CatalogState::Loading;
        tracking.fail_requests_if_dead();
    });
}

pub(super) fn buy(
    world: &mut World,
    id: PurchaseId,
    explicit: Option<XsollaUser>,
    mut purchase: Purchase,
) {
    with_tracking(world, |_, tracking| {
        let opens_page = tracking.settings.config.as_ref().is_some_and(|config| {
            config.open_payment_page
                && purchase.payment == Payment::Money
                && purchase.validate().is_ok()
                && tracking.has_task()
        });
        let page = tracking.settings.config.as_ref();
        let page = page
            .map(|config| config.payment_page)
            .filter(|_| opens_page);
        let user = explicit.as_ref().or(tracking.settings.user.as_ref());
        let Some(user) = user.cloned() else {
            match &mut tracking.held {
                Some(held) if purchase.validate().is_ok() => {
                    let is_repeated = held.iter().any(|(_, other)| *other == purchase);
                    if page == Some(PaymentPage::NewTab) && !is_repeated {
                        browser::reserve_tab(id);
                    }
                    held.push((id, purchase));
                    tracking.handle.waker.wake();
                }
                _ => tracking.fence.release(not_logged_in(id, purchase)),
            }
            return;
        };
        match page {
            // A browser allows it in the player's click, and not after the store's answer. The second click of a
            // double click opens none.
            Some(PaymentPage::NewTab) => {
                let mut under_way = tracking.purchases.values();
                if !under_way.any(|(who, what)| who == user.id() && *what == purchase) {
                    browser::reserve_tab(id);
                }
            }
            Some(PaymentPage::SameTab) if purchase.return_url.is_none() => {
                // A portal may start a game with the player's token in its address, which goes nowhere else.
                let has_no_token = |address: &String| user.redact(address.clone()) == *address;
                let address = browser::address().filter(has_no_token);
                purchase.return_url = address.map(PageUrl);
            }
            Some(PaymentPage::SameTab | PaymentPage::Frame) | None => {}
        }
        tracking
            .purchases
            .insert(id, (user.id().clone(), purchase.clone()));
        let purchase = Box::new(purchase);
        tracking.handle.send(match explicit {
            Some(credentials) => {
                tracking.fence.log_in(user.id());
                let expires_in = expires_in(&credentials);
                Input::PurchaseAs {
                    id,
                    user: credentials,
                    expires_in,
                    purchase,
                }
            }
            None => Input::Purchase {
                id,
                user: user.id().clone(),
                purchase,
            },
        });
        tracking.fail_requests_if_dead();
    });
}

/// The answer to a purchase for which there is no player.
pub(super) fn not_logged_in(id: PurchaseId, purchase: Purchase) -> Notice {
    Notice::PurchaseFailed(Box::new(PurchaseFailed {
        purchase_id: id,
        user: None,
        sku: purchase.sku().to_owned(),
        error: purchase
            .validate()
            .err()
            .unwrap_or(PurchaseError::NotLoggedIn),
        purchase,
    }))
}
