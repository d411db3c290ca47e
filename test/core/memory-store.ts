// What a store does with commits, as plainly as possible: the reference for the tests, and the place where the
// promises of a commit are checked.
import type { Commit, DeadLetter, StoredState } from '../../src/core/ports/commit.js';
import { compareTotals, type OracleLedgerRow, type OracleTotal } from '../oracle.js';

export class MemoryStore {
  private readonly cells = new Map<string, OracleTotal>();
  private readonly ledger = new Map<string, OracleLedgerRow>();
  private readonly letters = new Map<string, DeadLetter>();
  private stored: StoredState = {
    positions: [],
    checkpoint: undefined,
    methodHash: undefined,
    method: undefined,
    sourceIdentity: undefined,
    commits: 0,
  };

  state(): StoredState {
    return structuredClone(this.stored);
  }

  /** Applies a commit as a whole, or throws where it breaks a promise of ports/store.ts. */
  commit(commit: Commit): void {
    this.writeCells(commit.cells);
    for (const { partition, minuteMs, counts } of commit.ledger) {
      const key = `${partition} ${minuteMs}`;
      const row = this.ledger.get(key) ?? { partition, minuteMs, counts: noCounts() };
      for (const verdict of Object.keys(counts) as (keyof typeof counts)[]) {
        row.counts[verdict] += counts[verdict];
        check(row.counts[verdict] >= 0, `ledger ${key} has ${row.counts[verdict]} ${verdict}`);
      }
      this.ledger.set(key, row);
    }
    for (const { partition, offset } of commit.withdrawn) {
      const key = `${partition} ${offset}`;
      check(this.letters.get(key)?.verdict === 'bot', `${key} withdrawn, but it is no bot's dead letter`);
      this.letters.delete(key);
    }
    for (const letter of commit.deadLetters) {
      const key = `${letter.partition} ${letter.offset}`;
      check(!this.letters.has(key), `dead letter ${key} written twice`);
      this.letters.set(key, letter);
    }
    const positions = new Map(this.stored.positions.map((position) => [position.partition, position]));
    for (const position of commit.positions) {
      const before = positions.get(position.partition);
      check(!before || before.position <= position.position, `position of ${position.partition} went back`);
      check(position.rewindOffset <= position.position, `rewind of ${position.partition} is ahead`);
      positions.set(position.partition, position);
    }
    this.stored = structuredClone({
      ...this.stored,
      commits: this.stored.commits + 1,
      positions: [...positions.values()],
      checkpoint: commit.checkpoint ?? this.stored.checkpoint,
    });
  }

  private writeCells(cells: Commit['cells']): void {
    const written = new Set<string>();
    for (let i = 0; i < cells.count; i++) {
      const [ad_id, campaign_id, country, device_type] = cells.dimensions[cells.dimension[i]!]!;
      const minute = new Date(cells.minuteMs[i]!).toISOString().replace('.000Z', 'Z');
      const key = JSON.stringify([minute, ad_id, campaign_id, country, device_type]);
      const clicks = cells.clicks[i]!;
      check(!written.has(key), `cell ${key} twice in one commit`);
      written.add(key);
      check(clicks >= 0, `cell ${key} has ${clicks} clicks`);
      check(cells.rewrite[i] === 1 || !this.cells.has(key), `cell ${key} was written before, but no rewrite`);
      if (clicks === 0) this.cells.delete(key);
      else this.cells.set(key, { minute, ad_id, campaign_id, country, device_type, clicks });
    }
  }

  totals(): OracleTotal[] {
    return [...this.cells.values()].sort(compareTotals);
  }

  ledgerRows(): OracleLedgerRow[] {
    return [...this.ledger.values()]
      .filter(({ counts }) => Object.values(counts).some((count) => count !== 0))
      .sort((a, b) => a.partition - b.partition || a.minuteMs - b.minuteMs);
  }

  /** In order of (partition, offset). */
  deadLetters(): DeadLetter[] {
    return [...this.letters.values()].sort((a, b) => a.partition - b.partition || a.offset - b.offset);
  }
}

function noCounts(): OracleLedgerRow['counts'] {
  return { invalid: 0, too_late: 0, duplicate: 0, invalid_traffic: 0, double_click: 0, bot: 0, billable: 0 };
}

function check(condition: boolean, message: string): void {
  if (!condition) throw new Error(`a commit broke its promise: ${message}`);
}
