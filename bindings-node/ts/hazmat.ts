// Of test builds only: set clocks, fixed IVs, bare DEKs.
import { bindWithCache } from './host/cache.js';
import { bindHazmat } from './host/hazmat.js';

export * from './index.js';
export const hazmat = bindHazmat(require('../native-loader.cjs'), bindWithCache);
