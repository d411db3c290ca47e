// What memory was to be rebuilt from is not what had been counted.

/** The log at and above the rewind offsets is not the one that was counted. */
export class LogChangedError extends Error {
  constructor(
    readonly partition: number,
    readonly position: number,
  ) {
    super(`partition ${partition} below offset ${position} is not what was counted`);
    this.name = 'LogChangedError';
  }
}
