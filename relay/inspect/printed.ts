/** What an inspection ends in. */
export interface Printed {
  readonly status: 0 | 1 | 2;
  readonly out: string;
  readonly err: string;
}
