//! When a certificate ends: the one field of X.509 that an operator must be warned of, read from DER (RFC 5280, 4.1).

use rustls::pki_types::CertificateDer;

/// Seconds since 1970 at which the certificate ends; `None` for what is no certificate.
pub(super) fn not_after(certificate: &CertificateDer<'_>) -> Option<i64> {
    let (_, certificate, _) = element(certificate)?;
    let (_, mut fields, _) = element(certificate)?;
    // The version is there in all but the first one, then serial number, signature algorithm and issuer.
    if fields.first() == Some(&0xa0) {
        fields = element(fields)?.2;
    }
    for _ in 0..3 {
        fields = element(fields)?.2;
    }
    let (_, validity, _) = element(fields)?;
    let (_, _, not_after) = element(validity)?;
    let (tag, text, _) = element(not_after)?;
    time(tag, std::str::from_utf8(text).ok()?)
}

/// A DER element: its tag, its content, and what follows.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[tag, short], rest) = der.split_first_chunk::<2>()?;
    let (length, rest) = match short {
        0..=0x7f => (usize::from(short), rest),
        0x81..=0x84 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(short & 0x7f))?;
            (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

/// `YYMMDDHHMMSSZ` (tag 23; years before 50 are in this century) or `YYYYMMDDHHMMSSZ` (tag 24).
fn time(tag: u8, text: &str) -> Option<i64> {
    let digits =
        text.strip_suffix('Z').filter(|digits| digits.bytes().all(|digit| digit.is_ascii_digit()))?;
    let (year, rest) = digits.split_at_checked(if tag == 24 { 4 } else { 2 })?;
    let year: i64 = year.parse().ok()?;
    let year = match tag {
        23 if year < 50 => year + 2000,
        23 => year + 1900,
        24 => year,
        _ => return None,
    };
    let part = |at: usize| rest.get(at..at + 2)?.parse::<i64>().ok();
    let [month, day, hour, minute, second] = [part(0)?, part(2)?, part(4)?, part(6)?, part(8)?];
    if rest.len() != 10 || !(1..=12).contains(&month) {
        return None;
    }
    // Days since 1970 of a date of the Gregorian calendar, with years that begin in March.
    let shifted = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = shifted * 365 + shifted.div_euclid(4) - shifted.div_euclid(100)
        + shifted.div_euclid(400)
        + day_of_year
        - 719_468;
    Some(days * 86_400 + hour * 3600 + minute * 60 + second)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    #[test]
    fn reads_both_forms_of_time() {
        for (year, month, day, expected) in [
            (2026, 11, 23, 1_795_392_000),
            (2049, 12, 31, 2_524_521_600),
            (2050, 1, 1, 2_524_608_000),
            (2096, 2, 29, 3_981_312_000),
            (1999, 3, 1, 920_246_400),
        ] {
            let mut params = CertificateParams::default();
            params.not_after = date_time_ymd(year, month, day);
            let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
            assert_eq!(not_after(certificate.der()), Some(expected), "{year}-{month}-{day}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_no_certificate_is_none_or_some_time(bytes: Vec<u8>) {
            let _ = not_after(&CertificateDer::from(bytes));
        }
    }
}
