//! The laws of positions, for any that may stand in a store.

use proptest::prelude::*;

use super::*;
use crate::Position;

/// Ages in seconds and marks of a reader: an older sweep may be anywhere, also before a younger one's run.
fn marks() -> impl Strategy<Value = Marks> {
    let ages = prop::collection::btree_set(0..4000_u64, 1..5);
    (ages, prop::collection::vec((0..10_000_000_i64, 0..500_000_i64), 5)).prop_map(|(ages, runs)| {
        let sweeps = ages.into_iter().zip(runs).map(|(age, (from, length))| Covered {
            age: Span(Duration::from_secs(age)),
            from: Time::from_millis(from),
            to: Time::from_millis(from + length),
        });
        Marks { at: Time::from_millis(20_000_000), sweeps: sweeps.collect() }
    })
}

/// The same reader somewhat later.
fn later(marks: &Marks, steps: &[i64]) -> Marks {
    let ahead = |(covered, step): (&Covered, &i64)| Covered {
        to: covered.to.plus(Duration::from_millis(step.unsigned_abs())),
        ..*covered
    };
    Marks { at: marks.at, sweeps: marks.sweeps.iter().zip(steps).map(ahead).collect() }
}

fn ages() -> impl Strategy<Value = Ages> {
    prop::collection::btree_set(0..4000_u64, 1..5).prop_map(|ages| {
        let ages: Vec<_> = ages.into_iter().map(|age| format!("{age}s")).collect();
        ages.join(",").parse().unwrap()
    })
}

/// The position with which a reader of another table goes on.
fn under(ages: &Ages, marks: &Marks) -> Marks {
    Marks { at: marks.at, sweeps: ages.iter().map(|age| marks.covered(age)).collect() }
}

fn spelt(marks: &Marks) -> String {
    serde_json::to_string(marks).unwrap()
}

proptest! {
    #[test]
    fn following_is_an_order(
        first in marks(), steps in prop::collection::vec(0..1000_i64, 5), more in prop::collection::vec(0..1000_i64, 5),
    ) {
        let second = later(&first, &steps);
        let third = later(&second, &more);
        prop_assert!(first.follows(&first));
        prop_assert!(second.follows(&first) && third.follows(&second) && third.follows(&first));
        if first.follows(&second) {
            prop_assert_eq!(&first, &second);
        }
        prop_assert!(second.final_until() >= first.final_until() && second.newest() >= first.newest());
    }

    #[test]
    fn what_is_stored_is_what_is_read(marks in marks()) {
        let read: Marks = serde_json::from_str(&spelt(&marks)).unwrap();
        prop_assert_eq!(read, marks);
    }

    #[test]
    fn another_table_of_ages_claims_nothing_that_was_not_read(marks in marks(), ages in ages()) {
        for covered in &under(&ages, &marks).sweeps {
            // Read at that age, or at a greater one.
            let read = |sweep: &Covered| {
                sweep.age.0 >= covered.age.0 && sweep.from <= covered.from && covered.to <= sweep.to
            };
            prop_assert!(covered.from == covered.to || marks.sweeps.iter().any(read), "{covered:?} of {marks:?}");
        }
    }

    #[test]
    fn another_table_of_ages_passes_over_nothing(marks in marks(), ages in ages()) {
        let restored = under(&ages, &marks);
        let oldest = marks.sweeps.iter().map(|covered| covered.age.0).max().unwrap();
        if ages.iter().any(|age| age >= oldest) {
            // Its oldest sweep reads again whatever was not final.
            prop_assert!(restored.final_until() <= marks.final_until());
        }
        // There and back is never ahead of having stayed.
        let table: Vec<_> = marks.sweeps.iter().map(|covered| covered.age.to_string()).collect();
        let back = under(&table.join(",").parse().unwrap(), &restored);
        prop_assert!(back.final_until() <= marks.final_until().max(restored.final_until()));
    }
}
