// Whether a partition still has the offset where reading is to go on. Neither a log that retention has cut at its
// beginning nor one that lost its end may be read on as if nothing had happened.
import { UserError } from '../../errors.js';
import type { PartitionRange } from './topic-view.js';

export type Ranges = Map<number, PartitionRange>;

/** UserError: the topic has no record at `position` any more, or never had one. */
export function checkRange(topic: string, partition: number, position: number, ranges: Ranges): void {
  const range = ranges.get(partition);
  const at = `partition ${partition} of topic ${topic}`;
  if (!range) {
    if (position === 0) return;
    throw new UserError(`topic ${topic} has no partition ${partition}, of which offset ${position} is due`, {
      hint: 'It was made anew, or is another one. Give the topic that was counted, or another --data-dir.',
    });
  }
  if (position < range.low) {
    throw new UserError(
      `offset ${position} of ${at} is due, but retention has deleted all before ${range.low}`,
      {
        hint:
          'Counting stops here and keeps what it has. If a lake has the records, give that: --archive DIR|s3://…; ' +
          'and lengthen the retention.',
      },
    );
  }
  if (position > range.high) {
    throw new UserError(`${at} ends at offset ${range.high}, before offset ${position} that was read`, {
      hint:
        'The log was cut or made anew. Give the topic that was counted, or another --data-dir ' +
        '(and see unclean.leader.election.enable and min.insync.replicas).',
    });
  }
}

/** A partition was shorter than what had been read of it, and has grown again: what was read isn't in it any more. */
export function wasTruncated(topic: string, partition: number, position: number): UserError {
  return new UserError(
    `partition ${partition} of topic ${topic} was cut before offset ${position} and written on since`,
    {
      hint:
        'What was counted may differ from what it holds now. Start again if it does not matter, or count it ' +
        'anew with another --data-dir.',
    },
  );
}
