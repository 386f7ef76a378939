/** Asks the relay that runs beside us. It not being there is an answer, too. */
import { storyAnswer, type StoryAnswer } from "../../api/messagestory.ts";

export type Asked =
  { readonly answers: true; readonly answer: StoryAnswer } | { readonly answers: false; readonly reason: string };

const deadlineMs = 5_000;

/** Never rejects. `origin` such as `http://127.0.0.1:9464`. */
export async function askRelay(origin: string, id: string): Promise<Asked> {
  try {
    const url = new URL(`/trace?${new URLSearchParams({ id }).toString()}`, origin);
    const response = await fetch(url, { signal: AbortSignal.timeout(deadlineMs) });
    const text = await response.text();
    if (response.status === 404) return { answers: false, reason: "it is of a version that tells no stories" };
    if (response.status !== 200) return { answers: false, reason: `it answered ${response.status}: ${text.trim()}` };
    return { answers: true, answer: storyAnswer.parse(JSON.parse(text)) };
  } catch (error) {
    return { answers: false, reason: reasonOf(error) };
  }
}

/** fetch says only "fetch failed"; what failed is its cause. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  if (cause instanceof Error && "code" in cause) return String(cause.code);
  return error instanceof Error ? error.message : String(error);
}
