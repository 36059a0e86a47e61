/** The HTTP server on TCP and a Unix socket: the only importer of uWebSockets.js. */

import {
  App,
  type HttpRequest,
  type HttpResponse,
  SSLApp,
  type TemplatedApp,
  type us_listen_socket,
  us_listen_socket_close,
  us_socket_local_port,
} from "uWebSockets.js";
import { randomUUID } from "node:crypto";
import { chmodSync, chownSync, statSync } from "node:fs";
import { STATUS_CODES } from "node:http";
import { addressText } from "../access/proxies.ts";
import { Aborted, GhostError } from "../errors.ts";
import type { Exchange } from "./exchange.ts";
import type { Route } from "./operation.ts";
import { asGhostError, errorReply, type Reply } from "./reply.ts";
import {
  checkCertificate,
  clearSocketPath,
  ListenError,
  reasonOf,
  removeSocket,
  tcpRefusal,
  verifyListener,
} from "./sockets.ts";

/** LIBUS_LISTEN_EXCLUSIVE_PORT: without it a second daemon would share the port. */
const exclusivePort = 1;
const requestIdPattern = /^[A-Za-z0-9._:/-]{1,128}$/;

type ListenTcp = (
  host: string,
  port: number,
  options: number,
  done: (socket: us_listen_socket | false) => void,
) => TemplatedApp;

/** Certificate chain and private key, paths of PEM files. */
export interface Certificate {
  readonly certFile: string;
  readonly keyFile: string;
}

/** Mode and owner of a socket file. */
export interface SocketAccess {
  readonly mode: number;
  /** Absent: the process's own. */
  readonly groupId?: number | undefined;
}

/** A listener that hands its connections to another app of this thread. */
type Acceptor = TemplatedApp & {
  addChildAppDescriptor(descriptor: unknown): void;
  removeChildAppDescriptor(descriptor: unknown): void;
};
type Receiver = TemplatedApp & { getDescriptor(): unknown };

/** Told of connections; `opened` says whether a new one may stay. */
export interface ConnectionGuard {
  opened(address: string): boolean;
  closed(): void;
}

/** Told of every error that is answered, with what caused it. */
export type ErrorListener = (error: GhostError, cause: unknown) => void;

/** A header's values in order: a proxy may add a line of its own below the client's. */
function allOf(request: HttpRequest, name: string): string {
  let values: string | undefined;
  request.forEach((key, value) => {
    if (key === name) values = values === undefined ? value || "," : `${values},${value}`;
  });
  return values ?? "";
}

/** One request on its way. Valid for the routes until it is answered or the client is gone. */
class UwsExchange implements Exchange {
  readonly contentType: string;
  readonly contentEncoding: string;
  readonly contentLength: string;
  readonly credentials: { readonly authorization: string; readonly apiKey: string };
  readonly forwardedFor: string;
  readonly timeoutMs: string;
  readonly query: string;
  readonly peerAddress: string;
  readonly proxiedAddress: string;
  readonly requestId: string;
  isGone = false;
  readonly #response: HttpResponse;
  readonly #isHead: boolean;
  #aborted: (() => void) | undefined;

  constructor(response: HttpResponse, request: HttpRequest) {
    this.#response = response;
    this.#isHead = request.getMethod() === "head";
    this.contentType = request.getHeader("content-type");
    this.contentEncoding = request.getHeader("content-encoding");
    this.contentLength = request.getHeader("content-length");
    this.credentials = {
      authorization: request.getHeader("authorization"),
      apiKey: request.getHeader("x-api-key"),
    };
    this.timeoutMs = allOf(request, "x-timeout-ms");
    this.query = request.getQuery() ?? "";
    this.peerAddress = addressText(new Uint8Array(response.getRemoteAddress()));
    this.forwardedFor = this.peerAddress === "" ? "" : allOf(request, "x-forwarded-for");
    this.proxiedAddress = addressText(new Uint8Array(response.getProxiedRemoteAddress()));
    const given = request.getHeader("x-request-id");
    this.requestId = requestIdPattern.test(given) ? given : randomUUID();
    response.onAborted(() => {
      this.isGone = true;
      this.#aborted?.();
    });
  }

  onData(handler: (chunk: ArrayBuffer, isLast: boolean) => void): void {
    this.#response.onData(handler);
  }

  onAborted(handler: () => void): void {
    this.#aborted = handler;
  }

  /** Pausing and resuming starts the server's idle timer anew; it has no other handle for it. */
  keepOpen(): void {
    if (this.isGone) return;
    this.#response.pause();
    this.#response.resume();
  }

  send(reply: Reply, closing: boolean): void {
    if (this.isGone) return;
    const response = this.#response;
    response.cork(() => {
      response.writeStatus(`${reply.status} ${STATUS_CODES[reply.status]}`);
      response.writeHeader("content-type", reply.contentType);
      response.writeHeader("x-request-id", this.requestId);
      for (const [name, value] of Object.entries(reply.headers)) response.writeHeader(name, value);
      if (closing && !reply.closes) response.writeHeader("connection", "close");
      // A body that is still on its way is read and dropped by the server unless the
      // connection closes, so that the client gets to read the answer.
      if (this.#isHead) response.endWithoutBody(Buffer.byteLength(reply.body), reply.closes);
      else response.end(reply.body, reply.closes);
    });
    this.isGone = true;
  }
}

/** @throws ListenError */
function giveAccess(path: string, { mode, groupId }: SocketAccess): void {
  try {
    if (groupId !== undefined) chownSync(path, -1, groupId);
    chmodSync(path, mode);
  } catch (error) {
    throw new ListenError(
      `Expected to give the socket ${path} its group and mode but got ${reasonOf(error)}`,
    );
  }
}

/** @throws ListenError */
function secureApp<Kind extends TemplatedApp>({ certFile, keyFile }: Certificate): Kind {
  try {
    return SSLApp({ cert_file_name: certFile, key_file_name: keyFile }) as Kind;
  } catch {
    throw new ListenError(
      `Expected a certificate in ${certFile} and its key in ${keyFile} that TLS can be served with`,
    );
  }
}

/** Serves routes on what it is told to listen on. */
export class HttpServer {
  readonly #app: TemplatedApp;
  readonly #routes: ReadonlyMap<string, Route>;
  readonly #onError: ErrorListener;
  readonly #listening: us_listen_socket[] = [];
  /** Removes the socket files that are ours. */
  readonly #cleanUps: (() => void)[] = [];
  /** Request ids by which a listener is verified, and whether they arrived. */
  readonly #tokens = new Map<string, boolean>();
  readonly #guard: ConnectionGuard | undefined;
  #acceptor: Acceptor | undefined;
  #secure: Receiver | undefined;
  /** What the certificate's files held when it was last read. */
  #certificateHash = "";
  /** Apps whose certificate was replaced: they serve their connections to the end. */
  readonly #retired: TemplatedApp[] = [];
  #inFlight = 0;
  #isStopping = false;
  #whenIdle: (() => void) | undefined;

  constructor(routes: ReadonlyMap<string, Route>, onError: ErrorListener, guard?: ConnectionGuard) {
    this.#routes = routes;
    this.#onError = onError;
    this.#guard = guard;
    this.#app = this.#serve(App());
  }

  #serve<T extends TemplatedApp>(app: T): T {
    app.any("/*", (response, request) => this.#handle(response, request));
    const guard = this.#guard;
    if (guard === undefined) return app;
    const onConnection = (response: HttpResponse, count: number) => {
      if (count < 0) return guard.closed();
      const address = addressText(new Uint8Array(response.getRemoteAddress()));
      if (!guard.opened(address)) response.close();
    };
    app.filter((response, count) => onConnection(response, Number(count)));
    return app;
  }

  #secured(certificate: Certificate): Receiver {
    return this.#serve(secureApp<Receiver>(certificate));
  }

  /** Requests accepted and not answered. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** @returns the port; @throws ListenError where it is taken */
  async listenTcp(host: string, port: number, certificate?: Certificate): Promise<number> {
    const app = certificate === undefined ? this.#app : this.#accept(certificate);
    const listen = app.listen.bind(app) as unknown as ListenTcp;
    let socket: us_listen_socket | false = false;
    listen(host, port, exclusivePort, (opened) => {
      socket = opened;
    });
    if (socket === false) throw new ListenError(await tcpRefusal(host, port));
    this.#listening.push(socket);
    const bound = us_socket_local_port(socket);
    await this.#verify({ host, port: bound, isSecure: certificate !== undefined });
    return bound;
  }

  /** TLS connections are accepted by one app and served by another, so that the other can be replaced. */
  #accept(certificate: Certificate): Acceptor {
    const hash = checkCertificate(certificate.certFile, certificate.keyFile);
    const secure = this.#secured(certificate);
    // Serves nothing itself, but must be of the receivers' kind: a plain app's connections are smaller
    // in memory than those that a receiver makes of them.
    const acceptor = secureApp<Acceptor>(certificate);
    acceptor.addChildAppDescriptor(secure.getDescriptor());
    this.#secure = secure;
    this.#certificateHash = hash;
    this.#acceptor = acceptor;
    return acceptor;
  }

  /** New connections get this certificate; those that are open keep theirs. @throws ListenError and nothing changes */
  replaceCertificate(certificate: Certificate): void {
    const [acceptor, old] = [this.#acceptor, this.#secure];
    if (acceptor === undefined || old === undefined) return;
    // A replaced app stays for its connections, so nothing is replaced by the same.
    const hash = checkCertificate(certificate.certFile, certificate.keyFile);
    if (this.#certificateHash === hash) return;
    const secure = this.#secured(certificate);
    acceptor.addChildAppDescriptor(secure.getDescriptor());
    acceptor.removeChildAppDescriptor(old.getDescriptor());
    this.#secure = secure;
    this.#certificateHash = hash;
    this.#retired.push(old);
  }

  /** Listens on a socket file, replacing a stale one. @throws ListenError */
  async listenUnix(path: string, access: SocketAccess = { mode: 0o600 }): Promise<void> {
    await clearSocketPath(path);
    let socket: us_listen_socket | false = false;
    // From its first moment the file is nobody else's.
    const mask = process.umask(0o177);
    try {
      this.#app.listen_unix((opened) => {
        socket = opened;
      }, path);
    } finally {
      process.umask(mask);
    }
    const file = statSync(path, { throwIfNoEntry: false });
    if (!socket || file === undefined) {
      throw new ListenError(`Expected a writable folder for the socket ${path}`);
    }
    this.#listening.push(socket);
    this.#cleanUps.push(() => removeSocket(path, file.ino));
    giveAccess(path, access);
    await this.#verify({ path });
  }

  async #verify(target: Parameters<typeof verifyListener>[0]): Promise<void> {
    const token = randomUUID();
    this.#tokens.set(token, false);
    try {
      await verifyListener(target, token, () => this.#tokens.get(token) === true);
    } finally {
      this.#tokens.delete(token);
    }
  }

  /** Accepts no more connections; those that are open are served on. */
  stopAccepting(): void {
    this.#isStopping = true;
    for (const socket of this.#listening.splice(0)) us_listen_socket_close(socket);
    for (const cleanUp of this.#cleanUps.splice(0)) cleanUp();
  }

  /** @returns whether everything accepted was answered within the time */
  async drained(timeoutMs: number): Promise<boolean> {
    if (this.#inFlight === 0) return true;
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(false), timeoutMs);
      this.#whenIdle = () => {
        clearTimeout(timer);
        resolve(true);
      };
    });
  }

  /** Closes every connection. */
  close(): void {
    this.stopAccepting();
    for (const app of [this.#acceptor, this.#secure, ...this.#retired]) app?.close();
    this.#app.close();
  }

  #handle(response: HttpResponse, request: HttpRequest): void {
    const exchange = new UwsExchange(response, request);
    if (this.#tokens.has(exchange.requestId)) this.#tokens.set(exchange.requestId, true);
    const route = this.#routes.get(request.getUrl());
    const method = request.getMethod().toUpperCase();
    this.#inFlight++;
    void this.#answer(exchange, route, method === "HEAD" ? "GET" : method);
  }

  async #answer(exchange: UwsExchange, route: Route | undefined, method: string): Promise<void> {
    try {
      exchange.send(await this.#reply(exchange, route, method), this.#isStopping);
    } finally {
      this.#inFlight--;
      if (this.#inFlight === 0) this.#whenIdle?.();
    }
  }

  async #reply(exchange: UwsExchange, route: Route | undefined, method: string): Promise<Reply> {
    const headers: Record<string, string> = {};
    try {
      if (route === undefined) throw new GhostError("not_found");
      const operation = Object.hasOwn(route, method) ? route[method as keyof Route] : undefined;
      if (operation === undefined) {
        headers.allow = Object.keys(route).join(", ").replace("GET", "GET, HEAD");
        throw new GhostError("method_not_allowed", `expected ${headers.allow}`);
      }
      return await operation.handler(exchange);
    } catch (cause) {
      const error = asGhostError(cause);
      if (!(cause instanceof Aborted)) this.#onError(error, cause);
      const reply = errorReply(error);
      return { ...reply, headers: { ...reply.headers, ...headers } };
    }
  }
}
