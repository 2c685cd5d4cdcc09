//! Resources that the game may remove.

use bevy::ecs::component::Mutable;
use bevy::prelude::*;

/// Returns the resource, and makes it anew if it is not there. `World::get_resource_or_init` does the same with more code
/// for each resource, which a game in a browser would load: 2.6 KB, before it is compressed.
pub(super) fn resource_or_default<R>(world: &mut World) -> Mut<'_, R>
where
    R: Resource<Mutability = Mutable> + Default,
{
    if !world.contains_resource::<R>() {
        world.insert_resource(R::default());
    }
    world.resource_mut::<R>()
}
