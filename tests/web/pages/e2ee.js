// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// Publishers and viewers of sealed streams in a test page, each with a tapped worker.
import { makeKey, parseKey } from '/web/e2ee/keys.js';
import { SealedMedia } from '/web/e2ee/media.js';
import { WhepViewer } from '/web/js/whep.js';
import { WhipPublisher } from '/web/js/whip.js';

const TAPPED = new URL('./e2ee-worker.js', import.meta.url);
const workers = []; // In the order of their making: SealedMedia keeps its own to itself.

const RealWorker = Worker;
globalThis.Worker = class extends RealWorker {
  constructor(...given) {
    super(...given);
    workers.push(this);
  }
};

/** A picture that never stands still, and a tone. */
export function source(fps = 30) {
  const canvas = document.createElement('canvas');
  Object.assign(canvas, { width: 192, height: 144 });
  const context = canvas.getContext('2d');
  let count = 0;
  setInterval(() => {
    count += 1;
    for (let each = 0; each < 24; each += 1) {
      context.fillStyle = `hsl(${(count * 7 + each * 40) % 360} 80% 50%)`;
      context.fillRect((each * 53 + count * 3) % 192, (each * 31 + count) % 144, 40, 30);
    }
  }, 1000 / fps);
  const tone = new AudioContext();
  const oscillator = tone.createOscillator();
  const destination = tone.createMediaStreamDestination();
  oscillator.connect(destination);
  oscillator.start();
  return new MediaStream([...canvas.captureStream(fps).getTracks(), ...destination.stream.getTracks()]);
}

function withReport(seal, worker) {
  seal.worker = worker;
  seal.report = () => new Promise((resolve) => {
    const take = ({ data }) => {
      if (!data.report) return;
      worker.removeEventListener('message', take);
      resolve(data.report);
    };
    worker.addEventListener('message', take);
    worker.postMessage({ report: true });
  });
  return seal;
}

const sealedMedia = (key) => withReport(new SealedMedia({ key, worker: TAPPED }), workers.at(-1));

export async function publish({ url, token, stream, codecs, keyText }) {
  const seal = keyText === null ? null : sealedMedia(await parseKey(keyText));
  const publisher = new WhipPublisher({ url, token, stream, seal, codecs, maxBitrate: 400_000 });
  await publisher.connect();
  return { session: publisher, seal };
}

export async function view({ url, token, keyText }) {
  const seal = keyText === null ? null : sealedMedia(keyText === '' ? null : await parseKey(keyText));
  const viewer = new WhepViewer({ url, token, seal });
  const video = document.createElement('video');
  Object.assign(video, { muted: true, autoplay: true, srcObject: viewer.stream });
  document.body.append(video);
  await viewer.connect();
  return { session: viewer, seal, video };
}

export const newKeyText = async () => (await makeKey()).fragment.slice(2);
