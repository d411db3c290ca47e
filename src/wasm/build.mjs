// Makes core/scan-records.wasm.ts of scan-records.ts: the WebAssembly module as text, so that whoever decodes needs no file.
import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { main } from 'assemblyscript/asc';

const here = dirname(fileURLToPath(import.meta.url));
const source = 'scan-records.ts';
const binary = 'scan-records.wasm';

const outputs = new Map();
const options = ['--enable', 'simd', '--runtime', 'stub', '--optimizeLevel', '3', '--noAssert'];
const { error, stderr } = await main([source, '--baseDir', here, '--outFile', binary, ...options], {
  writeFile: (name, contents) => {
    outputs.set(name, contents);
  },
});
if (error) throw new Error(`${source} could not be compiled: ${stderr.toString()}`);

const base64 = Buffer.from(outputs.get(binary)).toString('base64');
const lines = base64.match(/.{1,100}/g).map((line) => `  '${line}',`);
const text = `// Made by src/wasm/build.mjs of src/wasm/${source}.
export const SCAN_RECORDS_WASM = [
${lines.join('\n')}
].join('');
`;
await writeFile(join(here, '../core/scan-records.wasm.ts'), text);
