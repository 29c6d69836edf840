//! What clients may do to the intake of the real binary, and what that costs: a table of what was sent, what was answered, how
//! long that took and the most memory that the receiver took meanwhile.
//!
//! `HOSTILE_MIB` is the limit of a body in MiB: 1 unless given, 64 is the receiver's default.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use async_compression::tokio::write::{GzipEncoder, ZstdEncoder};
use tokio::io::{AsyncWrite, AsyncWriteExt as _};

use crate::client::{Pieces, connect, head, post, send, status};
use crate::target::Target;

const EVENT: &str = r#"{"kind":"Event","auditID":"1","stage":"ResponseComplete","verb":"get","stageTimestamp":"2026-01-02T03:04:05Z","requestURI":"/a""#;

/// Bytes that the process takes at rest, with room to spare: the binary, SQLite, threads, what the allocator keeps.
const REST: u64 = 128 << 20;

/// The most memory that bodies may cost: the budget for them; as much again for what comes of them, or what comes of the one
/// that is the largest by itself; and what is copied of those that are evaluated.
fn bound(limit: usize, budget: usize) -> u64 {
    let alone = (1000 + limit / 50).min(1 << 17) * 1600;
    REST + (budget + budget.max(alone) + 2 * limit) as u64
}

struct Sizes {
    limit: usize,
    budget: usize,
}

/// One table for all.
struct Table<'a> {
    target: &'a Target,
    most: u64,
    lines: Mutex<Vec<String>>,
}

impl Table<'_> {
    /// Does `attack`, which gives statuses; all of them must be among `expected`, 0 being a closed connection.
    fn row(&self, what: &str, expected: &[u16], attack: impl FnOnce(SocketAddr) -> Vec<u16>) {
        self.target.peak();
        let begun = Instant::now();
        let mut answers = attack(self.target.intake);
        let took = begun.elapsed();
        let peak = self.target.peak();
        answers.sort_unstable();
        let told = answers.chunk_by(|a, b| a == b).map(|alike| {
            let name = if alike[0] == 0 { "closed".to_owned() } else { alike[0].to_string() };
            if alike.len() == 1 { name } else { format!("{name} x{}", alike.len()) }
        });
        let told = told.collect::<Vec<_>>().join(", ");
        let line = format!("{what:<52} {told:<24} {:>7.2} s {:>6} MiB", took.as_secs_f64(), peak >> 20);
        println!("{line}");
        self.lines.lock().unwrap().push(line);
        assert!(
            answers.iter().all(|answer| expected.contains(answer)),
            "{what}: {answers:?}, not {expected:?}"
        );
        assert!(peak <= self.most, "{what}: {peak} bytes, more than {}", self.most);
        self.alive(what);
    }

    /// Everybody else is served as ever.
    fn alive(&self, what: &str) {
        let body = Pieces::new(EVENT, "", 0, "}");
        assert_eq!(post(self.target.intake, "", &body), 200, "after: {what}");
        let ready =
            send(self.target.admin, |stream| stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: a\r\n\r\n"));
        assert_eq!(ready, 200, "after: {what}");
    }
}

fn each(count: usize, one: impl Fn(usize) -> u16 + Sync) -> Vec<u16> {
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..count)
            .map(|at| {
                scope.spawn({
                    let one = &one;
                    move || one(at)
                })
            })
            .collect();
        running.into_iter().map(|one| one.join().unwrap()).collect()
    })
}

async fn pack<E: AsyncWrite + Unpin>(mut encoder: E, pieces: &Pieces) -> E {
    let mut plain = Vec::new();
    pieces.write(&mut plain).unwrap();
    encoder.write_all(&plain).await.unwrap();
    encoder.shutdown().await.unwrap();
    encoder
}

fn packed(encoding: &str, pieces: &Pieces) -> Pieces {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let head = runtime.block_on(async {
        match encoding {
            "gzip" => pack(GzipEncoder::new(Vec::new()), pieces).await.into_inner(),
            _ => pack(ZstdEncoder::new(Vec::new()), pieces).await.into_inner(),
        }
    });
    Pieces { head, middle: Vec::new(), times: 0, tail: Vec::new() }
}

fn sizes() -> Sizes {
    let mib = std::env::var("HOSTILE_MIB").map_or(1, |mib| mib.parse::<usize>().unwrap());
    Sizes { limit: mib << 20, budget: (4 * mib) << 20 }
}

fn size(bytes: usize) -> String {
    if bytes < 10 << 20 { format!("{} KiB", bytes >> 10) } else { format!("{} MiB", bytes >> 20) }
}

fn tokens(folder: &std::path::Path) {
    std::fs::write(folder.join("tokens"), "good\n").unwrap();
}

#[test]
fn bodies_cost_bounded_memory_whatever_is_in_them() {
    let Sizes { limit, budget } = sizes();
    let config = format!(
        "auth: {{tokens: [{{file: $DIR/tokens}}]}}\nbody: {{limit: {limit}B, budget: {budget}B, timeout: 120s}}\nsilent_after: 0s\noutputs: {{stdout: false}}"
    );
    let target = Target::start(&config, tokens);
    let table = Table { target: &target, most: bound(limit, budget), lines: Mutex::default() };
    println!("limit {} MiB, budget {} MiB, bound {} MiB", limit >> 20, budget >> 20, table.most >> 20);
    let padded = |length: usize| {
        let (start, end) = (format!(r#"{EVENT},"x":""#), "\"}");
        Pieces::new(&start, "x", length - start.len() - end.len(), end)
    };
    let large = limit / 16 * 15;

    table.row("nothing", &[200], |to| vec![post(to, "", &Pieces::new(EVENT, "", 0, "}"))]);
    for encoding in ["gzip", "zstd"] {
        let header = format!("content-encoding: {encoding}\r\n");
        let bomb = packed(encoding, &Pieces::new("[", " ", 10 * limit, "]"));
        let what = format!("{encoding} bomb, {} of {}", size(bomb.len()), size(10 * limit));
        table.row(&what, &[413], |to| vec![post(to, &header, &bomb)]);
        table.row(&format!("{encoding} bomb, 16 at once"), &[413, 429], |to| {
            each(16, |_| post(to, &header, &bomb))
        });
        let whole = packed(encoding, &padded(large));
        table.row(&format!("{} in {encoding}", size(large)), &[200], |to| vec![post(to, &header, &whole)]);
        let mut cut = whole.clone();
        cut.head.truncate(whole.head.len() / 2);
        table.row(&format!("{encoding}, cut"), &[400], |to| vec![post(to, &header, &cut)]);
    }
    table.row(&size(large), &[200], |to| vec![post(to, "", &padded(large))]);
    table.row("the limit and a byte", &[413], |to| vec![post(to, "", &padded(limit + 1))]);
    table.row("the same in chunks", &[413], |to| {
        vec![send(to, |stream| {
            stream.write_all(head("transfer-encoding: chunked\r\n").as_bytes())?;
            write!(stream, "{:x}\r\n", limit + 1)?;
            padded(limit + 1).write(stream)?;
            stream.write_all(b"\r\n0\r\n\r\n")
        })]
    });
    let open = Pieces::new("", "[", large, "");
    table.row("brackets that nothing closes", &[400], |to| vec![post(to, "", &open)]);
    let nested = format!(r#"{EVENT},"requestObject":{}1{}}}"#, "[".repeat(large / 2), "]".repeat(large / 2));
    table.row("brackets that all are closed, in an event", &[200], |to| {
        vec![post(to, "", &Pieces::new(&nested, "", 0, ""))]
    });
    let tiny = r#"{"kind":"Event","auditID":"1","stage":"Panic","verb":"get","stageTimestamp":"2026-01-02T03:04:05Z"},"#;
    let count = 100_000.min(large / (tiny.len() + 16));
    table.row(&format!("{count} tiny events"), &[200], |to| {
        vec![post(to, "", &Pieces::new("[", tiny, count - 1, &format!("{}]", tiny.trim_end_matches(','))))]
    });
    table.row("entries without end", &[400], |to| {
        vec![post(to, "", &Pieces::new("[0", ",0", large / 2 - 4, "]"))]
    });
    let alerting = |from: usize, count: usize| {
        let one = |at: usize| tiny.replace(r#""get""#, r#""create""#).replace(r#""1""#, &format!("\"{at}\""));
        let all: String = (from..from + count).map(one).collect();
        Pieces::new(&format!("[{}]", all.trim_end_matches(',')), "", 0, "")
    };
    let before = target.alerts();
    table.row(&format!("{count} events that each raise an alert"), &[200], |to| {
        vec![post(to, "", &alerting(0, count))]
    });
    assert_eq!(target.alerts() - before, count);
    let bodies: Vec<_> = (1..=6).map(|at| alerting(at * count, count)).collect();
    table.row("six of these at once", &[200, 429], |to| each(6, |at| post(to, "", &bodies[at])));
    let loud = EVENT.replace(r#""get""#, r#""create""#).replace(r#""/a""#, "\"/");
    let loud = Pieces::new(&loud, "a", large - loud.len() - 2, "\"}");
    table.row(&format!("an alert that would repeat {}", size(large)), &[200], |to| vec![post(to, "", &loud)]);
    let long = Pieces::new(&format!(r#"{EVENT},"annotations":{{"cluster_name":""#), "x", large - 200, "\"}}");
    table.row("the name of a cluster without end", &[200], |to| vec![post(to, "", &long)]);
    table.row("three times the budget at once", &[200, 429], |to| each(12, |_| post(to, "", &padded(large))));
    table.row("the same, each stopping before its end", &[0, 400, 429], |to| {
        each(12, |_| {
            let body = padded(large);
            send(to, |stream| {
                stream.write_all(head(&format!("content-length: {}\r\n", body.len())).as_bytes())?;
                Pieces { tail: Vec::new(), ..body.clone() }.write(stream)?;
                stream.shutdown(std::net::Shutdown::Write)
            })
        })
    });
    table.row("a chunk that ends too early", &[0, 400], |to| {
        vec![send(to, |stream| {
            stream.write_all(head("transfer-encoding: chunked\r\n").as_bytes())?;
            stream.write_all(b"ffff\r\n{\"kind\":")?;
            stream.shutdown(std::net::Shutdown::Write)
        })]
    });
    table.row("no chunk but noise", &[0, 400], |to| {
        vec![send(to, |stream| {
            stream.write_all(head("transfer-encoding: chunked\r\n").as_bytes())?;
            stream.write_all(b"zz\r\n{}\r\n")
        })]
    });
    strangers(&table, limit);
}

/// Who isn't known is told so before anything is read.
fn strangers(table: &Table<'_>, limit: usize) {
    for (what, line) in [("no token", ""), ("a wrong token", "authorization: Bearer wrong\r\n")] {
        table.row(&format!("{what}, and a body that never comes"), &[401], |to| {
            each(16, |_| {
                send(to, |stream| {
                    let head = format!(
                        "POST /k8s_audit HTTP/1.1\r\nhost: a\r\n{line}content-length: {limit}\r\n\r\n"
                    );
                    stream.write_all(head.as_bytes())
                })
            })
        });
    }
    table.row("a header of 1 MiB", &[0, 400, 431], |to| {
        vec![send(to, |stream| stream.write_all(head(&format!("x: {}\r\n", "x".repeat(1 << 20))).as_bytes()))]
    });
    table.row("ten thousand headers", &[0, 400, 431], |to| {
        vec![send(to, |stream| stream.write_all(head(&"x: y\r\n".repeat(10_000)).as_bytes()))]
    });
    table.row("a request, then noise behind it", &[200], |to| {
        vec![send(to, |stream| {
            let body = format!("{EVENT}}}");
            let head =
                head(&format!("content-length: {}\r\n", body.len())).replace("connection: close\r\n", "");
            stream.write_all(format!("{head}{body}").as_bytes())?;
            stream.write_all(&b"\x16\x03\x01garbage ".repeat(10_000))
        })]
    });
    table.row("noise alone", &[0, 400], |to| {
        vec![send(to, |stream| stream.write_all(&b"\x00\xff\r\n".repeat(100_000)))]
    });
    table.row("the preface of HTTP/2, then noise", &[0], |to| {
        vec![send(to, |stream| {
            stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")?;
            stream.write_all(&b"garbage".repeat(10_000))
        })]
        .into_iter()
        // What HTTP/2 says before it closes is no status.
        .map(|_| 0)
        .collect()
    });
}

fn trickle(stream: &mut std::net::TcpStream, piece: &[u8]) -> io::Result<()> {
    loop {
        stream.write_all(piece)?;
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn who_is_slow_or_many_is_let_go_of() {
    let config = "body: {timeout: 1s, limit: 4MiB, budget: 16MiB}\nconnections: {connections: 64, header_timeout: 1s}\nsilent_after: 0s\noutputs: {stdout: false}";
    let target = Target::start(config, |_| {});
    let table = Table { target: &target, most: bound(4 << 20, 16 << 20), lines: Mutex::default() };
    table.row("32 heads, a byte at a time", &[0, 408], |to| {
        each(32, |_| send(to, |stream| trickle(stream, b"x")))
    });
    table.row("32 heads, a header at a time", &[0, 408], |to| {
        each(32, |_| {
            send(to, |stream| {
                stream.write_all(b"POST /k8s_audit HTTP/1.1\r\nhost: a\r\n")?;
                trickle(stream, b"x: y\r\n")
            })
        })
    });
    table.row("32 bodies, a byte at a time", &[408], |to| {
        each(32, |_| {
            let mut stream = connect(to);
            stream.write_all(head("content-length: 1000000\r\n").as_bytes()).unwrap();
            let mut writing = stream.try_clone().unwrap();
            let writer = std::thread::spawn(move || trickle(&mut writing, b" "));
            let answered = status(&mut stream);
            let _ = stream.shutdown(std::net::Shutdown::Both);
            let _ = writer.join();
            answered
        })
    });
    table.row("600 connections that say nothing, of 64 at once", &[0, 408], |to| {
        let mut all: Vec<_> = (0..600).map(|_| connect(to)).collect();
        all.iter_mut().map(status).collect()
    });
}

#[test]
fn handshakes_that_stall_delay_nobody_else() {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let config = "tls: {certificate_file: $DIR/tls.crt, key_file: $DIR/tls.key}\nconnections: {handshake_timeout: 1s}\nsilent_after: 0s\noutputs: {stdout: false}";
    let target = Target::start(config, |folder| {
        std::fs::write(folder.join("tls.crt"), made.cert.pem()).unwrap();
        std::fs::write(folder.join("tls.key"), made.signing_key.serialize_pem()).unwrap();
    });
    let _ = target.peak();
    // A ClientHello that promises more than comes.
    let stalled = each(200, |at| {
        send(
            target.intake,
            |stream| if at % 2 == 0 { Ok(()) } else { stream.write_all(b"\x16\x03\x01\x02\x00\x01") },
        )
    });
    println!("{:<52} {:<24} {:>16} MiB", "200 handshakes that stall", "closed x200", target.peak() >> 20);
    assert!(stalled.iter().all(|status| *status == 0), "{stalled:?}");
    assert!(target.peak() <= REST);
    let plain = post(target.intake, "", &Pieces::new(EVENT, "", 0, "}"));
    assert_eq!(plain, 0, "plain HTTP is not taken");
}

#[test]
fn one_client_asks_no_oftener_than_it_may() {
    let target = Target::start("body: {rate: 5}\nsilent_after: 0s\noutputs: {stdout: false}", |_| {});
    let body = Pieces::new(EVENT, "", 0, "}");
    let answers: Vec<_> = (0..200).map(|_| post(target.intake, "", &body)).collect();
    let taken = answers.iter().filter(|status| **status == 200).count();
    println!(
        "{:<52} {}",
        "200 requests of one client that may ask 5 a second",
        format_args!("200 x{taken}, 429 x{}", 200 - taken)
    );
    assert!(answers.iter().all(|status| matches!(status, 200 | 429)), "{answers:?}");
    assert!((5..200).contains(&taken), "{taken}");
}
