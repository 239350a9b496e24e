import { demoOf } from './demo.js';
import { showPreview } from './preview.js';
import { openSession } from './session.js';

const session = await openSession();
await showPreview(session);
// What `cargo xtask demo` has the page do. A product's page would have nothing of the kind.
globalThis.demo = demoOf(session);
