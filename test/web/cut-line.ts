// A line between browser and dashboard that can be cut for WebSockets alone, as some proxies of offices do, or as a
// whole.
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface CutLine {
  readonly url: string;
  /** Cuts every WebSocket and lets none come through, while other requests do. */
  cutSockets(): void;
  mendSockets(): void;
  close(): Promise<void>;
}

/** Opens a port of 127.0.0.1 that leads to another one. */
export async function openCutLine(targetPort: number): Promise<CutLine> {
  const all = new Set<Socket>();
  const webSockets = new Set<Socket>();
  let cut = false;
  const server = createServer((browser) => {
    const dashboard = connect(targetPort, '127.0.0.1');
    for (const one of [browser, dashboard]) {
      all.add(one);
      one.on('close', () => {
        all.delete(one);
        webSockets.delete(one);
        browser.destroy();
        dashboard.destroy();
      });
      // One end was reset: `close` follows.
      one.on('error', () => one.destroy());
    }
    browser.on('data', (bytes: Buffer) => {
      if (/^upgrade: websocket\r$/im.test(bytes.toString('latin1'))) {
        webSockets.add(browser);
        if (cut) return browser.destroy();
      }
      return dashboard.write(bytes);
    });
    dashboard.pipe(browser);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cutSockets() {
      cut = true;
      for (const socket of webSockets) socket.destroy();
    },
    mendSockets() {
      cut = false;
    },
    async close() {
      for (const socket of all) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
