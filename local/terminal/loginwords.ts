/** A login that failed, with the user's name and what to do. Pure. */
import type { ParentMessage } from "../../api/parentmessage.ts";
import { nearestOf } from "../../api/fault/nearest.ts";
import { printable } from "../../runtime/terminal.ts";
import type { KnownLogin } from "../logins.ts";
import { cut } from "./width.ts";

type FailedLogin = Extract<ParentMessage, { kind: "login failed" }>;

const widestName = 80;
const mostUsers = 5;

/** `login as "app" on submission failed: ...` */
export function loginWords({ listener, username }: FailedLogin, known: readonly KnownLogin[]): string {
  if (username === undefined)
    return `login on ${listener} failed: the client names two different users, or none; one user name and its password are needed`;
  const name = cut(printable(username), widestName);
  return `login as "${name}" on ${listener} failed: ${reason(username, known)}`;
}

function reason(username: string, known: readonly KnownLogin[]): string {
  const own = known.filter((login) => login.username === username);
  const taken = own.find((login) => login.isTaken);
  if (taken !== undefined) return `the password is not the one of ${taken.source} (data key password)`;
  const [other] = own;
  if (other !== undefined)
    return `no SenderDomain takes ${other.source}: give it the labels that secretSelector of its senders asks for`;
  const users = known.filter(({ isTaken }) => isTaken);
  if (users.length === 0)
    return "there is no user: add a Secret of type kubernetes.io/basic-auth that a SenderDomain's senders select";
  const near = nearestOf(
    username,
    users.map((login) => login.username),
  );
  const found = users.find((login) => login.username === near);
  if (found !== undefined) return `no user is called so: did you mean ${shown(found)}?`;
  const named = users.slice(0, mostUsers).map(shown).join(", ");
  return `no user is called so; there is ${named}${users.length > mostUsers ? ` and ${users.length - mostUsers} more` : ""}`;
}

function shown({ username, source }: KnownLogin): string {
  return printable(`${username} (${source})`);
}
