/** What somebody meant who wrote a name that does not exist. Pure. */

/** Two letters off are a slip of the hand, more are another word. */
const furthest = 2;

/** The name that is nearest, upper and lower case alike; undefined when none is near. */
export function nearestOf(written: string, known: readonly string[]): string | undefined {
  const distances = known.map((name) => ({ name, distance: editDistance(name.toLowerCase(), written.toLowerCase()) }));
  return distances
    .filter(({ name, distance }) => distance <= furthest && distance < name.length)
    .toSorted((one, other) => one.distance - other.distance)[0]?.name;
}

/** Letters to add, drop or change to make one word of the other. */
function editDistance(left: string, right: string): number {
  const first = Array.from({ length: right.length + 1 }, (_, index) => index);
  const last = Array.from(left).reduce((above, letter, row) => {
    const line = [row + 1];
    for (const [column, other] of Array.from(right).entries()) {
      const change = (above[column] ?? 0) + (letter === other ? 0 : 1);
      line.push(Math.min(change, (above[column + 1] ?? 0) + 1, (line[column] ?? 0) + 1));
    }
    return line;
  }, first);
  return last[right.length] ?? 0;
}
