//! The loop around the vault: it goes wrong in the right way.

#![allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    missing_docs,
    unreachable_pub,
    reason = "tests"
)]

mod support;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use strongroom::{ActiveRow, Binding, Error, KmsOp, Scope, SealOptions, inspect};
use strongroom_host::{RotationCause, WrapStore};
use support::{CMK, GLOBEX_CMK, World};

const ORG: SealOptions = SealOptions { scope: Scope::Org, padded: false };
const RECORD: SealOptions = SealOptions { scope: Scope::Record, padded: false };

#[tokio::test(start_paused = true)]
async fn nothing_is_sealed_before_the_first_rotation() {
    let world = World::default();
    let host = world.host("acme");
    assert_eq!(host.seal(&at("f"), b"x", ORG).await, Err(Error::NoActiveDek));
    assert_eq!(host.generate_record_dek("t", "r").await, Err(Error::NoActiveDek));
    assert_eq!(host.rotation_due().await, Err(Error::NoActiveDek));
    assert_eq!(host.share("t", "r", "globex", GLOBEX_CMK).await, Err(Error::NoActiveDek));
    assert!(world.kms.calls.lock().unwrap().is_empty());
    assert_eq!(host.rotate().await.unwrap().version(), 1);
    assert_eq!(host.seal(&at("f"), b"x", RECORD).await, Err(Error::NoActiveDek));
    let sealed = host.seal(&at("f"), b"x", ORG).await.unwrap();
    assert_eq!(*host.open(&at("f"), &sealed).await.unwrap(), b"x");
    assert_eq!(host.open(&at("g"), &sealed).await, Err(Error::AuthFailed));
}

#[tokio::test(start_paused = true)]
async fn many_tasks_that_lack_a_dek_make_one_call() {
    let world = World::default();
    let maker = world.host("acme");
    maker.rotate().await.unwrap();
    let sealed = Arc::new(maker.seal(&at("f"), b"x", ORG).await.unwrap());
    let host = Arc::new(world.host("acme"));
    let tasks: Vec<_> = (0..50)
        .map(|_| {
            let (host, sealed) = (host.clone(), sealed.clone());
            tokio::spawn(async move { host.open(&at("f"), &sealed).await.map(|opened| opened.to_vec()) })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.unwrap().unwrap(), b"x");
    }
    assert_eq!(world.kms.count(KmsOp::Decrypt), 1);
}

#[tokio::test(start_paused = true)]
async fn a_denial_is_final_and_is_not_asked_for_again_for_a_while() {
    let world = World::default();
    let maker = world.host("acme");
    maker.rotate().await.unwrap();
    let sealed = maker.seal(&at("f"), b"x", ORG).await.unwrap();
    let host = world.host("acme");
    world.kms.errors.lock().unwrap().push("AccessDeniedException");
    for _ in 0..5 {
        assert_eq!(host.open(&at("f"), &sealed).await, Err(Error::KmsDenied));
    }
    assert_eq!(world.kms.count(KmsOp::Decrypt), 1);
    world.clock.forward(29);
    assert_eq!(host.open(&at("f"), &sealed).await, Err(Error::KmsDenied));
    world.clock.forward(1);
    assert_eq!(*host.open(&at("f"), &sealed).await.unwrap(), b"x");
    assert_eq!(world.kms.count(KmsOp::Decrypt), 2);
}

#[tokio::test(start_paused = true)]
async fn a_throttled_kms_is_asked_five_times_and_no_more() {
    let world = World::default();
    let host = world.host("acme");
    world.kms.errors.lock().unwrap().extend(["ThrottlingException"; 5]);
    assert_eq!(host.rotate().await, Err(Error::KmsThrottled));
    assert_eq!(world.kms.count(KmsOp::GenerateDataKey), 5);
    assert_eq!(world.store.inner.active("acme").await, Ok(None));
    world.kms.errors.lock().unwrap().extend(["ThrottlingException"; 4]);
    assert_eq!(host.rotate().await.unwrap().version(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_anywhere_in_a_rotation_leaves_it_to_the_next_run() {
    for lost in [false, true] {
        for fail_at in 0..6 {
            let world = World::default();
            let host = world.host("acme");
            host.rotate().await.unwrap();
            let sealed = host.seal(&at("f"), b"x", ORG).await.unwrap();
            world.store.lost.store(lost, Ordering::Relaxed);
            *world.store.fail_at.lock().unwrap() = Some(fail_at);
            let first = host.rotate().await;
            // Once the active row's answer has come, only a note is left to write.
            assert!(first.is_ok() == (fail_at >= 3), "{lost} {fail_at}: {first:?}");
            *world.store.fail_at.lock().unwrap() = None;
            let fresh = world.host("acme");
            let active = fresh.rotate().await.unwrap();
            assert!((2..=3).contains(&active.version()));
            for host in [&host, &fresh] {
                world.clock.forward(300);
                let new = host.seal(&at("f"), b"y", ORG).await.unwrap();
                assert_eq!(inspect(&new).unwrap().dek_ref, *active.dek_ref());
                assert_eq!(*host.open(&at("f"), &sealed).await.unwrap(), b"x");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn of_two_hosts_that_rotate_at_once_one_wins_and_both_follow() {
    let world = World::default();
    let (a, b) = (world.host("acme"), world.host("acme"));
    for _ in 0..20 {
        let (one, other) = tokio::join!(a.rotate(), b.rotate());
        let (one, other) = (one.unwrap(), other.unwrap());
        let stored = world.store.inner.active("acme").await.unwrap().unwrap();
        assert!(one == stored || other == stored);
        world.clock.forward(300);
        for host in [&a, &b] {
            let sealed = host.seal(&at("f"), b"x", ORG).await.unwrap();
            assert_eq!(inspect(&sealed).unwrap().dek_ref, *stored.dek_ref());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn no_seal_is_made_above_the_limit_of_the_fleet() {
    for limit in [1, 2, 1_023, 1_024, 1_025] {
        let world = World::default();
        let small = |config: &mut strongroom_host::KmsVaultConfig<_, _>| config.fleet_seal_limit = limit;
        let hosts = [world.host_with("acme", small), world.host_with("acme", small)];
        hosts[0].rotate().await.unwrap();
        let mut made = 0;
        for host in &hosts {
            loop {
                match host.seal(&at("f"), b"x", ORG).await {
                    Ok(_) => made += 1,
                    outcome => break assert_eq!(outcome, Err(Error::BudgetExhausted)),
                }
            }
        }
        assert_eq!(made, limit);
        assert_eq!(hosts[0].generate_record_dek("t", "r").await, Err(Error::BudgetExhausted));
        hosts[0].rotate().await.unwrap();
        hosts[0].seal(&at("f"), b"x", ORG).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn an_unreadable_store_stops_sealing_and_no_opening() {
    let world = World::default();
    let host = world.host("acme");
    host.rotate().await.unwrap();
    let sealed = host.seal(&at("f"), b"x", ORG).await.unwrap();
    *world.store.fail_at.lock().unwrap() = Some(0);
    host.seal(&at("f"), b"x", ORG).await.unwrap();
    world.clock.forward(300);
    assert_eq!(host.seal(&at("f"), b"x", ORG).await, Err(Error::StoreUnavailable));
    assert_eq!(*host.open(&at("f"), &sealed).await.unwrap(), b"x");
    assert_eq!(host.rotate().await, Err(Error::StoreUnavailable));
}

#[tokio::test(start_paused = true)]
async fn a_tombstone_of_another_host_stops_everything_in_time() {
    let world = World::default();
    let host = world.host("acme");
    let active = host.rotate().await.unwrap();
    host.generate_record_dek("t", "r").await.unwrap();
    let sealed = host.seal(&at("f"), b"x", ORG).await.unwrap();
    let dead = active.to_json().replace("\"active\"", "\"tombstoned\"").replace("\"rev\":1", "\"rev\":2");
    let dead = ActiveRow::from_json(dead.as_bytes()).unwrap();
    world.store.inner.compare_and_set_active(&dead).await.unwrap();
    world.clock.forward(300);
    assert_eq!(host.seal(&at("f"), b"x", RECORD).await, Err(Error::OrgTombstoned));
    assert_eq!(host.seal(&at("f"), b"x", ORG).await, Err(Error::OrgTombstoned));
    assert_eq!(host.open(&at("f"), &sealed).await, Err(Error::OrgTombstoned));
    assert_eq!(host.rotate().await, Err(Error::OrgTombstoned));
    assert_eq!(host.generate_record_dek("t", "r").await, Err(Error::OrgTombstoned));
}

#[tokio::test(start_paused = true)]
async fn nothing_that_began_before_a_sign_out_brings_a_dek_in() {
    let world = World::default();
    let maker = world.host("acme");
    maker.rotate().await.unwrap();
    let sealed = maker.seal(&at("f"), b"x", ORG).await.unwrap();
    let host = world.host("acme");
    let place = at("f");
    let (opened, ()) = tokio::join!(host.open(&place, &sealed), async {
        host.sign_out().unwrap();
    });
    assert_eq!(opened, Err(Error::UnknownDek));
    assert!(host.vault().status().unwrap().is_empty());
    assert_eq!(*host.open(&at("f"), &sealed).await.unwrap(), b"x");
}

#[tokio::test(start_paused = true)]
async fn a_reader_opens_the_shared_record_and_no_other() {
    let world = World::default();
    let owner = world.host("acme");
    owner.rotate().await.unwrap();
    owner.generate_record_dek("t", "r").await.unwrap();
    let shared = owner.seal(&at("f"), b"x", RECORD).await.unwrap();
    let own = owner.seal(&at("f"), b"x", ORG).await.unwrap();
    let reader = world.host("globex");
    assert_eq!(reader.open(&at("f"), &shared).await, Err(Error::UnknownDek));
    assert_eq!(owner.share("t", "r", "globex", CMK).await, Err(Error::KeyIdUnexpected));
    assert_eq!(owner.share("t", "other", "globex", GLOBEX_CMK).await, Err(Error::NoActiveDek));
    assert_eq!(world.kms.count(KmsOp::Encrypt), 0);
    for _ in 0..2 {
        owner.share("t", "r", "globex", GLOBEX_CMK).await.unwrap();
    }
    assert_eq!(world.kms.count(KmsOp::Encrypt), 1);
    assert_eq!(*reader.open(&at("f"), &shared).await.unwrap(), b"x");
    assert_eq!(reader.open(&at("f"), &own).await, Err(Error::UnknownDek));
    assert!(reader.seal(&at("f"), b"x", RECORD).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn after_a_rotation_each_local_row_is_made_once_under_the_new_dek() {
    let world = World::default();
    let host = world.host("acme");
    host.rotate().await.unwrap();
    for record in ["r", "s"] {
        host.generate_record_dek("t", record).await.unwrap();
    }
    assert_eq!(host.rewrap_local().await, Ok(0));
    let active = host.rotate().await.unwrap();
    assert_eq!(host.rewrap_local().await, Ok(2));
    assert_eq!(host.rewrap_local().await, Ok(0));
    let row = host.wrap_local("acme", "t", "r").await.unwrap();
    assert_eq!(row.key_id(), active.dek_ref().to_text());
    assert_eq!(host.wrap_local("acme", "t", "none").await, Err(Error::NoActiveDek));
    assert_eq!(host.wrap_local("", "t", "r").await, Err(Error::BadInput));
}

#[tokio::test(start_paused = true)]
async fn a_rotation_is_due_by_age_or_by_use_and_only_once() {
    let world = World::default();
    let host = world.host_with("acme", |config| config.rotate_after_seals = 1_024);
    host.rotate().await.unwrap();
    assert_eq!(host.rotate_if_due().await, Ok(None));
    host.seal(&at("f"), b"x", ORG).await.unwrap();
    assert_eq!(host.rotate_if_due().await, Ok(Some(RotationCause::Use)));
    assert_eq!(host.rotate_if_due().await, Ok(None));
    world.clock.forward(90 * 24 * 60 * 60 - 1);
    assert_eq!(host.rotation_due().await, Ok(None));
    world.clock.forward(1);
    assert_eq!(host.rotation_due().await, Ok(Some(RotationCause::Age)));
}

#[test]
fn numbers_outside_their_range_make_no_vault() {
    use strongroom_host::{KmsVault, KmsVaultConfig};
    type Config = KmsVaultConfig<support::FakeKms, support::Flaky>;
    let world = World::default();
    let of = |change: fn(&mut Config)| {
        let cmks = [("acme".to_owned(), vec![CMK.to_owned()])].into();
        let mut config = KmsVaultConfig::new("acme", cmks, world.kms.clone(), world.store.clone());
        change(&mut config);
        KmsVault::new(config).err()
    };
    for small in [
        |config: &mut Config| config.tries = 0,
        |config: &mut Config| config.active_max_age = 0,
        |config: &mut Config| config.fleet_seal_limit = 0,
        |config: &mut Config| config.rotate_after_seals = 0,
        |config: &mut Config| config.cmks.clear(),
        |config: &mut Config| config.org = "globex".to_owned(),
    ] {
        assert_eq!(of(small), Some(Error::BadInput));
    }
    for large in [
        |config: &mut Config| config.active_max_age = 3_601,
        |config: &mut Config| config.fleet_seal_limit = (1 << 32) + 1,
        |config: &mut Config| config.denial_ttl = 301,
    ] {
        assert_eq!(of(large), Some(Error::Limit));
    }
    assert_eq!(of(|_| {}), None);
}

fn at(field: &'static str) -> Binding<'static> {
    Binding::new("acme", "t", "r", field).unwrap()
}
