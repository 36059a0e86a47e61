/** What the tests ask of the installed service: its state, its settings, its answers. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { request } from "node:http";
import { type Container, eventually } from "./container.ts";

export interface Answer {
  readonly status: number;
  readonly body: string;
}

/** One service of the machine: ghostai, or an instance such as ghostai@a. */
export class Unit {
  readonly #container: Container;
  readonly name: string;
  /** Names its files: ghostai.yaml, or a.yaml. */
  readonly #label: string;
  readonly #folder: string;
  readonly socketPath: string;
  readonly adminSocketPath: string;

  constructor(container: Container, instance?: string) {
    this.#container = container;
    this.name = instance === undefined ? "ghostai.service" : `ghostai@${instance}.service`;
    this.#label = instance ?? "ghostai";
    this.#folder = instance === undefined ? "ghostai" : `ghostai-${instance}`;
    this.socketPath = `/run/${this.#folder}/ghostai.sock`;
    this.adminSocketPath = `/run/${this.#folder}/ghostai-admin.sock`;
  }

  get statePath(): string {
    return `/var/lib/${this.#folder}`;
  }

  /** Runs `systemctl VERB` on it and wants it to succeed. */
  async control(verb: string): Promise<void> {
    // Tests start it more often than an operator may, who would run into the limit of starts.
    await this.#container.run("systemctl", "reset-failed", this.name);
    const { code, stderr } = await this.#container.run("systemctl", verb, this.name);
    const log = code === 0 ? "" : await this.log();
    assert.equal(code, 0, `systemctl ${verb} ${this.name} failed: ${stderr}${log}`);
  }

  async property(name: string): Promise<string> {
    return this.#container.shell(`systemctl show --property=${name} --value '${this.name}'`);
  }

  async pid(): Promise<number> {
    return Number(await this.property("MainPID"));
  }

  /** The last lines of its journal. */
  log(): Promise<string> {
    return this.#container.shell(
      `journalctl --sync; journalctl --unit='${this.name}' --output=cat --lines=40 --no-pager`,
    );
  }

  /** Waits until it runs as another process than `before`, and is ready. */
  replaced(before: number): Promise<number> {
    return eventually(
      `${this.name} as another process than ${before}`,
      async () => {
        const isActive = (await this.property("ActiveState")) === "active";
        const pid = await this.pid();
        return isActive && pid !== 0 && pid !== before ? pid : undefined;
      },
      () => this.log(),
    );
  }

  /** Writes its YAML file; the group reaches its socket as installed. */
  configure(lines: readonly string[]): void {
    const content = ['socketMode: "0660"', ...lines, ""].join("\n");
    writeFileSync(this.#container.path(`/etc/ghostai/${this.#label}.yaml`), content);
  }

  /** Writes a drop-in, or removes it where there are no lines. */
  async override(lines: readonly string[]): Promise<void> {
    const folder = `/etc/systemd/system/${this.name}.d`;
    if (lines.length === 0) await this.#container.shell(`rm -rf '${folder}'`);
    else {
      await this.#container.shell(`mkdir -p '${folder}'`);
      const content = ["[Service]", ...lines, ""].join("\n");
      writeFileSync(this.#container.path(`${folder}/test.conf`), content);
    }
    await this.#container.shell("systemctl daemon-reload");
  }

  /** Asks over one of its sockets. */
  #ask(socketPath: string, method: string, path: string, body: string): Promise<Answer> {
    return new Promise((done, failed) => {
      const headers = { "content-type": "application/json" };
      const target = { socketPath: this.#container.path(socketPath), agent: false as const };
      const sent = request({ ...target, method, path, headers }, (answer) => {
        let text = "";
        answer.on("data", (chunk) => {
          text += chunk;
        });
        answer.once("end", () => done({ status: answer.statusCode ?? 0, body: text }));
        answer.once("error", failed);
      });
      sent.once("error", failed);
      sent.end(body);
    });
  }

  get(path: string): Promise<Answer> {
    return this.#ask(this.socketPath, "GET", path, "");
  }

  getAsAdmin(path: string): Promise<Answer> {
    return this.#ask(this.adminSocketPath, "GET", path, "");
  }

  scan(text: string): Promise<Answer> {
    return this.#ask(this.socketPath, "POST", "/v1/scan", JSON.stringify({ text }));
  }

  /** Asks over TCP, from within the machine. */
  async scanByPort(port: number, text: string): Promise<Answer> {
    const body = JSON.stringify({ text });
    const url = `http://127.0.0.1:${port}/v1/scan`;
    const output = ["--silent", "--show-error", "--write-out", "\\n%{http_code}"];
    const command = ["curl", ...output, "--json", body, url];
    const { code, stdout, stderr } = await this.#container.run(...command);
    assert.equal(code, 0, `curl ${url} ended with ${code}: ${stderr}`);
    const end = stdout.lastIndexOf("\n");
    return { status: Number(stdout.slice(end + 1)), body: stdout.slice(0, end) };
  }
}
