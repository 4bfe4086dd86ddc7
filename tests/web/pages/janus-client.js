// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// What a page written for Janus does, with the API of janus.js 1.x and nothing of ours.
const client = { events: [], states: [] };
window.client = client;

client.connect = (options) => new Promise((resolve, reject) => {
  Janus.init({
    debug: ['warn', 'error'],
    callback: () => {
      client.janus = new Janus({
        ...options, success: () => resolve(), error: (cause) => reject(new Error(JSON.stringify(cause))),
        destroyed: () => client.states.push('destroyed'),
      });
    },
  });
});

function show(track, on) {
  const video = document.getElementById('remote');
  const stream = video.srcObject ?? (video.srcObject = new MediaStream());
  if (on) stream.addTrack(track);
  else stream.removeTrack(track);
}

client.attach = (plugin, onmessage) => new Promise((resolve, reject) => {
  client.janus.attach({
    plugin,
    success: (handle) => { client.handle = handle; resolve(); },
    error: (cause) => reject(new Error(String(cause))),
    onmessage: (message, jsep) => {
      client.events.push(message);
      onmessage?.(message, jsep);
    },
    webrtcState: (on, reason) => client.states.push(...(on ? ['up'] : ['down', `hangup: ${reason}`])),
    mediaState: (medium, on) => client.states.push(`${medium} ${on ? 'on' : 'off'}`),
    onremotetrack: (track, mid, on) => show(track, on),
    ondataopen: () => client.states.push('data open'),
    ondata: (text) => client.states.push(`data: ${text}`),
    oncleanup: () => client.states.push('cleanup'),
  });
});

client.ask = (message) => new Promise((resolve, reject) => {
  client.handle.send({ message, success: resolve, error: (cause) => reject(new Error(String(cause))) });
});

client.watch = async (title) => {
  await client.attach('janus.plugin.streaming', (message, jsep) => {
    if (!jsep) return;
    client.handle.createAnswer({
      jsep, tracks: [{ type: 'data' }], // Audio and video that are offered are taken by themselves.
      success: (answer) => client.handle.send({ message: { request: 'start' }, jsep: answer }),
      error: (cause) => client.states.push(`error: ${cause.message ?? cause}`),
    });
  });
  const { list } = await client.ask({ request: 'list' });
  const entry = list.find(({ description }) => description === title);
  if (!entry) throw new Error(`no mountpoint is called ${title}: ${JSON.stringify(list)}`);
  client.handle.send({ message: { request: 'watch', id: entry.id } });
  return entry.id;
};

client.echo = async ({ data = false } = {}) => {
  await client.attach('janus.plugin.echotest', (message, jsep) => {
    if (jsep) client.handle.handleRemoteJsep({ jsep });
  });
  client.handle.createOffer({
    tracks: [
      { type: 'audio', capture: true, recv: true }, { type: 'video', capture: true, recv: true },
      ...(data ? [{ type: 'data' }] : []),
    ],
    success: (jsep) => client.handle.send({ message: { audio: true, video: true }, jsep }),
    error: (cause) => client.states.push(`error: ${cause.message ?? cause}`),
  });
};

client.end = () => new Promise((resolve) => { client.janus.destroy({ success: resolve }); });
