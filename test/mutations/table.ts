/** All changes that a test must fail for. A new row goes into the file of its room below rows/. */
import type { Mutation } from "./mutation.ts";
import { abuseMutations } from "./rows/abuse.ts";
import { certificateMutations } from "./rows/certificates.ts";
import { chartMutations } from "./rows/charts.ts";
import { gateMutations } from "./rows/gate.ts";
import { grantMutations } from "./rows/grants.ts";
import { localMutations } from "./rows/local.ts";
import { modeMutations } from "./rows/modes.ts";
import { octetMutations } from "./rows/octets.ts";
import { operatorMutations } from "./rows/operator.ts";
import { passwordMutations } from "./rows/passwords.ts";
import { quotaMutations } from "./rows/quotas.ts";
import { relayMutations } from "./rows/relay.ts";
import { secretMutations } from "./rows/secrets.ts";
import { statusMutations } from "./rows/status.ts";
import { tokenMutations } from "./rows/tokens.ts";
import { upgradeMutations } from "./rows/upgrades.ts";

export const mutations: readonly Mutation[] = [
  ...relayMutations,
  ...octetMutations,
  ...passwordMutations,
  ...secretMutations,
  ...quotaMutations,
  ...certificateMutations,
  ...modeMutations,
  ...grantMutations,
  ...operatorMutations,
  ...statusMutations,
  ...tokenMutations,
  ...upgradeMutations,
  ...localMutations,
  ...gateMutations,
  ...abuseMutations,
  ...chartMutations,
];
