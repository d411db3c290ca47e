// Texts from headers and URLs, brought into the limits of a record's fields: a click is not lost because a browser
// sends a long referrer.

const scratch = Buffer.alloc(8192);
const encoder = new TextEncoder();

/** The longest beginning of the text that has at most so many bytes in UTF-8. */
export function clipped(text: string, bytesMax: number): string {
  // No character has more than three bytes by UTF-16 unit.
  if (text.length * 3 <= bytesMax) return text;
  const { read } = encoder.encodeInto(text, scratch.subarray(0, bytesMax));
  return read === text.length ? text : text.slice(0, read);
}

/** Whether a text can be a field: 1 to `bytesMax` bytes, and nothing that the counting method refuses in a string. */
export function isFieldText(text: string, bytesMax: number): boolean {
  return (
    text !== '' &&
    text.length <= bytesMax &&
    Buffer.byteLength(text) <= bytesMax &&
    !text.includes('\0') &&
    text.isWellFormed()
  );
}
