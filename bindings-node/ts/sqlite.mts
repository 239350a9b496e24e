export { SqliteStore } from './sqlite.js';
