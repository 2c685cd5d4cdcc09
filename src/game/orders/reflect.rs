//! `Orders` for tools that inspect a game: a map, as it is to the game.
//!
//! By hand, because Bevy does not reflect the boxes that the map keeps its orders in.

use std::any::Any;

use bevy::ecs::reflect::ReflectResource;
use bevy::reflect::map::{Map, MapInfo, map_partial_cmp, map_partial_eq, map_try_apply};
use bevy::reflect::utility::NonGenericTypeInfoCell;
use bevy::reflect::{
    ApplyError, FromReflect, GetTypeRegistration, PartialReflect, Reflect, ReflectCloneError,
    ReflectFromPtr, ReflectFromReflect, ReflectMut, ReflectOwned, ReflectRef, TypeInfo,
    TypeRegistration, TypeRegistry, Typed,
};

use super::{Order, Orders};
use crate::model::order::OrderId;

type Pair = (Box<dyn PartialReflect>, Box<dyn PartialReflect>);

impl Map for Orders {
    fn get(&self, key: &dyn PartialReflect) -> Option<&dyn PartialReflect> {
        let order = Orders::get(self, OrderId::from_reflect(key)?)?;
        Some(order)
    }

    fn get_mut(&mut self, key: &dyn PartialReflect) -> Option<&mut dyn PartialReflect> {
        let order = Orders::get_mut(self, OrderId::from_reflect(key)?)?;
        Some(order)
    }

    fn len(&self) -> usize {
        Orders::len(self)
    }

    fn iter(&self) -> Box<dyn Iterator<Item = (&dyn PartialReflect, &dyn PartialReflect)> + '_> {
        Box::new(Orders::iter(self).map(|order| {
            let id: &dyn PartialReflect = &order.order_id;
            (id, order as &dyn PartialReflect)
        }))
    }

    fn drain(&mut self) -> Vec<Pair> {
        let orders = std::mem::take(&mut self.orders).into_iter();
        orders
            .map(|(id, order)| -> Pair { (Box::new(id), order) })
            .collect()
    }

    fn retain(
        &mut self,
        is_kept: &mut dyn FnMut(&dyn PartialReflect, &mut dyn PartialReflect) -> bool,
    ) {
        self.orders
            .retain(|id, order| is_kept(id, order.as_partial_reflect_mut()));
    }

    fn insert_boxed(
        &mut self,
        key: Box<dyn PartialReflect>,
        value: Box<dyn PartialReflect>,
    ) -> Option<Box<dyn PartialReflect>> {
        // Bevy's own maps panic at a value of another type. A shop's does not.
        let (Ok(id), Ok(mut order)) = (
            OrderId::take_from_reflect(key),
            Order::take_from_reflect(value),
        ) else {
            log::error!("what was to be put into Orders by reflection is no order");
            return None;
        };
        order.order_id = id;
        let old = self.orders.insert(id, Box::new(order))?;
        Some(old)
    }

    fn remove(&mut self, key: &dyn PartialReflect) -> Option<Box<dyn PartialReflect>> {
        let order = self.orders.remove(&OrderId::from_reflect(key)?)?;
        Some(order)
    }
}

impl PartialReflect for Orders {
    fn get_represented_type_info(&self) -> Option<&'static TypeInfo> {
        Some(Self::type_info())
    }

    fn into_partial_reflect(self: Box<Self>) -> Box<dyn PartialReflect> {
        self
    }

    fn as_partial_reflect(&self) -> &dyn PartialReflect {
        self
    }

    fn as_partial_reflect_mut(&mut self) -> &mut dyn PartialReflect {
        self
    }

    fn try_into_reflect(self: Box<Self>) -> Result<Box<dyn Reflect>, Box<dyn PartialReflect>> {
        Ok(self)
    }

    fn try_as_reflect(&self) -> Option<&dyn Reflect> {
        Some(self)
    }

    fn try_as_reflect_mut(&mut self) -> Option<&mut dyn Reflect> {
        Some(self)
    }

    fn reflect_ref(&self) -> ReflectRef<'_> {
        ReflectRef::Map(self)
    }

    fn reflect_mut(&mut self) -> ReflectMut<'_> {
        ReflectMut::Map(self)
    }

    fn reflect_owned(self: Box<Self>) -> ReflectOwned {
        ReflectOwned::Map(self)
    }

    fn reflect_clone(&self) -> Result<Box<dyn Reflect>, ReflectCloneError> {
        let orders = self.orders.clone();
        Ok(Box::new(Self { orders }))
    }

    fn reflect_partial_eq(&self, value: &dyn PartialReflect) -> Option<bool> {
        map_partial_eq(self, value)
    }

    fn reflect_partial_cmp(&self, value: &dyn PartialReflect) -> Option<std::cmp::Ordering> {
        map_partial_cmp(self, value)
    }

    fn try_apply(&mut self, value: &dyn PartialReflect) -> Result<(), ApplyError> {
        map_try_apply(self, value)
    }
}

impl Reflect for Orders {
    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }

    fn into_reflect(self: Box<Self>) -> Box<dyn Reflect> {
        self
    }

    fn as_reflect(&self) -> &dyn Reflect {
        self
    }

    fn as_reflect_mut(&mut self) -> &mut dyn Reflect {
        self
    }

    fn set(&mut self, value: Box<dyn Reflect>) -> Result<(), Box<dyn Reflect>> {
        *self = value.take()?;
        Ok(())
    }
}

impl FromReflect for Orders {
    fn from_reflect(reflect: &dyn PartialReflect) -> Option<Self> {
        let map = reflect.reflect_ref().as_map().ok()?;
        let read = |(id, order)| {
            let (id, mut order) = (OrderId::from_reflect(id)?, Order::from_reflect(order)?);
            order.order_id = id;
            Some((id, Box::new(order)))
        };
        let orders = map.iter().map(read).collect::<Option<_>>()?;
        Some(Self { orders })
    }
}

impl Typed for Orders {
    fn type_info() -> &'static TypeInfo {
        static INFO: NonGenericTypeInfoCell = NonGenericTypeInfoCell::new();
        INFO.get_or_set(|| TypeInfo::Map(MapInfo::new::<Self, OrderId, Order>()))
    }
}

impl GetTypeRegistration for Orders {
    fn get_type_registration() -> TypeRegistration {
        let mut registration = TypeRegistration::of::<Self>();
        registration.register_type_data::<ReflectFromPtr, Self>();
        registration.register_type_data::<ReflectFromReflect, Self>();
        registration.register_type_data::<ReflectResource, Self>();
        registration
    }

    fn register_type_dependencies(registry: &mut TypeRegistry) {
        registry.register::<OrderId>();
        registry.register::<Order>();
    }
}
