//! A PostgreSQL server of the test's own. It is found on Unix only.

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::folder::Folder;
use super::interop::found;
use super::wait::wait_until;

/// The user who a server runs as if the test runs as root, which PostgreSQL refuses.
const USER: &str = "nobody";

/// A PostgreSQL server on a free port, with a database. It is killed when this is dropped.
pub struct Postgres {
    programs: PathBuf,
    /// Settings of the server, each as `name=value`.
    settings: Vec<String>,
    process: Option<Child>,
    port: u16,
    /// The name of the database. Another test's server has none of this name, so while this one is away, nobody takes
    /// that for it.
    database: String,
    folder: Folder,
}

impl Postgres {
    /// Starts a server; or says what is missing, and that the test is skipped.
    pub fn start() -> Option<Self> {
        Self::start_encrypted(None)
    }

    /// Starts a server that has the certificate of a folder, if one is given.
    pub fn start_encrypted(certificates: Option<&Path>) -> Option<Self> {
        let missing = "PostgreSQL is not installed (Debian: postgresql)";
        let programs = found(programs().ok_or(missing))?;
        let folder = Folder::new("postgres");
        if is_root() {
            run(Command::new("chown").arg(USER).arg(&*folder));
        }
        let mut server = Self {
            programs,
            settings: Vec::new(),
            process: None,
            port: free_port(),
            database: format!("game_{}", fastrand::u64(..)),
            folder,
        };
        let data = server.data();
        let options = [
            "--auth=trust",
            "--username=game",
            "--encoding=UTF8",
            "--no-locale",
            "--no-sync",
        ];
        run(server.program("initdb").args(options).arg(&data));
        if let Some(certificates) = certificates {
            // The server's user is to own its key, which nobody else may read.
            let copy = "umask 077 && cat >\"$0\"";
            for (name, setting) in [
                ("server.pem", "ssl_cert_file"),
                ("server.key", "ssl_key_file"),
            ] {
                let file = std::fs::File::open(certificates.join(name)).unwrap();
                let target = data.join(name);
                run(server.shell(copy).arg(&target).stdin(file));
                server.settings.push(format!("{setting}={name}"));
            }
            server.settings.push("ssl=on".to_owned());
        }
        server.go_on();
        run(server
            .program("createdb")
            .args(["-h", "127.0.0.1", "-p", &server.port.to_string()])
            .args(["-U", "game", &server.database]));
        Some(server)
    }

    /// The address of the database.
    pub fn address(&self) -> String {
        self.address_at(self.port)
    }

    /// The address of the database through something that passes on what comes to this port.
    pub fn address_at(&self, port: u16) -> String {
        let database = &self.database;
        format!("postgres://game@127.0.0.1:{port}/{database}?sslmode=disable")
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Kills the server and all of its connections, as a loss of power does.
    pub fn kill(&mut self) {
        let Some(mut process) = self.process.take() else {
            return;
        };
        // It ends its own processes at this signal, which it would leave behind at SIGKILL.
        let id = process.id().to_string();
        run(Command::new("kill").args(["-QUIT", &id]));
        process.wait().unwrap();
    }

    /// Starts the server anew on the same data and port.
    pub fn go_on(&mut self) {
        let data = self.data();
        let mut command = self.program("postgres");
        command.arg("-D").arg(&data).arg("-k").arg(&*self.folder);
        command.args(["-p", &self.port.to_string()]);
        for setting in [
            "listen_addresses=127.0.0.1",
            // No test takes the power from the machine.
            "fsync=off",
            "max_connections=50",
        ] {
            command.args(["-c", setting]);
        }
        for setting in &self.settings {
            command.args(["-c", setting]);
        }
        command.stdout(Stdio::null()).stderr(Stdio::null());
        self.process = Some(command.spawn().unwrap());
        wait_until("PostgreSQL answers", || self.ask("SELECT 1").is_some());
    }

    /// What a query returns, a line for each row; `None` if the server does not answer.
    pub fn ask(&self, query: &str) -> Option<String> {
        // A database that is always there, for the time before that of the game is made.
        let database = match query {
            "SELECT 1" => "postgres",
            _ => &self.database,
        };
        let asked = self.psql(database, query).output().unwrap();
        let text = String::from_utf8(asked.stdout).unwrap();
        asked.status.success().then(|| text.trim_end().to_owned())
    }

    /// The command of a query that takes its time, such as one that locks something for a while.
    pub fn slow_query(&self, query: &str) -> Command {
        let mut psql = self.psql(&self.database, query);
        psql.stdout(Stdio::null()).stderr(Stdio::null());
        psql
    }

    fn psql(&self, database: &str, query: &str) -> Command {
        let mut psql = self.program("psql");
        psql.args(["-h", "127.0.0.1", "-p", &self.port.to_string()])
            .args(["-U", "game", "-d", database, "-XAtq", "-c", query]);
        psql
    }

    /// What a query returns that has to succeed.
    #[track_caller]
    pub fn query(&self, query: &str) -> String {
        let answer = self.ask(query);
        answer.unwrap_or_else(|| panic!("PostgreSQL refuses {query}"))
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// A program of PostgreSQL's, which does not run as root.
    fn program(&self, name: &str) -> Command {
        self.as_user(&self.programs.join(name))
    }

    fn shell(&self, script: &str) -> Command {
        let mut shell = self.as_user(Path::new("sh"));
        shell.args(["-c", script]);
        shell
    }

    fn as_user(&self, program: &Path) -> Command {
        let mut command = match is_root() {
            true => {
                let mut other = Command::new("setpriv");
                other.args(["--reuid", USER, "--regid", "nogroup", "--clear-groups"]);
                other.arg(program);
                other
            }
            false => Command::new(program),
        };
        // The folder that the test was started in may not be that user's to read.
        command.current_dir(&*self.folder);
        command
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Where PostgreSQL's programs are: those of the `initdb` on the path, or where Debian puts the newest of them.
fn programs() -> Option<PathBuf> {
    if cfg!(windows) {
        return None;
    }
    let path = std::env::var_os("PATH")?;
    // It may be a link, with none of the others beside it.
    let mut on_path =
        std::env::split_paths(&path).flat_map(|folder| folder.join("initdb").canonicalize());
    let on_path = on_path.find_map(|program| Some(program.parent()?.to_owned()));
    on_path.or_else(|| {
        let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
        let version = |path: &Path| path.file_name()?.to_str()?.parse::<u32>().ok();
        let versions = versions.flatten().map(|version| version.path());
        let newest = versions.max_by_key(|path| version(path))?;
        Some(newest.join("bin")).filter(|folder| folder.join("initdb").is_file())
    })
}

fn is_root() -> bool {
    run(Command::new("id").arg("-u")).trim() == "0"
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().port()
}

/// Runs a command that has to succeed, and returns what it prints.
#[track_caller]
fn run(command: &mut Command) -> String {
    let ended = command.output().unwrap();
    let errors = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{command:?}: {errors}");
    String::from_utf8(ended.stdout).unwrap()
}
