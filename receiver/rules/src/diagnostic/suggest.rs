//! What may have been meant.

/// The candidate that differs least from what was written, unless it differs too much to be meant.
pub fn nearest<'c>(written: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let limit = (written.chars().count() / 4).clamp(1, 3);
    candidates
        .into_iter()
        .map(|candidate| {
            (if abbreviates(written, candidate) { 1 } else { distance(written, candidate) }, candidate)
        })
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// The question that goes with it.
pub(crate) fn did_you_mean(meant: &str) -> String {
    format!("did you mean `{meant}`?")
}

fn abbreviates(written: &str, candidate: &str) -> bool {
    written.len() >= 3
        && candidate.get(..written.len()).is_some_and(|start| start.eq_ignore_ascii_case(written))
}

/// Letters to insert, remove, replace, or swap with their neighbour; case does not count.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().map(|char| char.to_ascii_lowercase()).collect();
    let mut above: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    let mut left_before = '\0';
    for (at, left) in left.chars().map(|char| char.to_ascii_lowercase()).enumerate() {
        let mut next = vec![at + 1];
        let mut right_before = '\0';
        for (column, &right) in right.iter().enumerate() {
            let cell = |row: &[usize], column: usize| row.get(column).copied().unwrap_or(usize::MAX / 2);
            let mut least = (cell(&row, column) + usize::from(left != right))
                .min(cell(&row, column + 1) + 1)
                .min(cell(&next, column) + 1);
            if column > 0 && left == right_before && left_before == right {
                least = least.min(cell(&above, column - 1) + 1);
            }
            next.push(least);
            right_before = right;
        }
        above = std::mem::replace(&mut row, next);
        left_before = left;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{distance, nearest};

    #[test]
    fn letters_are_counted() {
        for (left, right, count) in [
            ("", "ab", 2),
            ("ab", "ab", 0),
            ("AB", "ab", 0),
            ("abc", "adc", 1),
            ("abc", "acb", 1),
            ("ab", "b", 1),
        ] {
            assert_eq!(distance(left, right), count, "{left} {right}");
        }
    }

    #[test]
    fn only_what_is_near_is_suggested() {
        let names = ["ka.target.name", "ka.target.namespace", "ka.verb"];
        assert_eq!(nearest("ka.taget.name", names), Some("ka.target.name"));
        assert_eq!(nearest("ka.vreb", names), Some("ka.verb"));
        assert_eq!(nearest("KA.target.namesp", names), Some("ka.target.namespace"));
        assert_eq!(nearest("proc.name", names), None);
    }
}
