/**
 * The points at which a disk may fail, named, so that a test can make one fail: the real code meets the error at the line
 * where a real disk would raise it. A relay passes no faults, and then a point costs a comparison.
 *
 * The arming is shared memory, because the points lie in three threads.
 */

export const faultPoints = [
  /** What a start writes into the tables, before anything is asked of the writer. */
  "start",
  /** A transaction of the writer's, at its sync. */
  "commit",
  /** Copying the log into the database. */
  "checkpoint",
  /** The whole checkpoint thread: what nobody foresaw. */
  "checkpointThread",
  /** The writer's last step of a checkpoint. */
  "endLog",
  "bodyWrite",
  "bodySync",
  /** Making a body's name durable. */
  "directorySync",
  "bodyRemove",
  /** Moving an unknown file to quarantine. */
  "quarantine",
  "reserveWrite",
  "reserveRemove",
  /** Asking the filesystem for its free space. */
  "measure",
] as const;

export type FaultPoint = (typeof faultPoints)[number];

/** As the kernel names them, with SQLite's extended code for each: SQLITE_FULL, SQLITE_IOERR_FSYNC. */
const errors = [
  { code: "ENOSPC", errcode: 13 },
  { code: "EIO", errcode: 1034 },
] as const;

export type FaultCode = (typeof errors)[number]["code"];

/** Looks like the kernel's error and like SQLite's. */
export class DiskFaultError extends Error {
  override readonly name = "DiskFaultError";
  readonly code: FaultCode;
  readonly errcode: number;

  constructor(point: FaultPoint, error: (typeof errors)[number]) {
    super(`${error.code}: ${point} fails`);
    this.code = error.code;
    this.errcode = error.errcode;
  }
}

/** Of each point: how many failures are left, which error they are, how many there were. */
const cells = 3;

export class DiskFaults {
  readonly shared: SharedArrayBuffer;
  readonly #cells: Int32Array;

  /** Without an argument nothing is armed; with the `shared` of another, both are one. */
  constructor(shared = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT * cells * faultPoints.length)) {
    this.shared = shared;
    this.#cells = new Int32Array(shared);
  }

  /** The next so many uses of the point fail; 0 ends it. */
  arm(point: FaultPoint, code: FaultCode, times = 1): void {
    const at = placeOf(point);
    Atomics.store(
      this.#cells,
      at + 1,
      errors.findIndex((error) => error.code === code),
    );
    Atomics.store(this.#cells, at, times);
  }

  /** How often the point has failed. */
  struck(point: FaultPoint): number {
    return Atomics.load(this.#cells, placeOf(point) + 2);
  }

  /** Throws where the point is armed. */
  strike(point: FaultPoint): void {
    const at = placeOf(point);
    const left = Atomics.load(this.#cells, at);
    if (left <= 0) return;
    Atomics.store(this.#cells, at, left - 1);
    Atomics.add(this.#cells, at + 2, 1);
    throw new DiskFaultError(point, errors[Atomics.load(this.#cells, at + 1)] ?? errors[0]);
  }
}

function placeOf(point: FaultPoint): number {
  return faultPoints.indexOf(point) * cells;
}
