//! What each command of a client is answered with.

use serde_json::{Value, json};

use crate::emulator_client::{Said, closed};
use crate::server::{Kind, Server, beside, history, on_centrifugo, subscription};

behaviours! {
    a_frame_may_hold_several_commands
    what_is_no_command_closes_the_connection
    a_line_counts_to_the_end_of_its_command
    a_command_that_is_not_served_is_refused
    a_command_of_another_channel_is_refused
    a_command_without_what_it_needs_closes_the_connection
    of_several_commands_in_one_one_counts
    a_client_may_unsubscribe_and_hears_no_more
    nulls_are_missing_values
}

/// Each of these, on a connection of its own, is answered with this error.
#[track_caller]
fn assert_refused(server: &Server, commands: &[Value], code: u32, message: &str) {
    for command in commands {
        let error = json!({"code": code, "message": message});
        let mut expected = json!({"id": 3, "error": error});
        let mut command = command.clone();
        command["id"] = 3.into();
        let said = server.answer_once_connected(&command.to_string());
        assert_eq!(said, Said::Line(expected.take()), "{command}");
    }
}

/// Each of these, on a connection of its own, closes it.
#[track_caller]
fn assert_closed(server: &Server, commands: &[&str], code: u16, reason: &str) {
    for command in commands {
        let said = server.answer_once_connected(command);
        assert_eq!(said, closed(code, reason), "{command:?}");
    }
}

fn a_frame_may_hold_several_commands(kind: Kind) {
    let server = kind.start();
    let (_, channel, subscription) = server.connect();
    let mut socket = server.open();
    let connect = json!({"id": 1, "connect": {"data": server.data()}});
    let history = json!({"id": 2, "history": {"channel": channel, "limit": -1}});
    let elsewhere = json!({"id": 3, "history": {"channel": beside(&channel), "limit": -1}});
    let rpc = json!({"id": 4, "rpc": {"method": "x"}});
    socket.send_text(&format!("{connect}\n{history}\n{elsewhere}\n{rpc}\n"));
    assert!(socket.line()["connect"].is_object());
    let publications = [server.publication("new", 1)];
    assert_eq!(
        socket.line(),
        json!({"id": 2, "history": {"publications": publications,
            "epoch": subscription["epoch"], "offset": 1}})
    );
    let denied = json!({"code": 103, "message": "permission denied"});
    assert_eq!(socket.line(), json!({"id": 3, "error": denied}));
    let not_available = json!({"code": 108, "message": "not available"});
    assert_eq!(socket.line(), json!({"id": 4, "error": not_available}));
}

fn what_is_no_command_closes_the_connection(kind: Kind) {
    let server = kind.start();
    let history = json!({"id": 1, "history": {"channel": "orders:alice"}}).to_string();
    for words in [&history, "{}", "", "nonsense", "[]", r#"{"id":1}"#] {
        let said = server.answer_before_connect(words);
        assert_eq!(said, closed(3501, "bad request"), "at first {words:?}");
    }
    let connect = json!({"id": 2, "connect": {"data": server.data()}}).to_string();
    let a_pong_without_a_ping = "{}";
    let no_commands = [
        a_pong_without_a_ping,
        &connect,
        "nonsense",
        "[]",
        "7",
        "null",
        "",
        "\n",
        "  ",
        r#"{"id":3}"#,
        r#"{"id":"3","rpc":{}}"#,
        r#"{"id":-3,"rpc":{}}"#,
        r#"{"id":4294967296,"rpc":{}}"#,
        r#"{"id":3.5,"rpc":{}}"#,
        r#"{"id":3,"dance":{}}"#,
        r#"{"dance":{}}"#,
        r#"{"id":3,"ping":{}}"#,
        r#"{"id":3,"rpc":null}"#,
        r#"{"id":3,"rpc":"x"}"#,
        r#"{"id":3,"rpc":[]}"#,
        r#"{"rpc":{}}"#,
        r#"{"id":3,"history":{"channel":"x","limit":1.5}}"#,
        r#"{"id":3,"history":{"channel":"x","since":[]}}"#,
        r#"{"id":3,"history":{"channel":"x","since":{"offset":-1}}}"#,
    ];
    assert_closed(&server, &no_commands, 3501, "bad request");
}

fn a_line_counts_to_the_end_of_its_command(kind: Kind) {
    let server = kind.start();
    let command = r#"{"id":3,"rpc":{}}"#;
    let answer = json!({"id": 3, "error": {"code": 108, "message": "not available"}});
    for (words, goes_on) in [
        (format!("{command}\n"), true),
        (format!("  {command}\r\n"), true),
        (format!("{command}nonsense"), true),
        (format!("{command}{command}"), true),
        (format!("{command}\nnonsense"), false),
        (format!("{command}\n\n"), false),
        (format!("{command}\n\n{command}"), false),
    ] {
        let (mut socket, ..) = server.connect();
        socket.send_text(&words);
        assert_eq!(socket.line(), answer, "{words:?}");
        if goes_on {
            socket.send(&json!({"id": 3, "rpc": {}}));
            assert_eq!(socket.line(), answer, "after {words:?}");
        } else {
            assert_eq!(socket.next(), closed(3501, "bad request"), "{words:?}");
        }
    }
    assert_closed(&server, &[&format!("\n{command}")], 3501, "bad request");
}

fn a_command_that_is_not_served_is_refused(kind: Kind) {
    let server = kind.start();
    let (_, own, _) = server.connect();
    let not_available = [
        json!({"rpc": {}}),
        json!({"rpc": {"method": "x", "data": [null]}}),
        json!({"presence": {"channel": own}}),
        json!({"presence_stats": {"channel": own}}),
    ];
    assert_refused(&server, &not_available, 108, "not available");
    // Nothing answers a `send`, so it can only be told by a close.
    let sends = [r#"{"send":{}}"#, r#"{"id":3,"send":{"data":[]}}"#];
    assert_closed(&server, &sends, 3508, "not available");
    let subscribe = [json!({"subscribe": {"channel": own, "recover": true}})];
    assert_refused(&server, &subscribe, 105, "already subscribed");
    let publish = [json!({"publish": {"channel": own, "data": {"status": "done"}}})];
    assert_refused(&server, &publish, 103, "permission denied");
    let refresh = [r#"{"id":3,"refresh":{"token":"x"}}"#];
    assert_closed(&server, &refresh, 3500, "invalid token");
    let sub_refresh = json!({"id": 3, "sub_refresh": {"channel": own, "token": "x"}});
    assert_closed(&server, &[&sub_refresh.to_string()], 3501, "bad request");
}

fn a_command_of_another_channel_is_refused(kind: Kind) {
    let server = kind.start();
    let (_, own, _) = server.connect();
    let (of_bob, plain, unknown) = (beside(&own), "orders", "elsewhere:alice");
    let with = |channel: &str, commands: &[&str]| -> Vec<Value> {
        let request = json!({"channel": channel, "data": 1, "token": "", "limit": -1});
        let commands = commands.iter();
        commands
            .map(|command| json!({(*command): request}))
            .collect()
    };
    let denied = [
        with(&of_bob, &["subscribe", "publish", "history", "sub_refresh"]),
        with(plain, &["subscribe", "publish", "sub_refresh"]),
        with(unknown, &["sub_refresh"]),
    ];
    assert_refused(&server, &denied.concat(), 103, "permission denied");
    let not_available = [
        with(&of_bob, &["presence", "presence_stats"]),
        with(plain, &["presence", "presence_stats", "history"]),
    ];
    assert_refused(&server, &not_available.concat(), 108, "not available");
    let namespaced = [
        "subscribe",
        "publish",
        "presence",
        "presence_stats",
        "history",
    ];
    assert_refused(&server, &with(unknown, &namespaced), 102, "unknown channel");
}

fn a_command_without_what_it_needs_closes_the_connection(kind: Kind) {
    let server = kind.start();
    for name in [
        "subscribe",
        "unsubscribe",
        "publish",
        "presence",
        "presence_stats",
        "history",
        "refresh",
        "sub_refresh",
    ] {
        for request in [
            json!({}),
            json!({"channel": "", "token": "", "data": 1}),
            json!({"channel": 7, "token": 7}),
        ] {
            let command = json!({"id": 3, (name): request}).to_string();
            assert_closed(&server, &[&command], 3501, "bad request");
        }
    }
    let delta = r#"{"id":3,"subscribe":{"channel":"x","delta":"nonsense"}}"#;
    assert_closed(&server, &[delta], 3501, "bad request");
    let (_, own, _) = server.connect();
    let nothing = [json!({"publish": {"channel": own}})];
    assert_refused(&server, &nothing, 107, "bad request");
}

fn of_several_commands_in_one_one_counts(kind: Kind) {
    let server = kind.start();
    let (mut socket, own, _) = server.connect();
    let request = json!({"channel": own, "data": 1, "token": "x"});
    // Each of them counts before those that come after it here.
    let names = [
        "subscribe",
        "publish",
        "presence",
        "history",
        "rpc",
        "refresh",
    ];
    for (first, (name, code)) in names.iter().zip([105, 103, 108]).enumerate() {
        let mut command = json!({"id": 3});
        for name in names.iter().skip(first) {
            command[name] = request.clone();
        }
        socket.send(&command);
        assert_eq!(socket.line()["error"]["code"], code, "{name}");
    }
    socket.send(&json!({"id": 3, "history": request, "rpc": {}, "refresh": {}}));
    assert!(socket.line()["history"].is_object());
    let unsubscribe = json!({"id": 3, "unsubscribe": {"channel": "x"}, "publish": request});
    socket.send(&unsubscribe);
    assert_eq!(socket.line(), json!({"id": 3, "unsubscribe": {}}));
}

fn a_client_may_unsubscribe_and_hears_no_more(kind: Kind) {
    let server = kind.start();
    let (mut socket, own, _) = server.connect();
    let (mut other, ..) = server.connect();
    for channel in [&beside(&own), "elsewhere:alice", &own, &own] {
        socket.send(&json!({"id": 3, "unsubscribe": {"channel": channel}}));
        assert_eq!(
            socket.line(),
            json!({"id": 3, "unsubscribe": {}}),
            "{channel}"
        );
    }
    server.announce("paid");
    assert_eq!(other.line(), server.push(&own, "paid", 2));
    let denied = json!({"code": 103, "message": "permission denied"});
    let refused = history(&mut socket, &own, &json!({"limit": -1}));
    assert_eq!(refused, denied, "and nothing before that");
    socket.send(&json!({"id": 3, "subscribe": {"channel": own}}));
    assert_eq!(socket.line(), json!({"id": 3, "error": denied}));
    socket.send(&json!({"id": 3, "sub_refresh": {"channel": own}}));
    assert_eq!(socket.line(), json!({"id": 3, "error": denied}));
}

fn nulls_are_missing_values(kind: Kind) {
    let server = kind.start();
    let recover = json!({"recover": null, "epoch": null, "offset": null});
    let connect = json!({"data": server.data(), "subs": {"x": recover}});
    let (mut socket, answer) = server.connect_with(connect);
    let (channel, _) = subscription(&answer);
    let request = json!({"channel": channel, "limit": -1, "since": null, "reverse": null});
    socket.send(&json!({"id": 2, "history": request, "connect": null, "send": null}));
    let publications = &socket.line()["history"]["publications"];
    assert_eq!(publications, &json!([server.publication("new", 1)]));
}
