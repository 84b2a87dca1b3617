// Removes what killed test runs left behind; exit code 1 when there was something, since then a test did not clean up.
import { sweepAbandonedRoots } from './temp-root.ts';

const swept = await sweepAbandonedRoots();
for (const path of swept) console.error(`left behind and removed now: ${path}`);
process.exitCode = swept.length > 0 ? 1 : 0;
