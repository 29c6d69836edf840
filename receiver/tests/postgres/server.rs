//! A PostgreSQL server of its own for a test run: in a temporary folder, on a port from the system, gone with it.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub(crate) struct Server {
    process: Child,
    folder: tempfile::TempDir,
    bin: PathBuf,
    port: u16,
    user: Option<(u32, u32)>,
}

impl Server {
    /// `None`, loudly, where PostgreSQL is not installed.
    pub(crate) fn start() -> Option<Self> {
        let Some(bin) = programs() else {
            eprintln!(
                "SKIPPED: no PostgreSQL here. Install it (Debian: `apt-get install postgresql`) to run this test."
            );
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        let user = user();
        if let Some((uid, gid)) = user {
            std::os::unix::fs::chown(folder.path(), Some(uid), Some(gid)).unwrap();
        }
        let data = folder.path().join("data");
        let made = command(&bin.join("initdb"), user)
            .args(["--username=kab", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "-D"])
            .arg(&data)
            .current_dir(folder.path())
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let process = launch(&bin, folder.path(), port, user);
        let server = Self { process, folder, bin, port, user };
        server.wait();
        Some(server)
    }

    /// The URL of an empty database of this name.
    pub(crate) async fn database(&self, name: &str) -> String {
        let mut admin = connect(&self.url("postgres")).await;
        let create = sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"));
        sqlx::query(create).execute(&mut admin).await.unwrap();
        self.url(name)
    }

    fn url(&self, database: &str) -> String {
        format!("postgres://kab@127.0.0.1:{}/{database}", self.port)
    }

    /// As if the machine lost its power and came back.
    pub(crate) fn crash(&mut self) {
        self.stop("immediate");
        self.process = launch(&self.bin, self.folder.path(), self.port, self.user);
        self.wait();
    }

    fn stop(&mut self, how: &str) {
        let data = self.folder.path().join("data");
        let mut stop = command(&self.bin.join("pg_ctl"), self.user);
        let _ = stop.args(["stop", "-w", "-m", how, "-D"]).arg(data).current_dir("/").output();
        let _ = self.process.wait();
    }

    fn wait(&self) {
        let begun = Instant::now();
        while !command(&self.bin.join("pg_isready"), None)
            .args(["-h", "127.0.0.1", "-p", &self.port.to_string()])
            .output()
            .is_ok_and(|ready| ready.status.success())
        {
            assert!(begun.elapsed() < Duration::from_secs(60), "PostgreSQL does not come up");
            std::thread::sleep(Duration::from_millis(50));
        }
        assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_ok());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop("immediate");
    }
}

pub(crate) async fn connect(url: &str) -> sqlx::PgConnection {
    <sqlx::PgConnection as sqlx::Connection>::connect(url).await.unwrap()
}

fn launch(bin: &Path, folder: &Path, port: u16, user: Option<(u32, u32)>) -> Child {
    command(&bin.join("postgres"), user)
        .arg("-D")
        .arg(folder.join("data"))
        .args(["-h", "127.0.0.1", "-p", &port.to_string(), "-k", ""])
        .current_dir(folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// The newest version's programs, where Debian and others put them.
fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut places: Vec<_> = versions.map(|version| version.path().join("bin")).collect();
    places.sort();
    places.insert(0, "/usr/bin".into());
    places.into_iter().rev().find(|bin| bin.join("initdb").exists() && bin.join("postgres").exists())
}

/// PostgreSQL refuses to run as root.
fn user() -> Option<(u32, u32)> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let root = status.lines().any(|line| line.starts_with("Uid:\t0\t"));
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let known = users.lines().find(|line| line.starts_with("postgres:"))?;
    let mut fields = known.split(':').skip(2).map(|id| id.parse().ok());
    root.then_some((fields.next()??, fields.next()??))
}

fn command(program: &Path, user: Option<(u32, u32)>) -> Command {
    let mut command = Command::new(program);
    if let Some((uid, gid)) = user {
        command.uid(uid).gid(gid);
    }
    command
}
