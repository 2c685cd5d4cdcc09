// Serves the page with the game.
import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';
import { extname, join, normalize } from 'node:path';

const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.wasm': 'application/wasm' };

// `change` may change the text of a document.
export function serve(folder, change = (html) => html) {
  const server = createServer(async (request, response) => {
    const file = join(folder, normalize(new URL(request.url, 'http://x').pathname));
    try {
      const bytes = await readFile(file);
      response.setHeader('content-type', TYPES[extname(file)] ?? 'application/octet-stream');
      response.end(extname(file) === '.html' ? change(bytes.toString()) : bytes);
    } catch {
      response.writeHead(404).end();
    }
  });
  return new Promise((done) => server.listen(0, '127.0.0.1', () => done(server)));
}
