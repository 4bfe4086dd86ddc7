// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Which keys of other senders are installed, and until when. docs/e2ee-protocol.md, "Receiving".
const OLD_MS = 10_000;
const MOST = 4; // Of one sender.

export class TheirKeys {
  #keys = new Map(); // From a member's number to [{epoch, kid, until}], oldest first.

  newest(number) { return this.#keys.get(number)?.at(-1)?.epoch ?? 0; }

  /** A newer key; gives the KIDs that end by it. */
  install(number, epoch, kid, now) {
    const keys = this.#keys.get(number) ?? [];
    this.#keys.set(number, keys);
    for (const key of keys) key.until = Math.min(key.until, now + OLD_MS);
    keys.push({ epoch, kid, until: Infinity });
    return keys.splice(0, Math.max(0, keys.length - MOST)).map((key) => key.kid);
  }

  /** A member is gone: `now` + 0 for who was removed. */
  end(number, { atOnce }, now) {
    for (const key of this.#keys.get(number) ?? []) key.until = Math.min(key.until, atOnce ? now : now + OLD_MS);
  }

  /** What is over: [{member, kid}]. */
  expired(now) {
    const over = [];
    for (const [member, keys] of this.#keys) {
      over.push(...keys.filter(({ until }) => until <= now).map(({ kid }) => ({ member, kid })));
      this.#keys.set(member, keys.filter(({ until }) => until > now));
      if (this.#keys.get(member).length === 0) this.#keys.delete(member);
    }
    return over;
  }
}
