//! The shop panel shows a page of the catalogue, and the newest order below it.

use bevy::input_focus::tab_navigation::TabGroup;
use bevy::prelude::*;
use bevy::ui_widgets::Activate;
use bevy_xsolla::prelude::*;

use crate::buttons::{self, Look};
use crate::restore::Restore;
use crate::theme::{Fonts, MUTED, PANEL, TEXT};
use crate::{cards, connection, game, order_panel, words};

/// How many cards the panel has room for.
const PER_PAGE: usize = 4;

pub struct ShopUiPlugin;

impl Plugin for ShopUiPlugin {
    fn build(&self, app: &mut App) {
        app.init_resource::<Fonts>()
            .init_resource::<Page>()
            .add_systems(Startup, spawn_panel)
            .add_systems(Update, (place_panel, show_shelf))
            .add_observer(click);
    }
}

/// Who pays, for the player.
#[derive(Resource)]
pub struct ShopNote(pub String);

/// The panel at the right of the window, or at the bottom of one that is higher than wide.
#[derive(Component)]
pub struct ShopPanel;

/// The part of the panel that has the cards.
#[derive(Component)]
struct Shelf;

/// Which page of the catalogue the shelf shows.
#[derive(Default, Resource)]
pub struct Page(pub usize);

/// What a button below the cards does.
#[derive(Component)]
enum ShelfButton {
    NextPage,
    FetchAgain,
    Restore,
}

/// The height of the panel at the bottom, which is what it has in it.
const HEIGHT_BELOW: f32 = 584.0;

fn place_panel(window: Single<Ref<Window>>, mut panel: Single<&mut Node, With<ShopPanel>>) {
    if !window.is_changed() {
        return;
    }
    let is_below = window.height() > window.width();
    panel.bottom = px(0);
    (panel.width, panel.min_width, panel.max_width, panel.height) = match is_below {
        true => (percent(100), px(0), percent(100), px(HEIGHT_BELOW)),
        false => (percent(37), px(384), px(520), percent(100)),
    };
}

fn spawn_panel(mut commands: Commands, fonts: Res<Fonts>, note: Res<ShopNote>) {
    commands
        .spawn((
            ShopPanel,
            TabGroup::default(),
            Node {
                position_type: PositionType::Absolute,
                right: px(0),
                padding: UiRect::axes(px(18), px(16)),
                flex_direction: FlexDirection::Column,
                row_gap: px(10),
                ..default()
            },
            BackgroundColor(PANEL.with_alpha(0.96)),
        ))
        .with_children(|panel| {
            panel
                .spawn(Node {
                    justify_content: JustifyContent::SpaceBetween,
                    align_items: AlignItems::Center,
                    ..default()
                })
                .with_children(|header| {
                    header.spawn(fonts.bold("Wanderer's Shop", 24.0, TEXT));
                    connection::spawn_light(header, &fonts);
                });
            panel.spawn(fonts.text(&note.0, 13.0, MUTED));
            panel.spawn((
                Shelf,
                Node {
                    flex_direction: FlexDirection::Column,
                    flex_grow: 1.0,
                    row_gap: px(10),
                    ..default()
                },
            ));
            order_panel::spawn(panel, &fonts);
        });
}

fn show_shelf(
    shelf: Single<Entity, With<Shelf>>,
    catalog: Res<Catalog>,
    page: Res<Page>,
    (fonts, assets): (Res<Fonts>, Res<AssetServer>),
    mut commands: Commands,
) {
    if !catalog.is_changed() && !page.is_changed() {
        return;
    }
    let items: Vec<_> = game::for_sale(&catalog).collect();
    let first = page.0 * PER_PAGE;
    let mut children: Vec<Entity> = items
        .iter()
        .skip(first)
        .take(PER_PAGE)
        .map(|item| cards::spawn(&mut commands, &fonts, &assets, item))
        .collect();
    let note = match catalog.state() {
        CatalogState::Failed(error) => words::request(error).to_owned(),
        CatalogState::Ready if items.is_empty() => "Nothing is for sale.".to_owned(),
        CatalogState::Ready if items.len() <= PER_PAGE => String::new(),
        CatalogState::Ready => {
            format!(
                "{} to {} of {}",
                first + 1,
                first + children.len(),
                items.len()
            )
        }
        _ => "Fetching the catalogue".to_owned(),
    };
    let mut buttons = vec![("Restore", ShelfButton::Restore)];
    match catalog.state() {
        CatalogState::Failed(_) => buttons.push(("Try again", ShelfButton::FetchAgain)),
        _ if items.len() > PER_PAGE => buttons.push(("More", ShelfButton::NextPage)),
        _ => {}
    }
    children.push(spawn_footer(&mut commands, &fonts, &note, buttons));
    commands
        .entity(*shelf)
        .despawn_related::<Children>()
        .add_children(&children);
}

fn spawn_footer(
    commands: &mut Commands,
    fonts: &Fonts,
    note: &str,
    buttons: Vec<(&str, ShelfButton)>,
) -> Entity {
    // What is left of the width is the text's.
    let node = Node {
        flex_grow: 1.0,
        flex_basis: px(0),
        ..default()
    };
    let text = commands.spawn((fonts.text(note, 13.0, MUTED), node)).id();
    let mut children = vec![text];
    children.extend(buttons.into_iter().map(|(label, does)| {
        let size = (px(92), px(28));
        let button = buttons::spawn(commands, fonts, label, Look::Plain, size);
        commands.entity(button).insert(does);
        button
    }));
    let footer = Node {
        align_items: AlignItems::Center,
        column_gap: px(12),
        ..default()
    };
    commands.spawn(footer).add_children(&children).id()
}

fn click(
    activate: On<Activate>,
    buttons: Query<&ShelfButton>,
    catalog: Res<Catalog>,
    mut page: ResMut<Page>,
    mut restore: MessageWriter<Restore>,
    commands: Commands,
) {
    match buttons.get(activate.entity) {
        Ok(ShelfButton::NextPage) => {
            let pages = game::for_sale(&catalog).count().div_ceil(PER_PAGE);
            page.0 = (page.0 + 1) % pages.max(1);
        }
        Ok(ShelfButton::FetchAgain) => game::fetch_catalog(commands),
        Ok(ShelfButton::Restore) => {
            restore.write(Restore);
        }
        Err(_) => {}
    }
}
