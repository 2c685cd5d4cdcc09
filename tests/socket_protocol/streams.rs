//! Publications, histories, and what a client is given when it comes back.

use serde_json::{Value, json};

use crate::emulator_client::Socket;
use crate::server::{Kind, Server, history, on_centrifugo};

behaviours! {
    publications_are_heard_as_they_are_made
    the_history_is_read_from_a_position
    a_history_of_nothing_is_an_empty_list
    a_history_backwards_from_the_beginning_is_refused
    a_history_backwards_begins_at_a_publication_that_is_kept
    a_history_is_refused_where_the_channel_does_not_give_it_away
    a_reconnect_recovers_what_was_missed
    what_is_not_kept_any_more_is_not_recovered
    a_position_that_never_was_is_not_recovered
    a_position_without_an_epoch_is_recovered
    a_server_that_lost_its_memory_recovers_nothing
    a_channel_that_was_not_subscribed_at_the_connect_comes_later
}

fn bad_request() -> Value {
    json!({"code": 107, "message": "bad request"})
}

fn publications_are_heard_as_they_are_made(kind: Kind) {
    let server = kind.start();
    let (mut socket, channel, _) = server.connect();
    server.announce("paid");
    assert_eq!(socket.line(), server.push(&channel, "paid", 2));
    server.announce("done");
    assert_eq!(socket.line(), server.push(&channel, "done", 3));
}

/// A connection to a server that has announced `new`, `paid` and `done`, its channel and the epoch.
fn after_three_publications(server: &Server) -> (Socket, String, Value) {
    server.announce("paid");
    server.announce("done");
    let (socket, channel, subscription) = server.connect();
    (socket, channel, subscription["epoch"].clone())
}

fn the_history_is_read_from_a_position(kind: Kind) {
    let server = kind.start();
    let (mut socket, channel, epoch) = after_three_publications(&server);
    let new = server.publication("new", 1);
    let paid = server.publication("paid", 2);
    let done = server.publication("done", 3);
    let all = json!([new, paid, done]);
    for (request, publications) in [
        // As Xsolla's documentation has it.
        (
            json!({"limit": -1, "since": {"offset": 0}, "reverse": false}),
            all.clone(),
        ),
        (json!({"limit": -1, "since": {}}), all.clone()),
        (json!({"limit": -1}), all),
        (json!({"limit": 2}), json!([new, paid])),
        (json!({"limit": 2, "reverse": true}), json!([done, paid])),
        (json!({"limit": 1, "reverse": true}), json!([done])),
        (
            json!({"limit": -1, "since": {"offset": 1, "epoch": epoch}}),
            json!([paid, done]),
        ),
        (
            json!({"limit": -1, "since": {"offset": 1}}),
            json!([paid, done]),
        ),
        (
            json!({"limit": 1, "since": {"offset": 1, "epoch": epoch}}),
            json!([paid]),
        ),
        (
            json!({"limit": -1, "since": {"offset": 3, "epoch": epoch}, "reverse": true}),
            json!([paid, new]),
        ),
    ] {
        assert_eq!(
            history(&mut socket, &channel, &request),
            json!({"publications": publications, "epoch": epoch, "offset": 3}),
            "{request}"
        );
    }
    let elsewhen = json!({"limit": -1, "since": {"offset": 1, "epoch": "another"}});
    let error = json!({"code": 112, "message": "unrecoverable position"});
    assert_eq!(history(&mut socket, &channel, &elsewhen), error);
}

fn a_history_of_nothing_is_an_empty_list(kind: Kind) {
    let server = kind.start();
    let (mut socket, channel, epoch) = after_three_publications(&server);
    for request in [
        json!({}),
        json!({"limit": -1, "since": {"offset": 3, "epoch": epoch}}),
        json!({"limit": -1, "since": {"offset": 9, "epoch": epoch}}),
    ] {
        assert_eq!(
            history(&mut socket, &channel, &request),
            json!({"publications": [], "epoch": epoch, "offset": 3}),
            "{request}"
        );
    }
}

fn a_history_backwards_from_the_beginning_is_refused(kind: Kind) {
    let server = kind.start();
    let (mut socket, channel, _) = after_three_publications(&server);
    for request in [
        json!({"limit": -1, "since": {"offset": 0}, "reverse": true}),
        json!({"limit": 0, "since": {}, "reverse": true}),
        // That it is refused counts more than that the epoch is wrong.
        json!({"limit": -1, "since": {"epoch": "another"}, "reverse": true}),
    ] {
        let refused = history(&mut socket, &channel, &request);
        assert_eq!(refused, bad_request(), "{request}");
    }
}

fn a_history_backwards_begins_at_a_publication_that_is_kept(kind: Kind) {
    let server = kind.start_keeping_two();
    let (mut socket, channel, _) = after_three_publications(&server);
    let paid = server.publication("paid", 2);
    let done = server.publication("done", 3);
    for (offset, publications) in [
        (1, json!([])),
        (2, json!([])),
        (3, json!([paid])),
        (4, json!([done, paid])),
        (5, json!([])),
        (6, json!([])),
    ] {
        let request = json!({"limit": -1, "since": {"offset": offset}, "reverse": true});
        let history = history(&mut socket, &channel, &request);
        assert_eq!(history["publications"], publications, "{offset}");
        assert_eq!(history["offset"], 3);
    }
}

fn a_history_is_refused_where_the_channel_does_not_give_it_away(kind: Kind) {
    for (code, message) in [(103, "permission denied"), (108, "not available")] {
        let server = kind.start_denying_history(code);
        let (mut socket, channel, _) = server.connect();
        let refused = history(&mut socket, &channel, &json!({"limit": -1}));
        assert_eq!(refused, json!({"code": code, "message": message}));
        // It goes on, on Centrifugo without an offset where nothing is kept.
        server.announce("paid");
        assert_eq!(socket.line()["push"]["pub"]["data"], server.news("paid"));
    }
}

/// What the server says of a subscription of which all was recovered that came after this offset.
fn recovered(epoch: &Value, offset: u64, publications: &[Value]) -> Value {
    let mut expected = json!({"recoverable": true, "epoch": epoch, "recovered": true,
        "positioned": true, "was_recovering": true});
    // What is zero or empty is left out.
    if offset > 0 {
        expected["offset"] = offset.into();
    }
    if !publications.is_empty() {
        expected["publications"] = publications.into();
    }
    expected
}

/// What the server says of a subscription of which nothing was recovered.
fn not_recovered(epoch: &Value, offset: u64) -> Value {
    json!({"recoverable": true, "epoch": epoch, "offset": offset, "positioned": true,
        "was_recovering": true})
}

fn a_reconnect_recovers_what_was_missed(kind: Kind) {
    let server = kind.start();
    let (socket, channel, subscription) = server.connect();
    drop(socket);
    let epoch = &subscription["epoch"];
    server.announce("paid");
    server.announce("done");
    let all = [("new", 1), ("paid", 2), ("done", 3)]
        .map(|(status, offset)| server.publication(status, offset));
    // From the beginning, from what was seen, and from the top.
    for (offset, missed) in [(0, &all[..]), (1, &all[1..]), (3, &[])] {
        let (mut socket, subscription) = server.recover(&channel, epoch, offset);
        assert_eq!(subscription, recovered(epoch, offset, missed));
        let request = json!({"limit": -1, "since": {"offset": 0}});
        let history = history(&mut socket, &channel, &request);
        assert_eq!(history["publications"], json!(all));
    }
    // And it goes on from there.
    let (mut socket, subscription) = server.recover(&channel, epoch, 2);
    assert_eq!(subscription, recovered(epoch, 2, &all[2..]));
    server.announce("canceled");
    assert_eq!(socket.line(), server.push(&channel, "canceled", 4));
}

fn what_is_not_kept_any_more_is_not_recovered(kind: Kind) {
    let server = kind.start_keeping_two();
    let (socket, channel, subscription) = server.connect();
    drop(socket);
    let epoch = &subscription["epoch"];
    for status in ["paid", "done", "canceled"] {
        server.announce(status);
    }
    let kept = [
        server.publication("done", 3),
        server.publication("canceled", 4),
    ];
    for (offset, expected) in [
        (0, not_recovered(epoch, 4)),
        (1, not_recovered(epoch, 4)),
        (2, recovered(epoch, 2, &kept)),
        (3, recovered(epoch, 3, &kept[1..])),
    ] {
        assert_eq!(server.recover(&channel, epoch, offset).1, expected);
    }
    let (mut socket, ..) = server.connect();
    let request = json!({"limit": -1, "since": {"offset": 0}});
    assert_eq!(
        history(&mut socket, &channel, &request),
        json!({"publications": kept, "epoch": epoch, "offset": 4})
    );
}

fn a_position_that_never_was_is_not_recovered(kind: Kind) {
    let server = kind.start();
    let (_socket, channel, subscription) = server.connect();
    let epoch = &subscription["epoch"];
    server.announce("paid");
    let another = json!("another");
    for (epoch_asked, offset) in [(&another, 1), (&another, 2), (epoch, 9)] {
        let (_, subscription) = server.recover(&channel, epoch_asked, offset);
        assert_eq!(
            subscription,
            not_recovered(epoch, 2),
            "{epoch_asked} {offset}"
        );
    }
    // It is subscribed to its own channel, from which it did not ask to recover.
    assert_eq!(
        server.recover("orders:another", epoch, 1).1,
        json!({"recoverable": true, "epoch": epoch, "offset": 2, "positioned": true})
    );
}

fn a_position_without_an_epoch_is_recovered(kind: Kind) {
    let server = kind.start();
    let (_socket, channel, subscription) = server.connect();
    let epoch = &subscription["epoch"];
    server.announce("paid");
    let all = [server.publication("new", 1), server.publication("paid", 2)];
    for (offset, expected) in [
        (0, recovered(epoch, 0, &all)),
        (1, recovered(epoch, 1, &all[1..])),
        (2, recovered(epoch, 2, &[])),
        (9, not_recovered(epoch, 2)),
    ] {
        let (_, subscription) = server.recover(&channel, &json!(""), offset);
        assert_eq!(subscription, expected, "{offset}");
    }
}

fn a_server_that_lost_its_memory_recovers_nothing(kind: Kind) {
    let mut server = kind.start();
    let (_socket, channel, subscription) = server.connect();
    let old_epoch = &subscription["epoch"];
    server.lose_memory();
    server.announce("paid");
    let (mut socket, subscription) = server.recover(&channel, old_epoch, 1);
    let epoch = &subscription["epoch"];
    assert_ne!(epoch, old_epoch);
    assert_eq!(subscription, not_recovered(epoch, 1));
    assert_eq!(
        history(&mut socket, &channel, &json!({"limit": -1})),
        json!({"publications": [server.publication("paid", 1)], "epoch": epoch, "offset": 1})
    );
}

fn a_channel_that_was_not_subscribed_at_the_connect_comes_later(kind: Kind) {
    let server = kind.start();
    let (_, channel, subscription) = server.connect();
    server.subscribe_at_connect(false);
    let (mut socket, answer) = server.connect_with(json!({"data": server.data()}));
    assert_eq!(answer["connect"].get("subs"), None);
    server.announce("paid");
    server.subscribe();
    server.announce("done");
    let subscribe = json!({"recoverable": true, "epoch": subscription["epoch"], "offset": 2,
        "positioned": true});
    assert_eq!(
        socket.line(),
        json!({"push": {"channel": channel, "subscribe": subscribe}})
    );
    assert_eq!(socket.line(), server.push(&channel, "done", 3));
}
