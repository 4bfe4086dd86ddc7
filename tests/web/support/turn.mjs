// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// One media suite at a time on a machine: browsers that decode beside each other on two cores
// starve each other, and then a test says more about the machine than about us.
import { spawn } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Waits for the lock; gives the function that lets go of it. The kernel does when we die. */
export async function takeTurn() {
  const file = process.env.SOTTO_MEDIA_LOCK ?? join(tmpdir(), 'sotto-media-tests.lock');
  const holder = spawn('flock', [file, 'sh', '-c', 'echo ours; cat'], { stdio: ['pipe', 'pipe', 'inherit'] });
  await new Promise((resolve, reject) => {
    holder.stdout.once('data', resolve);
    holder.once('error', reject);
    holder.once('exit', (code) => reject(new Error(`flock ${file} ended with ${code}`)));
  });
  holder.removeAllListeners('exit');
  return () => holder.stdin.end();
}
