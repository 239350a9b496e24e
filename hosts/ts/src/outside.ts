import { StrongroomError, translate, type ErrorName } from "./error.js";

/**
 * What an adapter or a store threw, as this package's error; `otherwise` if it is none.
 *
 * Known by its name, since the browser's bundles have a class each and may be used together.
 */
export function fromOutside(thrown: unknown, otherwise: ErrorName): StrongroomError {
  const { name } = (thrown ?? {}) as { name?: unknown };
  return name === "StrongroomError" ? translate(thrown) : new StrongroomError(otherwise);
}
