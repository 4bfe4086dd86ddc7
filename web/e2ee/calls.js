// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Keys of calls at work: what a sender seals with and what one sender's frames open with, changed
// while frames flow. A KID is context 8 | sender 16 | epoch 16 (docs/encodings.md); each context of
// a key derives its own and counts by itself.
import { OpeningKey, SealError, SealingKey, importBaseKey, parseHeader } from './sframe.js';

const LOW_BITS = 0xffffffffn;
const KID_END = 1n << 40n;

/** A key that Member tells of as one that no script can copy; its bytes are wiped. */
export async function withoutBytes({ kid, suite, base, inner }) {
  const layer = async (each, bytes) => ({ suite: each, base: bytes instanceof CryptoKey ? bytes : await importBaseKey(bytes) });
  const key = { kid, ...await layer(suite, base), inner: inner && await layer(inner.suite, inner.base) };
  for (const bytes of [base, inner?.base]) if (bytes instanceof Uint8Array) bytes.fill(0);
  return key;
}

/** The keys of one sender. A frame of a KID that is not installed does not open. */
export class CallOpener {
  #keys = new Map(); // From a KID without context to {suite, base, contexts}.

  /** `kid`: a number, its context being 0. */
  install(kid, { suite, base }) { this.#keys.set(kid, { suite, base, contexts: new Map() }); }
  remove(kid) { this.#keys.delete(kid); }

  async open(sealed, metadata) {
    const header = parseHeader(sealed);
    const key = header.kid < KID_END ? this.#keys.get(Number(header.kid & LOW_BITS)) : undefined;
    if (!key) throw new SealError('missing-key', 'A key that we were not given, or that has ended.');
    // A promise: two tracks, or two frames at once, must not make two replay windows of one KID.
    let opener = key.contexts.get(header.kid);
    if (!opener) key.contexts.set(header.kid, opener = OpeningKey.create(key.suite, key.base, header.kid));
    return (await opener).open(sealed, header, metadata);
  }
}

/** The key a sender seals with, one pair of layers for each context. */
export class CallSealing {
  #key = null;

  /** `key`: {kid, suite, base, inner?}, each only once, or null: nothing may be sealed. */
  use(key) { this.#key = key && { ...key, contexts: new Map() }; }

  /** A promise of [outer, inner] for one context: it goes on counting where it stopped. Null without a key. */
  layers(context) {
    const key = this.#key;
    if (!key) return null;
    if (!key.contexts.has(context)) {
      const kid = BigInt(context) << 32n | BigInt(key.kid);
      const make = (layer) => layer && SealingKey.create(layer.suite, layer.base, kid);
      key.contexts.set(context, Promise.all([make(key), make(key.inner)]));
    }
    return key.contexts.get(context);
  }
}
