// The decoding thread: opens the source, reads it, decodes, and hands the batches over. It stops reading
// when QUEUE_MAX batches are under way, so that a slow store slows the reader down, not memory.
import { parentPort, workerData } from 'node:worker_threads';
import { createDecoder } from '../core/decoder.js';
import type { Positions } from '../core/ports/log.js';
import { OwnershipLostError } from '../errors.js';
import type { DecoderSetup, FromDecoder, ToDecoder } from './decoded-input.js';
import { openSource } from './open-source.js';
import { failureOf } from './thread-failure.js';
import { withArchive } from './with-archive.js';

const QUEUE_MAX = 3;

const port = parentPort!;
const { source: spec, method, partitions, archive } = workerData as DecoderSetup;
const send = (message: FromDecoder, transfer: ArrayBuffer[] = []): void =>
  port.postMessage(message, transfer);

function sendFailure(error: unknown): void {
  send({ kind: 'failed', ...failureOf(error) });
}

const spare: ArrayBuffer[] = [];
let underWay = 0;
let wake: (() => void) | undefined;
let stopping = new AbortController();

try {
  const warn = (line: string): void => send({ kind: 'warning', line });
  const opened = await openSource(spec, warn);
  let source = archive === undefined ? opened.source : withArchive(opened, archive, warn);
  const decoder = createDecoder({ method, partitions });

  const read = async (wish: Extract<ToDecoder, { kind: 'read' }>): Promise<void> => {
    stopping = new AbortController();
    const { signal } = stopping;
    for await (const raw of source.read({ ...wish, signal })) {
      while (underWay >= QUEUE_MAX && !signal.aborted) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      if (signal.aborted) break;
      if (raw.count === 0) continue;
      const batch = decoder.decode(raw, spare.pop());
      underWay++;
      send({ kind: 'batch', batch }, [batch.buffer]);
    }
    send({ kind: 'done', lost: false });
  };
  const readOrLose = (message: Extract<ToDecoder, { kind: 'read' }>): Promise<void> =>
    read(message).catch((error: unknown) => {
      if (!(error instanceof OwnershipLostError)) throw error;
      send({ kind: 'done', lost: true });
    });
  const becomeActive = async (): Promise<void> => {
    stopping = new AbortController();
    const yes = (await source.membership?.active(stopping.signal)) ?? true;
    send({ kind: 'active', yes });
  };

  const starts = async (): Promise<Positions> => (await source.starts?.()) ?? new Map();

  port.on('message', (message: ToDecoder) => {
    if (message.kind === 'matches') {
      Promise.all(message.identities.map(opened.matches)).then(
        (answers) => send({ kind: 'matches', answers }),
        sendFailure,
      );
    }
    if (message.kind === 'behind') {
      opened.behind(message.earlier, message.firstLine).then((whole) => {
        source = whole;
        send({ kind: 'behind', seekable: whole.seekable });
      }, sendFailure);
    }
    if (message.kind === 'active') becomeActive().catch(sendFailure);
    if (message.kind === 'read') readOrLose(message).catch(sendFailure);
    if (message.kind === 'report') source.membership?.report(message.positions).catch(sendFailure);
    if (message.kind === 'ends')
      source.ends().then((ends) => send({ kind: 'ends', positions: ends }), sendFailure);
    if (message.kind === 'starts')
      starts().then((positions) => send({ kind: 'starts', positions }), sendFailure);
    if (message.kind === 'close') source.close().then(() => port.close(), sendFailure);
    if (message.kind === 'stop') stopping.abort();
    if (message.kind === 'taken') {
      underWay--;
      spare.push(...message.spare);
    }
    wake?.();
  });
  const { partitionCount, seekable, description } = source;
  const { file, logIdentity } = opened;
  const shared = source.membership !== undefined;
  send({ kind: 'opened', shared, partitionCount, seekable, description, file, logIdentity });
} catch (error) {
  sendFailure(error);
}
