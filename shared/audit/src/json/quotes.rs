//! Where strings end, found for 64 bytes at a time.
//!
//! Strings are short, so what costs is not to look at their bytes but to guess how many there are. With the quotes of a
//! whole block known as the bits of one number, the end of most strings is one instruction away.

use wide::u8x64;

/// Bytes that are looked at together.
const BLOCK: usize = 64;

/// The quotes of one block of a text that are not escaped.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Quotes {
    /// Where the block ends; 0 before the first one.
    end: usize,
    /// One bit for each of its bytes, the first in bit 0.
    bits: u64,
    /// Whether its last byte is a backslash that makes the byte behind the block another.
    escapes: bool,
}

impl Quotes {
    /// Where the first quote of `text` stands that is not before `at` and closes a string which begins before it. Calls of
    /// one `Quotes` must be about one text and in its order, all that they pass over outside of strings being sound JSON.
    #[inline]
    pub(super) fn next(&mut self, text: &[u8], at: usize) -> Option<usize> {
        if at < self.end {
            let ahead = self.bits >> (at % BLOCK);
            if ahead != 0 {
                return Some(at + ahead.trailing_zeros() as usize);
            }
        }
        self.further(text, at)
    }

    #[inline(never)]
    fn further(&mut self, text: &[u8], at: usize) -> Option<usize> {
        if at >= self.end + BLOCK {
            *self = Self { end: at - at % BLOCK, ..Self::default() };
        }
        loop {
            let bytes = text.get(self.end..).filter(|bytes| !bytes.is_empty())?;
            match bytes.first_chunk() {
                Some(bytes) => self.step(bytes),
                None => self.step(&padded(bytes)),
            }
            let ahead = self.bits & (u64::MAX << if at + BLOCK > self.end { at % BLOCK } else { 0 });
            if ahead != 0 {
                return Some(self.end - BLOCK + ahead.trailing_zeros() as usize);
            }
        }
    }

    /// Goes on to the block behind the present one.
    fn step(&mut self, bytes: &[u8; BLOCK]) {
        self.end += BLOCK;
        let bytes = u8x64::new(*bytes);
        let quotes = bytes.simd_eq(u8x64::splat(b'"')).to_bitmask();
        let backslashes = bytes.simd_eq(u8x64::splat(b'\\')).to_bitmask();
        let mut escaped = u64::from(std::mem::take(&mut self.escapes));
        let mut rest = backslashes & !escaped;
        while rest != 0 {
            let behind = (rest & rest.wrapping_neg()) << 1;
            self.escapes = behind == 0;
            escaped |= behind;
            rest &= (rest - 1) & !behind;
        }
        self.bits = quotes & !escaped;
    }
}

/// The last bytes of a text, and zeros behind them.
fn padded(bytes: &[u8]) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    if let Some(head) = block.get_mut(..bytes.len()) {
        head.copy_from_slice(bytes);
    }
    block
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn the_first_quote_that_is_not_escaped(blanks in 0_usize..130, strings in proptest::collection::vec(r#"([^"\\]|\\["\\n]){0,90}"#, 1..5)) {
            let text = " ".repeat(blanks) + &strings.iter().map(|string| format!("\"{string}\",")).collect::<String>();
            let (mut quotes, mut at) = (Quotes::default(), blanks);
            for string in strings {
                let end = quotes.next(text.as_bytes(), at + 1);
                proptest::prop_assert_eq!(end, Some(at + 1 + string.len()));
                at += string.len() + 3;
            }
            proptest::prop_assert_eq!(quotes.next(text.as_bytes(), at), None);
        }
    }
}
