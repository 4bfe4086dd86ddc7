// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Signed prekeys: one of each layer, that others can agree with. docs/encodings.md, "Prekey bundle".
import { KeyError, bytes, encode, read, tuple, uint } from './cbor.js';
import { NOTHING, PUBLIC_BYTES, SPKI_BYTES, hexOf, isSpki, makePair, random, sha256, sign, verify } from './primitives.js';

const DAY_S = 24 * 3600;
const LIFE_S = 7 * DAY_S;
const RENEW_S = DAY_S;
const MAX_LIFE_S = 30 * DAY_S;
const CLOCKS_S = DAY_S; // Clocks may differ by this much.
const LABEL = 'sotto/prekeys/v1';

const prekeyField = (layer) => tuple(uint(layer, layer), uint(0, 2 ** 32 - 1), uint(0, 2 ** 53 - 1),
  uint(0, 2 ** 53 - 1), bytes(PUBLIC_BYTES[layer]), bytes(64));

const signedPart = (id, [type, number, from, until, publicKey]) => ['sotto/sign-prekey/v1', id, type, number, from, until, publicKey];

/** A set of prekeys: {layers: {1: pair, 2: pair}, ids, made, bundle}; `nowS` in seconds. */
export async function makePrekeys(identity, nowS, succession = NOTHING) {
  const layers = {};
  const ids = {};
  const parts = [];
  for (const layer of [1, 2]) {
    layers[layer] = await makePair(layer);
    ids[layer] = new DataView(random(4).buffer).getUint32(0);
    const part = [layer, ids[layer], nowS, nowS + LIFE_S, layers[layer].publicKey];
    parts.push([...part, await sign(identity.privateKey, signedPart(identity.id, part))]);
  }
  return { layers, ids, made: nowS, bundle: encode([LABEL, identity.spki, ...parts, succession]) };
}

export const wantRenewal = (prekeys, nowS) => nowS - prekeys.made > RENEW_S;

/** A bundle as others take it; throws a KeyError. {spki, id, keys: {1: {number, publicKey}, 2}, succession} */
export async function readBundle(encoded, nowS) {
  const [spki, first, second, succession] = read(encoded, LABEL, bytes(SPKI_BYTES), prekeyField(1), prekeyField(2), bytes());
  if (!isSpki(spki)) throw new KeyError('malformed', 'an identity of another kind');
  const id = await sha256(spki);
  const keys = {};
  for (const part of [first, second]) {
    const [layer, number, from, until, publicKey, signature] = part;
    if (until <= from || until - from > MAX_LIFE_S) throw new KeyError('bad-prekeys', 'a prekey of too long a life');
    if (nowS < from - CLOCKS_S || nowS > until + CLOCKS_S) throw new KeyError('bad-prekeys', 'a prekey that is not valid now');
    await verify(spki, signature, signedPart(id, part));
    keys[layer] = { number, publicKey };
  }
  return { spki, id, keys, predecessor: succession.length ? await predecessorOf(succession, id) : null };
}

/** Whose identity was followed by `id`, in hexadecimal, by its own signature. */
async function predecessorOf(succession, id) {
  const [oldSpki, signature] = read(succession, 'sotto/succession/v1', bytes(SPKI_BYTES), bytes(64));
  const oldId = await sha256(oldSpki);
  await verify(oldSpki, signature, ['sotto/sign-succession/v1', oldId, id]);
  return hexOf(oldId);
}
