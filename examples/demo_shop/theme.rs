//! The colours and fonts, and the texts that use them.

use bevy::prelude::*;

pub const PANEL: Color = Color::srgb(0.098, 0.094, 0.192);
pub const CARD: Color = Color::srgb(0.149, 0.145, 0.275);
pub const CARD_EDGE: Color = Color::srgb(0.227, 0.220, 0.392);
pub const TEXT: Color = Color::srgb(0.965, 0.945, 0.906);
pub const MUTED: Color = Color::srgb(0.698, 0.686, 0.800);
pub const GOLD: Color = Color::srgb(0.953, 0.741, 0.337);
pub const GREEN: Color = Color::srgb(0.427, 0.831, 0.584);
pub const BLUE: Color = Color::srgb(0.478, 0.745, 0.992);
pub const RED: Color = Color::srgb(0.980, 0.486, 0.482);
/// For text on gold and other light colours.
pub const DARK_TEXT: Color = Color::srgb(0.133, 0.106, 0.196);

/// The fonts of the shop.
#[derive(Resource)]
pub struct Fonts {
    medium: Handle<Font>,
    bold: Handle<Font>,
}

impl FromWorld for Fonts {
    fn from_world(world: &mut World) -> Self {
        let assets = world.resource::<AssetServer>();
        Self {
            medium: assets.load("fonts/Quicksand-Medium.ttf"),
            bold: assets.load("fonts/Quicksand-Bold.ttf"),
        }
    }
}

impl Fonts {
    /// A running text.
    pub fn text(&self, text: &str, size: f32, color: Color) -> impl Bundle + use<> {
        styled(&self.medium, text, size, color)
    }

    /// A text for names, numbers and buttons.
    pub fn bold(&self, text: &str, size: f32, color: Color) -> impl Bundle + use<> {
        styled(&self.bold, text, size, color)
    }
}

fn styled(font: &Handle<Font>, text: &str, size: f32, color: Color) -> impl Bundle + use<> {
    let font = TextFont {
        font: font.clone().into(),
        ..TextFont::from_font_size(size)
    };
    (Text::new(text), font, TextColor(color))
}
