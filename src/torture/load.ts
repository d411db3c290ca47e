// The clicks of a storm: loadgen to Kafka at a modest rate, in virtual time that runs faster than the clock, so that
// minutes close, clicks are late and too late, and letters are withdrawn within the minutes that a storm takes.
import { Program, type ProgramOptions } from './program.js';

/** Virtual time begins here, not at a day's quiet hours. */
const BEGIN_MS = Date.parse('2026-02-22T09:00:00Z');

export interface LoadOptions extends Pick<ProgramOptions, 'directory' | 'environment'> {
  topic: string;
  seed: number;
  /** Records a second. */
  rate: number;
  /** Seconds of event time in a second. */
  pace: number;
}

export interface Load {
  /** Ends loadgen and starts it again: it sees partitions that were added. */
  restart(): Promise<void>;
  stop(): Promise<void>;
  /** What time it is for the clicks when the topic holds so many records, epoch ms; the next start begins there. */
  eventTimeMs(records: number): number;
  readonly program: Program;
}

/** Starts the load. Each start goes on in time, with clicks of its own. */
export function startLoad(options: LoadOptions): Load {
  const { topic, seed, rate, pace, directory, environment } = options;
  // Not by the clock: while the broker is away, time stands still.
  let timeMs = BEGIN_MS;
  const eventTimeMs = (records: number) => {
    timeMs = BEGIN_MS + (records / rate) * pace * 1000;
    return timeMs;
  };
  let starts = 0;
  const program = new Program({
    name: 'loadgen',
    directory,
    environment,
    endless: true,
    args() {
      const time = ['--start', new Date(timeMs).toISOString(), '--event-rate', String(rate / pace)];
      const faults = ['--late', '3%', '--too-late', '1%', '--duplicates', '3%', '--double-clicks', '4%'];
      const more = ['--malformed', '1%', '--bots', '5%', '--disorder', '20%', '--day-night', '0'];
      const people = ['--users', '5000', '--ads', '40', '--campaigns', '10'];
      const how = ['--topic', topic, '--rate', String(rate), '--seed', String(seed + starts++)];
      return ['loadgen', ...how, ...time, ...faults, ...more, ...people];
    },
  });
  return { program, eventTimeMs, restart: async () => program.interrupt(), stop: () => program.stop() };
}
