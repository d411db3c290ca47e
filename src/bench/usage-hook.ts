// Loaded into a measured process with `node --import`: when it ends, writes what it used to BENCH_USAGE_FILE.
// Only the process itself knows its CPU time and peak memory on every system.
import { writeFileSync } from 'node:fs';

const file = process.env.BENCH_USAGE_FILE;
if (file !== undefined) {
  process.on('exit', () => {
    const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
    writeFileSync(
      file,
      JSON.stringify({ cpuS: (userCPUTime + systemCPUTime) / 1e6, rssBytes: maxRSS * 1024 }),
    );
  });
}
