export { SqliteStore } from './host/sqlite-store.js';
