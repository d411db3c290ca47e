// What the spool's folder remembers of its sender, in sender.json: the name under which the cluster knows it, and how
// far it is known to have come. The cluster knows that better, in the offset of the sender's group; this is for the day
// on which the group has been forgotten.
import { randomUUID } from 'node:crypto';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf, ioError, syncDirectory } from '../adapters/embedded/layout.js';
import { UserError } from '../errors.js';

const FILE = 'sender.json';
const VERSION = 1;

export interface SenderState {
  /** Made up for this spool: no other one has it. */
  id: string;
  /** Every click below this is in the topic. */
  sent: number;
  /**
   * Where the spool ended when it was opened, as long as the cluster has not been asked since. If the cluster then
   * knows of a later position, the spool was put back from an older copy: clicks from here on are new, whatever it says.
   */
  unproven: number | undefined;
}

/** A name that no sender ever had. */
export function newSenderId(): string {
  return `click-agg-ingest-${randomUUID()}`;
}

/** Undefined: the spool is new. UserError: the file can't be read. */
export async function readSenderState(spoolDir: string): Promise<SenderState | undefined> {
  const path = join(spoolDir, FILE);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw ioError(error, path, 'read');
  }
  const state = parse(text);
  if (state) return state;
  throw new UserError(`${path} is damaged`, {
    hint: 'Remove it: clicks of the spool may then be in the topic twice; they are counted once, by their click_id.',
  });
}

function parse(text: string): SenderState | undefined {
  let found: Record<string, unknown>;
  try {
    found = Object(JSON.parse(text));
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
  const { version, id, sent, unproven } = found;
  const isOffset = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0;
  if (version !== VERSION || typeof id !== 'string' || !isOffset(sent)) return undefined;
  if (unproven !== undefined && !isOffset(unproven)) return undefined;
  return { id, sent, unproven };
}

/** Writes it in one step. `durable`: it survives a power cut. */
export async function writeSenderState(
  spoolDir: string,
  state: SenderState,
  durable: boolean,
): Promise<void> {
  const path = join(spoolDir, FILE);
  try {
    await writeFile(`${path}.new`, `${JSON.stringify({ version: VERSION, ...state })}\n`, { flush: durable });
    await rename(`${path}.new`, path);
    if (durable) await syncDirectory(spoolDir);
  } catch (error) {
    throw ioError(error, path, 'write');
  }
}
