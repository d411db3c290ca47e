// The few pictures of the page: 16 pixels, drawn with the colour of the text. Words stand beside them or in the
// button's label, so that they are hidden from those who are read to.
const PATHS = {
  sun: 'M8 11.2a3.2 3.2 0 1 0 0-6.4 3.2 3.2 0 0 0 0 6.4ZM8 1.5v1.3m0 10.4v1.3M1.5 8h1.3m10.4 0h1.3M3.4 3.4l.9.9m7.4 7.4.9.9m0-9.2-.9.9m-7.4 7.4-.9.9',
  moon: 'M13.5 9.6A5.8 5.8 0 0 1 6.4 2.5a5.8 5.8 0 1 0 7.1 7.1Z',
  system: 'M2 3h12v8H2zM6 14h4M8 11v3',
  down: 'm4 6.2 4 4 4-4',
  cross: 'm4 4 8 8m0-8-8 8',
  filter: 'M2 3.5h12M4.5 8h7M7 12.5h2',
  table: 'M2.5 3h11v10h-11zM2.5 6.5h11M6.5 3v10',
  check: 'm3 8.5 3.2 3.2L13 4.8',
  alert: 'M8 5v4m0 2.2v.3M8 1.8l6.6 11.7H1.4z',
  back: 'M13 8H3.5m4-4.5L3 8l4.5 4.5',
  search: 'M7 11.5a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9ZM10.5 10.5 14 14',
  keyboard: 'M1.5 4h13v8h-13zM4 6.5h0m2.7 0h0m2.6 0h0m2.7 0h0M4.5 9.5h7',
  out: 'M9.5 2.5h-6v11h6M7 8h7m-2.7-2.8L14 8l-2.7 2.8',
} as const;

export type IconName = keyof typeof PATHS;

/** A picture by its name. */
export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 16 16" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}

/** The mark beside the name: three minutes, rising. */
export function Mark() {
  return (
    <svg class="mark" viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="8" />
      <path d="M7 18.5a1.5 1.5 0 0 1 1.5-1.5h1.5a1.5 1.5 0 0 1 1.5 1.5V25H7zM13.75 13.5a1.5 1.5 0 0 1 1.5-1.5h1.5a1.5 1.5 0 0 1 1.5 1.5V25h-4.5zM20.5 8.5A1.5 1.5 0 0 1 22 7h1.5A1.5 1.5 0 0 1 25 8.5V25h-4.5z" />
    </svg>
  );
}
