// What both packages export besides the API that is bound to their backend.
export { StrongroomError } from "./error.js";
export type { ErrorName } from "./error.js";
export type { Vault } from "./vault.js";
export type { VaultConstructor } from "./bind.js";
export type * from "./types.js";
