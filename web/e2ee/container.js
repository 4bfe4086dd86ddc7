// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Reads `*.sotto` files: sealed frames at rest (docs/encodings.md, "Sealed files"). Needs no key and
// no DOM; takes a Blob or File, of which it reads what it needs.
//
//   const file = await SealedFile.open(blob);       // Throws SealError: 'malformed', 'too-large', …
//   await file.seek(pts);
//   for (let frame; (frame = await file.next());) …  // {track, pts, key, kid, bytes}
//   file.damage                                      // Why frames ended before the index, or null.
//
// Times and KIDs are BigInts; times are nanoseconds.
import { SealError } from './sframe.js';

export const MAX_TRACKS = 64;
export const MAX_SEALED = 48 << 20;
const MAX_PTS = 100n * 366n * 24n * 3600n * 1_000_000_000n;
const MAX_LABEL = 256;
const MAX_MAPPING = 258;
const MAX_FRAME_HEAD = 32;
const MAX_ITEM = 1024;
const END_BYTES = 23;
const MAX_INDEX_BYTES = 32 << 20;
const MAX_ENTRIES = 16384;
const SOUND_SPACING = 1_000_000_000n;
const READ_AHEAD = 64 << 10;
const CODECS = new Set(['vp8', 'vp9', 'h264', 'h265', 'av1', 'opus']);
const LABELS = { head: 'sotto/file/v1', track: 'sotto/track/v1', index: 'sotto/index/v1', end: 'sotto/end/v1' };

const malformed = (why) => new SealError('malformed', why);
const isSound = ({ codec }) => codec === 'opus';

/** Thrown where bytes end within an item: more of them may make it whole. */
class Short extends Error {}

class Cursor {
  at = 0;

  constructor(bytes) { this.bytes = bytes; }

  take(count) {
    if (count > this.bytes.length - this.at) throw new Short();
    this.at += count;
    return this.bytes.subarray(this.at - count, this.at);
  }

  /** The number behind a first byte of this major type, as BigInt; only in its shortest form. */
  head(major) {
    const [first] = this.take(1);
    if (first >> 5 !== major) throw malformed('An item of another type was expected.');
    const short = first & 31;
    if (short < 24) return BigInt(short);
    if (short > 27) throw malformed('A length is reserved or indefinite.');
    const width = 1 << (short - 24);
    let value = 0n;
    for (const byte of this.take(width)) value = value << 8n | BigInt(byte);
    if (value < (width === 1 ? 24n : 1n << BigInt(4 * width))) throw malformed('A number is not in its shortest form.');
    return value;
  }

  /** A number below 2^32. */
  small() {
    const value = this.head(0);
    if (value > 0xffffffffn) throw malformed('A number is too large.');
    return Number(value);
  }

  string(major, longest) {
    const size = this.head(major);
    if (size > BigInt(longest)) throw malformed('A string is too long.');
    return this.take(Number(size));
  }

  text(longest) {
    const bytes = this.string(3, longest);
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch {
      throw malformed('A text is not UTF-8.');
    }
  }

  truth() {
    const [byte] = this.take(1);
    if (byte !== 0xf4 && byte !== 0xf5) throw malformed('Neither true nor false.');
    return byte === 0xf5;
  }
}

/** What stands at the front: {kind, size, …}. `tracks`: how many were announced before. */
function parseRecord(bytes, tracks) {
  const cursor = new Cursor(bytes);
  const items = cursor.head(4);
  if (bytes.length > cursor.at && bytes[cursor.at] >> 5 === 0 && items === 5n) {
    const [track, pts, key, kid, length] = [cursor.head(0), cursor.head(0), cursor.truth(), cursor.head(0), cursor.head(2)];
    if (track >= BigInt(tracks)) throw malformed('A frame of a track that was not announced.');
    if (length > BigInt(MAX_SEALED) || pts > MAX_PTS) throw new SealError('too-large', 'A frame is out of bounds.');
    return { kind: 'frame', track: Number(track), pts, key, kid, head: cursor.at, size: cursor.at + Number(length) };
  }
  const label = cursor.text(32);
  if (label === LABELS.head && items === 2n) return { kind: 'head', begun: Number(cursor.head(0)), size: cursor.at };
  if (label === LABELS.index && items === 4n) return { kind: 'index', size: 0 };
  if (label !== LABELS.track || items !== 9n) throw malformed('A record of an unknown kind or version.');
  const number = cursor.head(0);
  const codec = cursor.text(16);
  const [width, height, rate, channels] = [cursor.small(), cursor.small(), cursor.small(), cursor.small()];
  const mapping = cursor.string(2, MAX_MAPPING).slice();
  const track = { codec, width, height, rate, channels, mapping, label: cursor.text(MAX_LABEL) };
  if (!CODECS.has(codec)) throw malformed('A track of an unknown codec.');
  if (number !== BigInt(tracks)) throw malformed('Tracks are not numbered in order.');
  if (tracks >= MAX_TRACKS) throw new SealError('too-large', 'Too many tracks.');
  return { kind: 'track', track, size: cursor.at };
}

/** {frames, last, tracks: [{offset, entries: [[pts, offset], …]}, …]}; offsets ascend below `end`. */
function parseIndex(bytes, end) {
  const cursor = new Cursor(bytes);
  const offset = (after) => {
    const value = cursor.head(0);
    if (value <= BigInt(after) || value >= BigInt(end)) throw malformed('An offset of the index makes no sense.');
    return Number(value);
  };
  const count = (most) => {
    const value = cursor.head(4);
    if (value > BigInt(most)) throw malformed('The index is too long.');
    return Number(value);
  };
  const pair = () => { if (cursor.head(4) !== 2n) throw malformed('The index is broken.'); };
  if (cursor.head(4) !== 4n || cursor.text(32) !== LABELS.index) throw malformed('There is no index.');
  const [frames, last] = [cursor.head(0), cursor.head(0)];
  if (last > MAX_PTS) throw malformed('The index is broken.');
  let afterTrack = -1;
  const tracks = Array.from({ length: count(MAX_TRACKS) }, () => {
    pair();
    afterTrack = offset(afterTrack);
    let before = [-1n, afterTrack];
    const entries = Array.from({ length: count(MAX_ENTRIES) }, () => {
      pair();
      const pts = cursor.head(0);
      if (pts <= before[0] || pts > last) throw malformed('Times of the index make no sense.');
      before = [pts, offset(before[1])];
      return before;
    });
    return { offset: afterTrack, entries };
  });
  if (cursor.at !== bytes.length) throw malformed('Something stands behind the index.');
  return { frames: Number(frames), last, tracks };
}

/** The index as a writer would have made it. */
class Rebuilt {
  frames = 0; last = 0n; tracks = [];

  addTrack(track, offset) {
    this.tracks.push({ offset, entries: [], spacing: isSound(track) ? SOUND_SPACING : 1n });
  }

  addFrame({ track, pts, key }, offset) {
    this.frames += 1;
    if (pts > this.last) this.last = pts;
    const kept = this.tracks[track];
    if (!key || (kept.entries.length > 0 && pts < kept.entries.at(-1)[0] + kept.spacing)) return;
    kept.entries.push([pts, offset]);
    if (kept.entries.length <= MAX_ENTRIES) return;
    kept.entries = kept.entries.filter((_, index) => index % 2 === 0);
    const spread = (kept.entries.at(-1)[0] - kept.entries[0][0]) / BigInt(kept.entries.length);
    kept.spacing = spread > 2n * kept.spacing ? spread : 2n * kept.spacing;
  }
}

export class SealedFile {
  #blob; #first = 0; #end = 0; #at = 0; #passed = 0; #awaitsKey = []; #window = new Uint8Array(0); #windowAt = 0;
  begun = 0; tracks = []; index = null; rebuilt = false; damage = null;

  constructor(blob) { this.#blob = blob; }

  static async open(blob) {
    const file = new SealedFile(blob);
    const head = await file.#record(0, 0).catch((error) => {
      throw error instanceof SealError ? malformed('This is not a sealed file.') : error;
    });
    if (head.kind !== 'head') throw malformed('This is not a sealed file.');
    file.begun = head.begun;
    file.#first = head.size;
    file.#at = head.size;
    if (!await file.#takeIndex()) await file.#walk();
    return file;
  }

  /** The next frame, or null at the end or at a damage. */
  async next() {
    while (this.#at < this.#end) {
      let record;
      try {
        record = await this.#record(this.#at, this.#passed);
        if (record.size > this.#end - this.#at) throw malformed('The file is cut off.');
        if (record.kind !== 'frame' && record.kind !== 'track') throw malformed('A record where none may be.');
      } catch (error) {
        if (!(error instanceof SealError)) throw error;
        this.damage = error;
        this.#at = this.#end;
        break;
      }
      const at = this.#at;
      this.#at += record.size;
      if (record.kind === 'track') {
        this.#passed += 1;
        continue;
      }
      if (this.#awaitsKey[record.track] && !record.key) continue;
      this.#awaitsKey[record.track] = false;
      const bytes = (await this.#bytes(at, record.size)).slice(record.head, record.size);
      return { track: record.track, pts: record.pts, key: record.key, kid: record.kid, bytes };
    }
    return null;
  }

  /** Each picture track goes on with its last keyframe at or before `pts`. */
  async seek(pts) {
    let to = this.#end;
    for (let number = 0; number < this.tracks.length; number += 1) {
      const entries = this.index.tracks[number].entries;
      const entry = entries.findLast(([time]) => time <= pts) ?? entries[0];
      if (!entry) continue;
      if (!await this.#holds(number, entry)) {
        if (this.rebuilt) throw malformed('The file changes while it is read.');
        await this.#walk(); // The index lied.
        await this.seek(pts);
        return;
      }
      to = Math.min(to, entry[1]);
    }
    this.#at = to === this.#end ? this.#first : to;
    this.#passed = this.index.tracks.filter(({ offset }) => offset < this.#at).length;
    this.#awaitsKey = this.tracks.map((track) => !isSound(track));
  }

  async #holds(number, [pts, offset]) {
    try {
      const record = await this.#record(offset, this.tracks.length);
      return record.kind === 'frame' && record.track === number && record.pts === pts && record.key
        && record.size <= this.#end - offset;
    } catch (error) {
      if (error instanceof SealError) return false;
      throw error;
    }
  }

  async #takeIndex() {
    const size = this.#blob.size;
    try {
      if (size < this.#first + END_BYTES) return false;
      const end = new Cursor(await this.#bytes(size - END_BYTES, END_BYTES));
      if (end.head(4) !== 2n || end.text(32) !== LABELS.end) return false;
      const place = end.string(2, 8);
      const offset = new DataView(place.buffer, place.byteOffset, 8).getBigUint64(0);
      const length = BigInt(size - END_BYTES) - offset;
      if (offset < BigInt(this.#first) || length < 0n || length > BigInt(MAX_INDEX_BYTES)) return false;
      const bytes = await this.#bytes(Number(offset), Number(length));
      const index = parseIndex(bytes.subarray(0, Number(length)), Number(offset));
      const tracks = [];
      for (const each of index.tracks) {
        const record = await this.#record(each.offset, tracks.length);
        if (record.kind !== 'track') return false;
        tracks.push(record.track);
      }
      Object.assign(this, { index, tracks });
      this.#end = Number(offset);
      return true;
    } catch (error) {
      if (error instanceof SealError || error instanceof Short || error instanceof RangeError) return false;
      throw error;
    }
  }

  async #walk() {
    this.rebuilt = true;
    this.tracks = [];
    this.index = new Rebuilt();
    let at = this.#first;
    for (;;) {
      let record;
      try {
        record = await this.#record(at, this.tracks.length);
        if (record.size > this.#blob.size - at) throw malformed('The file is cut off.');
        if (record.kind === 'head') throw malformed('A second head in one file.');
      } catch (error) {
        if (!(error instanceof SealError)) throw error;
        this.damage = error;
        break;
      }
      if (record.kind === 'index') break;
      if (record.kind === 'track') {
        this.index.addTrack(record.track, at);
        this.tracks.push(record.track);
      } else {
        this.index.addFrame(record, at);
      }
      at += record.size;
    }
    this.#end = at;
  }

  /** One record; throws SealError when there is none. */
  async #record(offset, tracks) {
    for (const wanted of [MAX_FRAME_HEAD, MAX_ITEM]) {
      const bytes = await this.#bytes(offset, wanted);
      try {
        return parseRecord(bytes, tracks);
      } catch (error) {
        if (!(error instanceof Short)) throw error;
      }
    }
    throw malformed('The file is cut off.');
  }

  /** `size` bytes or more from `offset` on; fewer at the end of the file. */
  async #bytes(offset, size) {
    const end = Math.min(offset + size, this.#blob.size);
    if (offset < this.#windowAt || end > this.#windowAt + this.#window.length) {
      const part = this.#blob.slice(offset, offset + Math.max(size, READ_AHEAD));
      this.#window = new Uint8Array(await part.arrayBuffer());
      this.#windowAt = offset;
    }
    return this.#window.subarray(offset - this.#windowAt);
  }
}
