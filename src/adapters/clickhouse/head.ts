// The register, made of what a ClickHouse server does one at a time: it makes a table of a name once. The head of
// revision 17 is the comment on a table head_…17 that holds nothing; whoever makes the table has swapped the head. The
// greatest number is the head. A few older ones stay, so that an answer that was lost can be made up for.
import { setTimeout as sleep } from 'node:timers/promises';
import { invariant } from '../../errors.js';
import type { Head } from '../journaled/database.js';
import type { Connections } from './connections.js';
import { codeOf, TABLE_ALREADY_EXISTS } from './server-errors.js';
import { text } from './sql.js';

const DIGITS = 12;
/** Heads that are left standing beside the newest one. */
const KEPT = 4;
/** The newest one is missing in a list that was made while tables came and went: it is asked for again. */
const LISTS_MAX = 5;
const LIST_WAIT_MS = 20;

export class HeadRegister {
  /** Whether there was a head once: then there always is one. */
  private wasThere = false;

  constructor(private readonly connections: Connections) {}

  read(): Promise<Head | undefined> {
    return this.connections.persistently(() => this.readOnce());
  }

  /** As `swapHead` of the interface: may be called again after any error. */
  swap(expected: number, next: Head): Promise<boolean> {
    invariant(next.revision === expected + 1, 'a head follows the one before it');
    return this.connections.persistently(() => this.swapOnce(expected, next));
  }

  private async swapOnce(expected: number, next: Head): Promise<boolean> {
    const heads = await this.list();
    // An earlier attempt may have done it.
    if ((heads[0]?.revision ?? 0) !== expected) return wasMade(next, heads);
    try {
      await this.connections.tellOnce(
        `CREATE TABLE ${this.table(next.revision)} (nothing UInt8) ENGINE = Null COMMENT ${text(next.text)}`,
      );
    } catch (error) {
      if (codeOf(error) !== TABLE_ALREADY_EXISTS) throw error;
      return wasMade(next, await this.list());
    }
    const after = await this.list();
    await this.drop(after.slice(KEPT + 1));
    return wasMade(next, after);
  }

  /** Removes heads that are long outdated; one of them may be made again by a process that slept, and is removed again. */
  private async drop(heads: readonly Head[]): Promise<void> {
    for (const { revision } of heads) {
      await this.connections.tellOnce(`DROP TABLE IF EXISTS ${this.table(revision)} SYNC`);
    }
  }

  private async readOnce(): Promise<Head | undefined> {
    const [head] = await this.list(1);
    return head;
  }

  /** The newest heads, the newest first. */
  private async list(limit = 100): Promise<Head[]> {
    for (let lists = 1; ; lists++) {
      const rows = await this.connections.askOnce(
        `SELECT substring(name, ${'head_'.length + 1}), comment FROM system.tables
         WHERE database = ${text(this.connections.address.database)} AND match(name, '^head_[0-9]{${DIGITS}}$')
         ORDER BY name DESC LIMIT ${limit}`,
      );
      if (rows.length > 0 || !this.wasThere || lists === LISTS_MAX) {
        this.wasThere ||= rows.length > 0;
        return rows.map(([revision, comment]) => ({ revision: Number(revision), text: String(comment) }));
      }
      await sleep(LIST_WAIT_MS);
    }
  }

  private table(revision: number): string {
    return `${this.connections.address.database}.head_${String(revision).padStart(DIGITS, '0')}`;
  }
}

/**
 * Whether `next` became the head once, by what stands there now. One that is so far behind the newest that it may have
 * been removed and made again did not.
 */
function wasMade(next: Head, heads: readonly Head[]): boolean {
  const newest = heads[0]?.revision ?? 0;
  const isThere = heads.some((head) => head.revision === next.revision && head.text === next.text);
  return isThere && newest - next.revision <= KEPT;
}
