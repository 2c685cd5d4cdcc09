//! Encrypted connections, and the system's proxy. The certificates are made by the `openssl` program, and the game runs
//! in a process of its own that trusts them.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test that cannot go on is to stop"
)]

mod support;

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use bevy_xsolla::emulator::XsollaEmulator;
use bevy_xsolla::prelude::*;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use support::certificates::make_certificates;
use support::folder::Folder;
use support::process::{Process, Task, own_process, run};
use support::wait::wait_until;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;
use url::Url;

/// Takes encrypted connections for a server, and passes them on to it. Returns the URL for them.
async fn encrypt(url: &str, folder: &Path) -> String {
    let mut url = Url::parse(url).unwrap();
    let server = url.socket_addrs(|| None).unwrap()[0];
    let certificate = CertificateDer::from_pem_file(folder.join("server.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(folder.join("server.key")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (client, _) = listener.accept().await.unwrap();
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                // A client may be cut off by the end of its process.
                let Ok(mut client) = acceptor.accept(client).await else {
                    return;
                };
                let mut server = TcpStream::connect(server).await.unwrap();
                let _ = copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    url.set_scheme(&format!("{}s", url.scheme())).unwrap();
    url.set_host(Some("localhost")).unwrap();
    url.set_port(Some(port)).unwrap();
    url.into()
}

/// A proxy that notes what it is asked, and lets through who gives the password.
async fn start_proxy() -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let asked = Arc::<Mutex<Vec<String>>>::default();
    let notes = asked.clone();
    tokio::spawn(async move {
        loop {
            let (mut client, _) = listener.accept().await.unwrap();
            let notes = notes.clone();
            tokio::spawn(async move {
                let mut head = [0; 4096];
                let length = client.read(&mut head).await.unwrap();
                let head = String::from_utf8_lossy(&head[..length]).into_owned();
                let server = head.split(' ').nth(1).unwrap().to_owned();
                // It is "player:password" in base64.
                let knows = head.contains("Basic cGxheWVyOnBhc3N3b3Jk");
                notes.lock().unwrap().push(head);
                if !knows {
                    let answer = b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n";
                    return client.write_all(answer).await.unwrap();
                }
                let answer = b"HTTP/1.1 200 Connection established\r\n\r\n";
                client.write_all(answer).await.unwrap();
                let mut server = TcpStream::connect(server).await.unwrap();
                let _ = copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    (address, asked)
}

/// A shop with encrypted servers, for the test of this name. `None` where there are no certificates.
struct Encrypted {
    runtime: Runtime,
    emulator: XsollaEmulator,
    order: OrderId,
    test: Command,
    _folder: Folder,
}

impl Encrypted {
    fn new(mut test: Command) -> Option<Self> {
        let folder = Folder::new("certificates");
        if !make_certificates(&folder) {
            return None;
        }
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let emulator = XsollaEmulator::start();
        let mut task = Task::new(&emulator);
        let order = task.order;
        runtime.block_on(async {
            task.store_url = encrypt(&task.store_url, &folder).await;
            task.socket_url = encrypt(&task.socket_url, &folder).await;
        });
        task.give(&mut test);
        test.env("SSL_CERT_FILE", folder.join("authority.pem"));
        for name in ["HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"] {
            test.env_remove(name).env_remove(name.to_lowercase());
        }
        Some(Self {
            runtime,
            emulator,
            order,
            test,
            _folder: folder,
        })
    }
}

#[test]
fn an_order_is_followed_and_granted_over_encrypted_connections() {
    const NAME: &str = "an_order_is_followed_and_granted_over_encrypted_connections";
    let Some(test) = own_process(NAME) else {
        let (mut game, order) = Task::game();
        game.track(order);
        return game.wait_until_granted(order);
    };
    let Some(mut shop) = Encrypted::new(test) else {
        return;
    };
    let mut game = Process::start(&mut shop.test);
    wait_until("the socket is open", || shop.emulator.sockets_opened() > 0);
    shop.emulator.deliver(shop.order);
    assert!(game.wait_for_end().success());
}

#[test]
fn encrypted_requests_go_through_the_systems_proxy_which_does_not_see_the_token() {
    const NAME: &str =
        "encrypted_requests_go_through_the_systems_proxy_which_does_not_see_the_token";
    let Some(test) = own_process(NAME) else {
        let (mut game, order) = Task::game();
        game.track(order);
        return game.wait_until_granted(order);
    };
    let Some(mut shop) = Encrypted::new(test) else {
        return;
    };
    shop.emulator.deliver(shop.order);
    let (proxy, asked) = shop.runtime.block_on(start_proxy());
    let proxy = format!("http://player:password@{proxy}");
    run(shop.test.env("HTTPS_PROXY", proxy));
    let asked = asked.lock().unwrap();
    assert!(!asked.is_empty(), "the proxy was not asked");
    for head in &*asked {
        assert!(head.starts_with("CONNECT localhost:"), "{head}");
        assert!(!head.contains("Bearer"), "{head}");
    }
}

#[test]
fn a_proxy_that_wants_a_password_is_told_as_the_reason() {
    const NAME: &str = "a_proxy_that_wants_a_password_is_told_as_the_reason";
    let Some(test) = own_process(NAME) else {
        let (mut game, order) = Task::game();
        game.track(order);
        return game.wait_until("the reason is told", |world| {
            let state = world.resource::<TrackerState>();
            format!("{state:?}").contains("proxy authorization required")
        });
    };
    let Some(mut shop) = Encrypted::new(test) else {
        return;
    };
    let (proxy, _) = shop.runtime.block_on(start_proxy());
    run(shop.test.env("HTTPS_PROXY", format!("http://{proxy}")));
}

#[test]
fn a_server_whose_certificate_is_of_another_is_not_talked_to() {
    const NAME: &str = "a_server_whose_certificate_is_of_another_is_not_talked_to";
    let Some(test) = own_process(NAME) else {
        let (mut game, order) = Task::game();
        game.track(order);
        game.wait_until("the reason is told", |world| {
            let state = world.resource::<TrackerState>();
            format!("{state:?}").contains("certificate")
        });
        return assert_eq!(game.grants(order), 0);
    };
    let Some(mut shop) = Encrypted::new(test) else {
        return;
    };
    shop.emulator.deliver(shop.order);
    // An authority that has not made the server's certificate.
    let other = Folder::new("other");
    assert!(make_certificates(&other));
    run(shop.test.env("SSL_CERT_FILE", other.join("authority.pem")));
    assert_eq!(shop.emulator.order_requests(), 0);
    assert_eq!(shop.emulator.sockets_opened(), 0);
}
