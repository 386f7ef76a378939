/** The OpenTelemetry collector, built from Go modules: its main is test/collector/program/main.go. */
import { type GoProgram, lackingGo, provideGoProgram } from "../goprogram.ts";

const program: GoProgram = { name: "collector", folder: "test/collector/program", package: "." };

/** For `test(name, { skip })`: false, or what is missing. */
export function lackingCollector(): string | false {
  return lackingGo();
}

/** @throws When Go is missing or the build fails. */
export async function provideCollector(say: (line: string) => void = () => {}): Promise<string> {
  return provideGoProgram(program, say);
}
