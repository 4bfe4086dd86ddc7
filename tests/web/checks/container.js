// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// What a reader of `*.sotto` files has to do, wherever it runs. Each check throws; its name is the
// requirement. `example`: container.json.
const hex = (text) => Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
const unhex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');

function equal(found, wanted, what) {
  const text = (value) => JSON.stringify(value, (_, each) => (typeof each === 'bigint' ? Number(each) : each));
  if (text(found) !== text(wanted)) throw new Error(`${what}: ${text(found)} instead of ${text(wanted)}`);
}

async function framesOf(file) {
  const frames = [];
  for (let frame; (frame = await file.next());) frames.push(frame);
  return frames;
}

export function containerChecks({ SealedFile }, example) {
  const whole = hex(example.file);
  const open = (bytes) => SealedFile.open(new Blob([bytes]));
  const refused = async (bytes, what) => {
    try {
      await open(bytes);
    } catch (error) {
      equal(error.code, 'malformed', what);
      return;
    }
    throw new Error(`${what}: not refused`);
  };
  const { offset: indexAt } = example.index;

  return {
    'the shared example is read with its index and without': async () => {
      for (const bytes of [whole, whole.subarray(0, indexAt)]) {
        const file = await open(bytes);
        equal(file.rebuilt, bytes !== whole, 'rebuilt');
        equal(file.begun, example.begun, 'begun');
        equal(file.tracks.map((track) => ({ ...track, mapping: unhex(track.mapping) })), example.tracks, 'tracks');
        equal(file.index.tracks.map(({ offset, entries }) => ({ offset, entries })), example.index.tracks, 'index');
        equal([file.index.frames, file.index.last], [example.index.frames, example.index.last], 'its counts');
        const frames = await framesOf(file);
        equal(frames.map(({ track, pts, key, bytes: sealed }) => ({ track, pts, key, bytes: unhex(sealed) })),
          example.frames.map(({ track, pts, key, bytes: sealed }) => ({ track, pts, key, bytes: sealed })), 'frames');
        equal(frames.every(({ kid }) => kid === BigInt(example.kid)), true, 'all of 64 bits of the KID');
        equal(Boolean(file.damage), bytes !== whole, 'damage');
      }
    },

    'cut anywhere, nothing before the cut is lost': async () => {
      const first = example.index.tracks[0].offset;
      for (let size = 0; size < indexAt; size += 1) {
        if (size < first) {
          await refused(whole.subarray(0, size), `${size} bytes`);
          continue;
        }
        const file = await open(whole.subarray(0, size));
        const ends = [...example.frames.slice(1).map(({ offset }) => offset), indexAt];
        equal((await framesOf(file)).length, ends.filter((end) => end <= size).length, `${size} bytes`);
        equal(Boolean(file.damage), true, 'it says so');
      }
    },

    'a seek goes to the keyframe before': async () => {
      const file = await open(whole);
      for (const [pts, wanted] of [[0n, 7], [1_999_999_999n, 7], [2_000_000_000n, 3], [9_000_000_000n, 3]]) {
        await file.seek(pts);
        const frames = await framesOf(file);
        equal(frames.length, wanted, `from ${pts} on`);
        equal(frames.find(({ track }) => track === 0).key, true, 'the first picture');
      }
    },

    'behind a damage the index leads on': async () => {
      const bytes = whole.slice();
      bytes[example.frames[2].offset] = 0;
      const file = await open(bytes);
      equal((await framesOf(file)).length, 2, 'before it');
      equal(file.damage?.code, 'malformed', 'damage');
      await file.seek(2_000_000_000n);
      equal((await framesOf(file)).length, 3, 'behind it');
    },

    'an index that lies is not believed': async () => {
      const bytes = whole.slice();
      const entry = unhex(bytes.subarray(indexAt)).indexOf('1a77359400190137') / 2; // Two seconds, offset 311.
      bytes[indexAt + entry + 7] = 0x38;
      const file = await open(bytes);
      equal(file.rebuilt, false, 'it looks good');
      await file.seek(2_000_000_000n);
      equal(file.rebuilt, true, 'rebuilt');
      equal((await framesOf(file)).length, 3, 'frames');
    },

    'what is no sealed file is refused': async () => {
      for (const text of ['', '1a45dfa3', '00', '826d736f74746f2f66696c652f763200']) await refused(hex(text), text);
    },

    'any byte may be wrong': async () => {
      for (let at = 0; at < whole.length; at += 1) {
        for (const value of [0x00, 0xff, whole[at] ^ 1, 0x5b]) {
          const bytes = whole.slice();
          bytes[at] = value;
          const file = await open(bytes).catch((error) => {
            equal([error.code, at < example.index.tracks[0].offset], ['malformed', true], `byte ${at}`);
          });
          if (!file) continue;
          const frames = await framesOf(file);
          const before = [...example.frames.slice(1).map(({ offset }) => offset), indexAt].filter((end) => end <= at).length;
          equal(frames.length >= before, true, `frames before byte ${at}`);
          await file.seek(2_000_000_000n).catch((error) => equal(error.code, 'malformed', 'seek'));
        }
      }
    },
  };
}
