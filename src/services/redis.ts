// Redis, with its append-only file, so that what it was told outlives it.
import { once } from 'node:events';
import { connect } from 'node:net';
import { debianPackage } from './fetching.js';
import type { Part } from './part.js';

const ANSWER_MS = 2_000;

export const redis: Part = {
  name: 'redis',
  software: 'Redis',
  portNames: ['main'],
  stopSignal: 'SIGTERM',
  async fetch(say) {
    await debianPackage('redis-server', 'redis-server', say);
    return 'redis-server';
  },
  async prepare() {},
  async launch(place) {
    const settings = {
      port: String(place.ports.main),
      bind: '127.0.0.1',
      dir: place.directory,
      appendonly: 'yes',
      'set-proc-title': 'no',
      ...place.settings,
    };
    return {
      file: 'redis-server',
      args: Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]),
    };
  },
  address: (place) => ({ url: `redis://127.0.0.1:${place.ports.main}` }),
  async answers(place) {
    const socket = connect({ host: '127.0.0.1', port: place.ports.main!, timeout: ANSWER_MS });
    socket.on('timeout', () => socket.destroy(new Error('silence')));
    try {
      socket.write('PING\r\n');
      const [answer] = (await once(socket, 'data')) as [Buffer];
      // One with a password says so, which is an answer too.
      return /^(\+PONG|-NOAUTH)/.test(answer.toString());
    } catch (error) {
      if (error instanceof Error) return false;
      throw error;
    } finally {
      socket.destroy();
    }
  },
};
