// Lays a click down in a batch: in its usual form, rewritten or broken; as a record of a log, as a bare line or
// in an envelope; with its key and its partition.
import { murmur2, partitionOf } from '../murmur2.js';
import { type Click, ClickWriter } from './click.js';
import { type ClickBatch, RECORD_ROOM_BYTES } from './click-batch.js';
import { putEnvelopeHead, putPayload } from './envelope.js';
import { fieldsOf, type MalformedRecord, malform } from './malformed.js';
import type { LoadProfile } from './profile.js';
import type { Random } from './random.js';
import type { Tally } from './truth.js';
import { unusualText } from './unusual.js';

const NEWLINE = 10;
const AD_ID_BYTES_MAX = 32;
const NO_KEY = new Uint8Array(0);

export type Writing = 'usual' | 'unusual' | 'malformed';

export class RecordWriter {
  private readonly clicks: ClickWriter;
  private readonly partitions: Int32Array;
  private readonly nextOffset: Float64Array;
  /** A value is made here before it goes into an envelope. */
  private readonly scratch: Uint8Array = new Uint8Array(RECORD_ROOM_BYTES);
  private readonly adId: Uint8Array = new Uint8Array(AD_ID_BYTES_MAX);
  private readonly head = { partition: 0, offset: 0, appendTimeMs: 0 };
  private readonly encoder = new TextEncoder();
  private readonly decoder = new TextDecoder();

  constructor(
    private readonly profile: LoadProfile,
    private readonly random: Random,
    private readonly tally: Tally,
  ) {
    const { ads, partitions } = profile;
    this.clicks = new ClickWriter(profile);
    this.nextOffset = new Float64Array(partitions);
    this.partitions = new Int32Array(ads);
    for (let ad = 0; ad < ads; ad++) {
      const end = this.clicks.putAdId(this.adId, 0, ad);
      this.partitions[ad] = partitionOf(murmur2(this.adId, 0, end), partitions);
    }
  }

  /** Where Kafka would put an ad's clicks. */
  partitionOf(ad: number): number {
    return this.partitions[ad];
  }

  /** Appends one record to the batch. */
  put(batch: ClickBatch, click: Click, writing: Writing, appendTimeMs: number): void {
    const at = batch.count++;
    const enveloped = this.profile.form === 'kcat';
    const to = enveloped ? this.scratch : batch.bytes;
    const start = enveloped ? 0 : batch.used;
    let end = this.clicks.put(to, start, click);
    let hasKey = true;
    batch.keyStart[at] = this.clicks.adStart;
    batch.keyEnd[at] = this.clicks.adEnd;
    batch.partition[at] = this.partitions[click.ad];
    batch.appendTimeMs[at] = appendTimeMs;
    if (writing !== 'usual') {
      const fields = fieldsOf(this.decoder.decode(to.subarray(start, end)));
      if (writing === 'unusual') {
        end = this.replace(to, start, unusualText(fields, this.random));
      } else {
        const broken = malform(fields, this.random, enveloped);
        this.tally.addMalformed(broken);
        end = this.replace(to, start, broken.value);
        // Who sends such bytes has no key, and is put anywhere.
        hasKey = broken.malformation !== 'random_bytes';
        if (!hasKey) batch.partition[at] = this.random.below(this.profile.partitions);
      }
    }
    batch.valueStart[at] = start;
    batch.valueEnd[at] = end;
    if (enveloped) end = this.putEnvelope(batch, at, click, hasKey);
    if (this.profile.form !== 'records') batch.bytes[end++] = NEWLINE;
    else if (writing !== 'usual') end = this.putKey(batch, at, click, hasKey);
    batch.used = end;
  }

  private replace(to: Uint8Array, start: number, value: MalformedRecord['value']): number {
    if (typeof value === 'string') return start + this.encoder.encodeInto(value, to.subarray(start)).written;
    to.set(value, start);
    return start + value.length;
  }

  /** The key of a usual click stands in its value; that of another one is written behind it. */
  private putKey(batch: ClickBatch, at: number, click: Click, hasKey: boolean): number {
    const start = batch.valueEnd[at];
    const end = hasKey ? this.clicks.putAdId(batch.bytes, start, click.ad) : start;
    batch.keyStart[at] = hasKey ? start : -1;
    batch.keyEnd[at] = hasKey ? end : -1;
    return end;
  }

  private putEnvelope(batch: ClickBatch, at: number, click: Click, hasKey: boolean): number {
    const { head, adId, clicks } = this;
    head.partition = batch.partition[at];
    head.offset = this.nextOffset[head.partition]++;
    head.appendTimeMs = batch.appendTimeMs[at];
    const key = hasKey ? adId.subarray(0, clicks.putAdId(adId, 0, click.ad)) : NO_KEY;
    const payloadAt = putEnvelopeHead(batch.bytes, batch.used, head, key);
    return putPayload(batch.bytes, payloadAt, this.scratch, batch.valueEnd[at]);
  }
}
