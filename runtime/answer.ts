/**
 * What is known at once, or later. Who asks goes on in the same turn where it is known at once: so nobody who never waits pays for
 * those who may.
 */
export type Answer<T> = T | Promise<T>;

export function after<T, U>(answer: Answer<T>, go: (value: T) => Answer<U>): Answer<U> {
  return answer instanceof Promise ? answer.then(go) : go(answer);
}
