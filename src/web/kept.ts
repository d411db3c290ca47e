// What this browser keeps of a viewer's choices. One that keeps nothing (private windows of some) forgets them with the page.

/** What was kept under the name; null: nothing. */
export function kept(name: string): string | null {
  try {
    return localStorage.getItem(name);
  } catch (error) {
    if (error instanceof DOMException) return null;
    throw error;
  }
}

/** Keeps the text under the name. */
export function keep(name: string, text: string): void {
  try {
    localStorage.setItem(name, text);
  } catch (error) {
    if (!(error instanceof DOMException)) throw error;
  }
}
