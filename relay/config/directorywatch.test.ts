import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { DirectoryWatch } from "./directorywatch.ts";

function watched(t: TestContext): {
  readonly root: string;
  readonly watch: DirectoryWatch;
  readonly next: () => Promise<void>;
} {
  const root = mkdtempSync(join(tmpdir(), "directorywatch-"));
  let told = Promise.withResolvers<void>();
  const watch = new DirectoryWatch([root, join(root, "volume")], () => told.resolve());
  t.after(() => {
    watch.close();
    rmSync(root, { recursive: true });
  });
  return {
    root,
    watch,
    next: () => {
      told = Promise.withResolvers<void>();
      return told.promise;
    },
  };
}

function replace(directory: string, text: string): void {
  writeFileSync(join(directory, "..new"), text);
  renameSync(join(directory, "..new"), join(directory, "file"));
}

test("a file that is replaced again and again is told each time", { timeout: 5_000 }, async (t) => {
  const { root, watch, next } = watched(t);
  mkdirSync(join(root, "volume"));
  watch.renew();
  for (let round = 1; round <= 10; round += 1) {
    const changed = next();
    replace(join(root, "volume"), String(round));
    await changed;
  }
});

test("a directory that comes later or is replaced is watched after the next renewal", { timeout: 5_000 }, async (t) => {
  const { root, watch, next } = watched(t);
  watch.renew();
  const came = next();
  mkdirSync(join(root, "volume"));
  await came;
  for (const generation of ["first", "second"]) {
    watch.renew();
    const changed = next();
    replace(join(root, "volume"), generation);
    await changed;
    renameSync(join(root, "volume"), join(root, generation));
    mkdirSync(join(root, "volume"));
  }
});
