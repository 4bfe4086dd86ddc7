// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// A sealed group in memory: members of web/e2ee/keys around a server of fifty lines that does as
// docs/sealed-groups.md says, or, where a test asks for it, does not. Runs in Node and in a browser.

/** `modules`: what web/e2ee/keys exports. The clock stands until `wait()`. */
export class TestGroup {
  #modules; #next = 1; #epoch = 0; #queue = [];
  now = 1_800_000_000_000;
  session = 'AAECAwQFBgcICQoLDA0ODw';
  name = 'team';
  seats = new Map();
  /** What a dishonest server does: (seat, message) => message, on everything it says. */
  mischief = (seat, message) => message;

  constructor(modules) { this.#modules = modules; }

  /** A device that can join, and join again. */
  async device() {
    const store = this.#modules.KeyStore.inMemory();
    return { store, ...await store.device(Math.floor(this.now / 1000)) };
  }

  roster() {
    return [...this.seats.values()].map(({ number, role, device }) => ({
      member: number, role, identity: this.#modules.toBase64url(device.identity.spki),
      prekeys: this.#modules.toBase64url(device.prekeys[0].bundle), sources: [],
    }));
  }

  /** Joins; gives the seat: {number, member, keys: Map from sender to [installed], used: [keys], warnings}. */
  async join(device, { role = 'sender', ...options } = {}) {
    const seat = { number: this.#next, role, device, keys: new Map(), used: [], warnings: [], rekeys: 0, removed: [] };
    this.#next += 1;
    this.seats.set(seat.number, seat);
    this.#epoch += 1;
    await this.#announce({ type: 'join', member: seat.number }, seat);
    const welcome = this.mischief(seat, {
      type: 'welcome', group: this.name, session: this.session, member: seat.number, epoch: this.#epoch, roster: this.roster(),
    });
    seat.member = await this.#modules.Member.enter(welcome, {
      device, store: device.store, clock: () => this.now, emit: (event) => this.#hear(seat, event), ...options,
    });
    await this.settle();
    return seat;
  }

  async leave(seat, type = 'leave') {
    this.seats.delete(seat.number);
    this.#epoch += 1;
    await this.#announce({ type, member: seat.number });
    await this.settle();
  }

  async #announce(cause, except = null) {
    for (const seat of this.seats.values()) {
      if (seat === except) continue;
      const said = this.mischief(seat, { type: 'epoch', epoch: this.#epoch, cause, roster: this.roster() });
      if (said) await seat.member.epoch(said);
    }
  }

  async rekey() {
    this.#epoch += 1;
    await this.#announce({ type: 'rekey', member: 1 });
    await this.settle();
  }

  #hear(seat, event) {
    if (event.type === 'send') this.#queue.push({ from: seat.number, to: event.to, epoch: event.epoch, payload: this.#modules.toBase64url(event.payload) });
    if (event.type === 'install') {
      if (!seat.keys.has(event.member)) seat.keys.set(event.member, []);
      seat.keys.get(event.member).push({ kid: event.kid, base: this.#modules.hexOf(event.base), inner: event.inner && this.#modules.hexOf(event.inner.base) });
    }
    if (event.type === 'remove') seat.removed.push(event.kid);
    if (event.type === 'use') seat.used.push(event.kid === null ? null : { kid: event.kid, base: this.#modules.hexOf(event.base), inner: event.inner && this.#modules.hexOf(event.inner.base) });
    if (event.type === 'warn') seat.warnings.push(event);
    if (event.type === 'rekey') seat.rekeys += 1;
  }

  /** Delivers letters until nobody has anything to say. */
  async settle() {
    while (this.#queue.length) {
      const { to, ...letter } = this.#queue.shift();
      const seat = this.seats.get(to);
      const said = seat && this.mischief(seat, { type: 'message', ...letter });
      if (said) await seat.member.message(said);
    }
  }

  /** Time passes, and everybody notices: first a hundred milliseconds, for keys to be made, then the rest. */
  async wait(ms) {
    for (const step of [Math.min(ms, 100), ms - Math.min(ms, 100)]) {
      this.now += step;
      for (const { member } of [...this.seats.values()]) await member.tick();
      await this.settle();
    }
  }
}
