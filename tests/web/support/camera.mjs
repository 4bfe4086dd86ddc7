// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// The RTSP test camera (tests/support/rtsp_camera) as a program.
import { join } from 'node:path';

import { buildRoot } from './browsers.mjs';
import { Process } from './processes.mjs';

/** Numbers the clips carry in their picture, by stream. */
export const CLIPS = {
  h264: 1, 'h264-small': 2, 'h264-b': 3, h265: 4, vp8: 5, vp9: 6, 'h264-high': 7, av1: 8,
  'h264-full': 10, 'h264-full-small': 11,
};

export class Camera extends Process {
  static async start(streams, ...args) {
    const camera = new Camera('camera', join(buildRoot, 'tests/support/rtsp_camera/sotto-test-camera'),
      ['--streams', streams.join(','), ...args]);
    [, camera.base] = await camera.line(/^ready (rtsps?:\/\/\S+?)\/?$/, 240_000); // Clips are encoded on first use.
    return camera;
  }

  url(stream) { return `${this.base}/${stream}`; }

  async command(text) {
    const answer = this.nextLine(/^(stopped|started|ok|error.*|clients .*)$/);
    this.write(text);
    const [line] = await answer;
    if (line.startsWith('error')) throw new Error(`the camera: ${line}`);
    return line;
  }

  async stop() {
    this.write('quit');
    return super.stop('SIGTERM');
  }
}
