// Names a source in plain values, so that it can be opened in another thread. A new kind of source is a new
// line here and a file in adapters/.
import { logSource } from '../adapters/embedded/log-source.js';
import { type FileFormat, fileSource } from '../adapters/file/file-source.js';
import type { Positions, Source, SourceOptions } from '../core/ports.js';

/** One file (or `-`, standard input) of a replayed log, and the number of its first line. */
export interface InputPart {
  path: string;
  firstLine: number;
}

export type SourceSpec =
  | { kind: 'embedded'; logDir: string }
  /** Files that are one log together, in order. */
  | { kind: 'files'; parts: readonly InputPart[]; partitions: number; format: FileFormat };

/** Opens the source. Its errors are for people. */
export async function openSource(spec: SourceSpec): Promise<Source> {
  if (spec.kind === 'embedded') return logSource(spec.logDir);
  const { partitions, format } = spec;
  const sources: Source[] = [];
  for (const { path, firstLine } of spec.parts)
    sources.push(await fileSource({ path, partitions, firstLine, format }));
  return sources.length === 1 ? sources[0]! : chained(sources);
}

/** Sources one after the other, as one log. */
function chained(sources: readonly Source[]): Source {
  const last = sources.at(-1)!;
  async function* read(options: SourceOptions): ReturnType<Source['read']> {
    for (const source of sources)
      yield* source.read({ ...options, untilEnd: options.untilEnd || source !== last });
  }
  return {
    partitionCount: Math.max(...sources.map((source) => source.partitionCount)),
    seekable: sources.every((source) => source.seekable),
    description: sources.map((source) => source.description).join(' + '),
    read,
    async ends(): Promise<Positions> {
      return last.ends();
    },
    async close() {
      for (const source of sources) await source.close();
    },
  };
}
