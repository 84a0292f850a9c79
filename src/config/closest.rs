//! "Did you mean": the known word that is nearest to a given one.

/// The nearest of the known words, where one is near enough to be meant: in any case, with `-` for
/// `_`, or with a few letters wrong, missing, too many or in the wrong order.
pub(super) fn closest<'a>(
    given: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let plain = |word: &str| -> Vec<char> {
        word.chars()
            .filter(|c| !"-_ ".contains(*c))
            .flat_map(char::to_lowercase)
            .collect()
    };
    let wanted = plain(given);
    let allowed = (wanted.len() / 3).max(1);
    let words = known.into_iter();
    let near = words.map(|word| (distance(&wanted, &plain(word)), word));
    near.filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

/// `, did you mean "x"?`, or nothing.
pub(super) fn did_you_mean<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    closest(given, known).map_or_else(String::new, |word| format!("; did you mean \"{word}\"?"))
}

/// Insertions, deletions, substitutions and swaps of neighbours that lead from one to the other.
fn distance(one: &[char], other: &[char]) -> usize {
    let width = other.len() + 1;
    let mut before: Vec<usize> = vec![0; width];
    let mut last: Vec<usize> = (0..width).collect();
    for (row, letter) in one.iter().enumerate() {
        let mut next = vec![row + 1];
        for (column, wanted) in other.iter().enumerate() {
            let at =
                |line: &[usize], column: usize| line.get(column).copied().unwrap_or(usize::MAX);
            let same = usize::from(letter != wanted);
            let mut cost = (at(&last, column) + same)
                .min(at(&last, column + 1) + 1)
                .min(at(&next, column) + 1);
            let is_swap = row > 0
                && column > 0
                && one.get(row - 1) == Some(wanted)
                && other.get(column - 1) == Some(letter);
            if is_swap {
                cost = cost.min(at(&before, column - 1) + 1);
            }
            next.push(cost);
        }
        before = std::mem::replace(&mut last, next);
    }
    last.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_that_was_meant_is_found_and_no_other() {
        let known = ["verifier", "listen", "bytes_max", "https", "timeout", "key"];
        for (given, meant) in [
            ("veriifer", Some("verifier")),
            ("Listen", Some("listen")),
            ("bytes-max", Some("bytes_max")),
            ("bytesMax", Some("bytes_max")),
            ("http", Some("https")),
            ("tiemout", Some("timeout")),
            ("timeuot", Some("timeout")),
            ("kye", Some("key")),
            ("banana", None),
            ("", None),
        ] {
            assert_eq!(closest(given, known), meant, "{given}");
        }
    }
}
