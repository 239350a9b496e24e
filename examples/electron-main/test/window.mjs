// A window's process in the stand-in: the real preload, on a stand-in of the two things it takes from
// Electron, and then whatever source text the test gives as the page's.
import { readFileSync } from 'node:fs';
import { workerData } from 'node:worker_threads';

const { preload, ipc, remote } = workerData;
const waiting = new Map();
ipc.on('message', ({ id, value, error }) => {
  const { resolve, reject } = waiting.get(id);
  waiting.delete(id);
  if (error === undefined) resolve(value);
  else reject(new Error(error));
});

const ipcRenderer = {
  invoke: (channel, ...args) =>
    new Promise((resolve, reject) => {
      const id = waiting.size === 0 ? 1 : Math.max(...waiting.keys()) + 1;
      ipc.postMessage({ id, channel, args });
      waiting.set(id, { resolve, reject });
    }),
};

/** As Electron does it: functions become functions of the page's world, and everything is frozen. */
const contextBridge = {
  exposeInMainWorld(name, api) {
    const members = Object.entries(api).map(([key, member]) => [key, (...args) => member(...args)]);
    Object.defineProperty(globalThis, name, { value: Object.freeze(Object.fromEntries(members)) });
  },
};

const electron = { contextBridge, ipcRenderer };
const require = (name) => {
  if (name !== 'electron') throw new Error(`a sandboxed preload can't require ${name}`);
  return electron;
};
new Function('require', readFileSync(preload, 'utf8'))(require);

const Page = (async () => {}).constructor;
remote.on('message', async (source) => {
  try {
    remote.postMessage({ value: await new Page(source)() });
  } catch (error) {
    remote.postMessage({ error: error.message });
  }
});
