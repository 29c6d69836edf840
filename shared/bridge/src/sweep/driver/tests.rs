use std::sync::atomic::{AtomicU64, Ordering};

use audit_service::health::Health;
use audit_service::metrics as registry;

use super::super::{Ages, RecordId, Start};
use super::*;

/// A log whose service knows the time, with a record in each page.
struct Log {
    start: Instant,
    began: Time,
    reads: AtomicU64,
}

impl TimedLog for Log {
    async fn read(&self, request: &Request) -> Result<Page, ReadFailed> {
        let id = self.reads.fetch_add(1, Ordering::SeqCst).to_string();
        let record = Record::bare(&id);
        let found = Found { id: RecordId::of(&[id.as_bytes()]), time: request.from, ingested: None, record };
        let served = Some(self.began.plus(self.start.elapsed()));
        Ok(Page { found: vec![found], token: None, served })
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_lies_here_tells_the_time_of_its_arrival() {
    const HOUR: Duration = Duration::from_secs(3600);
    let (start, began) = (Instant::now(), Time::of_machine());
    let ages: Ages = "5s,1m,10m,1h".parse().unwrap();
    let machine = Machine::new(Start {
        marks: Marks::starting(&ages, began.minus(24 * HOUR)),
        ages,
        poll: Duration::from_secs(5),
        remember: 1000,
        until: None,
        spare_copies: false,
    });
    let log = Arc::new(Log { start, began, reads: AtomicU64::default() });
    let metrics = Metrics::new(&registry::Metrics::new("b", "1"));
    let condition = Health::new().condition("source");
    let mut source = Swept::new("unit", log, machine, Budget::new(100.0), false, condition, metrics);
    for _ in 0..5 {
        source.next().await.unwrap().unwrap();
        // The receiver is down, and the other answer has come.
        sleep(HOUR / 6).await;
        source.next().await.unwrap().unwrap();
        let (is, believed) = (began.plus(start.elapsed()), source.clock.at(start.elapsed()));
        let off = is.since(believed).max(believed.since(is));
        assert!(off < Duration::from_secs(2), "{off:?}");
    }
}
