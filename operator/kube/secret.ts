/** Reading and writing of the data of Secrets; that of ConfigMaps is read alike. */
import type { ConfigMap, Secret } from "./objects.ts";

/** The text of a data key; undefined when the key is absent. */
export function secretText(secret: Secret | ConfigMap | undefined, key: string): string | undefined {
  const value = secret?.data[key];
  return value === undefined ? undefined : Buffer.from(value, "base64").toString("utf8");
}

/** Text values to base64, in order of their keys so that the same content is the same bytes. */
export function encodeData(values: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.keys(values)
      .sort()
      .map((key) => [key, Buffer.from(values[key] ?? "", "utf8").toString("base64")]),
  );
}

/** Every data key as text. */
export function decodeData(secret: Secret | undefined): Record<string, string> {
  const data = secret?.data ?? {};
  return Object.fromEntries(
    Object.keys(data)
      .sort()
      .map((key) => [key, Buffer.from(data[key] ?? "", "base64").toString("utf8")]),
  );
}
