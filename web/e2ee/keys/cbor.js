// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Deterministic CBOR (RFC 8949, 4.2.1), the part of it that keys of calls use: arrays, unsigned
// numbers below 2^53, byte and text strings. A reader takes the one shortest form and nothing else.

/** What came from outside and is not what it must be. */
export class KeyError extends Error {
  constructor(code, message = code) {
    super(message);
    this.name = 'KeyError';
    this.code = code;
  }
}

const MAX_DEPTH = 6;
const ARRAY = 4;
const utf8 = new TextEncoder();
const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const malformed = (why) => new KeyError('malformed', why);

export function concat(...parts) {
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function head(major, value) {
  const first = major << 5;
  if (value < 24) return Uint8Array.of(first | value);
  if (value < 0x100) return Uint8Array.of(first | 24, value);
  const width = value < 0x10000 ? 2 : value < 0x100000000 ? 4 : 8;
  const view = new DataView(new ArrayBuffer(1 + width));
  view.setUint8(0, first | { 2: 25, 4: 26, 8: 27 }[width]);
  if (width === 2) view.setUint16(1, value);
  else if (width === 4) view.setUint32(1, value);
  else view.setBigUint64(1, BigInt(value));
  return new Uint8Array(view.buffer);
}

/** `value`: an array, a number, a Uint8Array or a text. */
export function encode(value) {
  if (Array.isArray(value)) return concat(head(ARRAY, value.length), ...value.map(encode));
  if (value instanceof Uint8Array) return concat(head(2, value.length), value);
  if (typeof value === 'string') {
    const text = utf8.encode(value);
    return concat(head(3, text.length), text);
  }
  if (!Number.isSafeInteger(value) || value < 0) throw new TypeError(`${value} has no encoding here`);
  return head(0, value);
}

class Reader {
  #bytes; #at = 0;

  constructor(bytes) { this.#bytes = bytes; }

  get done() { return this.#at === this.#bytes.length; }

  #take(count) {
    if (count > this.#bytes.length - this.#at) throw malformed('cut off');
    this.#at += count;
    return this.#bytes.subarray(this.#at - count, this.#at);
  }

  #argument(short) {
    if (short < 24) return short;
    if (short > 27) throw malformed('an indefinite or reserved length');
    const width = 1 << (short - 24);
    let value = 0n;
    for (const byte of this.#take(width)) value = value << 8n | BigInt(byte);
    if (value < (width === 1 ? 24n : 1n << BigInt(4 * width))) throw malformed('not the shortest form');
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw malformed('a number too large');
    return Number(value);
  }

  item(depth = 0) {
    if (depth > MAX_DEPTH) throw malformed('too deep');
    const [first] = this.#take(1);
    const value = this.#argument(first & 31);
    switch (first >> 5) {
      case 0: return value;
      case 2: return this.#take(value).slice();
      case 3:
        try {
          return strictUtf8.decode(this.#take(value));
        } catch {
          throw malformed('no UTF-8');
        }
      case ARRAY: {
        if (value > this.#bytes.length - this.#at) throw malformed('cut off');
        return Array.from({ length: value }, () => this.item(depth + 1));
      }
      default: throw malformed('a type that has no place here');
    }
  }
}

export function decode(bytes) {
  const reader = new Reader(bytes);
  const value = reader.item();
  if (!reader.done) throw malformed('something behind the end');
  return value;
}

// What a field must be: functions that throw -----------------------------------------------------

const must = (holds, what) => { if (!holds) throw malformed(what); };

export const uint = (min, max) => (value) => must(
  Number.isSafeInteger(value) && value >= min && value <= max, `no number from ${min} to ${max}`);
export const bytes = (...lengths) => (value) => must(
  value instanceof Uint8Array && (lengths.length === 0 || lengths.includes(value.length)), `no ${lengths} bytes`);
export const text = (max) => (value) => must(typeof value === 'string' && value.length <= max, 'no text, or too long');
export const tuple = (...parts) => (value) => {
  must(Array.isArray(value) && value.length === parts.length, `no array of ${parts.length}`);
  parts.forEach((part, index) => part(value[index]));
};
export const list = (part, min, max) => (value) => {
  must(Array.isArray(value) && value.length >= min && value.length <= max, 'no such list');
  value.forEach(part);
};
/** Numbers that rise. */
export const rising = (min, max, number) => (value) => {
  list(number, min, max)(value);
  must(value.every((each, index) => index === 0 || each > value[index - 1]), 'not rising');
};

/** The fields behind `label` of an encoded array; throws when it is anything else. */
export function read(encoded, label, ...parts) {
  const value = decode(encoded);
  must(Array.isArray(value) && value[0] === label, `no ${label}`);
  must(value.length === parts.length + 1, `no array of ${parts.length + 1}`);
  parts.forEach((part, index) => part(value[index + 1]));
  return value.slice(1);
}

/** The label of an encoded array, or empty. */
export function labelOf(encoded) {
  try {
    const value = decode(encoded);
    return Array.isArray(value) && typeof value[0] === 'string' ? value[0] : '';
  } catch {
    return '';
  }
}
