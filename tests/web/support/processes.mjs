// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Child processes that never outlive the test, and temporary folders.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const running = new Set();
const folders = new Set();
const LOG_LINES = 400;

export function temporaryFolder(name) {
  const folder = mkdtempSync(join(tmpdir(), `sotto-${name}-`));
  folders.add(folder);
  return folder;
}

/** One program: its lines as they come, its end as a promise, its last lines for the report. */
export class Process {
  #waiting = [];
  lines = [];

  constructor(name, command, args, { env = {}, cwd } = {}) {
    this.name = name;
    this.child = spawn(command, args, {
      cwd, env: { ...process.env, ...env }, stdio: ['pipe', 'pipe', 'pipe'],
    });
    running.add(this);
    this.ended = new Promise((resolve) => {
      this.child.on('error', (error) => resolve({ code: -1, error }));
      this.child.on('exit', (code, signal) => resolve({ code, signal }));
    }).then((end) => {
      this.end = end;
      running.delete(this);
      for (const { reject } of this.#waiting.splice(0)) {
        reject(new Error(`${this.name} ended (${JSON.stringify(end)}):\n${this.log()}`));
      }
      return end;
    });
    this.child.stdin.on('error', () => { /* It ended; `ended` tells. */ });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => this.#read(line));
    }
  }

  #read(line) {
    this.lines.push(line);
    if (this.lines.length > LOG_LINES) this.lines.shift();
    this.#waiting = this.#waiting.filter(({ pattern, resolve }) => {
      const match = pattern.exec(line);
      if (match) resolve(match);
      return !match;
    });
  }

  /** The next line that matches, or one already there. */
  line(pattern, ms = 60_000) {
    for (const line of this.lines) {
      const match = pattern.exec(line);
      if (match) return Promise.resolve(match);
    }
    return this.nextLine(pattern, ms);
  }

  nextLine(pattern, ms = 60_000) {
    if (this.end) return Promise.reject(new Error(`${this.name} has ended:\n${this.log()}`));
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`${this.name} did not say ${pattern} in ${ms / 1000} s:\n${this.log()}`)), ms);
      const done = (settle) => (value) => {
        clearTimeout(timer);
        settle(value);
      };
      this.#waiting.push({ pattern, resolve: done(resolve), reject: done(reject) });
    });
  }

  write(line) { this.child.stdin.write(`${line}\n`); }

  log() { return this.lines.slice(-60).join('\n'); }

  /** Asks it to end; kills it when it does not. Gives how it ended. */
  async stop(signal = 'SIGTERM', ms = 20_000) {
    if (!this.end) this.child.kill(signal);
    const timer = setTimeout(() => this.child.kill('SIGKILL'), ms);
    const end = await this.ended;
    clearTimeout(timer);
    return end;
  }
}

export function killAll() {
  for (const { child } of running) child.kill('SIGKILL');
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  folders.clear();
}
