// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// The worker between a browser's codecs and its network. Frames come by RTCRtpScriptTransform, or
// as streams where the browser has only createEncodedStreams(). media.js is the page's side.
//
// In:  {key: {suite, base} | null}                                for all tracks, now and later
//      {readable, writable, track}                               the fallback's streams
// Out: {track, counters}                                         at most five times a second
// A track: {id, role: "seal" | "open", mimeType}.
import { FrameOpener, FrameSealer, openingKids } from './frames.js';

const TELL_MS = 200;
const works = new Set();
let key = null;
let kids = openingKids(null); // Outlives connections: what was opened once is not opened again.

function teller(id) {
  let timer = 0;
  let latest = null;
  const tell = () => {
    timer = 0;
    postMessage({ track: id, counters: latest });
  };
  return (counters) => {
    const first = latest === null;
    latest = { ...counters };
    if (first) tell();
    else if (!timer) timer = setTimeout(tell, TELL_MS);
  };
}

function run({ id, role, mimeType }, readable, writable, askKeyframe) {
  const Work = role === 'seal' ? FrameSealer : FrameOpener;
  const work = new Work({ mimeType, changed: teller(id), askKeyframe });
  works.add(work);
  work.setKey(key, kids);
  // Ends, well or not, when the connection or the track does.
  readable.pipeThrough(work.transform()).pipeTo(writable).catch(() => {}).finally(() => works.delete(work));
}

addEventListener('rtctransform', ({ transformer }) => {
  const { options, readable, writable } = transformer;
  run(options, readable, writable, () => {
    // Refused before the first frame and for sound: then nothing needs it.
    transformer.sendKeyFrameRequest?.().catch(() => {});
  });
});

addEventListener('message', ({ data }) => {
  if ('key' in data) {
    key = data.key;
    kids = openingKids(key);
    for (const work of works) work.setKey(key, kids);
  } else if (data.readable) {
    run(data.track, data.readable, data.writable);
  }
});
