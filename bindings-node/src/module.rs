//! What happens when a JavaScript environment loads or leaves the addon.

use napi::Env;
use napi::bindgen_prelude::Object;
use napi_derive::napi;

use crate::{cpu, handles};

/// Runs once for the main thread and once for each worker that loads the addon.
///
/// A vault belongs to the environment that made it: when that ends, closed or not, its
/// vaults are dropped and wiped.
#[napi(module_exports)]
pub(crate) fn module_loaded(_exports: Object, env: Env) -> napi::Result<()> {
    cpu::check().map_err(napi::Error::from_reason)?;
    let owner = handles::Owner::of(&env);
    env.add_env_cleanup_hook(owner, handles::close_all)?;
    Ok(())
}
