// Which backfill made a too-late click count. Its dead letter stays, as the record of what the stream decided.
import type { Revision } from './ports/books.js';
import type { DeadLetter } from './ports/commit.js';

/** The first of `revisions`, in their order, that admitted this letter's click; undefined: none did. */
export function admittedBy(
  { verdict, partition, offset, eventTimeMs }: DeadLetter,
  revisions: readonly Revision[],
): number | undefined {
  if (verdict !== 'too_late' || eventTimeMs === undefined) return undefined;
  const admits = ({ fromMs, toMs, positions }: Revision): boolean =>
    eventTimeMs >= fromMs &&
    eventTimeMs < toMs &&
    positions.some((seen) => seen.partition === partition && offset < seen.position);
  return revisions.find(admits)?.revision;
}
