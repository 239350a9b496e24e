// Runs in each window before its page, in a world of its own. The page gets two functions, never
// ipcRenderer itself: with that it could name any channel.
const { contextBridge, ipcRenderer } = require('electron');

contextBridge.exposeInMainWorld('fields', {
  /** Seals bytes at {table, record, field}. Gives {ok: true, value} or {ok: false, code}. */
  seal: (at, plaintext) => ipcRenderer.invoke('fields:seal', at, plaintext),
  /** Opens an envelope at {table, record, field}. Gives {ok: true, value} or {ok: false, code}. */
  open: (at, envelope) => ipcRenderer.invoke('fields:open', at, envelope),
});
