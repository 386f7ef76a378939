/**
 * What a manifest may say about the security of the pods. They run under the restricted pod security standard whatever it
 * says: no root, no more privileges, a read-only root; so only what that standard leaves open is a field.
 */
import { z } from "zod";
import { listSet } from "../schema/list.ts";
import { ruled, type Rule } from "../schema/rule.ts";

/** 0 is root, which the restricted standard does not allow. */
function userId() {
  return z.int().min(1).max(2_147_483_647);
}

function groupId() {
  return z.int().min(0).max(2_147_483_647);
}

function seLinuxOptions() {
  const part = (what: string) => z.string().min(1).max(256).optional().describe(`SELinux ${what} label.`);
  return z
    .strictObject({ user: part("user"), role: part("role"), type: part("type"), level: part("level") })
    .describe("SELinux context; chosen by the container runtime when absent.");
}

const profileGoesWithType: Rule<{ type: string; localhostProfile?: string | undefined }> = {
  cel: "(self.type == 'Localhost') == has(self.localhostProfile)",
  message: "must be set for Localhost, and left out for RuntimeDefault",
  at: ["localhostProfile"],
  holds: ({ type, localhostProfile }) => (type === "Localhost") === (localhostProfile !== undefined),
};

function seccompProfile() {
  const profile = z.strictObject({
    type: z.enum(["RuntimeDefault", "Localhost"]).describe("The container runtime's profile, or one of the node."),
    localhostProfile: z.string().min(1).max(512).optional().describe("File below the kubelet's folder of profiles."),
  });
  return ruled(profile, [profileGoesWithType]).describe("System calls that are allowed; RuntimeDefault when absent.");
}

export const podSecurityContext = z
  .strictObject({
    runAsUser: userId().optional().describe("User of the processes; 64464 when absent, or what OpenShift gives."),
    runAsGroup: groupId().optional().describe("Group of the processes; like the user when absent."),
    fsGroup: groupId()
      .optional()
      .describe("Group that owns the spool and the files of keys; like the user when absent."),
    fsGroupChangePolicy: z
      .enum(["OnRootMismatch", "Always"])
      .optional()
      .describe("When owners of the spool's files are changed; OnRootMismatch when absent."),
    supplementalGroups: listSet(groupId(), 32).optional().describe("More groups of the processes."),
    seLinuxOptions: seLinuxOptions().optional(),
    seccompProfile: seccompProfile().optional(),
  })
  .describe("Security of the pods, as far as the restricted standard leaves it open.");

export const containerSecurityContext = z
  .strictObject({
    runAsUser: userId().optional().describe("User of the relay's process, above the pod's."),
    runAsGroup: groupId().optional().describe("Group of the relay's process, above the pod's."),
    seLinuxOptions: seLinuxOptions().optional(),
    seccompProfile: seccompProfile().optional(),
  })
  .describe("Security of the container, as far as the restricted standard leaves it open.");
