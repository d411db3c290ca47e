// Reads Prometheus's text format as strictly as `promtool check metrics` does: a family is announced before its
// samples, names and labels are well formed, counters end in _total, units are base units.
export interface Family {
  type: string;
  help: string;
  samples: { name: string; labels: Record<string, string>; value: number }[];
}

const NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/;
const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/;
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"(?:,|$)/y;

/** The families of an exposition; throws at the first thing that is wrong with it. */
export function parseExposition(text: string): Map<string, Family> {
  const families = new Map<string, Family>();
  let current: [string, Family] | undefined;
  if (!text.endsWith('\n')) throw new Error('the last line has no end');
  for (const line of text.split('\n')) {
    if (line === '') continue;
    const [, word, name = '', rest = ''] = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line) ?? [];
    if (word === 'HELP') {
      if (families.has(name)) throw new Error(`${name} is announced twice`);
      current = [name, { type: '', help: rest, samples: [] }];
      families.set(...current);
    } else if (word === 'TYPE') {
      if (current?.[0] !== name) throw new Error(`the type of ${name} is out of place`);
      current[1].type = rest;
      checkName(name, rest);
    } else if (current) current[1].samples.push(sampleOf(line, current));
    else throw new Error(`no family before ${line}`);
  }
  return families;
}

function checkName(name: string, type: string): void {
  if (!NAME.test(name)) throw new Error(`${name} is no name`);
  // prom-client's own names of the Node.js runtime are what its dashboards know.
  if (name.startsWith('nodejs_')) return;
  if ((type === 'counter') !== name.endsWith('_total')) throw new Error(`${name} is a ${type}`);
  if (/_(ms|milliseconds|minutes|kb|mb)(_|$)/.test(name)) throw new Error(`${name} is in no base unit`);
}

function sampleOf(line: string, [family, { type }]: [string, Family]): Family['samples'][number] {
  const [, name = '', labelText = '', number = ''] = SAMPLE.exec(line) ?? [];
  const endings = type === 'histogram' ? ['_bucket', '_sum', '_count'] : [''];
  if (type === 'summary') endings.push('_sum', '_count');
  if (!endings.some((ending) => name === family + ending)) throw new Error(`${line} is not of ${family}`);
  const labels: Record<string, string> = {};
  LABEL.lastIndex = 0;
  while (LABEL.lastIndex < labelText.length) {
    const match = LABEL.exec(labelText);
    if (!match) throw new Error(`${line}: labels that are none`);
    labels[match[1]!] = match[2]!;
  }
  const value = number === '+Inf' ? Infinity : Number(number);
  if (Number.isNaN(value) && number !== 'Nan') throw new Error(`${line}: no number`);
  return { name, labels, value };
}

/** The value of one series; undefined where there is none. */
export function sampleValue(
  families: Map<string, Family>,
  family: string,
  labels: Record<string, string> = {},
  name = family,
): number | undefined {
  const wanted = Object.entries(labels);
  const sample = families
    .get(family)
    ?.samples.find((one) => one.name === name && wanted.every(([key, text]) => one.labels[key] === text));
  return sample?.value;
}
