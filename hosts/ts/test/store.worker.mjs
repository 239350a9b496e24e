// One of several processes that write to one file at once.
import { JsonLinesStore } from "../build/jsonl-store.js";

const [path, name] = process.argv.slice(2);
const store = new JsonLinesStore(path);
for (let at = 0; at < 15; at++) {
  await store.putIfAbsent({
    v: 1, purpose: "org-dek", owner: "acme", reader: "acme", version: 1, created: 1, provider: "aws-kms",
    dekRef: "A".repeat(43), keyId: `key-${name}-${at}`, blob: "AQ==",
  });
}
let won = 0;
while (won < 10) {
  const before = await store.active("acme");
  try {
    await store.compareAndSetActive({ org: "acme", dekRef: "A".repeat(43), version: 1, state: "active", rev: (before?.rev ?? 0) + 1 });
    won++;
  } catch (thrown) {
    if (thrown.code !== "PRECONDITION_FAILED") throw thrown;
  }
}
process.send({ won });
