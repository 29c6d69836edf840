//! moto, an independent imitation of AWS, run by the tests themselves.

use std::io::{self, BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use super::eventually;
use super::http::Client;

const REQUIREMENT: &str = "moto[server]==5.2.5";

/// A running moto; it is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Moto {
    child: Child,
    address: SocketAddr,
}

impl Moto {
    /// Starts it, installed into `tests/.venv` if it is not there yet. `None`, and a loud line, where it can't be had.
    pub(crate) fn start() -> Option<Self> {
        match Self::try_start() {
            Ok(moto) => Some(moto),
            Err(reason) => {
                // Not by `eprintln!`, which the test runner keeps to itself.
                let _ = writeln!(io::stderr(), "SKIPPED: {REQUIREMENT} cannot be had: {reason}");
                None
            }
        }
    }

    fn try_start() -> Result<Self, String> {
        let modules = install()?;
        let mut child = python(&modules)
            .args(["-u", "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| error.to_string())?;
        // werkzeug says ` * Running on http://127.0.0.1:PORT`, then a line for each request.
        let lines = BufReader::new(child.stderr.take().ok_or("no stderr")?).lines();
        let mut lines = lines.map_while(Result::ok);
        let address = lines.find_map(|line| line.split_once("Running on http://")?.1.trim().parse().ok());
        std::thread::spawn(move || lines.for_each(drop));
        let Some(address) = address else {
            let _ = child.kill();
            return Err("it ended at once".to_owned());
        };
        Ok(Self { child, address })
    }

    /// The URL to give as endpoint of every service.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Calls CloudWatch Logs.
    #[track_caller]
    pub(crate) fn logs(&self, operation: &str, body: &Value) -> Value {
        let target = format!("Logs_20140328.{operation}");
        let headers = [
            ("x-amz-target", target.as_str()),
            ("content-type", "application/x-amz-json-1.1"),
            (
                "authorization",
                "AWS4-HMAC-SHA256 Credential=test/20260101/eu-central-1/logs/aws4_request, SignedHeaders=host, Signature=0",
            ),
        ];
        let client = Client::plain(self.address);
        let answer = eventually(operation, || client.post("/", &headers, body.to_string().as_bytes()).ok());
        assert_eq!(answer.status, 200, "{answer:?}");
        if answer.body.is_empty() { json!({}) } else { answer.json() }
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Makes sure that it is there and gives the folder of its modules. A folder rather than a virtual environment: Debian's
/// Python makes one only with a further package.
fn install() -> Result<PathBuf, String> {
    let modules = Path::new(env!("CARGO_MANIFEST_DIR")).join(".venv");
    if succeeds(python(&modules).args(["-c", "import moto.server"])) {
        return Ok(modules);
    }
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "install", "--quiet", "--upgrade", "--target"]).arg(&modules).arg(REQUIREMENT);
    if !succeeds(&mut pip) {
        return Err(format!("`python3 -m pip install {REQUIREMENT}` failed"));
    }
    Ok(modules)
}

fn python(modules: &Path) -> Command {
    let mut python = Command::new("python3");
    python.env("PYTHONPATH", modules);
    python
}

fn succeeds(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
