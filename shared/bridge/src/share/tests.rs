use proptest::prelude::*;

use super::*;

/// Replicas by name with the units they read, looking one after the other, each at what is true then.
struct World {
    units: Vec<String>,
    owners: Vec<Option<String>>,
}

impl World {
    fn new(units: usize) -> Self {
        Self { units: (0..units).map(|unit| unit.to_string()).collect(), owners: vec![None; units] }
    }

    fn count(&self, replica: &str) -> usize {
        self.owners.iter().filter(|owner| owner.as_deref() == Some(replica)).count()
    }

    /// One look of a replica; how many units it took.
    fn look(&mut self, replica: &str, random: &mut fastrand::Rng) -> usize {
        let others: Vec<Holder<'_>> = (self.units.iter().zip(&self.owners))
            .filter(|(_, owner)| owner.as_deref() != Some(replica))
            .map(|(unit, owner)| Holder { unit, owner: owner.as_deref() })
            .collect();
        let random = std::cell::RefCell::new(random);
        let taken = wanted(self.units.len(), self.count(replica), &others, |units| {
            random.borrow_mut().shuffle(units)
        });
        let taken: Vec<usize> = taken.into_iter().map(|unit| unit.parse().unwrap()).collect();
        taken.iter().for_each(|unit| self.owners[*unit] = Some(replica.to_owned()));
        taken.len()
    }

    fn leave(&mut self, replica: &str) {
        for owner in self.owners.iter_mut().filter(|owner| owner.as_deref() == Some(replica)) {
            *owner = None;
        }
    }

    /// Lets all replicas look until nobody takes anything; how many units changed hands.
    fn settle(&mut self, replicas: &[String], random: &mut fastrand::Rng) -> usize {
        let mut moved = 0;
        for _ in 0..20 {
            let before = moved;
            for replica in replicas {
                moved += self.look(replica, random);
            }
            if moved == before {
                return moved;
            }
        }
        panic!("replicas take from each other for ever: {:?}", self.owners);
    }

    fn is_even(&self, replicas: &[String]) -> bool {
        let counts: Vec<usize> = replicas.iter().map(|replica| self.count(replica)).collect();
        counts.iter().sum::<usize>() == self.units.len()
            && counts.iter().max().unwrap() - counts.iter().min().unwrap() <= 1
    }
}

#[test]
fn a_newcomer_takes_its_half_and_nothing_more() {
    let mut random = fastrand::Rng::with_seed(1);
    let mut world = World::new(32);
    let replicas = ["a".to_owned(), "b".to_owned()];
    assert_eq!(world.settle(&replicas[..1], &mut random), 32);
    assert_eq!(world.settle(&replicas, &mut random), 16);
    assert_eq!((world.count("a"), world.count("b")), (16, 16));
    world.leave("a");
    assert_eq!(world.settle(&replicas[1..], &mut random), 16);
}

proptest! {
    #[test]
    fn whoever_comes_and_goes_shares_become_even_and_stay(
        units in 1..40_usize,
        comings in prop::collection::vec((0..6_usize, any::<bool>()), 1..12),
        seed in any::<u64>(),
    ) {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut world = World::new(units);
        let mut replicas: Vec<String> = Vec::new();
        for (replica, comes) in comings {
            let name = replica.to_string();
            replicas.retain(|known| *known != name);
            if comes {
                replicas.push(name);
            } else {
                world.leave(&name);
            }
            if replicas.is_empty() {
                continue;
            }
            world.settle(&replicas, &mut random);
            prop_assert!(world.is_even(&replicas), "{:?}", world.owners);
        }
    }
}
