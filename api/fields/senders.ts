/** Who may use a sender domain. */
import { z } from "zod";
import { listAtomic } from "../schema/list.ts";
import { labelName, objectName } from "../schema/text.ts";

const serviceAccount = z.strictObject({
  namespace: labelName().describe("Namespace of the ServiceAccount."),
  name: objectName().describe("Name of the ServiceAccount."),
});

/** ServiceAccounts that may send. */
export const serviceAccounts = listAtomic(serviceAccount, 256).min(1, {
  error: "must name at least one ServiceAccount",
});
