import assert from "node:assert/strict";
import { Agent as HttpAgent, createServer as createHttpServer } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import { connect, createServer } from "node:net";
import { after, test } from "node:test";

import { DecryptCommand, KMSClient } from "@aws-sdk/client-kms";
import { FetchHttpHandler } from "@smithy/fetch-http-handler";
import { awsKms } from "../build/aws-kms.js";
import { api, cmkOf, codeOf } from "./support.mjs";

const FIPS = "https://kms-fips.us-east-1.amazonaws.com";
const credentials = { accessKeyId: "sr-YWNtZQ", secretAccessKey: "local" };

/** Hears every connection that a client makes, wherever the client believes to go. */
const heard = [];
const listener = createServer((socket) => {
  heard.push(socket);
  socket.on("error", () => {});
  socket.destroy();
});
await new Promise((ready) => listener.listen(0, "127.0.0.1", ready));
const { port } = listener.address();
after(() => listener.close());

function handlers() {
  const toListener = () => connect(port, "127.0.0.1");
  const [httpAgent, httpsAgent] = [new HttpAgent(), new HttpsAgent()];
  httpAgent.createConnection = toListener;
  httpsAgent.createConnection = toListener;
  return { httpAgent, httpsAgent };
}

function client(options) {
  return new KMSClient({ region: "us-east-1", useFipsEndpoint: true, credentials, maxAttempts: 1, requestHandler: handlers(), ...options });
}

/** A handler that sends nothing, records what it was to send, and answers. */
function recorder(body, statusCode = 200, headers = {}) {
  const sent = [];
  const handle = async (request) => {
    sent.push({ ...request, text: Buffer.from(request.body).toString() });
    return { response: { statusCode, headers: { "content-type": "application/x-amz-json-1.1", ...headers }, body: new TextEncoder().encode(JSON.stringify(body)) } };
  };
  return { sent, handle, metadata: { handlerProtocol: "http/1.1" } };
}

/** A request as the core makes it. */
function decrypt(options = {}) {
  const vault = new api.Vault(options);
  const row = {
    v: 1, purpose: "org-dek", owner: "acme", reader: "acme", version: 1, created: 1, dekRef: "A".repeat(43),
    provider: "aws-kms", keyId: cmkOf("acme"), blob: "AQID",
  };
  return vault.unwrapRequest("acme", row);
}

async function refuses(kms, request = decrypt(), plaintext = undefined) {
  const before = heard.length;
  assert.equal(await codeOf(kms.send(request, plaintext)), "ENDPOINT_POLICY");
  await new Promise((done) => setTimeout(done, 20));
  assert.equal(heard.length, before);
}

test("a client of the FIPS endpoint is heard by the listener: it would notice", async () => {
  const before = heard.length;
  const reply = await awsKms(client()).send(decrypt());
  assert.equal(heard.length, before + 1);
  assert.deepEqual(Object.keys(reply), ["endpoint", "error"]);
  assert.equal(reply.endpoint, `${FIPS}/`);
});

test("clients that would ask another place send nothing", async () => {
  const clients = {
    "another region": { region: "eu-west-1" },
    "no FIPS": { useFipsEndpoint: false },
    "http to the right host": { useFipsEndpoint: false, endpoint: FIPS.replace("https", "http") },
    "the local KMS": { useFipsEndpoint: false, endpoint: `http://127.0.0.1:${port}/` },
    "dual stack": { useDualstackEndpoint: true },
  };
  const hosts = [
    "kms.us-east-1.amazonaws.com", "kms-fips.us-east-1.amazonaws.com.evil.test", "kms-fips.us-east-1.amazonaws.co",
    "kms-fips.us-east-1.amazonaws.com.", "xkms-fips.us-east-1.amazonaws.com", "kms-fips.us-east-2.amazonaws.com",
    "kms-fips-us-east-1.amazonaws.com", "kms-fips.us-east-1.amazonaws.com:444", "kms-fips.us-east-1.amazonaws.com/x",
    "kms-fips.us-east-1.\u0430mazonaws.com", "kms-fips.us-east-1.amazonaws.com@evil.test", "evil.test#kms-fips.us-east-1.amazonaws.com",
    "kms-fips.us-east-1.amazonaws.com:80", "127.0.0.1", "[::1]",
  ];
  for (const host of hosts) clients[host] = { useFipsEndpoint: false, endpoint: `https://${host}` };
  for (const [name, options] of Object.entries(clients)) {
    await test(name, () => refuses(awsKms(client(options))));
  }
});

test("an https host by its name without a port, with the port, with a slash is one place", async () => {
  for (const endpoint of [FIPS, `${FIPS}/`, `${FIPS}:443`, `${FIPS}:443/`]) {
    const requestHandler = recorder({ KeyId: cmkOf("acme"), Plaintext: Buffer.alloc(32, 1).toString("base64") });
    const reply = await awsKms(client({ useFipsEndpoint: false, endpoint, requestHandler })).send(decrypt());
    assert.equal(requestHandler.sent.length, 1);
    api.assertFipsEndpoint(reply.endpoint, "us-east-1");
  }
});

test("middleware that turns a request away at the last moment sends nothing", async () => {
  const changes = [
    { hostname: "evil.test" }, { protocol: "http:" }, { port: 8443 }, { path: "/other" }, { query: { x: "y" } },
    { username: "u" }, { password: "p" }, { fragment: "f" }, { headers: { host: "evil.test" } }, { headers: { Host: "evil.test" } },
    { headers: { ":authority": "evil.test" } },
  ];
  for (const change of changes) {
    const turned = client();
    turned.middlewareStack.add(
      (next) => async (args) => {
        const headers = { ...args.request.headers, ...change.headers };
        Object.assign(args.request, change, { headers });
        return next(args);
      },
      { step: "deserialize", priority: "low", name: "turn", override: true },
    );
    await refuses(awsKms(turned));
  }
});

test("a secret leaves neither to a wrong place nor in a wrong way", async () => {
  const vault = new api.Vault();
  const dek = new Uint8Array(32).fill(7);
  const request = { ...decrypt(), op: "Encrypt" };
  for (const options of [{ region: "eu-west-1" }, { useFipsEndpoint: false }]) await refuses(awsKms(client(options)), request, dek);
  vault.close();
});

test("a request that itself names another place is refused", async () => {
  const good = decrypt();
  for (const change of [
    { endpoint: "https://evil.test" }, { endpoint: `${FIPS}/` }, { fips: false }, { region: "eu-west-1" },
    { region: "us-east-1.evil.test/" }, { region: "eu-west-1", endpoint: "https://kms-fips.us-east-1.amazonaws.com" },
  ]) await refuses(awsKms(client()), { ...good, ...change });
  await refuses(awsKms(client()), decrypt({ dangerEndpoint: `http://127.0.0.1:${port}/` }));
});

test("the danger endpoint is on loopback, by number and in one spelling", async () => {
  const wrong = [
    "http://10.0.0.1/", "http://localhost/", "http://localhost:80/", "http://127.0.0.1", "http://127.0.0.1:80", "http://127.1/",
    "http://127.0.0.256/", "http://127.0.0.01/", "http://0x7f.0.0.1/", "http://2130706433/", "http://127.0.0.1.evil.test/",
    "http://evil.test/127.0.0.1/", "http://127.0.0.1@evil.test/", "http://evil.test#127.0.0.1/", "http://127.0.0.1:080/", "http://127.0.0.1:/",
    "http://[::2]/", "http://[::ffff:127.0.0.1]/", "http://::1/", "http://127.0.0.1/path", "http://127.0.0.1/?x", "http://127.0.0.1/\n",
    "ftp://127.0.0.1/", "HTTP://127.0.0.1/", " http://127.0.0.1/", "http://0.0.0.0/", "http://128.0.0.1/", "", "127.0.0.1", null, 5,
  ];
  for (const dangerEndpoint of wrong) {
    assert.equal(await codeOf(() => awsKms(client(), { dangerEndpoint })), "ENDPOINT_POLICY", String(dangerEndpoint));
  }
  for (const none of [undefined, null, {}, "client", { config: null }, { config: { requestHandler: {} } }]) {
    assert.equal(await codeOf(() => awsKms(none)), "BAD_INPUT");
  }
  for (const options of [null, "x", [], 5]) assert.equal(await codeOf(() => awsKms(client(), options)), "BAD_INPUT");
  assert.equal(await codeOf(() => awsKms(client(), { endpoint: "http://127.0.0.1/" })), "UNKNOWN_OPTION");
  for (const dangerEndpoint of ["http://127.0.0.1/", "http://127.255.0.9:65535/", "http://[::1]:8080/", "https://127.0.0.1:1/"]) awsKms(client(), { dangerEndpoint });
});

test("with a danger endpoint exactly that one is asked", async () => {
  const dangerEndpoint = `http://127.0.0.1:${port}/`;
  const kms = (options) => awsKms(client({ useFipsEndpoint: false, endpoint: dangerEndpoint, ...options }), { dangerEndpoint });
  const reply = await kms().send(decrypt({ dangerEndpoint }));
  assert.equal(reply.endpoint, dangerEndpoint);
  for (const endpoint of [`http://127.0.0.2:${port}/`, `http://127.0.0.1:${port + 1}/`, `https://127.0.0.1:${port}/`, `http://localhost:${port}/`, FIPS]) {
    await refuses(kms({ endpoint }), decrypt({ dangerEndpoint }));
  }
  await refuses(kms(), decrypt());
  await refuses(awsKms(client(), { dangerEndpoint }), decrypt({ dangerEndpoint }));
});

test("the request goes out as the core made it, and the answer comes back with the URL", async () => {
  const requestHandler = recorder({ KeyId: "arn:k", Plaintext: Buffer.alloc(32, 1).toString("base64"), KeyMaterialId: "x" });
  const request = decrypt();
  const reply = await awsKms(client({ requestHandler })).send(request);
  assert.deepEqual(reply, { endpoint: `${FIPS}/`, KeyId: "arn:k", Plaintext: new Uint8Array(32).fill(1), CiphertextBlob: undefined });
  const { text, headers } = requestHandler.sent[0];
  assert.equal(headers["x-amz-target"], "TrentService.Decrypt");
  assert.deepEqual(JSON.parse(text), { ...request.params, CiphertextBlob: "AQID" });
});

test("each operation has its own call", async () => {
  const calls = [
    ["GenerateDataKey", { KeyId: "k", KeySpec: "AES_256", EncryptionContext: { a: "b" } }],
    ["Encrypt", { KeyId: "k", EncryptionContext: { a: "b" } }],
    ["ScheduleKeyDeletion", { KeyId: "k", PendingWindowInDays: 7 }],
  ];
  for (const [op, params] of calls) {
    const requestHandler = recorder({ KeyId: "arn:k" });
    const plaintext = op === "Encrypt" ? Uint8Array.of(1, 2, 3) : undefined;
    await awsKms(client({ requestHandler })).send({ ...decrypt(), op, params }, plaintext);
    assert.equal(requestHandler.sent[0].headers["x-amz-target"], `TrentService.${op}`);
    assert.deepEqual(JSON.parse(requestHandler.sent[0].text), { ...params, ...(plaintext && { Plaintext: "AQID" }) });
    assert.ok(requestHandler.sent[0].body.every((byte) => byte === 0), "the body is wiped");
  }
  assert.equal(await codeOf(awsKms(client()).send({ ...decrypt(), op: "ReEncrypt" })), "BAD_INPUT");
});

test("an error of the KMS is a reply with its name", async () => {
  const names = ["AccessDeniedException", "NotFoundException", "InvalidCiphertextException", "IncorrectKeyException", "DisabledException",
    "KMSInvalidStateException", "ThrottlingException", "LimitExceededException", "SomethingNewException"];
  for (const name of names) {
    const requestHandler = recorder({ __type: name }, 400);
    const reply = await awsKms(client({ requestHandler })).send(decrypt());
    assert.deepEqual(reply, { endpoint: `${FIPS}/`, error: name });
  }
});

test("without credentials nothing is asked, and there is no URL to report", async () => {
  const before = heard.length;
  const failing = client({ credentials: () => Promise.reject(new Error("none")) });
  assert.equal(await codeOf(awsKms(failing).send(decrypt())), "KMS_UNAVAILABLE");
  assert.equal(heard.length, before);
});

test("a redirect is not followed by the browser's handler either", async () => {
  const redirecting = createHttpServer((_, response) => response.writeHead(303, { location: `http://127.0.0.1:${port}/` }).end());
  await new Promise((ready) => redirecting.listen(0, "127.0.0.1", ready));
  const dangerEndpoint = `http://127.0.0.1:${redirecting.address().port}/`;
  let asked = 0;
  const browser = () => client({
    useFipsEndpoint: false, endpoint: dangerEndpoint,
    requestHandler: new FetchHttpHandler({ requestInit: () => (asked++, {}) }),
  });
  const before = heard.length;
  const reply = await awsKms(browser(), { dangerEndpoint }).send(decrypt({ dangerEndpoint }));
  assert.equal(reply.endpoint, dangerEndpoint);
  assert.notEqual(reply.error, undefined);
  assert.deepEqual([heard.length, asked], [before, 1]);
  await assert.rejects(browser().send(new DecryptCommand({ CiphertextBlob: Uint8Array.of(1) })));
  assert.equal(heard.length, before + 1, "without the adapter the listener hears it");
  redirecting.close();
  redirecting.closeAllConnections();
});
