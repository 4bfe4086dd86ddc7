// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// How two members come to a channel: hello, reply, finish. docs/e2ee-protocol.md, "Handshake".
//
// `us` and `them` of a context: {number, spki, id, …}; ours with privateKey, theirs with what
// readBundle() gave. `retained`: [rs1, rs2] of that identity, each {1: bytes, 2: bytes} or null.
import { KeyError, bytes, concat, encode, list, read, rising, text, tuple, uint } from './cbor.js';
import {
  NOTHING, PUBLIC_BYTES, SPKI_BYTES, ZEROS, agree, boxKey, hkdf, hmac, makePair, random, same, sha512, sign, verify,
} from './primitives.js';

const VERSION = 1;
const NAME_BYTES = 16;
const MEMBER = uint(1, 0xffff);
const SUITES = rising(1, 16, uint(0, 0xffff));
const LAYERS = [1, 2];

const HELLO = ['sotto/hello/v1', rising(1, 8, uint(0, 0xffff)), text(64), bytes(16), MEMBER, MEMBER, bytes(SPKI_BYTES), bytes(32),
  tuple(uint(0, 2 ** 32 - 1), uint(0, 2 ** 32 - 1)), bytes(PUBLIC_BYTES[1]), bytes(PUBLIC_BYTES[2]), SUITES,
  list(bytes(NAME_BYTES), 2, 2)];
const REPLY = ['sotto/reply/v1', bytes(), bytes(64), bytes(64)];
const CORE = ['sotto/reply-core/v1', uint(0, 0xffff), text(64), bytes(16), MEMBER, MEMBER, bytes(SPKI_BYTES),
  bytes(PUBLIC_BYTES[1]), bytes(PUBLIC_BYTES[2]), SUITES, bytes(0, NAME_BYTES)];
const FINISH = ['sotto/finish/v1', bytes(64), bytes(64)];

const demand = (holds, what) => { if (!holds) throw new KeyError('bad-handshake', what); };
const makeEphemerals = async () => ({ 1: await makePair(1), 2: await makePair(2) });

const nameIn = async (retained, side, ...keys) => (
  await hmac(retained[1], ['sotto/retained/v1', side, ...keys])).subarray(0, NAME_BYTES);

/** th, and every key of both layers. `shared`: {1: [DH, DH], 2: [DH, DH]}. */
export async function keySchedule({ hello, core, prekeys, shared, retained, group, groupSecret }) {
  const th = await sha512(encode(['sotto/transcript/v1', hello, core, prekeys[1], prekeys[2]]));
  const keys = {};
  for (const layer of LAYERS) {
    const psk = groupSecret
      ? await hkdf(NOTHING, groupSecret, ['sotto/group-secret/v1', group, layer], 32) : ZEROS;
    const secret = concat(...shared[layer], retained ? retained[layer] : ZEROS, psk);
    const purpose = (name) => hkdf(th, secret, ['sotto/channel/v1', layer, name], 32);
    keys[layer] = {};
    for (const name of ['initiator key', 'responder key', 'initiator confirm', 'responder confirm', 'sas', 'retained']) {
      keys[layer][name] = await purpose(name);
    }
    secret.fill(0);
    psk !== ZEROS && psk.fill(0);
    shared[layer].forEach((each) => each.fill(0));
  }
  return { th, keys };
}

async function confirmation(role, { th, keys }) {
  const message = ['sotto/confirm/v1', role, th];
  return concat(await hmac(keys[1][`${role} confirm`], message), await hmac(keys[2][`${role} confirm`], message));
}

/** What stays of a handshake; the confirming keys are wiped. */
async function channelOf(role, { th, keys }, { suites, taken }) {
  const other = role === 'initiator' ? 'responder' : 'initiator';
  const boxes = {};
  for (const layer of LAYERS) {
    boxes[layer] = { send: await boxKey(keys[layer][`${role} key`]), receive: await boxKey(keys[layer][`${other} key`]) };
    for (const name of ['initiator key', 'responder key', 'initiator confirm', 'responder confirm']) keys[layer][name].fill(0);
  }
  return {
    role, th, boxes, suites, taken,
    sas: concat(keys[1].sas, keys[2].sas),
    retained: { 1: keys[1].retained, 2: keys[2].retained },
  };
}

/** As initiator: {hello, state}. */
export async function startHandshake({ group, session, us, them, suites, groupSecret, retained, ephemerals }) {
  const pairs = ephemerals ?? await makeEphemerals();
  const names = [];
  for (const each of retained) {
    names.push(each ? await nameIn(each, 'initiator', pairs[1].publicKey) : random(NAME_BYTES));
  }
  const hello = encode(['sotto/hello/v1', [VERSION], group, session, us.number, them.number, us.spki, them.id,
    [them.keys[1].number, them.keys[2].number], pairs[1].publicKey, pairs[2].publicKey, suites, names]);
  return { hello, state: { group, session, us, them, groupSecret, retained, pairs, hello } };
}

/** As initiator, on the reply: {finish, channel}; throws when anything is wrong. */
export async function finishHandshake(state, encoded) {
  const { group, session, us, them, groupSecret, retained, pairs, hello } = state;
  const [core, signature, proof] = read(encoded, ...REPLY);
  const [version, theirGroup, theirSession, responder, initiator, spki, x25519, p256, suites, name] = read(core, ...CORE);
  demand(version === VERSION, 'a version that was not offered');
  demand(theirGroup === group && same(theirSession, session), 'another group');
  demand(responder === them.number && initiator === us.number, 'other members');
  demand(same(spki, them.spki), 'another identity');
  let taken = null;
  if (name.length) {
    for (const each of retained) {
      if (each && same(await nameIn(each, 'responder', pairs[1].publicKey, x25519), name)) taken ??= each;
    }
    demand(taken, 'a retained secret that we do not have');
  }
  const theirs = { 1: x25519, 2: p256 };
  const shared = {};
  for (const layer of LAYERS) {
    shared[layer] = [await agree(layer, pairs[layer].privateKey, them.keys[layer].publicKey),
      await agree(layer, pairs[layer].privateKey, theirs[layer])];
  }
  const prekeys = { 1: them.keys[1].publicKey, 2: them.keys[2].publicKey };
  const schedule = await keySchedule({ hello, core, prekeys, shared, retained: taken, group, groupSecret });
  await verify(them.spki, signature, ['sotto/sign-reply/v1', schedule.th]);
  demand(same(proof, await confirmation('responder', schedule)), 'keys that do not agree');
  const finish = encode(['sotto/finish/v1', await sign(us.privateKey, ['sotto/sign-finish/v1', schedule.th]),
    await confirmation('initiator', schedule)]);
  return { finish, channel: await channelOf('initiator', schedule, { suites, taken }) };
}

/** As responder, on a hello: {reply, state}. `prekeys`: the sets that others may have of us. */
export async function answerHello({ group, session, us, them, suites, groupSecret, retained, prekeys, ephemerals }, hello) {
  const [versions, theirGroup, theirSession, initiator, responder, spki, id, numbers, x25519, p256, theirSuites, names] = read(hello, ...HELLO);
  demand(versions.includes(VERSION), 'no version that we know');
  demand(theirGroup === group && same(theirSession, session), 'another group');
  demand(initiator === them.number && responder === us.number, 'other members');
  demand(same(spki, them.spki) && same(id, us.id), 'another identity');
  const set = prekeys.find(({ ids }) => ids[1] === numbers[0] && ids[2] === numbers[1]);
  demand(set, 'prekeys that are not ours');
  const pairs = ephemerals ?? await makeEphemerals();
  let taken = null;
  for (const name of names) {
    for (const each of retained) {
      if (each && same(await nameIn(each, 'initiator', x25519), name)) taken ??= each;
    }
  }
  const proof = taken ? await nameIn(taken, 'responder', x25519, pairs[1].publicKey) : NOTHING;
  const core = encode(['sotto/reply-core/v1', VERSION, group, session, us.number, initiator, us.spki,
    pairs[1].publicKey, pairs[2].publicKey, suites, proof]);
  const theirs = { 1: x25519, 2: p256 };
  const shared = {};
  for (const layer of LAYERS) {
    shared[layer] = [await agree(layer, set.layers[layer].privateKey, theirs[layer]),
      await agree(layer, pairs[layer].privateKey, theirs[layer])];
  }
  const own = { 1: set.layers[1].publicKey, 2: set.layers[2].publicKey };
  const schedule = await keySchedule({ hello, core, prekeys: own, shared, retained: taken, group, groupSecret });
  const reply = encode(['sotto/reply/v1', core, await sign(us.privateKey, ['sotto/sign-reply/v1', schedule.th]),
    await confirmation('responder', schedule)]);
  return { reply, state: { them, schedule, suites: theirSuites, taken } };
}

/** As responder, on the finish: the channel; throws when anything is wrong. */
export async function acceptFinish({ them, schedule, suites, taken }, encoded) {
  const [signature, proof] = read(encoded, ...FINISH);
  await verify(them.spki, signature, ['sotto/sign-finish/v1', schedule.th]);
  demand(same(proof, await confirmation('initiator', schedule)), 'keys that do not agree');
  return channelOf('responder', schedule, { suites, taken });
}
