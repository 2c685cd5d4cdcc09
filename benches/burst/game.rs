//! The plugin as a contestant.

use super::*;

pub fn run() {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    let task: Value = serde_json::from_str(&line).unwrap();
    let number = |name: &str| task[name].as_u64().unwrap();
    let hz = number("hz");
    let frame = Duration::from_nanos(1_000_000_000_u64.checked_div(hz).unwrap_or(0));
    let mut app = app(&task);
    let warm_up = OrderId(number("first_order") + ORDERS);
    settle(&mut app);
    app.world_mut().resource_mut::<Tally>().warm_up = Some(warm_up);
    println!("ready");

    let mut frames = Frames::default();
    let mut next = Instant::now();
    loop {
        let ((ran, _), begin) = (scheduled(), Instant::now());
        app.update();
        let took = begin.elapsed();
        let ran = scheduled().0 - ran;
        let mut tally = app.world_mut().resource_mut::<Tally>();
        frames.note(took, ran, &mut tally);
        if tally.has_ended() {
            break;
        }
        if hz > 0 {
            next += frame;
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
        }
    }
    let tally = app.world().resource::<Tally>();
    if !tally.has_all() {
        println!("seen {}", tally.last.elapsed().as_micros());
    }
    println!("frames {}", frames.report(tally));
    // The other process ends this one.
    std::thread::sleep(DEADLINE);
}

fn app(task: &Value) -> App {
    let number = |name: &str| task[name].as_u64().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut config = XsollaConfig::new(task["data"]["project_id"].as_u64().unwrap());
    config.store_url = text(&task["store_url"]);
    config.socket_url = text(&task["url"]);
    config.ledger = Ledger::disabled();
    let user = XsollaUser::new(text(&task["data"]["auth"]));
    let external_id = text(&task["data"]["user_external_id"]);
    let mut app = App::new();
    app.add_plugins((MinimalPlugins, XsollaOrderPlugin))
        .insert_resource(config)
        .insert_resource(user.with_external_id(external_id))
        .init_resource::<Tally>()
        .add_systems(Update, count);
    let first = number("first_order");
    for order in first..=first + ORDERS {
        app.world_mut().commands().track_order(OrderId(order));
    }
    app
}

/// Runs frames until the items of all orders are known, the socket is live, and no more news comes.
fn settle(app: &mut App) {
    let deadline = Instant::now() + DEADLINE;
    let is_settled = |world: &World| {
        let mut orders = world.resource::<Orders>().iter();
        let is_live = world.resource::<TrackerState>().is_live();
        let is_quiet = world.resource::<Tally>().last.elapsed() > QUIET / 4;
        is_quiet && is_live && orders.all(|order| order.items.is_some())
    };
    while !is_settled(app.world()) {
        assert!(Instant::now() < deadline, "the orders are not followed");
        app.update();
        std::thread::sleep(Duration::from_millis(1));
    }
    *app.world_mut().resource_mut::<Tally>() = Tally::default();
}

/// The news that the game was sent.
#[derive(Resource)]
struct Tally {
    warm_up: Option<OrderId>,
    changes: u64,
    done: u64,
    /// When the last news came.
    last: Instant,
    is_news: bool,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            warm_up: None,
            changes: 0,
            done: 0,
            last: Instant::now(),
            is_news: false,
        }
    }
}

impl Tally {
    fn has_all(&self) -> bool {
        self.changes == BURST && self.done == ORDERS
    }

    /// The plugin leaves out a status that a later one overtakes. Then there are fewer changes.
    fn has_ended(&self) -> bool {
        self.has_all() || self.done == ORDERS && self.last.elapsed() > QUIET
    }
}

fn count(
    mut changes: MessageReader<OrderStatusChanged>,
    mut done: MessageReader<OrderDone>,
    mut tally: ResMut<Tally>,
) {
    if changes.is_empty() && done.is_empty() {
        return;
    }
    let had_all = tally.has_all();
    for change in changes.read() {
        if Some(change.order_id) == tally.warm_up {
            println!("warm");
        } else {
            tally.changes += 1;
            tally.is_news = true;
        }
    }
    let before = tally.done;
    tally.done += done.read().count() as u64;
    tally.is_news |= tally.done > before;
    tally.last = Instant::now();
    if tally.done == ORDERS && before < ORDERS {
        println!("granted");
    }
    if tally.has_all() && !had_all {
        println!("seen");
    }
}

/// How long frames took during the burst.
#[derive(Default)]
struct Frames {
    with_news: Times,
    /// How long the main thread ran in them. For the rest of the time it waited for a processor or for other threads.
    ran: Times,
    ran_in_all: Duration,
    all: Times,
    /// The frames since the last news. They belong to the burst if more news comes.
    idle: Vec<Duration>,
}

impl Frames {
    fn note(&mut self, took: Duration, ran: Duration, tally: &mut Tally) {
        if std::mem::take(&mut tally.is_news) {
            self.with_news.add(took);
            self.ran.add(ran);
            self.ran_in_all += ran;
            for idle in self.idle.drain(..) {
                self.all.add(idle);
            }
            self.all.add(took);
        } else if self.with_news.count() > 0 {
            self.idle.push(took);
        }
    }

    fn report(&self, tally: &Tally) -> Value {
        let micros = |times: &Times, share| times.quantile(share).as_secs_f64() * 1e6;
        let messages = (tally.changes + tally.done) as f64;
        json!({
            "changes": tally.changes,
            "count": self.with_news.count(),
            "p50_us": micros(&self.with_news, 0.5),
            "p99_us": micros(&self.with_news, 0.99),
            "max_us": micros(&self.with_news, 1.0),
            "ran_p99_us": micros(&self.ran, 0.99),
            "all_p99_us": micros(&self.all, 0.99),
            "ran_each_ns": self.ran_in_all.as_secs_f64() * 1e9 / messages,
        })
    }
}
