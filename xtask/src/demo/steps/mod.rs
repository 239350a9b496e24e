//! The steps in their order.

mod attacks;
mod closing;
mod exchange;
mod opening;
mod prepare;
mod search;
mod share;
mod thief;

use anyhow::{Result, bail};

use super::{
    worker::Host::{Browser, Go, Node},
    world::{CONTOSO, NORTHWIND, ORGS, World},
};

/// Runs every step.
///
/// # Errors
/// Where the rest makes no sense any more; broken expectations alone are none.
pub(super) fn all(world: &mut World<'_>) -> Result<()> {
    prepare::data(world);
    prepare::kms(world);
    prepare::keys(world);
    for org in ORGS {
        prepare::seal(world, org);
    }
    prepare::sealed(world);
    if !world.holds() {
        bail!("without sealed data there is nothing to show");
    }
    opening::whole(world, Node, &ORGS);
    opening::whole(world, Go, &ORGS);
    opening::whole(world, Browser, &[CONTOSO]);
    exchange::between(world, CONTOSO);
    exchange::between(world, NORTHWIND);
    share::share(world);
    for host in exchange::hosts_of(CONTOSO) {
        share::open(world, *host);
    }
    attacks::transplants(world);
    attacks::foreign(world);
    thief::thief(world);
    search::search(world);
    closing::outputs(world);
    closing::log(world);
    world.finished = true;
    Ok(())
}
