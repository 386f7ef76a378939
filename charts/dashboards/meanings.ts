/**
 * What a colour means: one table for all dashboards, so that a thing has its colour wherever it is met. A series whose name
 * has none of these words gets its colour from its name alone, and the same name the same one everywhere.
 */

export interface Meaning {
  /** One of Grafana's named colours: they have a shade for the light theme and one for the dark. */
  readonly colour: string;
  readonly says: string;
}

/** Green is what should be, orange what will be tried again, red what did not and will not succeed, blue what comes in. */
export const meanings: Readonly<Record<string, Meaning>> = {
  accepted: { colour: "blue", says: "taken from a client and safe on disk" },
  taken: { colour: "blue", says: "taken from another pod and safe on disk" },
  delivered: { colour: "green", says: "taken over by the next hop" },
  captured: { colour: "purple", says: "kept from leaving, as delivery.mode asks" },
  deferred: { colour: "orange", says: "put off, and tried again" },
  failed: { colour: "red", says: "refused for good, or given up" },
  "5m": { colour: "orange", says: "late" },
  "1h": { colour: "red", says: "late by far" },
  "1d": { colour: "dark-red", says: "a day old" },
  refused: { colour: "red", says: "not taken" },
  unreachable: { colour: "dark-red", says: "nobody answered" },
  success: { colour: "green", says: "went well" },
  failure: { colour: "red", says: "went wrong" },
  opened: { colour: "green", says: "a connection that came about" },
  relayed: { colour: "green", says: "a notice of success" },
  delayed: { colour: "orange", says: "a notice that mail is late" },
  exported: { colour: "green", says: "taken by the collector" },
  dropped: { colour: "red", says: "lost" },
  ready: { colour: "green", says: "takes mail" },
  wanted: { colour: "text", says: "should be there" },
  limit: { colour: "text", says: "what may be used" },
};

/** Values of labels that stand in legends, as far as they have a meaning. */
const wordsOfLabels: Readonly<Record<string, readonly string[]>> = {
  outcome: ["delivered", "captured", "deferred", "failed"],
  notice: ["failed", "delayed", "relayed"],
  older_than: ["5m", "1h", "1d"],
  state: ["wanted", "ready"],
  result: ["success", "failure", "opened", "failed", "refused", "unreachable", "taken"],
};

/** Finds the word in the name of a series, as Grafana takes it. */
export function matcherOf(word: string): string {
  return `/(^|[ :])${word}($|[ :])/`;
}

export interface Coloured {
  readonly word: string;
  readonly colour: string;
  /** Several series may have the word: each gets a shade of its own. */
  readonly isShared: boolean;
}

/** The words with a meaning that series with these legends (Grafana's form, `{{label}}`) can have. */
export function colouredWords(legends: readonly string[]): readonly Coloured[] {
  const found = new Map<string, Coloured>();
  for (const legend of legends) {
    const labels = [...legend.matchAll(/\{\{(\w+)\}\}/g)].map(([, label = ""]) => label);
    const literal = Object.keys(meanings).filter((word) => new RegExp(`(^|[ :])${word}($|[ :])`).test(legend));
    const words = new Set([...literal, ...labels.flatMap((label) => wordsOfLabels[label] ?? [])]);
    const fixedLabels = labels.filter((label) => label in wordsOfLabels).length;
    for (const word of words) {
      const colour = meanings[word]?.colour;
      const isShared = found.has(word) || labels.length > fixedLabels || fixedLabels > 1;
      if (colour !== undefined) found.set(word, { word, colour, isShared });
    }
  }
  return [...found.values()];
}
