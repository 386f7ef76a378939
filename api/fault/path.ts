/** Places in a value: Kubernetes' spelling of a path, and looking one up in something nobody has checked yet. */

/** `spec.listeners[1].port`; a map key that is no plain name stands in brackets: `metadata.labels[a/b]`. */
export function fieldPath(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, step) => {
    if (typeof step === "number") return `${text}[${step}]`;
    const name = String(step);
    if (!/^[A-Za-z_][A-Za-z0-9_-]*$/.test(name)) return `${text}[${name}]`;
    return text === "" ? name : `${text}.${name}`;
  }, "");
}

/** What lies at a path; undefined when nothing does. */
export function placeIn(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((place, step) => {
    if (typeof place !== "object" || place === null) return undefined;
    return Object.entries(place).find(([key]) => key === String(step))?.[1];
  }, value);
}

/** Members that are null are dropped, as an API server does before it fills in defaults; in lists they stay. */
export function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (typeof value !== "object" || value === null) return value;
  const kept = Object.entries(value).filter(([, member]) => member !== null);
  return Object.fromEntries(kept.map(([key, member]) => [key, withoutNulls(member)]));
}
