//! A game that is killed at any moment, on a bad network: every purchase is granted, none of them
//! again once it was acknowledged, and none falsely.
//!
//! The game is a process of its own, so that `SIGKILL` means what it means. It writes what happens to
//! it to a file, as a game writes its save; the file is what is judged.
//!
//! `BEVY_XSOLLA_CHAOS=200 cargo test --test chaos -- --nocapture` is the long run, and
//! `BEVY_XSOLLA_SEED=…` makes the same random choices again. When a kill strikes is up to the machine's
//! scheduler as well, so a seed repeats the plan, not the run.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on is to stop"
)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::process::{ChildStdin, Stdio};
use std::sync::{Mutex, mpsc};
use std::time::{Duration, Instant};

use bevy::app::ScheduleRunnerPlugin;
use bevy::prelude::*;
use bevy_xsolla::emulator::{Fault, XsollaEmulator};
use bevy_xsolla::prelude::*;
use support::config_for;
use support::folder::Folder;
use support::process::{Process, own_process};

const NAME: &str =
    "a_game_killed_at_random_grants_every_purchase_and_none_after_its_acknowledgement";
const PLAYER: &str = "alice";

#[test]
fn a_game_killed_at_random_grants_every_purchase_and_none_after_its_acknowledgement() {
    if own_process(NAME).is_none() {
        return game::run();
    }
    let number = |name| std::env::var(name).ok().map(|text| text.parse().unwrap());
    let purchases = number("BEVY_XSOLLA_CHAOS").unwrap_or(25);
    let seed = number("BEVY_XSOLLA_SEED").unwrap_or_else(|| fastrand::u64(..));
    println!("BEVY_XSOLLA_CHAOS={purchases} BEVY_XSOLLA_SEED={seed}");

    let mut chaos = Chaos::new(seed);
    while chaos.purchases.len() < purchases as usize || chaos.has_plans() {
        chaos.step(purchases as usize);
    }
    // A new life on a good network: refunds of what was acknowledged are found at a start.
    chaos.emulator.heal();
    chaos.end_life();
    chaos.begin_life();
    chaos.wait_until("every purchase has come to its end", Chaos::is_complete);

    // And one more, which has no grant left to hear of but a last purchase's.
    chaos.end_life();
    chaos.begin_life();
    let last = chaos.buy(Fate::Delivered);
    while chaos.has_plans() {
        chaos.advance(last);
    }
    chaos.wait_until("the last purchase is granted", Chaos::is_complete);
    chaos.end_life();
    chaos.judge();
    println!("{}", chaos.figures());
}

/// How long the end may take. Generous: a condition that is met ends the wait at once.
const DEADLINE: Duration = Duration::from_secs(60);

/// What becomes of a purchase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    Delivered,
    /// Delivered and taken back, before or after the game has heard of it.
    Refunded,
    Canceled,
    /// The player closes the payment page, or the delivery takes for ever.
    Abandoned,
}

struct Purchase {
    fate: Fate,
    /// What is still to come of it, the next last.
    plan: Vec<OrderStatus>,
    items: String,
    is_delivered: bool,
    /// Whether the game had it, as far as its notes tell.
    is_tracked: bool,
    is_acknowledged: bool,
    /// The lives in which it was granted.
    grants: Vec<u32>,
    canceled: bool,
    refunded: bool,
}

/// A line of the game's notes: the life, a word, mostly an order, perhaps a remark.
struct Note {
    life: u32,
    word: String,
    order_id: Option<OrderId>,
    remark: String,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            life, word, remark, ..
        } = self;
        write!(f, "life {life}: {word} {:?} {remark}", self.order_id)
    }
}

impl Note {
    fn read(line: &str) -> Self {
        let mut parts = line.splitn(4, ' ');
        let mut next = || parts.next().unwrap_or_default().to_owned();
        Self {
            life: next().parse().unwrap(),
            word: next(),
            order_id: next().parse().ok().map(OrderId),
            remark: next(),
        }
    }
}

/// A run of the game. It does not outlive this, whatever becomes of the test.
struct Life {
    process: Process,
    input: ChildStdin,
}

struct Chaos {
    random: fastrand::Rng,
    emulator: XsollaEmulator,
    user: XsollaUser,
    /// The newest, which every new life gets.
    token: String,
    folder: Folder,
    life: Option<Life>,
    lives: u32,
    purchases: BTreeMap<OrderId, Purchase>,
    notes: Vec<Note>,
    notes_bytes: usize,
    kills: u32,
    troubles: u32,
    tracked_again: u32,
}

impl Chaos {
    fn new(seed: u64) -> Self {
        let emulator = XsollaEmulator::start();
        let mut chaos = Self {
            random: fastrand::Rng::with_seed(seed),
            user: emulator.user(PLAYER),
            token: emulator.token(PLAYER),
            emulator,
            folder: Folder::new("chaos"),
            life: None,
            lives: 0,
            purchases: BTreeMap::new(),
            notes: Vec::new(),
            notes_bytes: 0,
            kills: 0,
            troubles: 0,
            tracked_again: 0,
        };
        chaos.begin_life();
        chaos
    }

    /// Something happens, and a moment passes.
    fn step(&mut self, purchases: usize) {
        match self.random.u32(..24) {
            0..5 if self.purchases.len() < purchases => {
                let fate = match self.random.u32(..20) {
                    0..12 => Fate::Delivered,
                    12..16 => Fate::Refunded,
                    16..19 => Fate::Canceled,
                    _ => Fate::Abandoned,
                };
                self.buy(fate);
            }
            0..11 => drop(self.advance_any()),
            11..17 => self.make_trouble(),
            17..20 => self.emulator.heal(),
            20 => self.log_in_anew(),
            21 => {
                self.end_life();
                // What happens while the game is not running.
                for _ in 0..self.random.u32(..4) {
                    self.advance_any();
                }
                self.begin_life();
            }
            _ => self.kill_at_news(),
        }
        self.pass(60);
    }

    fn has_plans(&self) -> bool {
        self.purchases.values().any(|p| !p.plan.is_empty())
    }

    /// Lets up to so many milliseconds go by.
    fn pass(&mut self, millis: u64) {
        std::thread::sleep(Duration::from_millis(self.random.u64(..=millis)));
        self.read_notes();
        if let Some(life) = &mut self.life
            && let Some(status) = life.process.try_wait().unwrap()
        {
            panic!("the game ended of itself: {status}");
        }
    }

    /// The payment page opens.
    fn buy(&mut self, fate: Fate) -> OrderId {
        let quantity = self.random.u64(1..=9);
        let order_id = self
            .emulator
            .create_order(&self.user, &[("sword", 1), ("potion", quantity)]);
        let is_paid = self.random.bool();
        let paid = is_paid.then_some(OrderStatus::Paid);
        let mut plan: Vec<OrderStatus> = match fate {
            Fate::Delivered => vec![OrderStatus::Done],
            Fate::Refunded => vec![OrderStatus::Canceled, OrderStatus::Done],
            Fate::Canceled => vec![OrderStatus::Canceled],
            Fate::Abandoned => vec![],
        };
        plan.extend(paid);
        let purchase = Purchase {
            fate,
            plan,
            items: format!("sword:1,potion:{quantity}"),
            is_delivered: false,
            is_tracked: false,
            is_acknowledged: false,
            grants: Vec::new(),
            canceled: false,
            refunded: false,
        };
        self.purchases.insert(order_id, purchase);
        self.tell(&format!("track {order_id}"));
        order_id
    }

    /// The next thing happens to one of the purchases.
    fn advance_any(&mut self) -> Option<OrderId> {
        let is_planned = |(&id, p): (&OrderId, &Purchase)| (!p.plan.is_empty()).then_some(id);
        let planned: Vec<OrderId> = self.purchases.iter().filter_map(is_planned).collect();
        let order_id = self.random.choice(planned)?;
        self.advance(order_id);
        Some(order_id)
    }

    fn advance(&mut self, order_id: OrderId) {
        let purchase = self.purchases.get_mut(&order_id).unwrap();
        let Some(status) = purchase.plan.pop() else {
            return;
        };
        purchase.is_delivered |= status == OrderStatus::Done;
        // Now and then only one of the two servers has it yet, and at the end both do.
        match self.random.u32(..6) {
            0 if !purchase.plan.is_empty() => {
                self.emulator.set_status_silently(order_id, status.as_str());
            }
            _ => self.emulator.set_status(order_id, status.as_str()),
        }
    }

    fn make_trouble(&mut self) {
        self.troubles += 1;
        let emulator = &self.emulator;
        let millis = Duration::from_millis(self.random.u64(10..1_000));
        match self.random.u32(..20) {
            0..4 => emulator.drop_sockets(),
            4 => emulator.close_sockets(3000, "shutdown"),
            5 => emulator.close_sockets(4001, "come back"),
            6 => emulator.close_sockets(3503, "stay away"),
            7 => {
                emulator.refuse_sockets(true);
                emulator.drop_sockets();
            }
            8 => emulator.hang_sockets(true),
            9 => emulator.hang_handshakes(true),
            10 => emulator.withhold_channels(true),
            11 => emulator.deny_history(Some(108)),
            12 => emulator.forget_history(),
            13 => {
                let status = self.random.choice([500, 502, 503]).unwrap();
                emulator.fail_requests(Fault::status(status));
            }
            14 => emulator.fail_requests(
                Fault::status(429)
                    .retry_after(Duration::from_secs(1))
                    .times(2),
            ),
            15 => emulator.fail_requests(Fault::status(404).times(2)),
            16 => emulator.drop_requests(true),
            17 => emulator.delay_requests(millis),
            18 => emulator.lag_requests(millis),
            _ => emulator.hang_requests(true),
        }
    }

    /// The player's tokens are taken back, and the player logs in again.
    fn log_in_anew(&mut self) {
        self.emulator.revoke_tokens(PLAYER);
        self.token = self.emulator.token(PLAYER);
        self.tell(&format!("user {}", self.token));
    }

    /// Strikes where it may hurt most: in the moment in which the game has written something down.
    fn kill_at_news(&mut self) {
        let notes = self.notes.len();
        self.advance_any();
        let patience = Instant::now() + Duration::from_millis(300);
        while self.notes.len() == notes && Instant::now() < patience {
            self.read_notes();
            std::thread::yield_now();
        }
        // Some of what follows a grant takes a moment: its acknowledgement is written to the ledger.
        let delay = Duration::from_micros(self.random.u64(..4_000));
        if self.random.bool() {
            std::thread::sleep(delay);
        }
        self.kill();
        self.begin_life();
    }

    fn kill(&mut self) {
        // Dropped, it is killed.
        if self.life.take().is_some() {
            self.kills += 1;
        }
        self.read_notes();
        // What the kill left of a line was never written.
        if let Ok(file) = OpenOptions::new().write(true).open(self.notes_file()) {
            file.set_len(self.notes_bytes as u64).unwrap();
        }
    }

    /// Mostly by `SIGKILL`, sometimes as a game ends.
    fn end_life(&mut self) {
        if self.random.u32(..4) > 0 {
            return self.kill();
        }
        self.tell("quit");
        let mut life = self.life.take().unwrap();
        let status = life.process.wait_for_end();
        assert!(status.success(), "the game ended with {status}");
        self.read_notes();
    }

    /// Starts the game. Secrets travel through its standard input: arguments and environment are
    /// there for all to see.
    fn begin_life(&mut self) {
        self.lives += 1;
        let mut game = own_process(NAME).unwrap();
        game.stdin(Stdio::piped()).stdout(Stdio::null());
        let mut process = Process::start(&mut game);
        let input = process.stdin.take().unwrap();
        self.life = Some(Life { process, input });
        let config = self.emulator.config();
        for line in [
            format!("life {}", self.lives),
            format!("store {}", config.store_url),
            format!("socket {}", config.socket_url),
            format!("project {}", config.project_id),
            format!("ledger {}", self.folder.ledger().display()),
            format!("notes {}", self.notes_file().display()),
            format!("user {}", self.token),
            "start".to_owned(),
        ] {
            self.tell(&line);
        }
        // A game that was killed before the ledger had an order cannot know of it: the player opens
        // the payment page again.
        let unknown = |(&id, p): (&OrderId, &Purchase)| (!p.is_tracked).then_some(id);
        let unknown: Vec<OrderId> = self.purchases.iter().filter_map(unknown).collect();
        for order_id in unknown {
            self.tracked_again += 1;
            self.tell(&format!("track {order_id}"));
        }
    }

    fn tell(&mut self, line: &str) {
        // The next life is told all that matters.
        if let Some(life) = &mut self.life
            && let Err(error) = writeln!(life.input, "{line}")
        {
            panic!("the game has ended ({error}): {:?}", life.process.wait());
        }
    }

    #[track_caller]
    fn wait_until(&mut self, what: &str, condition: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + DEADLINE;
        while !condition(self) {
            assert!(
                Instant::now() < deadline,
                "waited in vain until {what}; {}",
                self.what_is_missing(),
            );
            self.pass(2);
        }
    }

    /// Each purchase without an end, and all that the game has noted of it.
    fn what_is_missing(&self) -> String {
        let mut text = String::new();
        let open = self.purchases.iter().filter(|(_, p)| !p.is_complete());
        for (&order_id, purchase) in open {
            let status = self.emulator.status(order_id);
            let requests = self.emulator.order_requests_for(order_id);
            text.push_str(&format!(
                "\n{order_id}: {:?}, {status}, {requests} requests",
                purchase.fate
            ));
            for note in self.notes.iter().filter(|n| n.order_id == Some(order_id)) {
                text.push_str(&format!("\n  {note}"));
            }
        }
        text.push_str(&format!("\nnow is life {}", self.lives));
        text
    }

    fn is_complete(&self) -> bool {
        self.purchases.values().all(Purchase::is_complete)
    }

    fn notes_file(&self) -> PathBuf {
        self.folder.join("notes")
    }

    /// Takes in what the game has written, and judges what can be judged at once.
    fn read_notes(&mut self) {
        let text = fs::read(self.notes_file()).unwrap_or_default();
        let new = &text[self.notes_bytes..];
        let Some(end) = new.iter().rposition(|&byte| byte == b'\n') else {
            return;
        };
        let new = String::from_utf8(new[..=end].to_vec()).unwrap();
        self.notes_bytes += new.len();
        for note in new.lines().map(Note::read) {
            self.take(&note);
            self.notes.push(note);
        }
    }

    fn take(&mut self, note: &Note) {
        let Some(purchase) = note.order_id.and_then(|id| self.purchases.get_mut(&id)) else {
            panic!("a game that lives has nothing to say of this: {note}");
        };
        purchase.is_tracked = true;
        match note.word.as_str() {
            "tracked" => {}
            "granted" => {
                assert!(purchase.is_delivered, "not delivered, {note}");
                assert!(!purchase.is_acknowledged, "acknowledged before, {note}");
                assert!(!purchase.grants.contains(&note.life), "twice, {note}");
                assert_eq!(purchase.items, note.remark, "other items, {note}");
                purchase.grants.push(note.life);
            }
            "acknowledged" => {
                assert!(!purchase.grants.is_empty(), "never granted, {note}");
                purchase.is_acknowledged = true;
            }
            "canceled" => purchase.canceled = true,
            "refunded" => {
                assert!(purchase.is_delivered, "not delivered, {note}");
                purchase.refunded = true;
            }
            _ => panic!("unexpected, {note}"),
        }
    }

    /// What can be judged at the end only.
    fn judge(&self) {
        for (order_id, purchase) in &self.purchases {
            let Purchase {
                fate,
                grants,
                canceled,
                refunded,
                ..
            } = purchase;
            let is_told = *canceled || *refunded;
            match fate {
                Fate::Delivered => {
                    assert!(!grants.is_empty(), "{order_id} was not granted");
                    assert!(!is_told, "{order_id} was not canceled");
                }
                Fate::Refunded => assert!(is_told, "nobody was told that {order_id} was refunded"),
                Fate::Canceled => {
                    assert!(is_told, "nobody was told that {order_id} was canceled");
                    assert!(grants.is_empty(), "{order_id} was granted");
                }
                Fate::Abandoned => assert!(grants.is_empty() && !is_told, "{order_id}"),
            }
        }
    }

    fn figures(&self) -> String {
        let count = |fate| self.purchases.values().filter(|p| p.fate == fate).count();
        let repeats = |p: &Purchase| p.grants.len().saturating_sub(1);
        let grants: usize = self.purchases.values().map(|p| p.grants.len()).sum();
        let repeated: usize = self.purchases.values().map(repeats).sum();
        let taken_back = |p: &&Purchase| p.fate == Fate::Refunded && !p.grants.is_empty();
        let taken_back: Vec<&Purchase> = self.purchases.values().filter(taken_back).collect();
        let as_refund = taken_back.iter().filter(|p| p.refunded).count();
        format!(
            "{} purchases: {} delivered, {} refunded, {} canceled, {} abandoned\n\
             {} lives of the game, {} of them killed; {} faults of the network; {} orders \
             tracked once more\n\
             {grants} grants, {repeated} of them repeats before the acknowledgement, 0 after it, \
             0 false\n\
             {} refunds of what had been granted, {as_refund} told as such\n\
             {} sockets opened, {} Get Order requests",
            self.purchases.len(),
            count(Fate::Delivered),
            count(Fate::Refunded),
            count(Fate::Canceled),
            count(Fate::Abandoned),
            self.lives,
            self.kills,
            self.troubles,
            self.tracked_again,
            taken_back.len(),
            self.emulator.sockets_opened(),
            self.emulator.order_requests(),
        )
    }
}

impl Purchase {
    /// Whether the game knows all that there is to know.
    fn is_complete(&self) -> bool {
        match self.fate {
            Fate::Delivered => self.is_acknowledged,
            Fate::Refunded | Fate::Canceled => self.canceled || self.refunded,
            Fate::Abandoned => self.is_tracked,
        }
    }
}

/// The game, in the child process.
mod game {
    use super::*;

    pub fn run() {
        let inbox = listen();
        let mut settings = BTreeMap::new();
        loop {
            let line = inbox.recv().unwrap();
            match line.split_once(' ') {
                Some((key, value)) => settings.insert(key.to_owned(), value.to_owned()),
                None => break,
            };
        }
        let project = settings["project"].parse().unwrap();
        let mut config = config_for(project, &settings["store"], &settings["socket"]);
        config.ledger = Ledger::at(&settings["ledger"]);
        hurry(&mut config);
        let exit = App::new()
            .add_plugins((
                MinimalPlugins.set(ScheduleRunnerPlugin::run_loop(Duration::from_millis(1))),
                XsollaOrderPlugin,
            ))
            .insert_resource(config)
            .insert_resource(XsollaUser::new(&settings["user"]))
            .insert_resource(Inbox(Mutex::new(inbox)))
            .insert_resource(Notes::open(&settings["notes"], &settings["life"]))
            .add_systems(Update, (read_input, play))
            .run();
        assert!(exit.is_success());
    }

    /// Everything within a second, so that much happens in a short life.
    fn hurry(config: &mut XsollaConfig) {
        config.socket_grace = Duration::from_millis(200);
        config.connect_timeout = Duration::from_secs(1);
        config.socket_lifetime = Duration::from_secs(5);
        config.poll_interval = Duration::from_millis(100);
        config.poll_interval_max = Duration::from_secs(1);
        config.request_timeout = Duration::from_secs(1);
        config.retry_min = Duration::from_millis(50);
        config.retry_max = Duration::from_millis(500);
        // 404 comes as bad luck here, and no order is to be given up for it.
        config.refusals_max = 50;
    }

    /// What the test says, line by line.
    #[derive(Resource)]
    struct Inbox(Mutex<mpsc::Receiver<String>>);

    fn listen() -> mpsc::Receiver<String> {
        let (lines, inbox) = mpsc::channel();
        std::thread::spawn(move || {
            for line in std::io::stdin().lines() {
                if lines.send(line.unwrap()).is_err() {
                    return;
                }
            }
        });
        inbox
    }

    fn read_input(inbox: Res<Inbox>, mut commands: Commands, mut exit: MessageWriter<AppExit>) {
        let inbox = inbox.0.lock().unwrap();
        loop {
            match inbox.try_recv() {
                Ok(line) => match line.split_once(' ') {
                    Some(("track", id)) => commands.track_order(OrderId(id.parse().unwrap())),
                    Some(("user", token)) => commands.insert_resource(XsollaUser::new(token)),
                    _ => drop(exit.write(AppExit::Success)),
                },
                Err(mpsc::TryRecvError::Empty) => return,
                // The test is gone, and nothing is left to play for.
                Err(mpsc::TryRecvError::Disconnected) => {
                    exit.write(AppExit::Success);
                    return;
                }
            }
        }
    }

    /// The game's save. What is in it has happened, whatever happens next.
    #[derive(Resource)]
    struct Notes {
        file: File,
        life: String,
        pending: String,
        said: BTreeSet<(OrderId, &'static str)>,
    }

    impl Notes {
        fn open(path: &str, life: &str) -> Self {
            let file = OpenOptions::new().create(true).append(true).open(path);
            Self {
                file: file.unwrap(),
                life: life.to_owned(),
                pending: String::new(),
                said: BTreeSet::new(),
            }
        }

        fn add(&mut self, word: &str, order_id: OrderId, remark: &str) {
            let line = format!("{} {word} {order_id} {remark}", self.life);
            self.pending.push_str(line.trim_end());
            self.pending.push('\n');
        }

        fn add_once(&mut self, word: &'static str, order_id: OrderId) {
            if self.said.insert((order_id, word)) {
                self.add(word, order_id, "");
            }
        }

        fn write(&mut self) {
            if !self.pending.is_empty() {
                self.file.write_all(self.pending.as_bytes()).unwrap();
                self.file.sync_data().unwrap();
                self.pending.clear();
            }
        }
    }

    fn play(
        orders: Res<Orders>,
        ledger: Res<LedgerState>,
        mut notes: ResMut<Notes>,
        mut done: MessageReader<OrderDone>,
        mut canceled: MessageReader<OrderCanceled>,
        mut failed: MessageReader<OrderTrackingFailed>,
        mut commands: Commands,
    ) {
        let mut granted = Vec::new();
        for done in done.read() {
            let items = done.items.iter();
            let items: Vec<_> = items.map(|i| format!("{}:{}", i.sku, i.quantity)).collect();
            notes.add("granted", done.order_id, &items.join(","));
            granted.push(done.order_id);
        }
        for canceled in canceled.read() {
            let word = if canceled.was_done {
                "refunded"
            } else {
                "canceled"
            };
            notes.add(word, canceled.order_id, "");
        }
        for failed in failed.read() {
            notes.add("failed", failed.order_id, &failed.error.to_string());
        }
        for order in &orders {
            // It is asked for only when the ledger has it, so an answer says that it does.
            if order.items.is_some() && !order.phase.is_acknowledged() {
                notes.add_once("tracked", order.order_id);
            }
            if order.phase.is_acknowledged() {
                notes.add_once("acknowledged", order.order_id);
            }
        }
        // A ledger that a kill could damage would be no ledger.
        if let Some(error) = ledger.trouble() {
            notes.add("trouble", OrderId(0), &error.to_string());
        }
        notes.write();
        for order_id in granted {
            commands.acknowledge_order(order_id);
        }
    }
}
