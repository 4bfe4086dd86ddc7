// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// What a page shows and sounds like, read back from its <video> elements.

/**
 * Puts `sottoMedia` into the page. Pictures are those of tests/support/rtsp_camera/picture.h: 16
 * cells at the bottom that say which clip and frame it is, colour bars above that move with it.
 */
export async function watchMedia(page) {
  await page.evaluate(() => {
    if (window.sottoMedia) return;
    const CELLS = 16;
    // White, yellow, cyan, green, magenta, red, blue, black.
    const BARS = [[255, 255, 255], [255, 255, 0], [0, 255, 255], [0, 255, 0], [255, 0, 255], [255, 0, 0],
      [0, 0, 255], [0, 0, 0]];

    /** {clip, frame, bars} of what a video shows now; null when it is no such picture. */
    function readPicture(video) {
      const { videoWidth: width, videoHeight: height } = video;
      if (!width) return null;
      const canvas = new OffscreenCanvas(width, height);
      const context = canvas.getContext('2d', { willReadFrequently: true });
      context.drawImage(video, 0, 0, width, height);
      const at = (x, y) => context.getImageData(Math.floor(x), Math.floor(y), 1, 1).data;
      let cells = 0;
      for (let cell = 0; cell < CELLS; cell += 1) {
        const [red, green, blue] = at((2 * cell + 1) * width / (2 * CELLS), height * 11 / 12);
        const light = (red + green + blue) / 3;
        if (light > 85 && light < 170) return null;
        if (light >= 170) cells |= 1 << cell;
      }
      let parity = 0;
      for (let bits = cells & 0xfff; bits; bits >>= 1) parity ^= bits & 1;
      if (cells >> 13 !== 0b101 || (cells >> 12 & 1) !== parity) return null;
      const frame = cells & 0xff;
      // How many of the eight bars have their colour at their middle.
      const shift = Math.floor(frame * width / 80);
      const bars = BARS.filter((colour, index) => {
        const x = ((index + 0.5) * width / 8 - shift % width + width) % width;
        return at(x, height * 5 / 12).slice(0, 3).every((value, part) => Math.abs(value - colour[part]) < 70);
      }).length;
      return { clip: cells >> 8 & 0xf, frame, bars };
    }

    /** The loudest frequency in Hz of a stream's sound, and how loud: 0 to 255. */
    const analysers = new WeakMap();
    function listen(stream) {
      let found = analysers.get(stream);
      if (!found) {
        const context = new AudioContext();
        const analyser = context.createAnalyser();
        analyser.fftSize = 4096;
        context.createMediaStreamSource(stream).connect(analyser);
        found = { analyser, bins: new Uint8Array(analyser.frequencyBinCount), context };
        analysers.set(stream, found);
      }
      const { analyser, bins, context } = found;
      analyser.getByteFrequencyData(bins);
      const loudness = Math.max(...bins);
      return { hz: bins.indexOf(loudness) * context.sampleRate / analyser.fftSize, loudness };
    }

    window.sottoMedia = { readPicture, listen };
  });
}

/** Waits until `read` (run in the page with the element's selector) gives something truthy. */
async function until(page, what, read, ...args) {
  try {
    const handle = await page.waitForFunction(read, { polling: 50, timeout: 60_000 }, ...args);
    return await handle.jsonValue();
  } catch (error) {
    throw new Error(`${what}: ${error.message}`);
  }
}

/**
 * The <video> shows `count` different frames of clip `clip` with the right colours. Gives the
 * frames' numbers in order.
 */
export async function expectPicture(page, selector, clip, count = 5) {
  await watchMedia(page);
  return until(page, `${selector} shows clip ${clip} moving`, (query, wanted, enough, key) => {
    const seen = (window[key] ??= []);
    const video = document.querySelector(query);
    const picture = video && window.sottoMedia.readPicture(video);
    // Seven of eight: an edge of a bar may lie on a block border of the codec.
    if (picture?.clip === wanted && picture.bars >= 7 && seen.at(-1) !== picture.frame) seen.push(picture.frame);
    return seen.length >= enough ? seen : null;
  }, selector, clip, count, `seen-${Math.random()}`);
}

/** The <video>'s stream carries a tone of `hz`. */
export async function expectTone(page, selector, hz = 440) {
  await watchMedia(page);
  return until(page, `${selector} sounds at ${hz} Hz`, (query, wanted) => {
    const stream = document.querySelector(query)?.srcObject;
    if (!stream?.getAudioTracks().length) return null;
    const heard = window.sottoMedia.listen(stream);
    return heard.loudness > 100 && Math.abs(heard.hz - wanted) < 25 ? heard : null;
  }, selector, hz);
}

/** Frames the element has shown so far. */
export const framesOf = (page, selector) => page.$eval(selector,
  (video) => video.getVideoPlaybackQuality().totalVideoFrames);

/** The element shows `count` frames more than `from`. */
export const expectFrames = (page, selector, from, count) => until(page, `${selector} shows ${count} more frames`,
  (query, least) => document.querySelector(query).getVideoPlaybackQuality().totalVideoFrames >= least || null,
  selector, from + count);

/**
 * Something is painted and it changes: for pictures that are not the test camera's. `plain`: one
 * colour all over is a picture, too (Firefox's fake camera).
 */
export async function expectMovement(page, selector, { count = 5, plain = false } = {}) {
  return until(page, `${selector} moves`, (query, enough, plainly, key) => {
    const state = (window[key] ??= { last: '', changes: 0, canvas: new OffscreenCanvas(64, 36) });
    const video = document.querySelector(query);
    if (!video?.videoWidth) return null;
    const context = state.canvas.getContext('2d', { willReadFrequently: true });
    context.drawImage(video, 0, 0, 64, 36);
    const { data } = context.getImageData(0, 0, 64, 36);
    if (!plainly && data.every((value, index) => Math.abs(value - data[index % 4]) < 8)) return null;
    const now = data.join();
    if (now !== state.last) state.changes += 1;
    state.last = now;
    return state.changes > enough ? state.changes : null;
  }, selector, count, plain, `moved-${Math.random()}`);
}

/** Any sound at all is heard at some moment: Chromium's fake microphone beeps once a second. */
export async function expectSound(page, selector) {
  await watchMedia(page);
  return until(page, `${selector} sounds`, (query) => {
    const stream = document.querySelector(query)?.srcObject;
    return (stream?.getAudioTracks().length > 0 && window.sottoMedia.listen(stream).loudness > 80) || null;
  }, selector);
}

/** RTP with sound arrives: a track is muted until it does. */
export const expectSoundArrives = (page, selector) => until(page, `sound arrives at ${selector}`, (query) => {
  const [track] = document.querySelector(query)?.srcObject?.getAudioTracks() ?? [];
  return (track && !track.muted) || null;
}, selector);
