//! The one writer: group commit.

use tokio::sync::{mpsc, watch};

use super::database::Writer;
use super::{Health, Recorded, Request, StoreError, Write};

/// Most requests in one transaction, so that the first doesn't wait for ever.
const MOST_IN_ONE: usize = 256;

/// What commits one write alone.
trait One {
    fn commit_one(&mut self, write: &Write) -> impl Future<Output = Result<Recorded, StoreError>> + Send;
}

impl One for Writer {
    async fn commit_one(&mut self, write: &Write) -> Result<Recorded, StoreError> {
        let recorded = self.commit(std::iter::once(write)).await;
        recorded.map(|mut recorded| recorded.pop().unwrap_or_default())
    }
}

/// Commits what waits, one transaction after another, until every sender is gone.
pub(super) async fn run(
    mut writer: Writer,
    mut requests: mpsc::Receiver<Request>,
    health: watch::Sender<Health>,
    commits: watch::Sender<u64>,
) {
    let tell = |results: &[Result<Recorded, StoreError>]| {
        note(&health, results);
        if results.iter().flatten().any(|recorded| recorded.new.contains(&true)) {
            commits.send_modify(|count| *count += 1);
        }
    };
    let mut group = Vec::new();
    while requests.recv_many(&mut group, MOST_IN_ONE).await > 0 {
        if group.iter().any(|request| matches!(request.write, Write::Close)) {
            requests.close();
        }
        match writer.commit(group.iter().map(|request| &request.write)).await {
            Ok(recorded) => {
                let results: Vec<_> = recorded.into_iter().map(Ok).collect();
                tell(&results);
                group.drain(..).zip(results).for_each(|(request, result)| request.answer(result));
            }
            Err(error) => {
                let failed = (group.len() == 1 || error.is_of_the_store()).then_some(error);
                one_by_one(group.drain(..), failed, &mut writer, tell).await;
            }
        }
    }
    writer.close().await;
}

/// Of a group that failed each on its own, so that one request that can't be stored doesn't fail the others; but once it
/// `failed` by the store itself, so does the rest, which has waited long enough.
async fn one_by_one(
    group: impl Iterator<Item = Request>,
    mut failed: Option<StoreError>,
    writer: &mut impl One,
    tell: impl Fn(&[Result<Recorded, StoreError>]),
) {
    for request in group {
        let result = match &failed {
            Some(error) => Err(error.clone()),
            None => writer.commit_one(&request.write).await,
        };
        failed = failed.or_else(|| result.as_ref().err().filter(|error| error.is_of_the_store()).cloned());
        tell(std::slice::from_ref(&result));
        request.answer(result);
    }
}

/// The store is healthy when the last write succeeded.
fn note(health: &watch::Sender<Health>, results: &[Result<Recorded, StoreError>]) {
    let Some(last) = results.last() else { return };
    let now = last.as_ref().map(drop).map_err(Clone::clone);
    health.send_if_modified(|before| {
        let changed = *before != now;
        *before = now;
        changed
    });
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    /// Has so many outcomes, and sees how healthy the store is before each.
    struct Outcomes {
        outcomes: std::vec::IntoIter<Result<Recorded, StoreError>>,
        noted: watch::Receiver<Health>,
        health: Vec<bool>,
    }

    impl One for Outcomes {
        async fn commit_one(&mut self, _: &Write) -> Result<Recorded, StoreError> {
            self.health.push(self.noted.borrow().is_ok());
            self.outcomes.next().expect("the rest need not try")
        }
    }

    #[tokio::test]
    async fn who_waits_is_told_as_soon_as_it_is_known() {
        let (mut group, mut answers) = (Vec::new(), Vec::new());
        for _ in 0..5 {
            let (answer, result) = oneshot::channel();
            group.push(Request { write: Write::Heartbeat, answer });
            answers.push(result);
        }
        let unwritable = || Err(StoreError::Unwritable { store: String::new(), cause: String::new() });
        let unanswered = || Err(StoreError::Unanswered { store: String::new(), cause: String::new() });
        let (health, noted) = watch::channel(Ok(()));
        let mut outcomes = Outcomes {
            outcomes: vec![unwritable(), Ok(Recorded::default()), unanswered()].into_iter(),
            noted: noted.clone(),
            health: Vec::new(),
        };
        one_by_one(group.into_iter(), None, &mut outcomes, |results| note(&health, results)).await;
        assert_eq!(outcomes.health, [true, false, true], "noted at once");
        let mut told = Vec::new();
        for answer in answers {
            told.push(answer.await.unwrap());
        }
        assert_eq!(told[..2], [unwritable(), Ok(Recorded::default())]);
        assert_eq!(told[2..], [unanswered(), unanswered(), unanswered()]);
        assert_eq!(*noted.borrow(), unanswered().map(drop));
    }
}
