// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// A viewer that stays: a <video> fed by WHEP that reconnects when the connection is lost, and
// waits without reconnecting when only the picture stops (the server keeps viewers of a camera
// that is away connected; its picture comes back by itself).
import { WhepViewer } from './whep.js';
import { StatsReader } from './stats.js';

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15000;
const RECOVER_MS = 6000; // "disconnected" often heals; this long we let it.
const STALL_MS = 3000; // No new frame for this long is worth telling.
const STATS_MS = 1000;
// Refusals that waiting does not change. 404 is not one: publishers and cameras come and go.
const FINAL = new Set([400, 401, 403, 405, 406, 410, 415, 422]);

// A video element that waits for its first frame holds back the page's load event.
const loaded = document.readyState === 'complete' ? Promise.resolve()
  : new Promise((resolve) => addEventListener('load', resolve, { once: true }));

/**
 * Events: "status" (read `status` and `message`), "stats" (detail as of StatsReader.read()).
 * `status` is one of: idle, connecting, live, stalled (connected, no picture), waiting (for the
 * next attempt), sealed (end to end, and we have no key), refused.
 */
export class Player extends EventTarget {
  #video; #options; #viewer = null; #timer = 0; #healing = 0; #ticker = 0; #attempt = 0;
  #frames = 0; #moved = 0; #running = false;
  status = 'idle';
  message = '';
  /** The server says that the stream is sealed end to end; null until it was asked. */
  sealed = null;
  /** How often a connection was made; a viewer that never reconnects stays at 1. */
  connections = 0;

  /** `video`: the element to fill. `options`: of WhepViewer. */
  constructor(video, options) {
    super();
    this.#video = video;
    this.#options = options;
  }

  start() {
    if (this.#running) return;
    this.#running = true;
    this.#attempt = 0;
    this.#connect();
  }

  stop() {
    this.#running = false;
    this.#drop();
    this.#video.srcObject = null;
    this.#set('idle', '');
  }

  /** From now on everything passes this SealedMedia; null: nothing does. Connects anew. */
  useSeal(seal) {
    this.#options = { ...this.#options, seal };
    this.#running = true;
    this.#attempt = 0;
    this.#connect();
  }

  /** Tries at once instead of at the end of the wait. */
  retry() {
    if (this.status !== 'waiting' && this.status !== 'refused') return;
    this.#running = true;
    this.#attempt = 0;
    this.#connect();
  }

  #set(status, message, error = null) {
    if (status === this.status && message === this.message) return;
    Object.assign(this, { status, message, error });
    this.dispatchEvent(new Event('status'));
  }

  #drop() {
    clearTimeout(this.#timer);
    clearTimeout(this.#healing);
    clearInterval(this.#ticker);
    this.#healing = 0;
    this.#ticker = 0;
    const viewer = this.#viewer;
    this.#viewer = null;
    viewer?.stop();
  }

  async #connect() {
    this.#drop();
    this.#set('connecting', 'Connecting…');
    const viewer = new WhepViewer(this.#options);
    this.#viewer = viewer;
    viewer.addEventListener('state', () => this.#changed(viewer));
    try {
      await viewer.connect();
    } catch (error) {
      if (viewer === this.#viewer) this.#failed(error);
      return;
    }
    if (viewer !== this.#viewer) return;
    this.sealed = viewer.sealed;
    if (viewer.sealed && !this.#options.seal) {
      this.#drop();
      this.#running = false;
      this.#set('sealed', 'Sealed end to end. Open it with the link its sender shares.');
      return;
    }
    // ICE that never starts has no state change to wait for.
    this.#healing = setTimeout(() => this.#lost('No network path to the server was found.'), 20000);
  }

  #changed(viewer) {
    if (viewer !== this.#viewer) return;
    switch (viewer.state) {
      case 'connected':
        clearTimeout(this.#healing);
        this.#healing = 0;
        if (!this.#ticker) this.#connected(viewer);
        break;
      case 'disconnected':
        this.#set('stalled', 'The network is interrupted…');
        clearTimeout(this.#healing);
        this.#healing = setTimeout(() => this.#lost('The connection was lost.'), RECOVER_MS);
        break;
      case 'failed':
        this.#lost('The connection was lost.');
        break;
    }
  }

  #connected(viewer) {
    this.connections += 1;
    this.#frames = 0;
    this.#moved = performance.now();
    this.#set('connecting', 'Waiting for the picture…');
    this.#attach(viewer);
    const reader = new StatsReader(viewer.pc);
    const tick = async () => {
      const stats = await reader.read();
      if (viewer !== this.#viewer) return;
      this.#watch(stats);
      this.dispatchEvent(new CustomEvent('stats', { detail: stats }));
    };
    this.#ticker = setInterval(tick, STATS_MS);
    tick();
  }

  async #attach(viewer) {
    await loaded;
    if (viewer !== this.#viewer) return;
    this.#video.srcObject = viewer.stream;
    // The first frame is told when it is shown, not at the next tick.
    this.#video.requestVideoFrameCallback?.(() => {
      if (viewer === this.#viewer) this.#live();
    });
    // Refused when there is sound and nobody touched the page yet; muted video starts by itself.
    this.#video.play().catch(() => {});
  }

  #watch(stats) {
    if (this.#viewer.state !== 'connected') return;
    const now = performance.now();
    // A source without video is live when sound arrives.
    const count = stats.width || !stats.audioKbps ? stats.frames : stats.audioKbps;
    if (count !== this.#frames) {
      this.#frames = count;
      this.#moved = now;
      if (count) this.#live();
    } else if (now - this.#moved > STALL_MS) {
      this.#set('stalled', 'No picture is arriving from the source. It comes back by itself.');
    }
  }

  #live() {
    this.#attempt = 0;
    this.#set('live', 'Live');
  }

  #lost(message) {
    this.#failed(Object.assign(new Error(message), { status: 0, retryAfter: 0 }));
  }

  #failed(error) {
    this.#drop();
    if (!this.#running) return;
    if (FINAL.has(error.status)) {
      this.#running = false;
      this.#set('refused', error.message, error);
      return;
    }
    // Doubling with jitter, so that a server coming back does not meet all viewers at once.
    const most = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** this.#attempt);
    const wait = Math.max(error.retryAfter * 1000, most * (0.5 + Math.random() / 2));
    this.#attempt += 1;
    const text = `${error.message.replace(/\.?$/, '.')} Trying again in ${Math.ceil(wait / 1000)} s.`;
    this.#set('waiting', text, error);
    this.#timer = setTimeout(() => this.#connect(), wait);
  }
}
