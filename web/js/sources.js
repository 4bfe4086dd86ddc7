// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// The sources there are, as the pages need them.
import { api } from './session.js';

/** What a source's state means to a person. */
export const STATES = {
  idle: 'Ready', starting: 'Starting', live: 'Live', away: 'Away', failed: 'Failed',
};

/** Everything that can be watched: cameras, publishers, mountpoints. */
export async function listSources() {
  const { sources } = await api('GET', '/v1/sources');
  return sources;
}

/** Cameras with their settings (no passwords); for people who administer them. */
export async function listCameras() {
  const { cameras } = await api('GET', '/v1/cameras');
  return cameras;
}
