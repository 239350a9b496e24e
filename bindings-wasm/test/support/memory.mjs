// The linear memory of modules that are instantiated from now on, and a search in it.

/** Catches the memory of every instance made after this call. */
export function watchMemory() {
  const memories = [];
  const { Instance } = WebAssembly;
  WebAssembly.Instance = function (...args) {
    const instance = new Instance(...args);
    if (instance.exports.memory) memories.push(instance.exports.memory);
    return instance;
  };
  return memories;
}

/** How often a needle stands in a memory. */
export function count(memory, needle) {
  const hay = Buffer.from(memory.buffer);
  let found = 0;
  for (let at = hay.indexOf(needle); at >= 0; at = hay.indexOf(needle, at + 1)) found += 1;
  return found;
}
