// Cuts JSON into the texts of its items without changing a byte of them: an id of 20 digits, which a number of
// JavaScript can't hold, goes into the log as it came.

/** The items of the array, or the members of the object, in `text`, which is one of the two and sound JSON. */
export function itemsOf(text: string): string[] {
  const items: string[] = [];
  let depth = 0;
  let start = 0;
  const take = (end: number): void => {
    const item = text.slice(start, end).trim();
    if (item !== '') items.push(item);
    start = end + 1;
  };
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 34) i = stringEnd(text, i);
    else if (code === 123 || code === 91) {
      if (++depth === 1) start = i + 1;
    } else if (code === 125 || code === 93) {
      if (--depth === 0) take(i);
    } else if (code === 44 && depth === 1) take(i);
  }
  return items;
}

/** A member's name, unescaped, and its value's text. */
export function memberOf(item: string): { name: string; value: string } {
  const nameEnd = stringEnd(item, 0);
  return {
    name: JSON.parse(item.slice(0, nameEnd + 1)) as string,
    value: item.slice(item.indexOf(':', nameEnd) + 1).trim(),
  };
}

/** Index of the quote that ends the string which begins at `at`. */
function stringEnd(text: string, at: number): number {
  let i = at + 1;
  for (; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 92) i++;
    else if (code === 34) break;
  }
  return i;
}
