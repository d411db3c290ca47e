// What a store on a server says of its parts: keyspaces, databases, tables.

/** A part of a store on a server, and whether it was made just now or changed. */
export interface StoreMade {
  name: string;
  state: 'made' | 'changed' | 'there';
}

/** Something of a store on a server that is not as it should be. */
export interface StoreDifference {
  name: string;
  setting: string;
  is: string;
  shouldBe: string;
  why: string;
}
