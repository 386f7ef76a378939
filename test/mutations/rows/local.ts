/** Changes to local mode. */
import type { Mutation } from "../mutation.ts";

export const localMutations: readonly Mutation[] = [
  {
    what: "a state folder that others may read stays so",
    file: "local/state.ts",
    old: "if ((facts.mode & 0o077) !== 0) await chmod(folder, 0o700);",
    new: "",
    test: "local/state.test.ts",
  },
  {
    what: "a state folder that is a link is followed",
    file: "local/state.ts",
    old: "if (facts.isSymbolicLink())",
    new: "if (facts.isSymbolicLink() && facts.isDirectory())",
    test: "local/state.test.ts",
  },
  {
    what: "links below the state folder are followed",
    file: "local/state.ts",
    old: "if (entry.isSymbolicLink()) return path;",
    new: "",
    test: "local/state.test.ts",
  },
  {
    what: "the first user's password is printed where no terminal is",
    file: "local/view.ts",
    old: "showsPassword: output.isTerminal,",
    new: "showsPassword: true,",
    test: "test/scenario/readme-is-true.test.ts",
    only: "curl",
  },
  {
    what: "the banner hides the password in its words and shows it in a line",
    file: "local/banner.ts",
    old: "const secret = showsPassword ? shown(username, password) : kept(username);",
    new: "const secret = shown(username, password);",
    test: "local/mailline.test.ts",
  },
];
