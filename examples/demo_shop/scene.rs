//! The hero in the clearing. The scene shows what is unlocked.

use bevy::camera::ScalingMode;
use bevy::prelude::*;

use crate::bag::Bag;
use crate::idle::Life;
use crate::shop_ui::ShopPanel;

/// The scene's height in world units. The window shows all of it, and as much of its width as fits.
const HEIGHT: f32 = 720.0;

pub struct ScenePlugin;

impl Plugin for ScenePlugin {
    fn build(&self, app: &mut App) {
        app.insert_resource(ClearColor(Color::srgb(0.10, 0.12, 0.30)))
            .add_systems(Startup, spawn_scene)
            .add_systems(
                Update,
                (
                    keep_the_scene_beside_the_panel,
                    show_unlocked,
                    pop,
                    breathe,
                    light_up,
                ),
            );
    }
}

/// A sprite that is visible once the bag has this item.
#[derive(Component)]
struct UnlockedBy(&'static str);

/// An item that grows into place, with the seconds since it came.
#[derive(Component)]
struct Pop(f32);

/// A sprite that moves up and down a little, as if it breathed.
#[derive(Component)]
struct Breathes;

/// What the lantern changes in the picture.
#[derive(Component)]
enum Light {
    /// The darkness, which the lantern drives away.
    Night,
    /// The lantern's own light, which flickers.
    Glow,
}

fn spawn_scene(mut commands: Commands, assets: Res<AssetServer>) {
    commands.spawn((
        Camera2d,
        Projection::Orthographic(OrthographicProjection {
            scaling_mode: ScalingMode::FixedVertical {
                viewport_height: HEIGHT,
            },
            ..OrthographicProjection::default_2d()
        }),
    ));
    let sprite = |name: &str, width: f32, height: f32| Sprite {
        image: assets.load(format!("demo_shop/{name}.png")),
        custom_size: Some(Vec2::new(width, height)),
        ..default()
    };

    commands.spawn((
        sprite("background", 2400.0, HEIGHT),
        Transform::from_xyz(0.0, 0.0, 0.0),
    ));
    commands.spawn((
        sprite("post", 168.0, 439.0),
        Transform::from_xyz(-146.0, -86.0, 1.0),
    ));

    // The darkness lies over everything.
    commands.spawn((
        Sprite::from_color(Color::NONE, Vec2::new(4000.0, HEIGHT)),
        Transform::from_xyz(0.0, 0.0, 5.0),
        Light::Night,
    ));
    let glow = Sprite {
        color: Color::NONE,
        ..sprite("glow", 760.0, 760.0)
    };
    commands.spawn((glow, Transform::from_xyz(-201.0, -38.0, 1.5), Light::Glow));
    commands.spawn((
        sprite("lantern", 80.0, 117.0),
        Transform::from_xyz(-201.0, -33.0, 2.0),
        Visibility::Hidden,
        UnlockedBy("lantern"),
    ));

    // The pictures of what the hero wears have the size of the hero's own, so they lie on top of it as they
    // are.
    let (width, height) = (340.0, 408.0);
    commands
        .spawn((
            Transform::from_xyz(62.0, -106.0, 3.0),
            Visibility::default(),
            Breathes,
        ))
        .with_children(|hero| {
            hero.spawn(sprite("hero", width, height));
            for (layer, sku) in (1_u8..).zip(["helmet", "sword", "shield"]) {
                hero.spawn((
                    sprite(&format!("hero_{sku}"), width, height),
                    Transform::from_xyz(0.0, 0.0, 0.1 * f32::from(layer)),
                    Visibility::Hidden,
                    UnlockedBy(sku),
                ));
            }
        });
}

/// The panel covers a part of the window, and the scene fills the rest.
fn keep_the_scene_beside_the_panel(
    window: Single<&Window>,
    panel: Single<&ComputedNode, With<ShopPanel>>,
    scale: Res<UiScale>,
    camera: Single<(&mut Transform, &mut Projection), With<Camera2d>>,
) {
    let panel = panel.size() * panel.inverse_scale_factor() * scale.0;
    let size = window.size().max(Vec2::ONE);
    let is_below = size.y > size.x;
    let covered = match is_below {
        true => Vec2::new(0.0, panel.y.min(size.y * 0.9)),
        false => Vec2::new(panel.x, 0.0),
    };
    // World units of the whole window.
    let height = HEIGHT * size.y / (size.y - covered.y);
    let units_per_pixel = height / size.y;
    let offset = covered / 2.0 * units_per_pixel;
    let (mut transform, mut projection) = camera.into_inner();
    let to = Vec3::new(offset.x, -offset.y, transform.translation.z);
    if transform.translation != to {
        transform.translation = to;
        if let Projection::Orthographic(orthographic) = &mut *projection {
            orthographic.scaling_mode = ScalingMode::FixedVertical {
                viewport_height: height,
            };
        }
    }
}

fn show_unlocked(
    bag: Res<Bag>,
    mut items: Query<(Entity, &UnlockedBy, &mut Visibility)>,
    mut commands: Commands,
) {
    if !bag.is_changed() {
        return;
    }
    for (entity, UnlockedBy(sku), mut visibility) in &mut items {
        match (bag.has(sku), *visibility == Visibility::Hidden) {
            (true, true) => {
                *visibility = Visibility::Inherited;
                commands.entity(entity).insert(Pop(0.0));
            }
            // The item was refunded.
            (false, false) => *visibility = Visibility::Hidden,
            _ => {}
        }
    }
}

fn pop(
    mut items: Query<(Entity, &mut Pop, &mut Transform)>,
    time: Res<Time>,
    mut commands: Commands,
) {
    for (entity, mut pop, mut transform) in &mut items {
        pop.0 += time.delta_secs();
        let progress = (pop.0 / 0.4).min(1.0);
        transform.scale = Vec3::splat(EaseFunction::BackOut.sample_clamped(progress));
        if progress >= 1.0 {
            commands.entity(entity).remove::<Pop>();
        }
    }
}

fn breathe(mut hero: Single<&mut Transform, With<Breathes>>, time: Res<Time>, life: Res<Life>) {
    // The feet stay where they are.
    let stretch = 1.0 + 0.008 * life.liveliness() * (time.elapsed_secs() * 2.2).sin();
    hero.scale.y = stretch;
    hero.translation.y = -106.0 + 196.0 * (stretch - 1.0);
}

fn light_up(
    bag: Res<Bag>,
    (time, life): (Res<Time>, Res<Life>),
    mut lights: Query<(&Light, &mut Sprite)>,
    mut brightness: Local<f32>,
) {
    let target = if bag.has("lantern") { 1.0 } else { 0.0 };
    brightness.smooth_nudge(&target, 3.0, time.delta_secs());
    let seconds = time.elapsed_secs();
    let flicker = 0.05 * (seconds * 7.0).sin() + 0.03 * (seconds * 17.0).sin();
    let flicker = 0.92 + life.liveliness() * flicker;
    for (light, mut sprite) in &mut lights {
        sprite.color = match light {
            Light::Night => Color::srgba(0.03, 0.03, 0.12, 0.46 * (1.0 - *brightness)),
            Light::Glow => Color::srgba(1.0, 1.0, 1.0, *brightness * flicker),
        };
    }
}
