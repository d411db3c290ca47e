// A DynamoDB that does what DynamoDB Local never does: it throttles, leaves parts of batches undone, loses answers,
// refuses rights. It stands before the real one and passes on what it does not spoil.
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What happens to a request instead of its answer. */
export type Fault =
  | { kind: 'refused'; status: number; code: string; message: string }
  /** It is carried out, and nobody is told. */
  | { kind: 'lost' }
  /** Of a batch only each second part is carried out; the others are answered with this code, or as not processed. */
  | { kind: 'halved'; code: string };

export interface FaultyService {
  readonly endpoint: string;
  /** How often each operation was asked for. */
  readonly asked: ReadonlyMap<string, number>;
  /** Decides by operation (`BatchExecuteStatement`) and by how many of it came before. */
  spoil: (operation: string, number: number) => Fault | undefined;
  close(): Promise<void>;
}

interface Batch {
  Statements?: unknown[];
  RequestItems?: Record<string, { Keys: unknown[] }>;
}

/** Starts one before the service at `target`. */
export async function faultyService(target: string): Promise<FaultyService> {
  const asked = new Map<string, number>();
  const server = createServer((request, response) => {
    void answer(request, response).catch((error: unknown) => response.destroy(error as Error));
  });
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const operation = String(request.headers['x-amz-target']).split('.')[1]!;
    const number = asked.get(operation) ?? 0;
    asked.set(operation, number + 1);
    const body = await bodyOf(request);
    const fault = service.spoil(operation, number);
    if (fault?.kind === 'refused') {
      const { status, code, message } = fault;
      return send(response, status, { __type: `com.amazonaws.dynamodb.v20120810#${code}`, message });
    }
    const pass = async (text: string) => {
      const headers = Object.entries(request.headers).filter(([name]) =>
        /^(x-amz|content-type|auth)/.test(name),
      );
      const told = await fetch(target, {
        method: 'POST',
        headers: headers as [string, string][],
        body: text,
      });
      return { status: told.status, text: await told.text() };
    };
    if (fault?.kind === 'halved')
      return send(response, 200, await halved(JSON.parse(body), fault.code, pass));
    const told = await pass(body);
    if (fault?.kind === 'lost') response.destroy();
    else send(response, told.status, told.text);
  };
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const service: FaultyService = {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    spoil: () => undefined,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return service;
}

/** Carries out the parts with even numbers. */
async function halved(
  batch: Batch,
  Code: string,
  pass: (text: string) => Promise<{ text: string }>,
): Promise<Record<string, unknown>> {
  const even = <T>(parts: readonly T[]): T[] => parts.filter((_, index) => index % 2 === 0);
  if (batch.Statements) {
    const told = await pass(JSON.stringify({ ...batch, Statements: even(batch.Statements) }));
    const { Responses } = JSON.parse(told.text) as { Responses: unknown[] };
    const refused = { Error: { Code, Message: 'not this one' } };
    return { Responses: batch.Statements.map((_, index) => (index % 2 ? refused : Responses[index / 2])) };
  }
  const [[table, asked]] = Object.entries(batch.RequestItems!) as [[string, { Keys: unknown[] }]];
  const told = await pass(
    JSON.stringify({ RequestItems: { [table]: { ...asked, Keys: even(asked.Keys) } } }),
  );
  const left = asked.Keys.filter((_, index) => index % 2 === 1);
  return {
    ...JSON.parse(told.text),
    UnprocessedKeys: left.length ? { [table]: { ...asked, Keys: left } } : {},
  };
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece as Buffer);
  return Buffer.concat(pieces).toString();
}

function send(response: ServerResponse, status: number, document: unknown): void {
  const text = typeof document === 'string' ? document : JSON.stringify(document);
  response.writeHead(status, { 'content-type': 'application/x-amz-json-1.0' });
  response.end(text);
}
