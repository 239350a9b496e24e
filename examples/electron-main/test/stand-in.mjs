// Stands in for Electron's processes: windows run in threads of their own, and nothing but messages
// passes. What it can't show is Electron's own work, such as the sandbox around a window.
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { MessageChannel, Worker } from 'node:worker_threads';

const PRELOAD = fileURLToPath(new URL('../preload.cjs', import.meta.url));

/** Electron's `ipcMain`, as far as it is used. */
export class IpcMain {
  #handlers = new Map();
  /** Every message that went to a window. */
  sent = [];

  handle(channel, handler) {
    if (this.#handlers.has(channel)) throw new Error(`a second handler for ${channel}`);
    this.#handlers.set(channel, handler);
  }

  get channels() {
    return [...this.#handlers.keys()];
  }

  /** Serves a window that shows this URL. A frame inside another page has a `parent`. */
  connect(port, senderFrame) {
    port.on('message', async ({ id, channel, args }) => {
      const answer = { id };
      try {
        const handler = this.#handlers.get(channel);
        if (!handler) throw new Error(`No handler registered for '${channel}'`);
        answer.value = await handler({ senderFrame }, ...args);
      } catch (error) {
        answer.error = error.message;
      }
      this.sent.push(answer);
      port.postMessage(answer);
    });
  }
}

/** A window: `run` has its page run a piece of source text and gives back what that returned. */
export async function openWindow(ipcMain, senderFrame) {
  const ipc = new MessageChannel();
  const remote = new MessageChannel();
  ipcMain.connect(ipc.port1, senderFrame);
  const worker = new Worker(new URL('window.mjs', import.meta.url), {
    workerData: { preload: PRELOAD, ipc: ipc.port2, remote: remote.port2 },
    transferList: [ipc.port2, remote.port2],
    env: {},
  });
  await once(worker, 'online');
  return {
    async run(source) {
      remote.port1.postMessage(source);
      const [{ value, error }] = await once(remote.port1, 'message');
      if (error !== undefined) throw new Error(error);
      return value;
    },
    close: () => worker.terminate(),
  };
}
