// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Imported before the real worker, in the same worker: notes the hash of every plaintext frame that
// goes in (sender) or comes out (receiver), and can turn bits or repeat frames before a receiver.
const MARKS = 4; // Frames kept whole, for searching elsewhere.
const notes = new Map(); // Role and MIME type to {hashes, plain, sealed}.
let mischief = ''; // "tamper" or "replay".

const hex = (bytes) => Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, '0')).join('');

function noteOf(role, frame) {
  const name = `${role} ${frame.getMetadata().mimeType.toLowerCase()}`;
  if (!notes.has(name)) notes.set(name, { hashes: [], plain: [], sealed: [] });
  return notes.get(name);
}

const tap = (see) => new TransformStream({
  async transform(frame, controller) {
    await see(frame, controller);
    controller.enqueue(frame);
  },
});

async function hashed(role, frame) {
  const note = noteOf(role, frame);
  note.hashes.push(hex(await crypto.subtle.digest('SHA-256', frame.data)).slice(0, 24));
  note.plain = [...note.plain, hex(frame.data)].slice(-MARKS);
}

function disturb(frame, controller) {
  if (mischief === 'tamper') {
    const data = frame.data.slice(0);
    new Uint8Array(data)[data.byteLength - 3] ^= 1;
    frame.data = data;
  } else if (mischief === 'replay') {
    // In front of the frame itself, which is then the second to use its counter.
    const copy = { data: frame.data.slice(0), getMetadata: () => frame.getMetadata() };
    controller.enqueue(copy);
  }
}

// What follows a receiver's worker takes real frames only: of a replayed one the copy is opened.
const real = (frame) => 'timestamp' in frame;

addEventListener('rtctransform', (event) => {
  const { transformer } = event;
  const { options } = transformer;
  let { readable, writable } = transformer;
  if (options.role === 'seal') {
    readable = readable.pipeThrough(tap((frame) => hashed('seal', frame)));
    const after = tap((frame) => {
      const note = noteOf('seal', frame);
      note.sealed = [...note.sealed, hex(frame.data)].slice(-MARKS * 16);
    });
    after.readable.pipeTo(writable).catch(() => {});
    writable = after.writable;
  } else {
    readable = readable.pipeThrough(tap(disturb));
    const after = new TransformStream({
      async transform(frame, controller) {
        await hashed('open', frame);
        if (real(frame)) controller.enqueue(frame);
      },
    });
    after.readable.pipeTo(writable).catch(() => {});
    writable = after.writable;
  }
  Object.defineProperty(event, 'transformer', {
    value: { options, readable, writable, sendKeyFrameRequest: () => transformer.sendKeyFrameRequest() },
  });
});

addEventListener('message', ({ data }) => {
  if (data.mischief !== undefined) mischief = data.mischief;
  if (data.report) postMessage({ report: Object.fromEntries(notes) });
});
