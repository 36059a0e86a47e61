/** Groups by name, as /etc/group has them. */
import { readFileSync } from "node:fs";
import { ServiceError } from "./service.ts";

/** @returns the number of a group given by name or number; nothing for no name. @throws ServiceError */
export function groupId(group: string): number | undefined {
  if (group === "") return undefined;
  if (/^\d{1,10}$/.test(group)) return Number(group);
  for (const line of readFileSync("/etc/group", "utf8").split("\n")) {
    const [name, , id] = line.split(":");
    if (name === group && id !== undefined) return Number(id);
  }
  throw new ServiceError(`Expected a group of this machine but received ${group}`);
}
