//! Certificates that the `openssl` program makes.

use std::path::Path;
use std::process::Command;

use super::interop::found;

/// An authority, and a certificate of its for `localhost`. `false` where they cannot be made.
pub fn make_certificates(folder: &Path) -> bool {
    let script = "
        openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=authority \
            -keyout authority.key -out authority.pem &&
        openssl req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout server.key -out server.csr &&
        printf 'subjectAltName=DNS:localhost\nbasicConstraints=CA:FALSE\n' >extensions &&
        openssl x509 -req -in server.csr -CA authority.pem -CAkey authority.key -CAcreateserial -days 1 \
            -extfile extensions -out server.pem";
    let made = Command::new("sh")
        .args(["-c", script])
        .current_dir(folder)
        .output();
    let is_made = made.is_ok_and(|made| made.status.success());
    found(is_made.then_some(()).ok_or("openssl makes no certificates")).is_some()
}
