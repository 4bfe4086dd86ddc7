// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Searching a process's memory and a folder for bytes that must, or must not, be there.
import { closeSync, openSync, readFileSync, readSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

const CHUNK = 4 << 20;

function searchBuffer(buffer, wanted, found) {
  for (const [name, bytes] of wanted) {
    if (!found.has(name) && buffer.includes(bytes)) found.add(name);
  }
}

/** The names of those of `wanted` (pairs of name and Buffer) that the process can write and holds now. */
export function searchMemory(pid, wanted) {
  const found = new Set();
  const overlap = Math.max(...wanted.map(([, bytes]) => bytes.length)) - 1;
  const buffer = Buffer.alloc(CHUNK + overlap);
  const memory = openSync(`/proc/${pid}/mem`, 'r');
  let read = 0;
  try {
    for (const line of readFileSync(`/proc/${pid}/maps`, 'utf8').split('\n')) {
      const [, from, to, mode] = /^([0-9a-f]+)-([0-9a-f]+) (\S+)/.exec(line) ?? [];
      if (!mode?.startsWith('rw')) continue;
      const end = BigInt(`0x${to}`);
      for (let at = BigInt(`0x${from}`); at < end; at += BigInt(CHUNK)) {
        const left = Number(end - at);
        let count = 0;
        try {
          count = readSync(memory, buffer, 0, Math.min(left, buffer.length), at);
        } catch { /* Unmapped since, or a guard page. */ }
        read += count;
        searchBuffer(buffer.subarray(0, count), wanted, found);
      }
    }
  } finally {
    closeSync(memory);
  }
  return { found: [...found], bytes: read };
}

/** The same in every file below `folder`. */
export function searchFolder(folder, wanted) {
  const found = new Set();
  for (const name of readdirSync(folder, { recursive: true })) {
    const file = join(folder, name);
    if (statSync(file, { throwIfNoEntry: false })?.isFile()) searchBuffer(readFileSync(file), wanted, found);
  }
  return [...found];
}
