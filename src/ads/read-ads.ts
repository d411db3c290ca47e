// Ads from CSV (with a line of column names) or NDJSON, as an import takes them: every line is looked at, and if one of
// them can't be taken none is, so that nobody has to find out afterwards how far an import came.
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { parse } from 'csv-parse';
import { UserError } from '../errors.js';
import type { Ad } from './ad.js';
import { AD_FIELDS, type AdField, type Checked, checkedAd } from './checked-ad.js';

/** All of them are in memory once. */
const ADS_MAX = 1_000_000;
const LINE_BYTES_MAX = 65_536;
const PROBLEMS_SHOWN = 10;
const REQUIRED: readonly AdField[] = ['ad_id', 'campaign_id', 'advertiser_id', 'target_url'];

export interface ReadAdsOptions {
  /** For messages: the file's name. */
  name: string;
  format: 'csv' | 'ndjson';
  /** Of prices that name none. */
  currency: string;
}

interface Row {
  line: number;
  row: Checked<Partial<Record<AdField, string>>>;
}

/** The ads of a file. UserError: what is wrong in which lines. */
export async function readAds(input: Readable, options: ReadAdsOptions): Promise<Ad[]> {
  const ads = new Map<string, Ad>();
  const campaigns = new Map<string, { ad: Ad; line: number }>();
  const problems: string[] = [];
  let wrong = 0;
  const refuse = (line: number, problem: string): void => {
    if (++wrong <= PROBLEMS_SHOWN) problems.push(`line ${line}: ${problem}`);
  };
  const rows = options.format === 'csv' ? rowsOfCsv(input, options.name) : rowsOfNdjson(input);
  for await (const { line, row } of rows) {
    const ad = row.ok ? checkedAd(row.value, options.currency) : row;
    if (!ad.ok) {
      refuse(line, ad.problem);
      continue;
    }
    const conflict = conflictOf(ad.value, campaigns.get(ad.value.campaignId));
    if (conflict !== undefined) refuse(line, conflict);
    else if (ads.has(ad.value.adId)) refuse(line, `ad_id ${JSON.stringify(ad.value.adId)} stands twice`);
    else {
      ads.set(ad.value.adId, ad.value);
      const known = campaigns.get(ad.value.campaignId);
      if (known?.ad.pricePerClick === undefined) campaigns.set(ad.value.campaignId, { ad: ad.value, line });
    }
    if (ads.size > ADS_MAX)
      throw new UserError(`nothing was imported: ${options.name} holds more than ${ADS_MAX} ads`);
  }
  if (wrong > 0) {
    const more = wrong > PROBLEMS_SHOWN ? `; and ${wrong - PROBLEMS_SHOWN} lines more` : '';
    throw new UserError(`nothing was imported from ${options.name}: ${problems.join('; ')}${more}`, {
      hint: 'Mend these lines and import the file again.',
    });
  }
  return [...ads.values()];
}

/** A campaign has one owner and one price: a file that says two is asked which. */
function conflictOf(ad: Ad, known: { ad: Ad; line: number } | undefined): string | undefined {
  if (known === undefined) return undefined;
  const campaign = `campaign_id ${JSON.stringify(ad.campaignId)}`;
  if (known.ad.advertiserId !== ad.advertiserId) {
    return `${campaign} belongs to another advertiser in line ${known.line}`;
  }
  const bothPriced = known.ad.pricePerClick !== undefined && ad.pricePerClick !== undefined;
  const same = known.ad.pricePerClick === ad.pricePerClick && known.ad.currency === ad.currency;
  return bothPriced && !same ? `${campaign} has another price in line ${known.line}` : undefined;
}

async function* rowsOfCsv(input: Readable, name: string): AsyncGenerator<Row> {
  const parser = parse({
    bom: true,
    trim: true,
    info: true,
    columns: (names: string[]) => columnsOf(names, name),
    skip_empty_lines: true,
    relax_column_count: true,
    max_record_size: LINE_BYTES_MAX,
  });
  input.on('error', (error) => parser.destroy(error)).pipe(parser);
  try {
    for await (const { record, info } of parser as AsyncIterable<CsvRecord>) {
      const { lines, error } = info;
      const row: Row['row'] =
        error === undefined
          ? { ok: true, value: record }
          : { ok: false, problem: 'not as many fields as columns' };
      yield { line: lines, row };
    }
  } catch (error) {
    // The parser's own complaints name the line.
    if (error instanceof Error && 'code' in error && String(error.code).startsWith('CSV_')) {
      throw new UserError(`${name}: ${error.message}`, { cause: error });
    }
    throw error;
  }
}

interface CsvRecord {
  record: Partial<Record<AdField, string>>;
  info: { lines: number; error?: unknown };
}

function columnsOf(names: readonly string[], file: string): string[] {
  const columns = names.map((name) => name.toLowerCase());
  const hint = `The first line names the columns, such as ${AD_FIELDS.join(',')}.`;
  const unknown = columns.find((name) => !(AD_FIELDS as readonly string[]).includes(name));
  if (unknown !== undefined) {
    throw new UserError(`${file}, line 1: there is no column ${JSON.stringify(unknown.slice(0, 80))}`, {
      hint,
    });
  }
  const missing = REQUIRED.find((name) => !columns.includes(name));
  if (missing !== undefined)
    throw new UserError(`${file}, line 1: the column ${missing} is missing`, { hint });
  return columns;
}

async function* rowsOfNdjson(input: Readable): AsyncGenerator<Row> {
  let line = 0;
  for await (const text of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
    line++;
    if (text.trim() !== '') yield { line, row: rowOfJson(line === 1 ? text.replace(/^\uFEFF/, '') : text) };
  }
}

function rowOfJson(text: string): Row['row'] {
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return { ok: false, problem: 'no JSON' };
  }
  if (typeof content !== 'object' || content === null || Array.isArray(content)) {
    return { ok: false, problem: 'no JSON object' };
  }
  const row: Partial<Record<AdField, string>> = {};
  for (const [name, value] of Object.entries(content)) {
    const field = AD_FIELDS.find((known) => known === name);
    if (field === undefined)
      return { ok: false, problem: `there is no field ${JSON.stringify(name.slice(0, 80))}` };
    if (value === null) continue;
    if (typeof value !== 'string' && !(field === 'active' && typeof value === 'boolean')) {
      return { ok: false, problem: `${field} must be a string: a JSON number is a float` };
    }
    row[field] = String(value);
  }
  return { ok: true, value: row };
}
