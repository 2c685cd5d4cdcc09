//! The catalogue: which pages are requested, and what is on them.

use crate::model::catalog::{
    CatalogItem, CatalogRequest, Discount, ExpirationPeriod, IncludedItem, ItemAttribute,
    ItemGroup, ItemKind, ItemLimit, Promotion, Section, VirtualPrice,
};
use crate::model::error::RequestError;
use crate::model::json::Object;
use crate::wire::order::{read_price, read_price_named};

/// The largest number of pages of a catalogue, which is ten thousand items.
const MAX_PAGES: usize = 200;
/// The largest total size of the pages. An item has some hundred bytes.
const MAX_BYTES: usize = 16 * 1024 * 1024;
/// The largest number of items that Xsolla gives in one page, and of SKUs that it takes in one request.
const PAGE: usize = 50;

/// The catalogue, which is requested page by page.
#[derive(Debug)]
pub(crate) struct CatalogPages<'a> {
    request: &'a CatalogRequest,
    /// What has not been read yet, the next part last: the path below the project, and the SKUs that are wanted of it.
    parts: Vec<(Vec<&'a str>, &'a [String])>,
    items: Vec<CatalogItem>,
    /// The number of the part's entries that have been read.
    offset: usize,
    pages: usize,
    bytes: usize,
}

impl<'a> CatalogPages<'a> {
    pub(crate) fn new(request: &'a CatalogRequest) -> Self {
        const VIRTUAL_ITEMS: &[&str] = &["items", "virtual_items"];
        const BUNDLES: &[&str] = &["items", "bundle"];
        const PACKAGES: &[&str] = &["items", "virtual_currency", "package"];
        const CURRENCIES: &[&str] = &["items", "virtual_currency"];
        let group;
        let paths: &[&[&str]] = match &request.section {
            Section::VirtualItems => &[VIRTUAL_ITEMS],
            Section::Bundles => &[BUNDLES],
            Section::CurrencyPackages => &[PACKAGES],
            Section::VirtualCurrencies => &[CURRENCIES],
            Section::Group(id) => {
                group = ["items", "virtual_items", "group", id];
                &[&group]
            }
            Section::Everything => &[VIRTUAL_ITEMS, BUNDLES, PACKAGES, CURRENCIES],
        };
        let mut parts = Vec::new();
        for path in paths.iter().rev() {
            match &request.skus {
                None => parts.push((path.to_vec(), [].as_slice())),
                Some(skus) => {
                    parts.extend(skus.chunks(PAGE).rev().map(|skus| (path.to_vec(), skus)));
                }
            }
        }
        Self {
            request,
            parts,
            items: Vec::new(),
            offset: 0,
            pages: 0,
            bytes: 0,
        }
    }

    /// The path and the query of the next page; `None` if all pages have been read.
    pub(crate) fn next(&self) -> Option<(&[&'a str], Query)> {
        let (path, skus) = self.parts.last()?;
        let mut query = vec![
            ("limit", PAGE.to_string()),
            ("offset", self.offset.to_string()),
        ];
        query.extend(skus.iter().map(|sku| ("sku[]", sku.clone())));
        let filter = self.request;
        query.extend(
            filter
                .locale
                .iter()
                .map(|locale| ("locale", locale.clone())),
        );
        query.extend(
            filter
                .country
                .iter()
                .map(|country| ("country", country.clone())),
        );
        Some((path, query))
    }

    /// Adds a page. It fails if the catalogue exceeds the limits, so that a server cannot keep the requests going
    /// without end.
    pub(crate) fn take(&mut self, body: &[u8]) -> Result<(), RequestError> {
        self.bytes += body.len();
        if self.pages >= MAX_PAGES || self.bytes > MAX_BYTES {
            return Err(RequestError::Malformed(
                "the catalogue does not end".to_owned(),
            ));
        }
        let page = CatalogPage::read(body).map_err(RequestError::Malformed)?;
        let skus = self.parts.last().map_or([].as_slice(), |(_, skus)| skus);
        // A store that does not know `sku[]` gives all items.
        let is_wanted = |item: &CatalogItem| skus.is_empty() || skus.contains(&item.sku);
        self.items.extend(page.items.into_iter().filter(is_wanted));
        self.offset += page.length;
        self.pages += 1;
        if !page.has_more || page.length == 0 {
            self.parts.pop();
            self.offset = 0;
        }
        Ok(())
    }

    pub(crate) fn into_items(self) -> Vec<CatalogItem> {
        self.items
    }
}

/// The fields of an address.
pub(crate) type Query = Vec<(&'static str, String)>;

struct CatalogPage {
    items: Vec<CatalogItem>,
    /// The number of the page's entries, including those that cannot be read.
    length: usize,
    has_more: bool,
}

impl CatalogPage {
    fn read(json: &[u8]) -> Result<Self, String> {
        let page = Object::read(json)?;
        let items = match page.list("items") {
            Some(items) => items,
            None if page.is_missing("items") => Vec::new(),
            None => return Err("its items are no list".to_owned()),
        };
        Ok(Self {
            length: items.len(),
            has_more: page.boolean("has_more").unwrap_or(false),
            // An item without an SKU cannot be bought.
            items: items.into_iter().flatten().filter_map(read_item).collect(),
        })
    }
}

fn read_item(item: Object<'_>) -> Option<CatalogItem> {
    let sku = item.text("sku").filter(|sku| !sku.is_empty())?;
    let limits = item.object("limits").unwrap_or_default();
    let inventory = item.object("inventory_options").unwrap_or_default();
    let consumable = inventory.object("consumable").unwrap_or_default();
    Some(CatalogItem {
        name: item.text("name").unwrap_or_else(|| sku.clone()),
        sku,
        description: item.text("description"),
        image_url: item.text("image_url"),
        kind: read_kind(&item),
        item_type: item.text("type"),
        virtual_item_type: item.text("virtual_item_type"),
        usages_count: consumable.unsigned("usages_count"),
        expiration: read_expiration(&inventory),
        is_free: item.boolean("is_free").unwrap_or(false),
        can_be_bought: item.boolean("can_be_bought").unwrap_or(true),
        price: read_price(&item),
        virtual_prices: read_list(&item, "virtual_prices", read_virtual_price),
        contents: read_list(&item, "content", read_included),
        contents_price: read_price_named(&item, "total_content_price"),
        limit_per_user: read_limit(&limits, "per_user"),
        limit_per_item: read_limit(&limits, "per_item"),
        promotions: read_list(&item, "promotions", read_promotion),
        groups: read_list(&item, "groups", read_group),
        attributes: read_list(&item, "attributes", read_attribute),
    })
}

/// Reads those entries of a list that can be read.
pub(super) fn read_list<T>(
    of: &Object<'_>,
    name: &str,
    read: fn(&Object<'_>) -> Option<T>,
) -> Vec<T> {
    let entries = of.list(name).unwrap_or_default();
    entries.iter().flatten().filter_map(read).collect()
}

fn read_kind(item: &Object<'_>) -> ItemKind {
    let bundle_type = item.text("bundle_type");
    ItemKind::of(item.text("type").as_deref(), bundle_type.as_deref())
}

fn read_included(item: &Object<'_>) -> Option<IncludedItem> {
    let sku = item.text("sku")?;
    Some(IncludedItem {
        name: item.text("name").unwrap_or_else(|| sku.clone()),
        sku,
        kind: read_kind(item),
        image_url: item.text("image_url"),
        quantity: item.unsigned("quantity").unwrap_or(1),
    })
}

/// Reads a limit. One of which nothing is known is none.
fn read_limit(limits: &Object<'_>, name: &str) -> Option<ItemLimit> {
    let limit = limits.object(name)?;
    let available = limit.unsigned("available");
    let total = limit.unsigned("total");
    let schedule = limit.object("recurrent_schedule").unwrap_or_default();
    Some(ItemLimit {
        available: available.or(total)?,
        total: total.or(available)?,
        resets_at: schedule.unsigned("reset_next_date"),
    })
}

fn read_promotion(promotion: &Object<'_>) -> Option<Promotion> {
    let discount = promotion.object("discount").unwrap_or_default();
    let percent = discount.decimal("percent").map(Discount::Percent);
    let limits = promotion.object("limits").unwrap_or_default();
    Some(Promotion {
        name: promotion.text("name"),
        date_start: promotion.text("date_start"),
        date_end: promotion.text("date_end"),
        discount: percent.or_else(|| discount.decimal("value").map(Discount::Amount)),
        bonus: read_list(promotion, "bonus", read_included),
        limit_per_user: read_limit(&limits, "per_user"),
    })
}

fn read_expiration(inventory: &Object<'_>) -> Option<ExpirationPeriod> {
    let period = inventory.object("expiration_period")?;
    Some(ExpirationPeriod {
        value: period.unsigned("value")?,
        unit: period.text("type")?,
    })
}

pub(super) fn read_group(group: &Object<'_>) -> Option<ItemGroup> {
    let (id, name) = (group.text("external_id"), group.text("name"));
    Some(ItemGroup {
        external_id: id.clone().or_else(|| name.clone())?,
        name: name.or(id)?,
    })
}

fn read_virtual_price(price: &Object<'_>) -> Option<VirtualPrice> {
    let amount = price.decimal("amount")?;
    Some(VirtualPrice {
        sku: price.text("sku")?,
        name: price.text("name"),
        amount,
        amount_without_discount: price.decimal("amount_without_discount").unwrap_or(amount),
        is_default: price.boolean("is_default").unwrap_or(false),
    })
}

pub(super) fn read_attribute(attribute: &Object<'_>) -> Option<ItemAttribute> {
    Some(ItemAttribute {
        external_id: attribute.text("external_id")?,
        name: attribute.text("name"),
        values: read_list(attribute, "values", |value| {
            value.text("value").or_else(|| value.text("name"))
        }),
    })
}

#[cfg(test)]
mod tests;
