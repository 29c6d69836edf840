//! Event IDs as the service writes them.

use crate::Random;

/// A decimal number of 56 digits: the time in milliseconds, shifted up by 144 bits, and noise below it.
/// Unique within a group because `number` is among the lower bits.
pub(super) fn event_id(timestamp: i64, ingested: i64, number: u64) -> String {
    const LIMB: u128 = 10_u128.pow(18);
    let mut noise = Random::new(number ^ (ingested as u64).rotate_left(20));
    // Limbs of 18 decimal digits, the lowest first.
    let mut limbs = vec![timestamp.unsigned_abs()];
    for low in [noise.below(1 << 48), noise.below(1 << 48), number] {
        let mut carry = u128::from(low);
        for limb in &mut limbs {
            let value = (u128::from(*limb) << 48) + carry;
            *limb = (value % LIMB) as u64;
            carry = value / LIMB;
        }
        while carry > 0 {
            limbs.push((carry % LIMB) as u64);
            carry /= LIMB;
        }
    }
    let digits: String = limbs.iter().rev().map(|limb| format!("{limb:018}")).collect();
    format!("{:0>56}", digits.trim_start_matches('0'))
}
