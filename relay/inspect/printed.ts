/** What an inspection ends in. */
export interface Printed {
  readonly status: 0 | 1 | 2;
  readonly out: string;
  /** In place of `out`: a message, byte for byte. */
  readonly octets?: Buffer;
  readonly err: string;
}
