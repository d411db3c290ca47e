// What `ingest` is measured beside: node:http answering 302 to whoever asks, and nothing else. Prints its URL.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

const server = createServer((_, response) => {
  response.writeHead(302, {
    location: 'https://shop.example/landing',
    'cache-control': 'no-store',
    'content-length': 0,
  });
  response.end();
});
server.listen(0, '127.0.0.1', () => {
  process.stderr.write(`on http://127.0.0.1:${(server.address() as AddressInfo).port}\n`);
});
process.on('SIGINT', () => process.exit(0));
