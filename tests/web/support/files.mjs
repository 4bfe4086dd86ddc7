// SPDX-FileCopyrightText: The sotto authors
// SPDX-License-Identifier: LGPL-2.1-or-later
// A small server of files from another origin than sotto-server: examples and test pages, as they
// would be on somebody's own site.
import { createReadStream, existsSync, statSync } from 'node:fs';
import http from 'node:http';
import { extname, join, normalize } from 'node:path';

const TYPES = {
  '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.mjs': 'text/javascript', '.css': 'text/css',
  '.svg': 'image/svg+xml', '.txt': 'text/plain; charset=utf-8',
};

export class FileServer {
  name = 'file server';

  /** `folders`: from the first part of the path to a folder. */
  static async start(folders) {
    const self = new FileServer();
    self.server = http.createServer((request, response) => {
      const path = normalize(decodeURIComponent(new URL(request.url, 'http://host').pathname));
      const [, top, ...rest] = path.split('/');
      const file = folders[top] && join(folders[top], ...rest);
      if (!file || !existsSync(file) || !statSync(file).isFile()) {
        response.writeHead(path === '/favicon.ico' ? 204 : 404).end();
        return;
      }
      response.writeHead(200, { 'Content-Type': TYPES[extname(file)] ?? 'application/octet-stream' });
      createReadStream(file).pipe(response);
    });
    await new Promise((resolve, reject) => self.server.listen(0, '127.0.0.1', resolve).on('error', reject));
    self.url = `http://127.0.0.1:${self.server.address().port}`;
    return self;
  }

  stop() {
    this.server.closeAllConnections();
    return new Promise((resolve) => this.server.close(resolve));
  }
}
