/** The chart's README: what to install, and a table of every value with its default and the comment that stands over it. */
import { isMap, isScalar, type Node, type Pair, parseDocument } from "yaml";

interface Value {
  readonly path: string;
  readonly fallback: string;
  readonly description: string;
}

const introduction = `# Mailboat

The operator of [Mailboat](../../README.md), a mail relay for Kubernetes, with its CustomResourceDefinitions, rights, dashboards and alerts.
The image is yours to build and to push (\`make image\`), so \`image.repository\` has no default. What to do next is printed at the end, and
[how do I](../../docs/how-to/README.md) answers the rest.

\`\`\`sh
make image IMAGE=your.registry.example/mailboat:0.1.0 && docker push your.registry.example/mailboat:0.1.0
helm install mailboat charts/mailboat --namespace mailboat-system --create-namespace --wait \\
  --set image.repository=your.registry.example/mailboat --set-string image.tag=0.1.0
\`\`\`

The image is for the processor of the machine that builds it. Nodes of another, or of both, kind without a registry, and a registry with a password are in
[in a cluster](../../README.md#in-a-cluster).

A value that is not listed here is refused with the nearest name that is. Programs that apply what \`helm template\` prints should render with
\`--no-hooks\` and \`test.enabled=false\`: they would take the uninstallation and the test for objects to keep.

`;

/** As Markdown, from the text of values.yaml. A value without a comment of its own has that of the values it stands with. */
export function renderValuesReference(valuesText: string): string {
  const document = parseDocument(valuesText);
  const rows = valuesOf(document.contents, "").map(
    ({ path, fallback, description }) => `| \`${path}\` | ${code(fallback)} | ${description.replaceAll("|", "\\|")} |`,
  );
  return `${introduction}| value | default | what it is |\n| --- | --- | --- |\n${rows.join("\n")}\n`;
}

function valuesOf(node: Node | null, path: string): readonly Value[] {
  if (!isMap<Node, Node | null>(node)) return [];
  return node.items.flatMap((pair, index) => {
    const key = isScalar(pair.key) ? String(pair.key.value) : "";
    const place = path === "" ? key : `${path}.${key}`;
    const description = commentOf(pair, index === 0 ? node : undefined);
    const { value } = pair;
    const isGroup = isMap(value) && value.items.length > 0 && value.flow !== true;
    if (!isGroup) return [{ path: place, fallback: JSON.stringify(value?.toJSON()), description }];
    const inside = valuesOf(value, place);
    // A comment over a group is told once, at its first value.
    return description === ""
      ? inside
      : inside.map((one, at) =>
          at === 0 ? { ...one, description: [description, one.description].filter(Boolean).join(" ") } : one,
        );
  });
}

/** The parser gives the comment over the first pair of a map to the map. */
function commentOf(pair: Pair<Node, Node | null>, map: Node | undefined): string {
  const comments = [map?.commentBefore, pair.key.commentBefore].filter((text) => typeof text === "string");
  return comments
    .flatMap((text) => text.split("\n"))
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("Values of the Mailboat chart"))
    .join(" ");
}

function code(text: string): string {
  return `\`${text}\``;
}
