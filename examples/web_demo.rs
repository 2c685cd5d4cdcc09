//! The demo shop in a browser: builds it, and serves it and an emulator of Xsolla's servers on this machine.
//!
//! ```sh
//! cargo run --example web_demo
//! ```
//!
//! It says what is missing: the target `wasm32-unknown-unknown`, or `wasm-bindgen`.

use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, SystemTime};

use bevy_xsolla::emulator::XsollaEmulator;
use bevy_xsolla::prelude::*;
use serde_json::json;

/// The player's name in the emulator.
const PLAYER: &str = "wanderer";

const TARGET: &str = "wasm32-unknown-unknown";
/// The port at which the browser has the game's storage from the last time.
const PORT: u16 = 8137;
/// The items that the emulator sells.
const ITEMS: &str = include_str!("../assets/demo_shop/items.json");

fn main() -> ExitCode {
    match build().and_then(|page| serve(&page)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("web_demo: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Builds the game for browsers, and returns the folder with the page.
fn build() -> io::Result<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let package = root.join("examples/web_demo");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or(root.join("target"), PathBuf::from);
    let target = target.join("web_demo");
    let page = target.join("page");

    let library =
        output(Command::new("rustc").args(["--print", "target-libdir", "--target", TARGET]))?;
    if !Path::new(library.trim()).is_dir() {
        let missing = format!("the target for browsers is missing: rustup target add {TARGET}");
        return Err(io::Error::other(missing));
    }
    let version = locked_version(&package.join("Cargo.lock"), "wasm-bindgen")?;
    let bindgen = std::env::var_os("WASM_BINDGEN").map_or("wasm-bindgen".into(), PathBuf::from);
    let found = output(Command::new(&bindgen).arg("--version")).unwrap_or_default();
    if !found.contains(&version) {
        let missing = format!(
            "wasm-bindgen {version} is missing: cargo install wasm-bindgen-cli --version {version} \
             (or name its program in WASM_BINDGEN)"
        );
        return Err(io::Error::other(missing));
    }

    println!("Building the game. The first time takes some minutes.");
    let mut cargo = Command::new("cargo");
    for (name, _) in std::env::vars_os() {
        // They are of the build of this program.
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_") && text != "CARGO_HOME" {
            cargo.env_remove(name);
        }
    }
    let manifest = package.join("Cargo.toml");
    cargo.args(["build", "--locked", "--target", TARGET, "--manifest-path"]);
    run(cargo.arg(manifest).arg("--target-dir").arg(&target))?;
    let built = target.join(TARGET).join("debug/web-demo.wasm");
    let mut bind = Command::new(bindgen);
    bind.args(["--target", "web", "--no-typescript", "--out-dir"]);
    run(bind.arg(&page).arg(built))?;
    fs::copy(package.join("index.html"), page.join("index.html"))?;
    Ok(page)
}

fn run(command: &mut Command) -> io::Result<()> {
    match command.status()?.success() {
        true => Ok(()),
        false => Err(io::Error::other(format!(
            "{} failed",
            command.get_program().display()
        ))),
    }
}

fn output(command: &mut Command) -> io::Result<String> {
    let output = command.output()?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The version of a package in a lock file.
fn locked_version(file: &Path, package: &str) -> io::Result<String> {
    let text = fs::read_to_string(file)?;
    let name = format!("name = \"{package}\"\nversion = \"");
    let rest = text.split_once(&name).map(|(_, rest)| rest);
    let version = rest.and_then(|rest| rest.split('"').next());
    version
        .map(str::to_owned)
        .ok_or_else(|| io::Error::other(format!("{package} is not in {}", file.display())))
}

/// Serves the page until the program is stopped.
fn serve(page: &Path) -> io::Result<()> {
    let emulator = XsollaEmulator::try_start()?;
    emulator.set_items(serde_json::from_str(ITEMS).unwrap_or_default());
    // The browser remembers the orders of earlier times, so the new ones must be others.
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    emulator.set_next_order_id(OrderId(now.unwrap_or_default().as_secs()));
    let config = emulator.config();
    let shop = json!({
        "project_id": config.project_id,
        "store_url": config.store_url,
        "socket_url": config.socket_url,
        "payment_url": config.payment_url,
        "sandbox_payment_url": config.sandbox_payment_url,
        "token": emulator.token(PLAYER),
    })
    .to_string();

    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, PORT))
        .or_else(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
    println!(
        "The shop is at http://{} until Ctrl+C.",
        listener.local_addr()?
    );
    let web_shop = emulator.web_shop_url(PLAYER);
    println!("What is bought at {web_shop} reaches it, too.");
    for stream in listener.incoming() {
        let (page, shop) = (page.to_owned(), shop.clone());
        std::thread::spawn(move || {
            // A browser that goes away in the middle is no error.
            let _ = stream.and_then(|stream| answer(&stream, &page, &shop));
        });
    }
    Ok(())
}

fn answer(mut stream: &TcpStream, page: &Path, shop: &str) -> io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut request = String::new();
    let mut reader = BufReader::new(stream);
    reader.read_line(&mut request)?;
    let mut header = String::new();
    while reader.read_line(&mut header)? > 2 {
        header.clear();
    }
    let path = request.split(' ').nth(1).unwrap_or_default();
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let (kind, body) = match path {
        "/shop.json" => ("application/json", Ok(shop.as_bytes().to_vec())),
        "/" => (
            "text/html; charset=utf-8",
            fs::read(page.join("index.html")),
        ),
        _ => file(path, page),
    };
    let (status, body) = match body {
        Ok(body) => ("200 OK", body),
        Err(_) => ("404 Not Found", Vec::new()),
    };
    write!(
        stream,
        "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\
         cache-control: no-cache\r\nconnection: close\r\n\r\n",
        body.len()
    )?;
    stream.write_all(&body)?;
    stream.flush()
}

/// A file of the page, or one of the demo's pictures and fonts.
fn file(path: &str, page: &Path) -> (&'static str, io::Result<Vec<u8>>) {
    let kind = match path.rsplit_once('.') {
        Some((_, "js")) => "text/javascript",
        Some((_, "wasm")) => "application/wasm",
        Some((_, "png")) => "image/png",
        _ => "application/octet-stream",
    };
    let path = path.trim_start_matches('/');
    let is_inside = path.split('/').all(|part| !part.is_empty() && part != "..");
    let folder = match path.starts_with("assets/") {
        true => Path::new(env!("CARGO_MANIFEST_DIR")),
        false => page,
    };
    let body = match is_inside {
        true => fs::read(folder.join(path)),
        false => Err(io::ErrorKind::NotFound.into()),
    };
    (kind, body)
}
