//! Chance for the schedule, so that lanes which failed together do not come back together.

use ring::rand::{SecureRandom, SystemRandom};

/// A source of numbers from -1 to 1.
pub type Jitter = fn() -> f64;

/// From the operating system; 0 where it has none to give.
pub fn random() -> f64 {
    let mut bytes = [0; 4];
    if SystemRandom::new().fill(&mut bytes).is_err() {
        return 0.0;
    }
    f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX) * 2.0 - 1.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chance_stays_within_its_bounds_and_is_not_always_the_same() {
        let drawn: Vec<f64> = (0..1000).map(|_| random()).collect();
        assert!(drawn.iter().all(|number| (-1.0..=1.0).contains(number)));
        assert!(drawn.iter().any(|number| *number < -0.5));
        assert!(drawn.iter().any(|number| *number > 0.5));
    }
}
