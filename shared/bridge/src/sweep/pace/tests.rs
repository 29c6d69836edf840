use proptest::prelude::*;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn requests_keep_their_distance_and_make_room_when_throttled() {
    let mut pace = Pace::new(2.0);
    let start = SECOND;
    assert_eq!(pace.take(start), Ok(()));
    assert_eq!(pace.take(start), Err(start + SECOND / 2));
    pace.throttled(start + SECOND);
    assert_eq!((pace.rate(), pace.take(start + SECOND)), (1.6, Err(start + SECOND + SECOND * 5 / 8)));
    // Of the same burst.
    pace.throttled(start + SECOND);
    assert_eq!(pace.rate(), 1.6);
    (0..100).for_each(|_| pace.answered());
    assert_eq!(pace.rate(), 2.0);
}

#[test]
fn a_service_that_refused_everything_is_asked_as_before_soon_after() {
    let mut pace = Pace::new(2.0);
    (10..1000).for_each(|second| pace.throttled(SECOND * second));
    assert_eq!(pace.rate(), Pace::LEAST);
    (0..7).for_each(|_| pace.answered());
    assert_eq!(pace.rate(), 1.6);
}

/// A service that lets `quota` requests a second through, and a second's worth of them at once.
struct Service {
    quota: f64,
    level: f64,
    filled: Duration,
}

impl Service {
    fn admits(&mut self, now: Duration) -> bool {
        let most = self.quota.max(1.0);
        self.level = (self.level + (now - self.filled).as_secs_f64() * self.quota).min(most);
        self.filled = now;
        let fits = self.level >= 1.0;
        self.level -= f64::from(u8::from(fits));
        fits
    }
}

/// Answered and refused requests of as many seconds, by a reader that always has more to ask.
fn asked(pace: &mut Pace, service: &mut Service, from: Duration, seconds: f64) -> (f64, f64) {
    let (mut now, mut answered, mut refused) = (from, 0.0, 0.0);
    let end = from + Duration::from_secs_f64(seconds);
    while now < end {
        match pace.take(now) {
            Err(later) => now = later,
            Ok(()) if service.admits(now) => {
                answered += 1.0;
                pace.answered();
            }
            Ok(()) => {
                refused += 1.0;
                pace.throttled(now);
            }
        }
    }
    (answered, refused)
}

/// A number between two, all magnitudes alike.
fn between(least: f64, most: f64) -> impl Strategy<Value = f64> {
    (0.0..1.0_f64).prop_map(move |place| least * (most / least).powf(place))
}

proptest! {
    #[test]
    fn settles_below_any_quota_however_far_the_ceiling_is_above(
        quota in between(0.05, 50.0), ceiling in between(0.05, 1000.0),
    ) {
        let mut pace = Pace::new(ceiling);
        let mut service = Service { quota, level: quota.max(1.0), filled: Duration::ZERO };
        let allowed = quota.min(ceiling);
        let settling = 600.0 + 100.0 / allowed;
        asked(&mut pace, &mut service, Duration::ZERO, settling);
        let seconds = 2000.0 / allowed;
        let (answered, refused) =
            asked(&mut pace, &mut service, Duration::from_secs_f64(settling + 60.0), seconds);
        prop_assert!(refused <= 0.06 * answered, "{refused} of {} refused", answered + refused);
        prop_assert!(answered / seconds >= 0.8 * allowed, "{answered} in {seconds} s");
    }
}

#[test]
fn answers_correct_the_clock() {
    let mut clock = Clock::new(SECOND, Time::from_millis(1_000_000));
    assert!(!clock.observe(3 * SECOND, Time::from_millis(1_001_000)));
    assert_eq!(clock.at(3 * SECOND), Time::from_millis(1_002_000));
    assert!(clock.observe(3 * SECOND, Time::from_millis(500_000)));
    assert_eq!(clock.at(4 * SECOND), Time::from_millis(501_000));
    assert_eq!(clock.at(2 * SECOND), Time::from_millis(499_000));
}
