// The dashboard's parts. Each draws a snapshot in the room that the layout gave it and knows nothing of
// where the snapshot came from. Names come from the log: they pass `visible` before they reach the screen.
import { Box, Text } from 'ink';
import type { ReactNode } from 'react';
import type { LiveStatus } from '../../core/live-status.js';
import type { LedgerCounts } from '../../core/ports/store.js';
import { visible } from '../escape.js';
import { compact, duration } from '../progress.js';
import { behindText, grouped, SHOWN_VERDICTS, shareText, timeText, worstFirst } from './format.js';
import { greatestWatermark, type PartitionRow, type TopRow, VIEW_COLUMN, type View } from './snapshot.js';
import { sparkline } from './sparkline.js';

/** One cell of a row: a fixed width, or the rest of the line. */
function Cell(props: {
  width?: number;
  right?: boolean;
  color?: string;
  dim?: boolean;
  bold?: boolean;
  children: string;
}) {
  const { width, right = false, color, dim = false, bold = false, children } = props;
  return (
    <Box
      justifyContent={right ? 'flex-end' : 'flex-start'}
      marginRight={1}
      {...(width === undefined ? { flexGrow: 1, flexShrink: 1, flexBasis: 0 } : { width, flexShrink: 0 })}
    >
      <Text wrap="truncate-end" dimColor={dim} bold={bold} {...(color === undefined ? {} : { color })}>
        {children}
      </Text>
    </Box>
  );
}

function Line({ children }: { children: ReactNode }) {
  return (
    <Box height={1} overflow="hidden">
      {children}
    </Box>
  );
}

export type Mood = 'live' | 'paused' | 'gone';

const MOODS = {
  live: { text: ' LIVE ', color: 'green' },
  paused: { text: ' PAUSED ', color: 'yellow' },
  gone: { text: ' RUN ENDED ', color: 'red' },
} as const;

/** Two lines: what is watched and how it is, how fast and how big. */
export function Header(props: { status: LiveStatus; mood: Mood; rates: readonly number[]; nowMs: number }) {
  const { status, mood, rates, nowMs } = props;
  const { text, color } = MOODS[mood];
  const committed =
    status.lastCommitAtMs === undefined ? 'no commit yet' : `commit ${ago(nowMs - status.lastCommitAtMs)}`;
  return (
    <>
      <Line>
        <Box flexShrink={0}>
          <Text bold>click-agg top </Text>
          <Text inverse color={color}>
            {text}
          </Text>
        </Box>
        <Text wrap="truncate-end">
          {` ${visible(status.source)}  up ${duration(Math.max(0, nowMs - status.startedAtMs))}  method ${status.methodHash}`}
        </Text>
      </Line>
      <Line>
        <Box flexShrink={0}>
          <Text bold color="cyan">{`${compact(status.recordsPerSecond)} clicks/s `}</Text>
          <Text color="cyan">{sparkline(rates, 20)}</Text>
        </Box>
        <Text wrap="truncate-end">
          {`  ${compact(status.rssBytes / 1_048_576)} MiB, ${compact(status.horizonClicks)} clicks in memory, ${committed}`}
        </Text>
      </Line>
    </>
  );
}

function ago(ms: number): string {
  return ms < 1000 ? 'now' : `${duration(ms)} ago`;
}

const VERDICT_COLORS: Readonly<Record<string, string>> = {
  billable: 'green',
  bot: 'red',
  invalid_traffic: 'red',
  invalid: 'red',
  too_late: 'yellow',
};

/** So that the longest name has room for a million, on 80 columns too. */
const VERDICT_WIDTHS = ['40%', '32%', '28%'];

/** The ledger in three lines. */
export function Verdicts({ ledger }: { ledger: LedgerCounts }) {
  const lines = [0, 3, 6].map((from) => SHOWN_VERDICTS.slice(from, from + 3));
  return (
    <Box flexDirection="column">
      {lines.map((verdicts) => (
        <Line key={verdicts.join()}>
          {verdicts.map((verdict, column) => (
            <Box key={verdict} width={VERDICT_WIDTHS[column]!} flexShrink={1}>
              <Text wrap="truncate-end">
                <Text {...(VERDICT_COLORS[verdict] ? { color: VERDICT_COLORS[verdict] } : {})}>
                  {verdict}
                </Text>
                {` ${grouped(ledger[verdict])} `}
                <Text dimColor>{shareText(ledger[verdict], ledger.records)}</Text>
              </Text>
            </Box>
          ))}
        </Line>
      ))}
    </Box>
  );
}

/** A line for each partition, or for those that lag most where there is no room for all. */
export function Partitions({ partitions, rows }: { partitions: readonly PartitionRow[]; rows: number }) {
  const greatest = greatestWatermark(partitions);
  const hidden = partitions.length - rows;
  const shown = hidden > 0 ? worstFirst(partitions).slice(0, rows) : partitions;
  const title = hidden > 0 ? `partition (${hidden} more)` : 'partition';
  return (
    <Box flexDirection="column" marginBottom={1}>
      <Line>
        <Cell width={20} bold>
          {title}
        </Cell>
        <Cell width={14} right bold>
          position
        </Cell>
        <Cell width={12} right bold>
          lag
        </Cell>
        <Cell width={20} bold>
          watermark
        </Cell>
        <Cell bold>behind</Cell>
      </Line>
      {shown.map((row) => (
        <Line key={row.partition}>
          <Cell width={20}>{String(row.partition)}</Cell>
          <Cell width={14} right>
            {grouped(row.position)}
          </Cell>
          <Cell width={12} right {...(row.lag ? { color: 'yellow' } : {})}>
            {row.lag === undefined ? '-' : grouped(row.lag)}
          </Cell>
          <Cell width={20}>{timeText(row.watermarkMs)}</Cell>
          <Cell>{behindText(row, greatest)}</Cell>
        </Line>
      ))}
    </Box>
  );
}

interface ListProps {
  view: View;
  /** Undefined: not read yet. */
  rows: readonly TopRow[] | undefined;
  limit: number;
  columns: number;
  sparklineColumns: number;
  filter: string;
}

/** The names with the most billable clicks in the last minutes, each with its minutes as a sparkline. */
export function TopList({ view, rows, limit, columns, sparklineColumns, filter }: ListProps) {
  const title = `${VIEW_COLUMN[view]}${filter ? ` ~ ${visible(filter)}` : ''}`;
  return (
    <Box flexDirection="column" width={columns}>
      <Line>
        <Cell bold>{title}</Cell>
        <Cell width={11} right bold>
          clicks
        </Cell>
        <Cell width={sparklineColumns} dim>
          last minutes
        </Cell>
      </Line>
      {(rows ?? []).slice(0, limit).map((row) => (
        <Line key={row.name}>
          <Cell>{visible(row.name)}</Cell>
          <Cell width={11} right>
            {grouped(row.clicks)}
          </Cell>
          <Cell width={sparklineColumns} color="cyan">
            {sparkline(row.minutes, sparklineColumns)}
          </Cell>
        </Line>
      ))}
      {rows?.length === 0 && (
        <Text dimColor wrap="truncate-end">
          {filter
            ? 'no name holds this'
            : 'no minute has closed yet: the first does when the watermark passes its end'}
        </Text>
      )}
    </Box>
  );
}

/** The last line: the keys, or the filter that is being typed. */
export function Footer({ typing, filter, keys }: { typing: boolean; filter: string; keys: boolean }) {
  if (typing) {
    return (
      <Line>
        <Text wrap="truncate-end">
          <Text bold>filter: </Text>
          {visible(filter)}
          <Text inverse> </Text>
          <Text dimColor> enter keeps it, esc clears it</Text>
        </Text>
      </Line>
    );
  }
  const text = keys
    ? 'tab or 1-4 view  / filter  p pause  q quit'
    : 'Ctrl-C quits (standard input is no terminal: no keys)';
  return (
    <Line>
      <Text dimColor wrap="truncate-end">
        {text}
      </Text>
    </Line>
  );
}
