/** What must hold before and after the server listens: nobody else is there, and it is us who answer. */
import { createHash } from "node:crypto";
import { lstatSync, mkdirSync, readFileSync, statSync, unlinkSync } from "node:fs";
import { connect, createServer, type NetConnectOpts, type Socket } from "node:net";
import { dirname } from "node:path";
import { connect as connectSecurely, createSecureContext } from "node:tls";

/** The daemon cannot listen; the message is one line. */
export class ListenError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "ListenError";
  }
}

const answerWaitMs = 2000;

/** @returns the error's code, or else its message */
export function reasonOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? (error as Error).message;
}

/**
 * Opens a connection and closes it once `converse` calls back.
 *
 * @param onTimeout the outcome where nothing happens in time
 * @param converse told of the connection before it is made; calls back with a reason, or with none where all is well
 * @returns the reason, which is the error's code where the connection failed
 */
function attempt(
  target: NetConnectOpts,
  onTimeout: string | undefined,
  converse: (socket: Socket, finish: (reason?: string) => void) => void,
  isSecure = false,
): Promise<string | undefined> {
  return new Promise((resolve) => {
    // Only whether it is us who answer is asked, so whose name the certificate has is not.
    const socket = isSecure
      ? connectSecurely({ ...target, rejectUnauthorized: false })
      : connect(target);
    socket.setTimeout(answerWaitMs);
    const finish = (reason?: string) => {
      socket.destroy();
      resolve(reason);
    };
    socket.once("timeout", () => finish(onTimeout));
    socket.once("error", (error) => finish(reasonOf(error)));
    converse(socket, finish);
  });
}

/** @returns the error's code, or nothing where somebody accepts the connection or does not answer */
function refusal(target: NetConnectOpts): Promise<string | undefined> {
  return attempt(target, undefined, (socket, finish) => {
    socket.once("connect", () => finish());
  });
}

/**
 * Makes way for a socket file: its folder is there, a stale file is gone.
 *
 * @throws ListenError where another process answers, or the path is something else or not writable
 */
export async function clearSocketPath(path: string): Promise<void> {
  try {
    mkdirSync(dirname(path), { recursive: true });
  } catch (error) {
    throw new ListenError(
      `Expected a writable folder for the socket ${path} but got ${reasonOf(error)}`,
    );
  }
  const there = lstatSync(path, { throwIfNoEntry: false });
  if (there === undefined) return;
  if (!there.isSocket()) {
    throw new ListenError(`Expected a socket or nothing at ${path} but there is something else`);
  }
  const reason = await refusal({ path });
  if (reason === undefined) throw new ListenError(`Another process answers on the socket ${path}`);
  try {
    unlinkSync(path);
  } catch (error) {
    throw new ListenError(
      `Expected to replace the stale socket ${path} but got ${reasonOf(error)}`,
    );
  }
}

/** Removes the socket file, unless another process has put its own in its place. */
export function removeSocket(path: string, inode: number): void {
  const there = statSync(path, { throwIfNoEntry: false });
  if (there?.ino === inode) unlinkSync(path);
}

/** Asks the operating system why an address cannot be bound. */
export function tcpRefusal(host: string, port: number): Promise<string> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", (error) => {
      const reason = reasonOf(error);
      resolve(
        reason === "EADDRINUSE"
          ? `Port ${port} on ${host} is in use by another process`
          : `Expected to listen on ${host} port ${port} but got ${reason}`,
      );
    });
    server.listen({ host, port, exclusive: true }, () =>
      server.close(() => resolve(`Port ${port} on ${host} is in use by another process`)),
    );
  });
}

/** The address by which this machine reaches its own listener. */
function reachable(host: string): string {
  if (host === "0.0.0.0") return "127.0.0.1";
  return host === "::" ? "::1" : host;
}

/** Sends one request that carries `token` as its id; @returns the error's code, or nothing once anything came back. */
function ask(
  target: NetConnectOpts,
  token: string,
  isSecure: boolean,
): Promise<string | undefined> {
  const converse = (socket: Socket, finish: (reason?: string) => void) => {
    socket.once("data", () => finish());
    socket.once("close", () => finish("closed"));
    socket.write(`GET /healthz HTTP/1.1\r\nhost: ghostai\r\nx-request-id: ${token}\r\n\r\n`);
  };
  return attempt(target, "ETIMEDOUT", converse, isSecure);
}

/** @returns SHA-256 of both files. @throws ListenError with the reason where they are no certificate and its key */
export function checkCertificate(certFile: string, keyFile: string): string {
  const read = (what: string, file: string) => {
    try {
      return readFileSync(file);
    } catch (error) {
      throw new ListenError(`Expected a ${what} at ${file} but got ${reasonOf(error)}`);
    }
  };
  const [cert, key] = [read("certificate", certFile), read("private key", keyFile)];
  try {
    createSecureContext({ cert, key });
  } catch (error) {
    throw new ListenError(
      `Expected a certificate in ${certFile} and its key in ${keyFile} but got: ${(error as Error).message}`,
    );
  }
  return createHash("sha256").update(cert).update("\0").update(key).digest("hex");
}

/**
 * Connects to a listener of our own and checks that the request arrives in this process.
 *
 * @param arrived tells whether a request with that id has been handled here
 * @throws ListenError
 */
export async function verifyListener(
  target:
    | { readonly path: string }
    | { readonly host: string; readonly port: number; readonly isSecure: boolean },
  token: string,
  arrived: () => boolean,
): Promise<void> {
  const isSocket = "path" in target;
  const options = isSocket ? target : { host: reachable(target.host), port: target.port };
  const reason = await ask(options, token, !isSocket && target.isSecure);
  const name = isSocket ? target.path : `${target.host} port ${target.port}`;
  if (reason !== undefined) {
    throw new ListenError(`Expected an answer from our listener on ${name} but got ${reason}`);
  }
  if (!arrived()) throw new ListenError(`Another process answers on ${name}`);
}
