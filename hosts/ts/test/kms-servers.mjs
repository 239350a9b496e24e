// The two KMS servers that the adapter is tried on: the strict local one, and moto for what it enforces.
// Both must be there: `cargo xtask test` builds and installs them.
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

import { CreateKeyCommand, KMSClient } from "@aws-sdk/client-kms";
import { awsKms } from "../build/aws-kms.js";
import { tick } from "./support.mjs";

const target = (path) => fileURLToPath(new URL(`../../../target/${path}`, import.meta.url));
const CLI = process.env.STRONGROOM_CLI ?? target("bin/strongroom");
const MOTO = process.env.MOTO_SERVER ?? target("venv/bin/moto_server");

/** Starts the local KMS. `restart` starts it again on the same keys. */
export async function localKms(...args) {
  const home = mkdtempSync(join(tmpdir(), "strongroom-kms-"));
  const dir = join(home, "kms");
  const start = async (...more) => {
    const server = run(CLI, ["kms", "serve", "--dir", dir, ...more]);
    const line = await new Promise((done, broken) => {
      createInterface({ input: server.stdout }).once("line", done);
      server.once("exit", (code) => broken(new Error(`the local KMS ended with ${code}`)));
    });
    return { server, endpoint: JSON.parse(line).endpoint };
  };
  let running = await start(...args);
  return {
    get endpoint() { return running.endpoint; },
    log: () => readFileSync(join(dir, "log.jsonl"), "utf8").trim().split("\n").map(called),
    async restart(...more) {
      await end(running.server);
      running = await start(...more);
    },
    async stop() {
      await end(running.server);
      rmSync(home, { recursive: true });
    },
  };
}

/** Starts moto. */
export async function moto() {
  const port = await freePort();
  const server = run(MOTO, ["-H", "127.0.0.1", "-p", String(port)]);
  const endpoint = `http://127.0.0.1:${port}/`;
  for (let tries = 0; ; tries++) {
    try {
      await fetch(endpoint);
      return { endpoint, stop: () => end(server) };
    } catch (thrown) {
      if (tries > 300 || server.exitCode !== null) throw thrown;
      await tick(100);
    }
  }
}

/** An org's client of a server, and a Kms over it. */
export function kmsOf(endpoint, org, region = "us-east-1") {
  const client = new KMSClient({
    region, endpoint, maxAttempts: 1,
    credentials: { accessKeyId: `sr-${Buffer.from(org).toString("base64url")}`, secretAccessKey: "local" },
  });
  return { client, kms: awsKms(client, { dangerEndpoint: endpoint }) };
}

/** Makes a CMK of an org and answers its ARN. */
export async function createCmk(endpoint, org) {
  const Tags = [{ TagKey: "strongroom-org", TagValue: org }];
  const { KeyMetadata } = await kmsOf(endpoint, org).client.send(new CreateKeyCommand({ Tags }));
  return KeyMetadata.Arn;
}

function run(program, args) {
  if (!existsSync(program)) throw new Error(`${program} is not there: cargo xtask test makes it`);
  const server = spawn(program, args, { stdio: ["ignore", "pipe", "ignore"] });
  process.once("exit", () => server.kill("SIGKILL"));
  return server;
}

async function end(server) {
  if (server.exitCode !== null) return;
  const gone = new Promise((done) => server.once("exit", done));
  server.kill("SIGKILL");
  await gone;
}

function freePort() {
  return new Promise((done) => {
    const probe = createServer().listen(0, "127.0.0.1", () => {
      const { port } = probe.address();
      probe.close(() => done(port));
    });
  });
}

/** What a line of the log says, which has CloudTrail's shape. */
function called(line) {
  const { eventName, errorCode, requestParameters, additionalEventData: { callerOrg } } = JSON.parse(line);
  return { callerOrg, operation: eventName, result: errorCode ?? "ok", ...requestParameters };
}
