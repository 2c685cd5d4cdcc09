use rust_decimal::Decimal;

use super::*;

fn read(request: &CatalogRequest, pages: &[&str]) -> Vec<CatalogItem> {
    let mut catalog = CatalogPages::new(request);
    for page in pages {
        assert!(catalog.next().is_some(), "nothing more is wanted: {page}");
        catalog.take(page.as_bytes()).unwrap();
    }
    assert!(catalog.next().is_none(), "more is wanted");
    catalog.into_items()
}

fn read_one(item: &str) -> CatalogItem {
    let page = format!(r#"{{"has_more":false,"items":[{item}]}}"#);
    read(&CatalogRequest::new(), &[&page]).remove(0)
}

/// The paths and queries that are requested, where each answer is empty.
fn requested(request: &CatalogRequest) -> Vec<(String, Vec<(&'static str, String)>)> {
    let mut catalog = CatalogPages::new(request);
    let mut requested = Vec::new();
    while let Some((path, query)) = catalog.next() {
        requested.push((path.join("/"), query));
        catalog.take(br#"{"items":[]}"#).unwrap();
    }
    requested
}

#[test]
fn a_page_is_read_though_an_entry_of_it_is_not() {
    let items = read(
        &CatalogRequest::new(),
        &[
            r#"{"has_more":"true","items":[{"sku":"a","price":null,"virtual_prices":[
                {"sku":"gem","amount":"5","is_default":true},{"amount":1}]},
                {"name":"no sku"},{"sku":"b","price":{"amount":"1.50","currency":"USD"},
                "groups":[{"name":"Weapons"}],
                "attributes":[{"external_id":"kind","values":[{"value":"rare"}]}]}]}"#,
            r#"{"items":null}"#,
        ],
    );
    assert_eq!(items.len(), 2);
    assert_eq!(items[0].virtual_prices[0].amount, Decimal::from(5));
    assert_eq!(items[1].groups[0].name, "Weapons");
    assert_eq!(items[1].attributes[0].values, ["rare"]);
    let request = CatalogRequest::new();
    let mut catalog = CatalogPages::new(&request);
    assert!(catalog.take(br#"{"items":{"sku":"a"}}"#).is_err());
}

#[test]
fn a_bundle_has_its_contents_and_what_they_cost_apart() {
    let bundle = read_one(
        r#"{"sku":"set","type":"bundle","bundle_type":"standard","is_free":false,
            "price":{"amount":"15","amount_without_discount":"20","currency":"USD"},
            "total_content_price":{"amount":"22.48","amount_without_discount":"22.48","currency":"USD"},
            "content":[{"sku":"helmet","name":"Helmet","type":"virtual_good","quantity":1},
                       {"sku":"gold","type":"virtual_currency","quantity":"500"},{"quantity":3}]}"#,
    );
    assert_eq!(bundle.kind, ItemKind::Bundle);
    assert_eq!(bundle.contents_price.unwrap().to_string(), "$22.48");
    let contents = bundle.contents.iter();
    let contents: Vec<_> = contents
        .map(|item| (item.name.as_str(), item.kind, item.quantity))
        .collect();
    assert_eq!(
        contents,
        [
            ("Helmet", ItemKind::VirtualItem, 1),
            ("gold", ItemKind::VirtualCurrency, 500)
        ]
    );
}

#[test]
fn a_currency_package_is_a_kind_of_its_own() {
    for (json, kind) in [
        (
            r#"{"sku":"a","type":"bundle","bundle_type":"virtual_currency_package"}"#,
            ItemKind::CurrencyPackage,
        ),
        (
            r#"{"sku":"a","type":"virtual_currency_package"}"#,
            ItemKind::CurrencyPackage,
        ),
        (r#"{"sku":"a","type":"bundle"}"#, ItemKind::Bundle),
        (
            r#"{"sku":"a","type":"virtual_currency"}"#,
            ItemKind::VirtualCurrency,
        ),
        (
            r#"{"sku":"a","type":"virtual_good"}"#,
            ItemKind::VirtualItem,
        ),
        (r#"{"sku":"a"}"#, ItemKind::VirtualItem),
        (r#"{"sku":"a","type":"physical_good"}"#, ItemKind::Other),
    ] {
        assert_eq!(read_one(json).kind, kind, "{json}");
    }
}

#[test]
fn a_limit_is_reached_when_nothing_is_available() {
    let week = read_one(
        r#"{"sku":"a","limits":{"per_user":{"total":5,"available":"3","recurrent_schedule":
            {"interval_type":"weekly","reset_next_date":1746057600}},"per_item":null}}"#,
    );
    let limit = week.limit_per_user.unwrap();
    assert_eq!((limit.available, limit.total), (3, 5));
    assert_eq!(limit.resets_at, Some(1_746_057_600));
    assert_eq!(week.limit_per_item, None);
    for (limits, is_sold_out) in [
        ("null", false),
        ("{}", false),
        (r#"{"per_user":null}"#, false),
        (r#"{"per_user":{"total":5}}"#, false),
        (r#"{"per_user":{"total":5,"available":null}}"#, false),
        (r#"{"per_user":{"total":1,"available":0}}"#, true),
        (r#"{"per_user":{"available":0}}"#, true),
        (
            r#"{"per_user":{"available":2},"per_item":{"available":0}}"#,
            true,
        ),
        (r#"{"per_user":"many"}"#, false),
    ] {
        let item = read_one(&format!(r#"{{"sku":"a","limits":{limits}}}"#));
        assert_eq!(item.is_sold_out(), is_sold_out, "{limits}");
    }
}

#[test]
fn a_promotion_says_what_it_takes_off_and_what_it_adds() {
    let item = read_one(
        r#"{"sku":"a","promotions":[
            {"name":"Spring","date_start":"2026-04-15T16:16:00+03:00","date_end":null,
             "discount":{"percent":"50.00","value":null},
             "bonus":[{"sku":"potion","name":"Potion","type":"virtual_good","quantity":2}],
             "limits":{"per_user":{"available":1,"total":1}}},
            {"discount":{"percent":null,"value":"5"},"bonus":null}, 7]}"#,
    );
    let [spring, five] = item.promotions.as_slice() else {
        panic!("{:?}", item.promotions);
    };
    assert_eq!(spring.name.as_deref(), Some("Spring"));
    assert_eq!(spring.discount, Some(Discount::Percent(Decimal::from(50))));
    assert_eq!(
        (spring.bonus[0].name.as_str(), spring.bonus[0].quantity),
        ("Potion", 2)
    );
    assert_eq!(spring.limit_per_user.unwrap().available, 1);
    assert_eq!(
        (spring.date_start.is_some(), &spring.date_end),
        (true, &None)
    );
    assert_eq!(five.discount, Some(Discount::Amount(Decimal::from(5))));
}

#[test]
fn what_an_item_becomes_in_the_inventory_is_read() {
    let pass = read_one(
        r#"{"sku":"a","type":"virtual_good","virtual_item_type":"non_renewing_subscription","can_be_bought":false,
            "inventory_options":{"consumable":{"usages_count":3},"expiration_period":{"type":"month","value":1}}}"#,
    );
    assert_eq!(pass.usages_count, Some(3));
    let month = pass.expiration.unwrap();
    assert_eq!((month.value, month.unit.as_str()), (1, "month"));
    assert!(!pass.can_be_bought);
    let plain = read_one(r#"{"sku":"a","inventory_options":{"consumable":null}}"#);
    assert_eq!((plain.usages_count, plain.expiration), (None, None));
    assert!(plain.can_be_bought);
}

#[test]
fn each_part_of_the_catalogue_has_its_path() {
    for (request, paths) in [
        (CatalogRequest::new(), &["items/virtual_items"][..]),
        (CatalogRequest::bundles(), &["items/bundle"]),
        (
            CatalogRequest::currency_packages(),
            &["items/virtual_currency/package"],
        ),
        (
            CatalogRequest::virtual_currencies(),
            &["items/virtual_currency"],
        ),
        (
            CatalogRequest::group("armor"),
            &["items/virtual_items/group/armor"],
        ),
        (
            CatalogRequest::everything(),
            &[
                "items/virtual_items",
                "items/bundle",
                "items/virtual_currency/package",
                "items/virtual_currency",
            ],
        ),
    ] {
        let requested = requested(&request.locale("de").country("DE"));
        let taken: Vec<_> = requested.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(taken, paths);
        for (_, query) in requested {
            let query: Vec<_> = query.iter().map(|(n, v)| (*n, v.as_str())).collect();
            let expected = [
                ("limit", "50"),
                ("offset", "0"),
                ("locale", "de"),
                ("country", "DE"),
            ];
            assert_eq!(query, expected);
        }
    }
}

#[test]
fn items_are_requested_by_sku_in_parts_of_fifty() {
    let skus = (0..120).map(|n| format!("item{n}"));
    let request = CatalogRequest::new().skus(skus);
    let parts: Vec<Vec<String>> = requested(&request)
        .into_iter()
        .map(|(_, query)| {
            let skus = query.into_iter().filter(|(name, _)| *name == "sku[]");
            skus.map(|(_, sku)| sku).collect()
        })
        .collect();
    assert_eq!(parts.iter().map(Vec::len).collect::<Vec<_>>(), [50, 50, 20]);
    assert_eq!(
        (parts[0][0].as_str(), parts[2][19].as_str()),
        ("item0", "item119")
    );
    assert!(requested(&CatalogRequest::everything().skus::<&str>([])).is_empty());
}

#[test]
fn a_store_that_gives_more_than_was_asked_for_does_not_change_what_is_kept() {
    let request = CatalogRequest::new().skus(["b"]);
    let items = read(&request, &[r#"{"items":[{"sku":"a"},{"sku":"b"}]}"#]);
    assert_eq!(items.len(), 1);
    assert_eq!(items[0].sku, "b");
}

#[test]
fn each_part_begins_at_its_first_page() {
    let request = CatalogRequest::everything();
    let mut catalog = CatalogPages::new(&request);
    let offset = |catalog: &CatalogPages<'_>| {
        let (path, query) = catalog.next().unwrap();
        (path.join("/"), query[1].1.clone())
    };
    catalog
        .take(br#"{"has_more":true,"items":[{"sku":"a"}]}"#)
        .unwrap();
    assert_eq!(
        offset(&catalog),
        ("items/virtual_items".to_owned(), "1".to_owned())
    );
    catalog
        .take(br#"{"has_more":false,"items":[{"sku":"b"}]}"#)
        .unwrap();
    assert_eq!(
        offset(&catalog),
        ("items/bundle".to_owned(), "0".to_owned())
    );
}

#[test]
fn a_catalogue_that_does_not_end_fails() {
    let request = CatalogRequest::new();
    let mut pages = CatalogPages::new(&request);
    let page = br#"{"has_more":true,"items":[{"sku":"a"}]}"#;
    let taken = (0..1_000).take_while(|_| pages.take(page).is_ok()).count();
    assert_eq!(taken, MAX_PAGES);
    let mut pages = CatalogPages::new(&request);
    let name = "x".repeat(1_000_000);
    let page = format!(r#"{{"has_more":true,"items":[{{"sku":"a","name":"{name}"}}]}}"#);
    let taken = (0..1_000).take_while(|_| pages.take(page.as_bytes()).is_ok());
    assert!(taken.count() < 20);
}
