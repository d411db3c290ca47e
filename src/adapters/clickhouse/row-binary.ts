// Rows in ClickHouse's format RowBinary: values one behind the other, a text as its length and its bytes.

const BYTES_FIRST = 64 * 1024;
const SEVEN_BITS = 0x80;
/** A length takes no more bytes than this. */
const LENGTH_BYTES_MAX = 5;

export class RowBinaryWriter {
  private bytes = Buffer.allocUnsafe(BYTES_FIRST);
  private at = 0;

  text(value: string): void {
    const length = Buffer.byteLength(value);
    this.reserve(length + LENGTH_BYTES_MAX);
    this.length(length);
    this.at += this.bytes.write(value, this.at);
  }

  blob(value: Uint8Array): void {
    this.reserve(value.length + LENGTH_BYTES_MAX);
    this.length(value.length);
    this.bytes.set(value, this.at);
    this.at += value.length;
  }

  uint8(value: number): void {
    this.reserve(1);
    this.at = this.bytes.writeUInt8(value, this.at);
  }

  uint32(value: number): void {
    this.reserve(4);
    this.at = this.bytes.writeUInt32LE(value, this.at);
  }

  /** A whole number from 0 to 2^53, in eight bytes. */
  int64(value: number): void {
    this.reserve(8);
    this.at = this.bytes.writeUInt32LE(value % 2 ** 32, this.at);
    this.at = this.bytes.writeUInt32LE(Math.floor(value / 2 ** 32), this.at);
  }

  /** What was written since the last time. */
  take(): Uint8Array {
    const taken = Buffer.from(this.bytes.subarray(0, this.at));
    this.at = 0;
    return taken;
  }

  get size(): number {
    return this.at;
  }

  private length(value: number): void {
    let rest = value;
    while (rest >= SEVEN_BITS) {
      this.bytes[this.at++] = (rest % SEVEN_BITS) + SEVEN_BITS;
      rest = Math.floor(rest / SEVEN_BITS);
    }
    this.bytes[this.at++] = rest;
  }

  private reserve(room: number): void {
    if (this.at + room <= this.bytes.length) return;
    const larger = Buffer.allocUnsafe(2 * Math.max(this.bytes.length, this.at + room));
    this.bytes.copy(larger, 0, 0, this.at);
    this.bytes = larger;
  }
}
