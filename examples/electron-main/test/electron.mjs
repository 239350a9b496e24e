// The part of Electron's main process that main.mjs calls, keeping what it was told.
import { EventEmitter } from 'node:events';

class App extends EventEmitter {
  userData;
  #started = deferred();

  async whenReady() {}

  getPath(name) {
    return name === 'userData' ? this.userData : undefined;
  }

  /** Settles when the window has its page, or main gave up. */
  get started() {
    return this.#started.promise;
  }

  loaded() {
    this.#started.resolve();
  }

  exit(code) {
    this.#started.reject(new Error(`main exited with ${code}`));
  }
}

export const app = new App();

export const ipcMain = {
  handlers: new Map(),
  handle: (channel, handler) => ipcMain.handlers.set(channel, handler),
};

export const session = {
  defaultSession: {
    setPermissionRequestHandler(handler) {
      this.permissionHandler = handler;
    },
  },
};

export class BrowserWindow {
  static all = [];
  loaded;

  constructor(options) {
    this.options = options;
    BrowserWindow.all.push(this);
  }

  async loadFile(path) {
    this.loaded = path;
    app.loaded();
  }
}

export class WebContents extends EventEmitter {
  openHandler;

  setWindowOpenHandler(handler) {
    this.openHandler = handler;
  }
}

function deferred() {
  const parts = {};
  parts.promise = new Promise((resolve, reject) => Object.assign(parts, { resolve, reject }));
  return parts;
}
