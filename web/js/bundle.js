// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// The hash of the pages' bundle, as whoever serves them states it (scripts/web-bundle makes it). It
// lets people compare; it proves nothing by itself, since another page could show any number.

/** 64 hexadecimal digits: the SHA-256 of the list of all files. Throws words for people. */
export async function bundleHash() {
  const answer = await fetch(new URL('SHA256SUMS.txt', document.baseURI), { cache: 'no-store' });
  if (!answer.ok) throw new Error('These pages come from a folder somebody works on, not from a published bundle.');
  if (!globalThis.crypto?.subtle) throw new Error('The browser computes it on secure pages only.');
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', await answer.arrayBuffer()));
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
