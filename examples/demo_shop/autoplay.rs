//! The demo plays by itself and saves pictures of it, for automated checks and for the README.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::Duration;

use bevy::prelude::*;
use bevy::render::view::screenshot::{Screenshot, save_to_disk};
use bevy_xsolla::prelude::*;
use bevy_xsolla::{ItemKind, XsollaDebugPanel};

use crate::bag::Bag;
use crate::checkout::{Buy, Purchases};
use crate::game::{self, ItemState};
use crate::payer::Payer;
use crate::restart::Restart;
use crate::restore::Restore;
use crate::shop_ui::Page;
use crate::web_shop::BuyElsewhere;

/// How long all of it may take. It takes 10 s, and longer on a machine without a graphics card.
const DEADLINE: Duration = Duration::from_secs(90);

pub struct AutoplayPlugin {
    /// The folder for the pictures, if they are wanted.
    pub screenshots: Option<PathBuf>,
    /// Whether this is the part after the restart.
    pub is_restarted: bool,
}

impl Plugin for AutoplayPlugin {
    fn build(&self, app: &mut App) {
        app.insert_resource(Script {
            // Pictures, fonts and the catalogue are loaded during the wait.
            steps: [Step::Wait(2.0), Step::ReadCatalog].into(),
            since: Duration::ZERO,
            folder: self.screenshots.clone(),
            pictures: Vec::new(),
            is_restarted: self.is_restarted,
        })
        .add_systems(Startup, create_folder)
        .add_systems(Update, play);
    }
}

#[derive(Resource)]
struct Script {
    steps: VecDeque<Step>,
    /// When the step at the front was begun.
    since: Duration,
    folder: Option<PathBuf>,
    pictures: Vec<PathBuf>,
    is_restarted: bool,
}

enum Step {
    /// Waits for the catalogue, and then adds the steps that buy its items.
    ReadCatalog,
    Wait(f32),
    Buy(String),
    /// Buys it in the Web Shop.
    BuyElsewhere(String),
    /// Waits until the item is in this state or a later one.
    Until(String, ItemState),
    Picture(&'static str),
    /// Shows or hides the report for support.
    Report(bool),
    /// Shows this page of the catalogue.
    Page(usize),
    /// Makes payments slow from now on.
    PaySlowly,
    /// Makes payments fast again, and pays what is open.
    Hurry,
    /// Ends this run and starts another one.
    Restart,
    /// Empties the bag, as if its file was deleted.
    LoseSave,
    /// Presses the button that restores it.
    Restore,
    /// Waits until the bag has the item.
    Have(String),
}

impl Script {
    /// The exit as it was meant, unless a picture is missing.
    fn end(&self, exit: AppExit) -> AppExit {
        match self.pictures.iter().find(|picture| !picture.exists()) {
            None => exit,
            Some(picture) => {
                error!("{} was not saved", picture.display());
                AppExit::error()
            }
        }
    }
}

fn create_folder(script: Res<Script>, mut exit: MessageWriter<AppExit>) {
    if let Some(folder) = &script.folder
        && let Err(error) = std::fs::create_dir_all(folder)
    {
        error!("cannot create {}: {error}", folder.display());
        exit.write(AppExit::error());
    }
}

/// The items that a player buys one by one: not those that are sold out, and no bundle of what is bought anyway.
fn single_items(catalog: &Catalog) -> impl Iterator<Item = String> {
    let items = game::for_sale(catalog);
    let items = items.filter(|item| item.kind == ItemKind::VirtualItem && !item.is_sold_out());
    items.map(|item| item.sku.clone())
}

/// Buys the first item alone, step by step, and then the others. The last one is still unpaid when the
/// game restarts.
fn script_before_restart(catalog: &Catalog) -> Vec<Step> {
    let mut skus: Vec<_> = single_items(catalog).collect();
    let last = skus.pop();
    let mut skus = skus.into_iter();
    let unlocked = |sku: &String| Step::Until(sku.clone(), ItemState::Unlocked);
    // The cards are drawn a frame after the catalogue is there.
    let mut steps = vec![Step::Wait(0.5), Step::Picture("1_shop")];
    steps.extend([Step::Page(1), Step::Wait(0.5), Step::Picture("1_shop_more")]);
    steps.push(Step::Page(0));
    if let Some(sku) = skus.next() {
        steps.extend([
            Step::Buy(sku.clone()),
            Step::Until(sku.clone(), ItemState::Waiting),
            Step::Wait(0.3),
            Step::Picture("2_waiting"),
            Step::Until(sku.clone(), ItemState::Paid),
            Step::Wait(0.2),
            Step::Picture("3_paid"),
            unlocked(&sku),
            Step::Wait(0.8),
            Step::Picture("4_unlocked"),
        ]);
    }
    if let Some(sku) = skus.next() {
        steps.extend([
            Step::BuyElsewhere(sku.clone()),
            unlocked(&sku),
            Step::Wait(0.8),
            Step::Picture("4_web_shop"),
        ]);
    }
    let others: Vec<_> = skus.collect();
    steps.extend(others.iter().cloned().map(Step::Buy));
    steps.extend(others.iter().map(unlocked));
    if let Some(sku) = last {
        let waiting = Step::Until(sku.clone(), ItemState::Waiting);
        steps.extend([Step::PaySlowly, Step::Buy(sku), waiting]);
    }
    steps.push(Step::Restart);
    steps
}

/// By now the game knows from its save what the hero has, and from the ledger which order is open.
fn script_after_restart(catalog: &Catalog) -> Vec<Step> {
    let mut steps = vec![Step::Wait(1.0), Step::Picture("5_restarted")];
    steps.extend([
        // The store refuses it, which the report tells.
        Step::Buy("unicorn".to_owned()),
        Step::Report(true),
        Step::Wait(1.5),
        Step::Picture("6_report"),
        Step::Report(false),
        Step::Hurry,
    ]);
    steps.extend(single_items(catalog).map(|sku| Step::Until(sku, ItemState::Unlocked)));
    steps.extend([Step::Wait(2.0), Step::Picture("7_everything")]);
    // The toasts before are gone by then.
    steps.extend([Step::LoseSave, Step::Wait(5.0), Step::Picture("8_lost")]);
    steps.push(Step::Restore);
    steps.extend(single_items(catalog).map(Step::Have));
    steps.extend([Step::Wait(1.0), Step::Picture("9_restored")]);
    steps
}

fn play(
    mut script: ResMut<Script>,
    (mut requests, mut elsewhere, mut restore): (
        MessageWriter<Buy>,
        MessageWriter<BuyElsewhere>,
        MessageWriter<Restore>,
    ),
    (catalog, mut payer, mut page): (Res<Catalog>, ResMut<Payer>, ResMut<Page>),
    mut report: ResMut<XsollaDebugPanel>,
    (mut bag, purchases, orders): (ResMut<Bag>, Res<Purchases>, Res<Orders>),
    (captures, time): (Query<(), With<Screenshot>>, Res<Time<Real>>),
    (mut commands, mut exit): (Commands, MessageWriter<AppExit>),
) {
    if time.elapsed() > DEADLINE {
        error!("the script took too long");
        exit.write(AppExit::error());
        return;
    }
    // The picture must show this step, so the next one waits until it is taken.
    if !captures.is_empty() {
        return;
    }
    let is_over = match script.steps.front() {
        None => {
            exit.write(script.end(AppExit::Success));
            false
        }
        Some(Step::Restart) => {
            exit.write(script.end(Restart::Continue.exit()));
            true
        }
        Some(Step::PaySlowly) => {
            payer.is_slow = true;
            true
        }
        Some(Step::Report(is_shown)) => {
            report.is_shown = *is_shown;
            true
        }
        Some(Step::Hurry) => {
            payer.hurry();
            true
        }
        Some(Step::ReadCatalog) => {
            let is_there = *catalog.state() == CatalogState::Ready;
            if is_there {
                let steps = match script.is_restarted {
                    false => script_before_restart(&catalog),
                    true => script_after_restart(&catalog),
                };
                script.steps.extend(steps);
            }
            is_there
        }
        Some(Step::Wait(seconds)) => {
            time.elapsed().saturating_sub(script.since) >= Duration::from_secs_f32(*seconds)
        }
        Some(Step::Page(number)) => {
            page.0 = *number;
            true
        }
        Some(Step::Buy(sku)) => {
            requests.write(Buy { sku: sku.clone() });
            true
        }
        Some(Step::BuyElsewhere(sku)) => {
            elsewhere.write(BuyElsewhere { sku: sku.clone() });
            true
        }
        Some(Step::LoseSave) => {
            if let Err(error) = bag.lose() {
                error!("the bag cannot be emptied: {error}");
            }
            true
        }
        Some(Step::Restore) => {
            restore.write(Restore);
            true
        }
        Some(Step::Have(sku)) => bag.has(sku),
        Some(Step::Until(sku, state)) => ItemState::of(sku, &bag, &purchases, &orders) >= *state,
        Some(Step::Picture(name)) => {
            if let Some(folder) = &script.folder {
                let path = folder.join(format!("{name}.png"));
                // A picture of an earlier run would hide that this one is missing.
                let _ = std::fs::remove_file(&path);
                commands
                    .spawn(Screenshot::primary_window())
                    .observe(save_to_disk(path.clone()));
                script.pictures.push(path);
            }
            true
        }
    };
    if is_over {
        script.steps.pop_front();
        script.since = time.elapsed();
    }
}
