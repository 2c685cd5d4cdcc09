//! Tests of purchases, each of which is answered exactly once.

use super::*;
use crate::model::catalog::CatalogRequest;
use crate::model::error::RequestError;
use crate::model::page::PaymentPageStatus;
use crate::model::purchase::{CreatedOrder, Purchase, PurchaseError, PurchaseId};

impl Sim {
    fn buy(&mut self, sku: &str) -> PurchaseId {
        let id = PurchaseId::next();
        self.handle(Input::Purchase {
            id,
            user: alice(),
            purchase: Box::new(Purchase::item(sku)),
        });
        id
    }

    /// Answers the creation that was asked for last.
    fn answer_creation(&mut self, answer: Result<OrderId, RequestError>) {
        let created = self.others.iter().rev().find_map(|output| match output {
            Output::Request { request, .. } => Some(*request),
            _ => None,
        });
        let created = created.expect("no order is being created");
        let answer = answer.map(|order_id| CreatedOrder {
            order_id,
            token: Some("page".to_owned()),
        });
        self.handle(Input::Answered {
            request: created,
            answer: Answer::Created(answer),
        });
    }

    /// The order that a purchase has led to, or the reason why there is none.
    fn result(&self, id: PurchaseId) -> Option<Result<OrderId, PurchaseError>> {
        let mut results = self.notices.iter().filter_map(|notice| match notice {
            Notice::PurchaseStarted(started) if started.purchase_id == id => {
                Some(Ok(started.order_id))
            }
            Notice::PurchaseFailed(failed) if failed.purchase_id == id => {
                assert_eq!(failed.user.as_ref(), Some(&alice()));
                Some(Err(failed.error.clone()))
            }
            _ => None,
        });
        let result = results.next();
        assert_eq!(results.next(), None, "it was answered twice");
        result
    }

    fn pages_opened(&self) -> usize {
        let pages = self.others.iter();
        pages
            .filter(|output| matches!(output, Output::OpenPage { .. }))
            .count()
    }
}

#[test]
fn the_page_opens_once_the_ledger_has_the_order() {
    let mut sim = Sim::new();
    sim.is_ledger_stuck = true;
    let id = sim.buy("sword");
    sim.answer_creation(Ok(ORDER));
    assert_eq!((sim.result(id), sim.pages_opened()), (None, 0));
    sim.recorded(ORDER, LedgerEntry::Open);
    assert_eq!((sim.result(id), sim.pages_opened()), (Some(Ok(ORDER)), 1));
    sim.pass_answering(seconds(60), &Ok(report("done")));
    assert_eq!(sim.grants(ORDER), 1);
}

#[test]
fn a_disk_that_hangs_delays_the_page_by_seconds_and_is_told() {
    for hangs_while_reading in [false, true] {
        let mut sim = match hangs_while_reading {
            true => loading(),
            false => Sim::new(),
        };
        sim.is_ledger_stuck = true;
        let id = sim.buy("sword");
        sim.answer_creation(Ok(ORDER));
        sim.pass(seconds(11));
        assert_eq!(sim.result(id), Some(Ok(ORDER)));
        assert_eq!(sim.pages_opened(), 1);
        assert!(sim.is_ledger_silent());
    }
}

#[test]
fn an_order_id_that_is_known_already_is_answered() {
    // The order is followed.
    let mut sim = Sim::new();
    sim.track(ORDER);
    let id = sim.buy("sword");
    sim.answer_creation(Ok(ORDER));
    assert_eq!((sim.result(id), sim.pages_opened()), (Some(Ok(ORDER)), 1));

    // Two purchases are given the same order, which is not recorded yet.
    let mut sim = Sim::new();
    sim.is_ledger_stuck = true;
    let first = sim.buy("sword");
    sim.answer_creation(Ok(ORDER));
    let second = sim.buy("shield");
    sim.answer_creation(Ok(ORDER));
    sim.recorded(ORDER, LedgerEntry::Open);
    for id in [first, second] {
        assert_eq!(sim.result(id), Some(Ok(ORDER)));
    }

    // The order belongs to another player, who is no longer here.
    let mut sim = Sim::new();
    sim.handle(Input::TrackAs {
        user: token("bob", 1),
        expires_in: None,
        order_id: ORDER,
    });
    let id = sim.buy("sword");
    sim.answer_creation(Ok(ORDER));
    assert_eq!((sim.result(id), sim.pages_opened()), (Some(Ok(ORDER)), 1));

    // The order is over.
    let mut sim = Sim::new();
    sim.track(ORDER);
    sim.answer_all(&Ok(report("done")));
    let over = Some(Err(PurchaseError::OrderIsOver(ORDER)));
    for acknowledges in [false, true] {
        if acknowledges {
            sim.acknowledge(ORDER);
        }
        let id = sim.buy("sword");
        sim.answer_creation(Ok(ORDER));
        assert_eq!(sim.result(id), over);
    }
    assert_eq!(sim.pages_opened(), 0);

    // The order is from an earlier run, and the ledger has not been read yet.
    let mut sim = loading();
    let id = sim.buy("sword");
    sim.answer_creation(Ok(ORDER));
    assert_eq!(sim.result(id), None);
    sim.loaded(vec![Restored {
        order_id: ORDER,
        entry: LedgerEntry::Acknowledged,
        age: seconds(5),
    }]);
    assert_eq!(sim.result(id), over);
}

#[test]
fn the_second_click_of_a_double_click_makes_no_order_and_is_answered() {
    let mut sim = Sim::new();
    let first = sim.buy("sword");
    let repeated = Some(Err(PurchaseError::Repeated(first)));
    // A repeated click comes while the order is created, while it is recorded, and just after its page was
    // opened.
    let second = sim.buy("sword");
    assert_eq!(sim.result(second), repeated);
    sim.is_ledger_stuck = true;
    sim.answer_creation(Ok(ORDER));
    let third = sim.buy("sword");
    assert_eq!(sim.result(third), repeated);
    sim.recorded(ORDER, LedgerEntry::Open);
    let fourth = sim.buy("sword");
    assert_eq!(sim.result(fourth), repeated);
    assert_eq!(sim.result(first), Some(Ok(ORDER)));
    // A purchase of something else is no double click, nor is the same purchase after the order was
    // abandoned.
    let other = sim.buy("shield");
    assert_eq!(sim.result(other), None);
    sim.handle(Input::Abandon(ORDER));
    let again = sim.buy("sword");
    assert_eq!(sim.result(again), None);
}

#[test]
fn a_store_that_never_answers_fails_the_purchase() {
    let mut sim = Sim::new();
    let id = sim.buy("sword");
    sim.pass(seconds(120));
    let late = PurchaseError::Request(RequestError::TimedOut);
    assert_eq!(sim.result(id), Some(Err(late)));
    // The answer comes hours later.
    sim.answer_creation(Ok(ORDER));
    assert!(sim.machine.is_idle());
}

#[test]
fn a_player_who_logs_out_gets_their_answer_and_nobody_else_their_page() {
    let mut sim = Sim::new();
    let id = sim.buy("sword");
    sim.log_out();
    sim.answer_creation(Ok(ORDER));
    assert_eq!((sim.result(id), sim.pages_opened()), (Some(Ok(ORDER)), 0));
    let refused = {
        sim.log_in();
        sim.pass(seconds(2));
        let id = sim.buy("shield");
        sim.log_out();
        sim.answer_creation(Err(http(422)));
        sim.result(id)
    };
    assert_eq!(refused, Some(Err(PurchaseError::Request(http(422)))));
    // The order is followed when the player is back.
    sim.log_in();
    sim.pass_answering(seconds(60), &Ok(report("done")));
    assert_eq!(sim.grants(ORDER), 1);
}

#[test]
fn what_cannot_be_bought_is_said_at_once() {
    let mut sim = Sim::unconfigured();
    let id = sim.buy("sword");
    assert_eq!(sim.result(id), Some(Err(PurchaseError::NoConfig)));
    let config = sim.config.clone();
    sim.configure(Some(config));
    let id = sim.buy("sword");
    assert_eq!(sim.result(id), Some(Err(PurchaseError::NotLoggedIn)));
    sim.log_in();
    for sku in ["", ".", "..", "a\nb"] {
        let id = sim.buy(sku);
        assert!(
            matches!(sim.result(id), Some(Err(PurchaseError::Invalid(_)))),
            "{sku:?}"
        );
    }
    assert!(sim.others.is_empty(), "nothing was sent");
}

#[test]
fn an_order_of_a_project_that_was_left_meanwhile_is_not_taken_for_one_of_this() {
    for is_created_before in [false, true] {
        let mut sim = Sim::new();
        sim.is_ledger_stuck = true;
        let id = sim.buy("sword");
        if is_created_before {
            sim.answer_creation(Ok(ORDER));
        }
        let mut config = sim.config.clone();
        config.project_id += 1;
        sim.configure(Some(config));
        if !is_created_before {
            sim.answer_creation(Ok(ORDER));
        }
        assert_eq!(sim.result(id), Some(Err(PurchaseError::ProjectChanged)));
        assert_eq!(sim.pages_opened(), 0);
    }
}

#[test]
fn an_order_that_the_game_untracks_before_its_page_opens_fails_its_purchase() {
    let mut sim = Sim::new();
    sim.is_ledger_stuck = true;
    let id = sim.buy("sword");
    sim.answer_creation(Ok(ORDER));
    sim.untrack(ORDER);
    assert_eq!(sim.result(id), Some(Err(PurchaseError::Untracked(ORDER))));
}

#[test]
fn a_page_that_is_gone_is_said() {
    let mut sim = Sim::new();
    sim.buy("sword");
    sim.answer_creation(Ok(ORDER));
    sim.handle(Input::ResumePayment(ORDER));
    assert_eq!(sim.pages_opened(), 2);
    sim.pass_answering(seconds(60), &Ok(report("done")));
    sim.handle(Input::ResumePayment(ORDER));
    assert_eq!(sim.pages_opened(), 2);
    let is_told = |n: &Notice| matches!(n, Notice::PageFailed(failed) if failed.order_id == ORDER);
    assert!(sim.notices.iter().any(is_told));
}

#[test]
fn what_a_page_says_is_told_and_grants_nothing_and_the_order_is_asked_for() {
    let mut sim = live_with(&[ORDER]);
    sim.pass(seconds(20));
    let asked = sim.requests_sent();
    for status in [PaymentPageStatus::Done, PaymentPageStatus::Closed] {
        let order_id = ORDER;
        sim.handle(Input::PageChanged { order_id, status });
    }
    // Nothing is known of this order.
    sim.handle(Input::PageChanged {
        order_id: OrderId(2),
        status: PaymentPageStatus::Done,
    });
    sim.tick();
    let told = sim.notices.iter().filter_map(|notice| match notice {
        Notice::PageChanged(changed) => Some((changed.order_id, changed.status)),
        _ => None,
    });
    assert_eq!(
        told.collect::<Vec<_>>(),
        [
            (ORDER, PaymentPageStatus::Done),
            (ORDER, PaymentPageStatus::Closed)
        ]
    );
    assert_eq!(sim.requests_sent(), asked + 1);
    sim.answer(Ok(report("new")));
    assert_eq!(sim.grants(ORDER), 0);
}

#[test]
fn what_was_granted_and_not_acknowledged_is_told_again_when_the_game_asks_for_it() {
    let mut sim = Sim::new();
    let (kept, lost) = (OrderId(1), OrderId(2));
    for order in [kept, lost] {
        sim.track(order);
    }
    sim.track(OrderId(3));
    sim.answer_all(&Ok(report("done")));
    sim.handle(Input::Untrack(OrderId(3)));
    sim.acknowledge(kept);
    sim.handle(Input::DeliverAgain);
    assert_eq!((sim.grants(kept), sim.grants(lost)), (1, 2));
    sim.acknowledge(lost);
    sim.handle(Input::DeliverAgain);
    assert_eq!(sim.grants(lost), 2);
}

#[test]
fn orders_that_are_told_again_come_in_the_sequence_of_their_numbers() {
    let mut sim = Sim::new();
    let mut orders: Vec<OrderId> = (1..=50).map(|n| OrderId(n * 7_919 % 50)).collect();
    for order in &orders {
        sim.track(*order);
    }
    sim.answer_all(&Ok(report("done")));
    sim.notices.clear();
    sim.handle(Input::DeliverAgain);
    orders.sort();
    let done = |notice: &Notice| match notice {
        Notice::Done(done) => Some(done.order_id),
        _ => None,
    };
    let told: Vec<OrderId> = sim.notices.iter().filter_map(done).collect();
    assert_eq!(told, orders);
}

#[test]
fn the_catalogue_that_was_asked_for_last_is_the_one_that_is_told() {
    let mut sim = Sim::new();
    let fetch = || Input::FetchCatalog {
        user: None,
        request: CatalogRequest::default(),
    };
    sim.handle(fetch());
    sim.handle(fetch());
    let requests: Vec<RequestId> = sim
        .others
        .iter()
        .filter_map(|output| match output {
            Output::Request { request, .. } => Some(*request),
            _ => None,
        })
        .collect();
    assert_eq!(requests.len(), 2);
    // The two answers differ, so that they can be told apart.
    let answers = [Err(http(500)), Ok(Vec::new())];
    for (request, answer) in requests.into_iter().zip(answers).rev() {
        let answer = Answer::Catalog(answer);
        sim.handle(Input::Answered { request, answer });
    }
    let told = sim.notices.iter().filter_map(|notice| match notice {
        Notice::Catalog(answer) => Some(answer.is_ok()),
        _ => None,
    });
    assert_eq!(told.collect::<Vec<_>>(), [true]);
}

fn buy_unless_open(sim: &mut Sim, purchase: Purchase) -> PurchaseId {
    let id = PurchaseId::next();
    sim.handle(Input::Purchase {
        id,
        user: alice(),
        purchase: Box::new(purchase.unless_open()),
    });
    id
}

#[test]
fn a_purchase_unless_open_is_answered_with_the_open_order_of_the_item() {
    let mut sim = Sim::new();
    let first = buy_unless_open(&mut sim, Purchase::item("sword"));
    // It is not known yet whether the first one leads to an order.
    let second = buy_unless_open(&mut sim, Purchase::cart([("shield", 1), ("sword", 2)]));
    assert_eq!((sim.result(first), sim.result(second)), (None, None));
    sim.answer_creation(Ok(ORDER));
    assert_eq!(sim.result(first), Some(Ok(ORDER)));
    let open = Some(Err(PurchaseError::AlreadyOpen(ORDER)));
    assert_eq!(sim.result(second), open);
    // Another item is not concerned, and a purchase that does not ask for it is made.
    let shield = buy_unless_open(&mut sim, Purchase::item("shield"));
    sim.answer_creation(Ok(OrderId(ORDER.0 + 2)));
    assert_eq!(sim.result(shield), Some(Ok(OrderId(ORDER.0 + 2))));
    let sword = sim.buy("sword");
    sim.answer_creation(Ok(OrderId(ORDER.0 + 3)));
    assert_eq!(sim.result(sword), Some(Ok(OrderId(ORDER.0 + 3))));
    // The newest one is offered, and none once they are over.
    let third = buy_unless_open(&mut sim, Purchase::item("sword"));
    assert_eq!(
        sim.result(third),
        Some(Err(PurchaseError::AlreadyOpen(OrderId(ORDER.0 + 3))))
    );
    sim.handle(Input::Abandon(OrderId(ORDER.0 + 3)));
    sim.socket_is_live(true);
    sim.answer_all(&Ok(report("done")));
    let fourth = buy_unless_open(&mut sim, Purchase::item("sword"));
    sim.answer_creation(Ok(OrderId(ORDER.0 + 4)));
    assert_eq!(sim.result(fourth), Some(Ok(OrderId(ORDER.0 + 4))));
}

#[test]
fn a_purchase_unless_open_waits_until_it_is_known_what_is_in_the_open_orders() {
    let mut sim = Sim::new();
    sim.track(ORDER);
    let sword = buy_unless_open(&mut sim, Purchase::item("sword"));
    let shield = buy_unless_open(&mut sim, Purchase::item("shield"));
    assert_eq!((sim.result(sword), sim.result(shield)), (None, None));
    sim.answer_all(&Ok(report("new")));
    let open = Some(Err(PurchaseError::AlreadyOpen(ORDER)));
    assert_eq!(sim.result(sword), open);
    sim.answer_creation(Ok(OrderId(2)));
    assert_eq!(sim.result(shield), Some(Ok(OrderId(2))));

    // The next start has the order from the ledger.
    sim.restart();
    let sword = buy_unless_open(&mut sim, Purchase::item("sword"));
    assert_eq!(sim.result(sword), None);
    sim.answer_all(&Ok(report("new")));
    let open = Some(Err(PurchaseError::AlreadyOpen(OrderId(2))));
    assert_eq!(sim.result(sword), open);
}

#[test]
fn a_purchase_unless_open_is_answered_though_nothing_becomes_known() {
    let mut sim = Sim::new();
    sim.track(ORDER);
    let late = buy_unless_open(&mut sim, Purchase::item("sword"));
    sim.pass(sim.config.request_timeout - seconds(1));
    assert_eq!(sim.result(late), None);
    sim.pass(seconds(2));
    let timed_out = PurchaseError::Request(RequestError::TimedOut);
    assert_eq!(sim.result(late), Some(Err(timed_out)));

    let left = buy_unless_open(&mut sim, Purchase::item("sword"));
    sim.log_out();
    assert_eq!(sim.result(left), Some(Err(PurchaseError::NotLoggedIn)));
    sim.log_in();
    let moved = buy_unless_open(&mut sim, Purchase::item("sword"));
    let mut config = sim.config.clone();
    config.project_id = 5;
    sim.configure(Some(config));
    assert_eq!(sim.result(moved), Some(Err(PurchaseError::ProjectChanged)));
}

#[test]
fn a_purchase_unless_open_waits_for_the_ledger() {
    let mut sim = loading();
    let sword = buy_unless_open(&mut sim, Purchase::item("sword"));
    let shield = buy_unless_open(&mut sim, Purchase::item("shield"));
    assert_eq!((sim.result(sword), sim.result(shield)), (None, None));
    sim.loaded(known(LedgerEntry::Open));
    sim.answer_all(&Ok(report("new")));
    let open = Some(Err(PurchaseError::AlreadyOpen(ORDER)));
    assert_eq!(sim.result(sword), open);
    sim.answer_creation(Ok(OrderId(2)));
    assert_eq!(sim.result(shield), Some(Ok(OrderId(2))));
}

#[test]
fn the_page_of_an_order_that_is_tracked_again_before_the_ledger_was_read_is_kept() {
    let mut sim = Sim::new();
    let id = sim.buy("sword");
    sim.answer_creation(Ok(ORDER));
    assert_eq!(sim.result(id), Some(Ok(ORDER)));
    sim.handle(Input::Abandon(ORDER));
    sim.log_out();
    let user = token("alice", 9);
    let expires_in = None;
    sim.machine
        .handle(Input::LogIn { user, expires_in }, sim.now);
    let user = alice();
    sim.machine.handle(
        Input::Track {
            user,
            order_id: ORDER,
        },
        sim.now,
    );
    sim.collect();
    assert!(sim.machine.orders[&ORDER].phase.is_open());
    let pages = sim.pages_opened();
    sim.handle(Input::ResumePayment(ORDER));
    assert_eq!(sim.pages_opened(), pages + 1);
}
