use crate::error::Result;
use rand::Rng;
use std::time::Duration;
use tracing::warn;

const TRIES: u32 = 6;

/// Runs a whole transaction again when PostgreSQL has chosen it as the victim of a deadlock or a conflict (40P01, 40001): a few
/// times, waiting longer each time and never in step with the other victim. Everything in it must be harmless to repeat.
pub(crate) async fn retry<T, F, Fut>(mut attempt: F) -> Result<T>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<T>>,
{
    for tried in 1.. {
        match attempt().await {
            Err(error) if error.is_retryable() && tried < TRIES => {
                warn!(%error, tried, "A transaction lost a conflict and is tried again");
                let longest_ms = 5u64 << tried;
                let wait_ms = rand::rng().random_range(longest_ms / 2..=longest_ms);
                tokio::time::sleep(Duration::from_millis(wait_ms)).await;
            }
            outcome => return outcome,
        }
    }
    unreachable!("the loop ends by its return")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::CallError;

    #[tokio::test]
    async fn what_is_refused_for_good_is_tried_once() {
        let mut tries = 0;
        let outcome: Result<()> = retry(|| {
            tries += 1;
            async { Err(CallError::Db(db::DbError::Custom("no".into()))) }
        })
        .await;
        assert!(outcome.is_err());
        assert_eq!(tries, 1);
    }
}
