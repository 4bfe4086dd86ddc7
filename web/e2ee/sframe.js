// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// SFrame (RFC 9605) on WebCrypto: header, key derivation, suites 1 to 5, ratchet, replay window.
// No DOM: runs in pages, workers and Node. KID and CTR are 64 bits and therefore BigInts.
//
//   const base = await importBaseKey(bytes);              // Not extractable.
//   const sender = await SealingKey.create(5, base, kid);
//   const sealed = await sender.seal(frame, metadata);    // Counts by itself.
//   const opener = await OpeningKey.create(5, base, kid);
//   const plain = await opener.open(sealed, parseHeader(sealed), metadata);

/**
 * A refusal. `code`: malformed, unsupported-suite, missing-key, auth-failure, replayed, exhausted,
 * too-large, short-frame, unknown-codec.
 */
export class SealError extends Error {
  constructor(code, message) {
    super(message);
    this.name = 'SealError';
    this.code = code;
  }
}

/** RFC 9605, 4.5, table 1. Bytes: hash output, key, tag; `enc`: the AES part of a CTR suite's key. */
export const SUITES = new Map([
  [1, { name: 'AES_128_CTR_HMAC_SHA256_80', hash: 'SHA-256', hashBytes: 32, keyBytes: 48, enc: 16, tagBytes: 10 }],
  [2, { name: 'AES_128_CTR_HMAC_SHA256_64', hash: 'SHA-256', hashBytes: 32, keyBytes: 48, enc: 16, tagBytes: 8 }],
  [3, { name: 'AES_128_CTR_HMAC_SHA256_32', hash: 'SHA-256', hashBytes: 32, keyBytes: 48, enc: 16, tagBytes: 4 }],
  [4, { name: 'AES_128_GCM_SHA256_128', hash: 'SHA-256', hashBytes: 32, keyBytes: 16, tagBytes: 16 }],
  [5, { name: 'AES_256_GCM_SHA512_128', hash: 'SHA-512', hashBytes: 64, keyBytes: 32, tagBytes: 16 }],
]);
export const DEFAULT_SUITE = 5;
/** Our private-use ChaCha20-Poly1305, which browsers cannot do yet: refused by name. */
export const CHACHA_SUITE = 0xf001;

export const MAX_HEADER_BYTES = 17;
export const MAX_FRAME_BYTES = 8 << 20; // The server's own limit for one frame.
const NONCE_BYTES = 12;
const MAX_U64 = (1n << 64n) - 1n;
const WINDOW = 1024; // Counters a late frame may lag behind; a power of two.
const NOTHING = new Uint8Array(0);
const { subtle } = globalThis.crypto;

export function suiteOf(id) {
  const suite = SUITES.get(id);
  if (suite) return suite;
  throw new SealError('unsupported-suite', id === CHACHA_SUITE
    ? 'This browser has no ChaCha20-Poly1305 for sealed media; use suite 5.'
    : `Suite ${id} is not one of 1 to 5.`);
}

// Header (RFC 9605, 4.3) ---------------------------------------------------------------------

function widthOf(value) {
  let width = 1;
  for (let rest = value >> 8n; rest > 0n; rest >>= 8n) width += 1;
  return width;
}

function put(bytes, at, value, width) {
  for (let index = at + width - 1, rest = value; index >= at; index -= 1, rest >>= 8n) {
    bytes[index] = Number(rest & 0xffn);
  }
}

function take(bytes, at, width) {
  let high = 0;
  let low = 0;
  for (let index = 0; index < width; index += 1) {
    high = ((high << 8) | (low >>> 24)) >>> 0;
    low = ((low << 8) | bytes[at + index]) >>> 0;
  }
  return high === 0 ? BigInt(low) : (BigInt(high) << 32n) | BigInt(low);
}

export function encodeHeader(kid, ctr) {
  if (kid < 0n || kid > MAX_U64 || ctr < 0n || ctr > MAX_U64) {
    throw new SealError('malformed', 'KID and CTR are numbers of 64 bits.');
  }
  const kidBytes = kid < 8n ? 0 : widthOf(kid);
  const ctrBytes = ctr < 8n ? 0 : widthOf(ctr);
  const header = new Uint8Array(1 + kidBytes + ctrBytes);
  header[0] = (kidBytes ? 0x80 | (kidBytes - 1) << 4 : Number(kid) << 4)
    | (ctrBytes ? 0x08 | (ctrBytes - 1) : Number(ctr));
  put(header, 1, kid, kidBytes);
  put(header, 1 + kidBytes, ctr, ctrBytes);
  return header;
}

/** {kid, ctr, length} of the header at the start of `bytes`. */
export function parseHeader(bytes) {
  if (bytes.length < 1) throw new SealError('malformed', 'The frame has no header.');
  const config = bytes[0];
  const kidBytes = config & 0x80 ? (config >> 4 & 7) + 1 : 0;
  const ctrBytes = config & 0x08 ? (config & 7) + 1 : 0;
  const length = 1 + kidBytes + ctrBytes;
  if (bytes.length < length) throw new SealError('malformed', 'The header is cut off.');
  return {
    kid: kidBytes ? take(bytes, 1, kidBytes) : BigInt(config >> 4 & 7),
    ctr: ctrBytes ? take(bytes, 1 + kidBytes, ctrBytes) : BigInt(config & 7),
    length,
  };
}

// Keys (RFC 9605, 4.4.2) ---------------------------------------------------------------------

/** The label that leads to a key or salt: its words end in a space, KID is always eight bytes. */
export function deriveLabel(what, kid, suite) {
  const words = new TextEncoder().encode(`SFrame 1.0 Secret ${what} `);
  const label = new Uint8Array(words.length + 10);
  label.set(words);
  new DataView(label.buffer).setBigUint64(words.length, kid);
  label[words.length + 8] = suite >> 8;
  label[words.length + 9] = suite & 0xff;
  return label;
}

/** A base key that no script can read again. The bytes stay the caller's, who should wipe them. */
export const importBaseKey = (bytes) => subtle.importKey('raw', bytes, 'HKDF', false, ['deriveBits', 'deriveKey']);

// HKDF with an empty salt is Extract("", base) followed by Expand: exactly the RFC's two steps.
const hkdf = (hash, info) => ({ name: 'HKDF', hash, salt: NOTHING, info });

async function deriveBytes(base, hash, info, count) {
  return new Uint8Array(await subtle.deriveBits(hkdf(hash, info), base, count * 8));
}

/** The next base key of a chain (RFC 9605, 5.1); the former cannot be computed from it. */
export async function ratchet(suiteId, base) {
  const suite = suiteOf(suiteId);
  const next = await deriveBytes(base, suite.hash, new TextEncoder().encode('SFrame 1.0 Ratchet'), suite.hashBytes);
  try {
    return await importBaseKey(next);
  } finally {
    next.fill(0);
  }
}

// AEADs --------------------------------------------------------------------------------------

function gcm(suite, key) {
  const params = (nonce, aad) => ({ name: 'AES-GCM', iv: nonce, additionalData: aad, tagLength: suite.tagBytes * 8 });
  return {
    seal: async (nonce, aad, plain) => new Uint8Array(await subtle.encrypt(params(nonce, aad), key, plain)),
    open: async (nonce, aad, sealed) => {
      try {
        return new Uint8Array(await subtle.decrypt(params(nonce, aad), key, sealed));
      } catch {
        return null;
      }
    },
  };
}

/** RFC 9605, 4.5.1: AES in counter mode, then a truncated HMAC. */
export async function ctrHmac(suite, keyBytes) {
  const encKey = await subtle.importKey('raw', keyBytes.subarray(0, suite.enc), 'AES-CTR', false, ['encrypt', 'decrypt']);
  const authKey = await subtle.importKey('raw', keyBytes.subarray(suite.enc), { name: 'HMAC', hash: suite.hash }, false, ['sign']);
  const params = (nonce) => {
    const counter = new Uint8Array(16);
    counter.set(nonce);
    return { name: 'AES-CTR', counter, length: 32 };
  };
  const tagOf = async (nonce, aad, sealed) => {
    const data = new Uint8Array(24 + NONCE_BYTES + aad.length + sealed.length);
    const view = new DataView(data.buffer);
    view.setBigUint64(0, BigInt(aad.length));
    view.setBigUint64(8, BigInt(sealed.length));
    view.setBigUint64(16, BigInt(suite.tagBytes));
    data.set(nonce, 24);
    data.set(aad, 24 + NONCE_BYTES);
    data.set(sealed, 24 + NONCE_BYTES + aad.length);
    return new Uint8Array(await subtle.sign('HMAC', authKey, data)).subarray(0, suite.tagBytes);
  };
  return {
    seal: async (nonce, aad, plain) => {
      const sealed = new Uint8Array(await subtle.encrypt(params(nonce), encKey, plain));
      const tag = await tagOf(nonce, aad, sealed);
      const all = new Uint8Array(sealed.length + tag.length);
      all.set(sealed);
      all.set(tag, sealed.length);
      return all;
    },
    open: async (nonce, aad, all) => {
      const sealed = all.subarray(0, all.length - suite.tagBytes);
      const tag = await tagOf(nonce, aad, sealed);
      let difference = 0; // Every byte is looked at, so the time says nothing.
      for (let index = 0; index < tag.length; index += 1) difference |= tag[index] ^ all[sealed.length + index];
      if (difference !== 0) return null;
      return new Uint8Array(await subtle.decrypt(params(nonce), encKey, sealed));
    },
  };
}

/** One KID's cipher and salt. The salt is no secret worth hiding: without the key it opens nothing. */
async function derive(suiteId, base, kid) {
  const suite = suiteOf(suiteId);
  const label = deriveLabel('key', kid, suiteId);
  const salt = await deriveBytes(base, suite.hash, deriveLabel('salt', kid, suiteId), NONCE_BYTES);
  if (!suite.enc) {
    const key = await subtle.deriveKey(hkdf(suite.hash, label), base,
      { name: 'AES-GCM', length: suite.keyBytes * 8 }, false, ['encrypt', 'decrypt']);
    return { suite, salt, aead: gcm(suite, key) };
  }
  const bytes = await deriveBytes(base, suite.hash, label, suite.keyBytes);
  try {
    return { suite, salt, aead: await ctrHmac(suite, bytes) };
  } finally {
    bytes.fill(0);
  }
}

/** salt XOR counter (RFC 9605, 4.4.3; its pseudocode writes ctr for the twelve bytes of it). */
export function nonceOf(salt, ctr) {
  const nonce = new Uint8Array(salt);
  const view = new DataView(nonce.buffer);
  view.setBigUint64(4, view.getBigUint64(4) ^ ctr);
  return nonce;
}

function join(first, second) {
  if (second.length === 0) return first;
  const all = new Uint8Array(first.length + second.length);
  all.set(first);
  all.set(second, first.length);
  return all;
}

// Contexts -----------------------------------------------------------------------------------

/** Seals frames under one KID. One of them per KID and base key, ever. */
export class SealingKey {
  #cipher; #ctr;

  static async create(suiteId, base, kid, { ctr = 0n } = {}) {
    const self = new SealingKey();
    self.kid = kid;
    self.#cipher = await derive(suiteId, base, kid);
    self.#ctr = ctr;
    return self;
  }

  /**
   * `lead ‖ header ‖ ciphertext ‖ tag ‖ tail`; `metadata` is authenticated beside the header. The counter
   * moves on even when sealing fails, and at its end nothing is sealed any more.
   */
  async seal(plain, metadata = NOTHING, lead = NOTHING, tail = NOTHING) {
    if (plain.length > MAX_FRAME_BYTES) throw new SealError('too-large', 'The frame is too large.');
    const ctr = this.#ctr;
    if (ctr > MAX_U64) throw new SealError('exhausted', 'This key has counted to its end.');
    this.#ctr = ctr + 1n;
    const header = encodeHeader(this.kid, ctr);
    const { aead, salt } = this.#cipher;
    const sealed = await aead.seal(nonceOf(salt, ctr), join(header, metadata), plain);
    const start = lead.length + header.length;
    const out = new Uint8Array(start + sealed.length + tail.length);
    out.set(lead);
    out.set(header, lead.length);
    out.set(sealed, start);
    out.set(tail, start + sealed.length);
    return out;
  }
}

/** Opens frames under one KID, each counter once. */
export class OpeningKey {
  #cipher; #window = new ReplayWindow();

  static async create(suiteId, base, kid) {
    const self = new OpeningKey();
    self.kid = kid;
    self.#cipher = await derive(suiteId, base, kid);
    return self;
  }

  /** `header` is parseHeader(sealed). Throws auth-failure or replayed. */
  async open(sealed, header, metadata = NOTHING) {
    const { aead, salt, suite } = this.#cipher;
    if (sealed.length > MAX_FRAME_BYTES) throw new SealError('too-large', 'The frame is too large.');
    if (sealed.length < header.length + suite.tagBytes) throw new SealError('malformed', 'The frame is cut off.');
    // Before the cipher to spare its work, after it because only what authenticates may count, and
    // because the same frame may have been opened while we waited.
    if (this.#window.has(header.ctr)) throw new SealError('replayed', 'This frame was opened before.');
    const aad = join(sealed.subarray(0, header.length), metadata);
    const plain = await aead.open(nonceOf(salt, header.ctr), aad, sealed.subarray(header.length));
    if (!plain) throw new SealError('auth-failure', 'The frame does not open with this key.');
    if (!this.#window.add(header.ctr)) throw new SealError('replayed', 'This frame was opened before.');
    return plain;
  }
}

/** The last 1024 counters, one bit each, in a ring. */
export class ReplayWindow {
  #top = -1n; #bits = new Uint32Array(WINDOW / 32);

  /** Seen, or too old to tell. */
  has(ctr) {
    if (ctr > this.#top) return false;
    if (this.#top - ctr >= BigInt(WINDOW)) return true;
    const place = Number(ctr & BigInt(WINDOW - 1));
    return (this.#bits[place >> 5] >>> (place & 31) & 1) === 1;
  }

  /** False when it was there before. */
  add(ctr) {
    if (this.has(ctr)) return false;
    if (ctr > this.#top) {
      const steps = ctr - this.#top;
      if (steps >= BigInt(WINDOW)) this.#bits.fill(0);
      else {
        // What the ring now names anew was a counter that has grown too old.
        for (let each = this.#top + 1n; each < ctr; each += 1n) this.#set(each, 0);
      }
      this.#top = ctr;
    }
    this.#set(ctr, 1);
    return true;
  }

  #set(ctr, bit) {
    const place = Number(ctr & BigInt(WINDOW - 1));
    if (bit) this.#bits[place >> 5] |= 1 << (place & 31);
    else this.#bits[place >> 5] &= ~(1 << (place & 31));
  }
}
