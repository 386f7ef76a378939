/** One after the other: a call begins when those before it have ended, however they ended. */

export function inTurn<T>(work: () => Promise<T>): () => Promise<T> {
  let turn: Promise<unknown> = Promise.resolve();
  return () => {
    const mine = turn.then(work);
    // A failure is its caller's to report and must not stop the next one.
    turn = mine.catch(() => undefined);
    return mine;
  };
}
