// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Who is in a group, as hashes and digits, and what members state about it. docs/encodings.md, "Roster".
import { encode } from './cbor.js';
import { sha512 } from './primitives.js';

const byNumber = (roster) => [...roster].sort((a, b) => a.number - b.number);

/** `roster`: [{number, role, id: bytes, empty where there is no identity}]. */
export const rosterHash = (group, session, epoch, roster) => sha512(encode(['sotto/roster-hash/v1', group, session, epoch,
  byNumber(roster).map(({ number, role, id }) => [number, role, id])]));

export const statementOf = (group, session, epoch, number, hash) => ['sotto/sign-roster/v1', group, session, epoch, number, hash];

/** Thirty digits in six groups, the same on every screen that was shown the same members. */
export async function groupCode(group, session, roster) {
  const hash = await sha512(encode(['sotto/group-code/v1', group, session, byNumber(roster).map(({ number, id }) => [number, id])]));
  const view = new DataView(hash.buffer);
  return Array.from({ length: 6 }, (_, index) => String(view.getBigUint64(8 * index) % 100000n).padStart(5, '0'));
}

const CONTEXT = 2 ** 32;

/** The KID of a sender's key of an epoch; contexts 0 to 255 stand above it. */
export const kidOf = (sender, epoch, context = 0) => context * CONTEXT + sender * 0x10000 + epoch % 0x10000;
