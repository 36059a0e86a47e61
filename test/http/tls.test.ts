/** HTTPS: with a certificate of our own, replaced while connections are open, and wrong files refused. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect as connectPlainly } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { connect, type TLSSocket } from "node:tls";
import type { Exchange } from "../../src/http/exchange.ts";
import type { Route } from "../../src/http/operation.ts";
import { jsonReply } from "../../src/http/reply.ts";
import { healthOperation } from "../../src/http/routes/state.ts";
import { type Certificate, type ConnectionGuard, HttpServer } from "../../src/http/server.ts";
import { ListenError } from "../../src/http/sockets.ts";
import { eventually } from "./harness.ts";

const folder = mkdtempSync(join(tmpdir(), "ghostai-test-"));
after(() => rmSync(folder, { recursive: true }));

/** Makes a certificate for itself; @returns whether openssl is here */
function make(name: string, key: readonly string[]): boolean {
  const files = ["-keyout", join(folder, `${name}.key`), "-out", join(folder, `${name}.crt`)];
  const subject = ["-subj", `/CN=${name}.test`, "-days", "2"];
  try {
    execFileSync("openssl", ["req", "-x509", "-nodes", ...key, ...files, ...subject], {
      stdio: "ignore",
    });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw error;
  }
}

const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"];
const isHere =
  make("first", curve) && make("second", curve) && make("third", ["-newkey", "rsa:2048"]);
const options = { skip: isHere ? false : "openssl is not installed" };

const certificate = (name: string): Certificate => ({
  certFile: join(folder, `${name}.crt`),
  keyFile: join(folder, `${name}.key`),
});

/** A connection, and what it is answered. */
class SecureClient {
  readonly socket: TLSSocket;
  /** The certificate's name. */
  readonly name: string;
  #received = "";

  private constructor(socket: TLSSocket) {
    this.socket = socket;
    this.name = String(socket.getPeerCertificate().subject.CN);
    socket.on("data", (chunk) => {
      this.#received += chunk.toString("latin1");
    });
  }

  static async open(port: number): Promise<SecureClient> {
    const socket = connect({ host: "127.0.0.1", port, rejectUnauthorized: false });
    await new Promise<void>((resolve, reject) => {
      socket.once("secureConnect", resolve);
      socket.once("error", reject);
    });
    socket.on("error", () => {});
    return new SecureClient(socket);
  }

  /** @returns the answer's body. Rejects where the connection ends before it. */
  async get(path: string): Promise<string> {
    this.#received = "";
    this.socket.write(`GET ${path} HTTP/1.1\r\nhost: t\r\n\r\n`);
    await eventually(() => /\r\n\r\n.*\}$/s.test(this.#received) || this.socket.closed);
    assert.match(this.#received, /^HTTP\/1\.1 200 /);
    return this.#received.slice(this.#received.indexOf("\r\n\r\n") + 4);
  }

  close(): void {
    this.socket.destroy();
  }
}

const handler = ({ peerAddress }: Exchange) => jsonReply(200, { peerAddress });

const routes = new Map<string, Route>([
  ["/healthz", { GET: healthOperation }],
  ["/peer", { GET: { ...healthOperation, handler } }],
]);

async function withTls(
  use: (server: HttpServer, port: number) => Promise<void>,
  guard?: ConnectionGuard,
): Promise<void> {
  const server = new HttpServer(routes, () => {}, guard);
  try {
    const port = await server.listenTcp("127.0.0.1", 0, certificate("first"));
    await use(server, port);
  } finally {
    server.close();
  }
}

/** The name that a new connection meets. */
async function nameAt(port: number): Promise<string> {
  const client = await SecureClient.open(port);
  assert.equal(await client.get("/healthz"), '{"status":"ok"}');
  client.close();
  return client.name;
}

test("requests over TLS are answered, and their address is known", options, () =>
  withTls(async (_server, port) => {
    const client = await SecureClient.open(port);
    assert.equal(client.name, "first.test");
    assert.equal(await client.get("/healthz"), '{"status":"ok"}');
    assert.equal(await client.get("/peer"), '{"peerAddress":"127.0.0.1"}');
    client.close();
  }),
);

test("who speaks no TLS is not answered, and harms nobody", options, () =>
  withTls(async (_server, port) => {
    for (const bytes of ["GET /healthz HTTP/1.1\r\nhost: t\r\n\r\n", "\u0016\u0003\u0001\u0000"]) {
      const socket = connectPlainly(port, "127.0.0.1");
      socket.on("error", () => {});
      let received = "";
      socket.on("data", (chunk) => {
        received += chunk.toString("latin1");
      });
      const closed = new Promise((resolve) => socket.once("close", resolve));
      socket.end(bytes, "latin1");
      await closed;
      assert.doesNotMatch(received, /HTTP/);
    }
    assert.equal(await nameAt(port), "first.test");
  }),
);

test("a thousand connections come and go", options, () =>
  withTls(async (server, port) => {
    for (let round = 0; round < 20; round++) {
      await Promise.all(Array.from({ length: 50 }, () => nameAt(port)));
      server.replaceCertificate(certificate("first"));
    }
  }),
);

test("a new certificate is for new connections; those that are open go on", options, () =>
  withTls(async (server, port) => {
    const old = await SecureClient.open(port);
    assert.equal(await old.get("/healthz"), '{"status":"ok"}');
    server.replaceCertificate(certificate("second"));
    assert.equal(await nameAt(port), "second.test");
    assert.equal(await old.get("/healthz"), '{"status":"ok"}');
    server.replaceCertificate(certificate("third"));
    assert.equal(await nameAt(port), "third.test");
    server.replaceCertificate(certificate("first"));
    for (let at = 0; at < 10; at++) assert.equal(await nameAt(port), "first.test");
    assert.equal(await old.get("/healthz"), '{"status":"ok"}');
    old.close();
  }),
);

test("the same files with a new content are a new certificate", options, () =>
  withTls(async (server, port) => {
    const { certFile, keyFile } = certificate("renewed");
    const renew = (name: string) => {
      copyFileSync(certificate(name).certFile, certFile);
      copyFileSync(certificate(name).keyFile, keyFile);
      server.replaceCertificate({ certFile, keyFile });
    };
    renew("second");
    assert.equal(await nameAt(port), "second.test");
    renew("third");
    assert.equal(await nameAt(port), "third.test");
  }),
);

/** Pairs of files that are none, and what is said of each. */
function wrongPairs(): readonly [pair: Certificate, pattern: RegExp][] {
  const first = certificate("first");
  const garbage = join(folder, "garbage");
  writeFileSync(garbage, "-----BEGIN CERTIFICATE-----\nnot one\n-----END CERTIFICATE-----\n");
  const empty = join(folder, "empty");
  writeFileSync(empty, "");
  const none = join(folder, "none");
  const { certFile, keyFile } = first;
  return [
    [{ certFile, keyFile: certificate("second").keyFile }, /and its key in .* but got: .*mismatch/],
    [
      { certFile, keyFile: certificate("third").keyFile },
      /Expected a certificate in .* and its key in /,
    ],
    [{ certFile: keyFile, keyFile }, /Expected a certificate in /],
    [{ certFile, keyFile: certFile }, /Expected a certificate in /],
    [{ certFile: garbage, keyFile }, /Expected a certificate in /],
    [{ certFile, keyFile: garbage }, /Expected a certificate in /],
    [{ certFile: empty, keyFile }, /Expected a certificate in /],
    [{ certFile, keyFile: empty }, /Expected a certificate in /],
    [{ certFile: none, keyFile }, /^Expected a certificate at .*none but got ENOENT$/],
    [{ certFile, keyFile: none }, /^Expected a private key at .*none but got ENOENT$/],
    [{ certFile: folder, keyFile }, /^Expected a certificate at .* but got EISDIR$/],
  ];
}

function isOneLine(pattern: RegExp): (error: Error) => boolean {
  return (error) => {
    assert.ok(error instanceof ListenError, String(error));
    assert.doesNotMatch(error.message, /\n/);
    assert.match(error.message, pattern);
    assert.doesNotMatch(error.message, /BEGIN/);
    return true;
  };
}

test("a wrong pair is refused in one line, and nothing changes", options, () =>
  withTls(async (server, port) => {
    const old = await SecureClient.open(port);
    for (const [pair, pattern] of wrongPairs()) {
      assert.throws(() => server.replaceCertificate(pair), isOneLine(pattern));
      assert.equal(await nameAt(port), "first.test");
    }
    assert.equal(await old.get("/healthz"), '{"status":"ok"}');
    old.close();
    server.replaceCertificate(certificate("second"));
    assert.equal(await nameAt(port), "second.test");
  }),
);

test("a listener does not begin with a wrong pair", options, async () => {
  for (const [pair, pattern] of wrongPairs()) {
    const server = new HttpServer(routes, () => {});
    await assert.rejects(server.listenTcp("127.0.0.1", 0, pair), isOneLine(pattern));
    server.close();
  }
});

test("a listener without TLS has no certificate to replace", options, async () => {
  const server = new HttpServer(routes, () => {});
  const port = await server.listenTcp("127.0.0.1", 0);
  server.replaceCertificate(certificate("first"));
  const response = await fetch(`http://127.0.0.1:${port}/healthz`);
  assert.equal(response.status, 200);
  server.close();
});

test(
  "the guard sees TLS connections and their ends, before and after a replacement",
  options,
  () => {
    let isOpen = true;
    let opened = 0;
    let closed = 0;
    const guard: ConnectionGuard = {
      opened(address) {
        assert.equal(address, "127.0.0.1");
        opened++;
        return isOpen;
      },
      closed() {
        closed++;
      },
    };
    return withTls(async (server, port) => {
      const old = await SecureClient.open(port);
      assert.equal(await old.get("/healthz"), '{"status":"ok"}');
      server.replaceCertificate(certificate("second"));
      const young = await SecureClient.open(port);
      assert.equal(await young.get("/healthz"), '{"status":"ok"}');
      isOpen = false;
      await assert.rejects(SecureClient.open(port));
      isOpen = true;
      // One that ends before its handshake counts as well.
      connectPlainly(port, "127.0.0.1").end();
      old.close();
      young.close();
      // With the server's own look at its listener.
      await eventually(() => opened === 5 && closed === 5);
    }, guard);
  },
);
