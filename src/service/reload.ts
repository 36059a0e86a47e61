/** Reads the settings again and takes over what may change while the daemon runs. */

import { readKeys } from "../access/keys.ts";
import { isLoopback } from "../access/proxies.ts";
import { networks } from "../config/networks.ts";
import { reloadsOf, type SettingKey, type Settings, settingKeys } from "../config/schema.ts";
import type { Access } from "../http/routes/index.ts";
import type { Certificate } from "../http/server.ts";
import { checkCertificate } from "../http/sockets.ts";
import { ServiceError } from "./service.ts";

/** @throws AccessError where the keys' file is wrong */
export function readAccess(settings: Settings): Access {
  return {
    keys: settings.keysFile === "" ? undefined : readKeys(settings.keysFile),
    trustedProxies: networks(settings.trustedProxies),
  };
}

/** @returns the keys that differ, apart into those that are taken over and those that need a restart */
export function compareSettings(
  old: Settings,
  fresh: Settings,
): { readonly changed: SettingKey[]; readonly needRestart: SettingKey[] } {
  const different = settingKeys.filter((key) => old[key] !== fresh[key]);
  return {
    changed: different.filter(reloadsOf),
    needRestart: different.filter((key) => !reloadsOf(key)),
  };
}

/** Takes the changed settings over in place, so that everyone who reads `live` sees them. */
export function takeOver(live: Settings, fresh: Settings, changed: readonly SettingKey[]): void {
  Object.assign(live, Object.fromEntries(changed.map((key) => [key, fresh[key]])));
}

/** @throws ServiceError where strangers could ask without a key */
export function refuseOpenDoor(settings: Settings): void {
  const isLocal = isLoopback(settings.host) || settings.host === "localhost";
  if (isLocal || settings.insecure || settings.keysFile !== "") return;
  throw new ServiceError(
    `Expected a keysFile to listen on ${settings.host}, since anybody who reaches it could ask; --insecure allows it without`,
  );
}

/** @returns the certificate to serve with, or nothing for plain HTTP. @throws ServiceError or ListenError */
export function certificateOf(settings: Settings): Certificate | undefined {
  const { "tls.certFile": certFile, "tls.keyFile": keyFile } = settings;
  if (certFile === "" && keyFile === "") return undefined;
  if (certFile === "" || keyFile === "") {
    throw new ServiceError("Expected both tls.certFile and tls.keyFile or neither");
  }
  checkCertificate(certFile, keyFile);
  return { certFile, keyFile };
}
