// kafkajs looks after requests that a broker's throttling held back every millisecond for as long as a connection lives,
// by a timer whose time is negative: from version 24 on Node complains of that on standard error. Here it looks
// while there is such a request, and no longer.
import { createRequire } from 'node:module';

/** As often as kafkajs looks where requests wait for others to be answered, ms. */
const LOOK_MS = 10;

/** What of kafkajs's queue is used, in its words. */
interface RequestQueue {
  pending: readonly unknown[];
  /** Epoch ms; -1: it was never throttled. */
  throttledUntil: number;
  throttleCheckTimeoutId: NodeJS.Timeout | null;
  checkPendingRequests(): void;
  scheduleCheckPendingRequests(): void;
}

let isMended = false;

/** Makes all clients of this thread look only when there is something to be seen. */
export function mendRequestQueue(): void {
  if (isMended) return;
  isMended = true;
  const require = createRequire(import.meta.url);
  const { prototype } = require('kafkajs/src/network/requestQueue/index.js') as { prototype: RequestQueue };
  prototype.scheduleCheckPendingRequests = function () {
    if (this.throttleCheckTimeoutId !== null || this.pending.length === 0) return;
    const throttledMs = this.throttledUntil - Date.now();
    this.throttleCheckTimeoutId = setTimeout(
      () => {
        this.throttleCheckTimeoutId = null;
        this.checkPendingRequests();
      },
      throttledMs > 0 ? throttledMs : LOOK_MS,
    );
  };
}
