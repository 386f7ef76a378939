/** Blocks of code in our documents, as a reader copies them: in the order of the page, without the indentation of a list around them. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { repositoryRoot } from "./results.ts";

export interface DocumentBlock {
  /** What stands behind the backticks; empty when nothing does. */
  readonly language: string;
  readonly text: string;
  /** The heading that it stands below. */
  readonly heading: string;
}

/** `document` is a path below the repository. */
export function documentBlocks(document: string): readonly DocumentBlock[] {
  const page = readFileSync(join(repositoryRoot, document), "utf8");
  const parts = page.matchAll(/^#+ (?<heading>.+)$|^(?<indent> *)```(?<language>\w*)\n(?<text>[^]*?)^\k<indent>```$/gm);
  const blocks: DocumentBlock[] = [];
  let above = "";
  for (const { groups = {} } of parts) {
    const { heading, indent = "", language = "", text = "" } = groups;
    if (heading !== undefined) above = heading;
    else blocks.push({ language, text: text.replaceAll(new RegExp(`^${indent}`, "gm"), ""), heading: above });
  }
  return blocks;
}

/** The texts of a language alone. */
export function blockTexts(document: string, language: "sh" | "yaml"): readonly string[] {
  return documentBlocks(document).flatMap((block) => (block.language === language ? [block.text] : []));
}
