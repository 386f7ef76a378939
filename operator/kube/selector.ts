/** Label selectors as the API server evaluates them (all requirements must hold; an empty selector selects everything). */

export interface LabelRequirement {
  readonly key: string;
  readonly operator: "In" | "NotIn" | "Exists" | "DoesNotExist";
  readonly values?: readonly string[] | undefined;
}

export interface Selector {
  readonly matchLabels?: Readonly<Record<string, string>> | undefined;
  readonly matchExpressions?: readonly LabelRequirement[] | undefined;
}

export type Labels = Readonly<Record<string, string>>;

export function matchesSelector(selector: Selector, labels: Labels): boolean {
  return (
    Object.entries(selector.matchLabels ?? {}).every(([key, value]) => labels[key] === value) &&
    (selector.matchExpressions ?? []).every((requirement) => meets(requirement, labels[requirement.key]))
  );
}

/** The one label that every namespace of every cluster has; its value is the namespace's name. */
export const namespaceNameLabel = "kubernetes.io/metadata.name";

/**
 * Whether the selector matches an object of which no other labels are known than these; undefined where that depends on
 * those that are not.
 */
export function matchesAsFarAsKnown(selector: Selector, known: Labels): boolean | undefined {
  const wanted = Object.entries(selector.matchLabels ?? {}).map(([key, value]): LabelRequirement => ({
    key,
    operator: "In",
    values: [value],
  }));
  const answers = [...wanted, ...(selector.matchExpressions ?? [])].map((requirement) =>
    Object.hasOwn(known, requirement.key) ? meets(requirement, known[requirement.key]) : undefined,
  );
  if (answers.includes(false)) return false;
  return answers.includes(undefined) ? undefined : true;
}

function meets(requirement: LabelRequirement, value: string | undefined): boolean {
  const values = requirement.values ?? [];
  switch (requirement.operator) {
    case "In":
      return value !== undefined && values.includes(value);
    case "NotIn":
      return value === undefined || !values.includes(value);
    case "Exists":
      return value !== undefined;
    case "DoesNotExist":
      return value === undefined;
  }
}

const anything = "*";

/** One entry under which a selector is found by every set of labels that it may match (see `termsOf`). */
export function termOf(selector: Selector): string {
  const [first] = Object.entries(selector.matchLabels ?? {}).sort(([left], [right]) => (left < right ? -1 : 1));
  return first === undefined ? anything : `${first[0]}=${first[1]}`;
}

/** The entries under which the selectors that may match these labels are found. */
export function termsOf(labels: Labels): readonly string[] {
  return [...Object.entries(labels).map(([key, value]) => `${key}=${value}`), anything];
}
