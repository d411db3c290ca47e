// The least that any engine of the obvious kind does: JSON.parse of every line, and nothing else.
import { linesOf } from './lines.js';

let clicks = 0;
for await (const lines of linesOf(process.argv[2]!))
  for (const line of lines) {
    try {
      JSON.parse(line);
    } catch {
      // Broken lines are part of the load; this baseline only counts them.
    }
    clicks++;
  }
console.log(JSON.stringify({ clicks }));
