// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// The worker between a browser's codecs and its network. Frames come by RTCRtpScriptTransform, or
// as streams where the browser has only createEncodedStreams(). media.js is the page's side.
//
// In:  {key: {suite, base} | null}                                for all tracks, now and later
//      {readable, writable, track}                               the fallback's streams
// of a call instead, where each sender has a worker of its own (calls.js):
//      {call: {layers}}                                          first of all
//      {call: {use: {kid, suite, base, inner} | null}}           seal with this from now on
//      {call: {install: {kid, suite, base, inner}}}, {call: {remove: kid}}
// Out: {track, counters}                                         at most five times a second
// A track: {id, role: "seal" | "open", mimeType, context}; `context`: its place among the senders.
import { CallOpener, CallSealing } from './calls.js';
import { FrameOpener, FrameSealer, openingKids } from './frames.js';

const TELL_MS = 200;
const works = new Set();
let key = null;
let kids = openingKids(null); // Outlives connections: what was opened once is not opened again.

let call = null; // {sealing, outer, inner} of a call.

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

function giveKeys({ work, role, context }) {
  if (!call) work.setKey(key, kids);
  else if (role === 'seal') work.useLayers(call.sealing.layers(context));
  else work.useKids(call);
}

function run({ id, role, mimeType, context }, readable, writable, askKeyframe) {
  const Work = role === 'seal' ? FrameSealer : FrameOpener;
  const work = new Work({ mimeType, changed: teller(id), askKeyframe });
  const entry = { work, role, context };
  works.add(entry);
  giveKeys(entry);
  // Ends, well or not, when the connection or the track does.
  readable.pipeThrough(work.transform()).pipeTo(writable).catch(() => {}).finally(() => works.delete(entry));
}

addEventListener('rtctransform', ({ transformer }) => {
  const { options, readable, writable } = transformer;
  run(options, readable, writable, () => {
    // Refused before the first frame and for sound: then nothing needs it.
    transformer.sendKeyFrameRequest?.().catch(() => {});
  });
});

function changeCall({ layers, use, install, remove }) {
  if (layers) call = { sealing: new CallSealing(), outer: new CallOpener(), inner: layers === 2 ? new CallOpener() : null };
  if (use !== undefined) {
    call.sealing.use(use);
    for (const entry of works) if (entry.role === 'seal') giveKeys(entry);
  }
  if (install) {
    call.outer.install(install.kid, install);
    call.inner?.install(install.kid, install.inner);
    for (const { work, role } of works) if (role === 'open') work.keysCame();
  }
  if (remove !== undefined) {
    call.outer.remove(remove);
    call.inner?.remove(remove);
  }
}

addEventListener('message', ({ data }) => {
  if ('key' in data) {
    key = data.key;
    kids = openingKids(key);
    works.forEach(giveKeys);
  } else if (data.call) {
    changeCall(data.call);
  } else if (data.readable) {
    run(data.track, data.readable, data.writable);
  }
});
