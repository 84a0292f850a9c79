//! Random histories of companies, with notifications lost, repeated, delayed and disordered, faults
//! of QuickBooks's and restarts of ours in between: at the end the receiver knows every company as it
//! is, and was told everything once and in order.
//!
//! `QBO_RELAY_TEST_SEEDS=1..200` plays other seeds; a seed that fails says so and plays alone with
//! `QBO_RELAY_TEST_SEEDS=17`.

use super::picture::Picture;
use super::world::World;
use qbo_relay::simulate::company::Chance;
use std::time::Duration;

/// Steps of one history.
const STEPS: u32 = 80;

fn seeds() -> Vec<u64> {
    let asked = std::env::var("QBO_RELAY_TEST_SEEDS").unwrap_or("1..5".into());
    match asked.split_once("..") {
        Some((from, to)) => (from.parse().unwrap()..to.parse().unwrap()).collect(),
        None => vec![asked.parse().unwrap()],
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_happens_the_receiver_knows_every_company_as_it_is() {
    for seed in seeds() {
        let wrong = play(seed).await;
        assert!(wrong.is_empty(), "seed {seed}:\n{}", wrong.join("\n"));
    }
}

/// One history; what is wrong at its end.
async fn play(seed: u64) -> Vec<String> {
    let mut chance = Chance::new(seed);
    let mut world = World::begin(seed).await;
    for _ in 0..STEPS {
        step(&mut world, &mut chance).await;
    }
    world.settle().await;
    let wrong = Picture::of(&world).wrong();
    world.end().await;
    wrong
}

async fn step(world: &mut World, chance: &mut Chance) {
    match chance.below(100) {
        // Something happens in a company, and is notified or not.
        0..62 => world.happen(chance).await,
        62..70 => world.deliver_delayed(chance).await,
        70..76 => world.repeat(chance).await,
        76..86 => {
            let seconds = 1 + chance.below(900);
            world.pass(Duration::from_secs(seconds)).await;
        }
        86..92 => world.fault(chance),
        92..94 => world.expire_access(chance),
        94 => world.reconnect().await,
        95..97 => world.restart(Duration::ZERO, chance).await,
        _ => {
            let seconds = 30 + chance.below(7200);
            world.restart(Duration::from_secs(seconds), chance).await;
        }
    }
}
