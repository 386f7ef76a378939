/**
 * What is known at once, or later. Who asks goes on in the same turn where it is known at once: so nobody who never waits pays for
 * those who may.
 */
export type Answer<T> = T | Promise<T>;

export function after<T, U>(answer: Answer<T>, go: (value: T) => Answer<U>): Answer<U> {
  return isLater(answer) ? Promise.resolve(answer).then(go) : go(answer);
}

/** Also a promise of another make, which has nothing but `then`: it must never pass for the answer itself. */
export function isLater<T>(answer: Answer<T>): answer is Promise<T> {
  if (typeof answer !== "object" || answer === null) return false;
  return answer instanceof Promise || ("then" in answer && typeof answer.then === "function");
}
