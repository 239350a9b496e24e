// A worker process and its JSON lines.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

/** What a worker refused: the name of the error. */
export class Refused extends Error {
  constructor(op, name) {
    super(`${op}: ${name}`);
    this.name = name;
  }
}

/** The process is gone: by which signal, or with which code. */
export class Gone extends Error {
  constructor({ signal, code, heard }) {
    super(`the worker ended by ${signal ?? `code ${code}`}: ${heard}`);
    this.signal = signal;
  }
}

export class Worker {
  #child;
  #waiting = [];
  #ended;
  #heard = '';

  constructor(argv, args) {
    this.#child = spawn(argv[0], [...argv.slice(1), ...args], { stdio: ['pipe', 'pipe', 'pipe'] });
    this.#child.stderr.setEncoding('utf8').on('data', (text) => void (this.#heard = (this.#heard + text).slice(-2_000)));
    // A worker that is killed closes its end; whoever waits hears of that below.
    this.#child.stdin.on('error', () => undefined);
    createInterface({ input: this.#child.stdout }).on('line', (line) => this.#waiting.shift()?.resolve(JSON.parse(line)));
    this.#child.on('close', (code, signal) => {
      this.#ended = { code, signal, heard: this.#heard };
      for (const { reject } of this.#waiting.splice(0)) reject(new Gone(this.#ended));
    });
  }

  /** The answer's `out`; rejects with Refused or Gone. */
  async ask(op, members = {}) {
    const answer = await new Promise((resolve, reject) => {
      if (this.#ended) return reject(new Gone(this.#ended));
      this.#waiting.push({ resolve, reject });
      this.#child.stdin.write(`${JSON.stringify({ op, ...members })}\n`);
    });
    if (!answer.ok) throw new Refused(op, answer.err);
    return answer.out;
  }

  /** The name of the error that this must give. */
  async refusal(op, members) {
    try {
      await this.ask(op, members);
    } catch (error) {
      if (error instanceof Refused) return error.name;
      throw error;
    }
    return 'nothing refused';
  }

  /** SIGKILL from outside. */
  async kill() {
    if (this.#ended) return;
    this.#child.kill('SIGKILL');
    await once(this.#child, 'close');
  }

  async close() {
    if (this.#ended) return;
    const closed = once(this.#child, 'close');
    this.#child.stdin.end();
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 5_000);
    await closed;
    clearTimeout(timer);
  }
}
