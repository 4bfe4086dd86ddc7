// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Keys of sealed streams in the browser: made, read from a link, kept so that no script reads them.
//
// A link carries its key after the # (docs/encodings.md), which browsers send to nobody. The page
// takes it out of the address at once, so that it is neither copied by mistake nor kept in the
// history, and keeps it as a CryptoKey that cannot be exported.
import { DEFAULT_SUITE, importBaseKey, suiteOf } from './sframe.js';

const KEY_BYTES = 32;
const DATABASE = 'sotto-e2ee';
const STORE = 'stream-keys';
const MAX_KEPT = 256; // Streams whose keys are remembered; the oldest goes.

function toBase64url(bytes) {
  return btoa(String.fromCharCode(...bytes)).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

function fromBase64url(text) {
  if (!/^[\w-]{43}$/.test(text)) throw new Error('The key in this link is not complete. Copy the whole link again.');
  const bytes = Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (each) => each.charCodeAt(0));
  // 43 characters carry 258 bits: the last two must be 0, or two texts would name one key.
  if (toBase64url(bytes) !== text) throw new Error('The key in this link is mistyped. Copy the whole link again.');
  return bytes;
}

async function keyFrom(suite, bytes) {
  try {
    return { suite, base: await importBaseKey(bytes) };
  } finally {
    bytes.fill(0);
  }
}

/** A new key and the text that stands for it in a link: {key, fragment: "k=5.…"}. */
export async function makeKey(suite = DEFAULT_SUITE) {
  const bytes = crypto.getRandomValues(new Uint8Array(KEY_BYTES));
  const fragment = `k=${suite}.${toBase64url(bytes)}`;
  return { key: await keyFrom(suite, bytes), fragment };
}

/**
 * `text`: "5.AbC…", as after k=, or "5.AbC…&k2=5.DeF…" with the inner layer's key. Throws words for
 * people.
 */
export async function parseKey(text) {
  const [outer, inner, ...more] = text.split('&k2=');
  if (more.length) throw new Error('The link holds too many keys. Copy the whole link again.');
  const key = await parseLayer(outer);
  return inner === undefined ? key : { ...key, inner: await parseLayer(inner) };
}

async function parseLayer(text) {
  const [, number, rest] = /^(\d{1,5})\.(.*)$/.exec(text) ?? [];
  if (!number) throw new Error('The key in this link is not complete. Copy the whole link again.');
  suiteOf(Number(number));
  return keyFrom(Number(number), fromBase64url(rest));
}

/** The key's text in whatever a person pastes: a whole link, its fragment, or the key alone. */
export function keyTextIn(pasted) {
  const text = pasted.trim();
  const after = text.includes('#') ? text.slice(text.indexOf('#') + 1) : text;
  return keyTextOf(new URLSearchParams(after)) ?? after;
}

function keyTextOf(parameters) {
  const [outer, inner] = [parameters.get('k'), parameters.get('k2')];
  return outer === null || inner === null ? outer : `${outer}&k2=${inner}`;
}

/** Takes the key out of the address bar; its text, or empty. */
export function takeKeyText() {
  const parameters = new URLSearchParams(location.hash.slice(1));
  const text = keyTextOf(parameters);
  if (text === null) return '';
  parameters.delete('k');
  parameters.delete('k2');
  const rest = parameters.toString();
  history.replaceState(history.state, '', location.pathname + location.search + (rest ? `#${rest}` : ''));
  return text;
}

// Remembered keys ----------------------------------------------------------------------------

function request(action) {
  return new Promise((resolve, reject) => {
    action.onsuccess = () => resolve(action.result);
    action.onerror = () => reject(action.error);
  });
}

async function withStore(mode, use) {
  const opening = indexedDB.open(DATABASE, 1);
  opening.onupgradeneeded = () => opening.result.createObjectStore(STORE, { keyPath: 'stream' });
  const database = await request(opening);
  try {
    return await use(database.transaction(STORE, mode).objectStore(STORE));
  } finally {
    database.close();
  }
}

/** Keeps a stream's key for this browser, without its bytes. False where there is no such place. */
export async function rememberKey(stream, key) {
  try {
    await withStore('readwrite', async (store) => {
      await request(store.put({ stream, key, since: Date.now() }));
      const all = await request(store.getAll());
      const tooMany = all.sort((a, b) => a.since - b.since).slice(0, Math.max(0, all.length - MAX_KEPT));
      for (const { stream: oldest } of tooMany) await request(store.delete(oldest));
    });
    return true;
  } catch {
    return false; // Private windows may have none: the key is there while the page is.
  }
}

/** The key as it was remembered, or null. */
export async function recallKey(stream) {
  try {
    const kept = await withStore('readonly', (store) => request(store.get(stream)));
    return kept?.key ?? null;
  } catch {
    return null;
  }
}

export async function forgetKey(stream) {
  try {
    await withStore('readwrite', (store) => request(store.delete(stream)));
  } catch { /* Nothing was kept. */ }
}
