import {
  DecryptCommand, EncryptCommand, GenerateDataKeyCommand, ScheduleKeyDeletionCommand, type KMSClient,
} from "@aws-sdk/client-kms";

import { members, wipe } from "./check.js";
import { fail, StrongroomError } from "./error.js";
import type { Kms } from "./kms.js";
import type { KmsReply, KmsRequest } from "./types.js";

/** What an adapter may be allowed beyond the KMS's FIPS endpoint. */
export interface AwsKmsOptions {
  /**
   * DANGER: a local KMS for development, which replaces the FIPS endpoint: `http://127.0.0.1:PORT/`
   * or `http://[::1]:PORT/`, spelled as the SDK resolves it, final slash included. The vault needs the
   * same URL as its option `dangerEndpoint`.
   */
  readonly dangerEndpoint?: string | undefined;
}

/**
 * Asks the KMS through the AWS SDK.
 *
 * Make the client with `useFipsEndpoint: true` and the vault's region. The URL is read from the very
 * request that the client's HTTP handler is about to send, after all of the SDK's and your own
 * middleware: any other than the FIPS endpoint is `ENDPOINT_POLICY`, and nothing is sent. Give the
 * client `maxAttempts: 1`, since `KmsVault` does the retrying. The request's body is overwritten
 * afterwards; what the SDK keeps of a DEK elsewhere (the answer as JSON text) can't be from here.
 *
 * Throws `ENDPOINT_POLICY` for a `dangerEndpoint` that is not on loopback, `BAD_INPUT` for what is no
 * client, `UNKNOWN_OPTION`.
 */
export function awsKms(client: KMSClient, options: AwsKmsOptions = {}): Kms {
  const [dangerEndpoint] = members(options, ["dangerEndpoint"], "UNKNOWN_OPTION");
  if (dangerEndpoint !== undefined && !isLoopback(dangerEndpoint)) fail("ENDPOINT_POLICY");
  if (typeof (client as Partial<KMSClient> | null | undefined)?.config?.requestHandler?.handle !== "function") fail("BAD_INPUT");
  refuseRedirects(client.config.requestHandler as RequestHandler);
  return { send: (request, plaintext) => send(client, dangerEndpoint, request, plaintext) };
}

async function send(
  client: KMSClient,
  dangerEndpoint: string | undefined,
  request: KmsRequest,
  plaintext: Uint8Array | undefined,
): Promise<KmsReply> {
  const wanted = dangerEndpoint ?? fipsEndpoint(request.region);
  if (wanted !== request.endpoint || request.fips !== (dangerEndpoint === undefined)) fail("ENDPOINT_POLICY");

  let endpoint: string | undefined;
  let refused = false;
  const bodies: unknown[] = [];
  const requestHandler = client.config.requestHandler as RequestHandler;
  // In the handler's place, because whatever middleware there is has run by then.
  const guard = {
    handle(http: HttpRequest, handlerOptions: unknown) {
      const resolved = urlOf(http);
      if (resolved === undefined || !(dangerEndpoint === undefined ? isSpelling(resolved, wanted) : resolved === wanted)) {
        refused = true;
        return Promise.reject(new StrongroomError("ENDPOINT_POLICY"));
      }
      endpoint = resolved;
      bodies.push(http.body);
      return requestHandler.handle(http, handlerOptions);
    },
  };
  const configuration = { ...client.config, requestHandler: guard } as unknown as typeof client.config;
  try {
    const command = commandOf(request, plaintext);
    const run = command.resolveMiddleware(client.middlewareStack as never, configuration as never, {});
    const { output } = await run(command as never);
    if (refused || endpoint === undefined) fail("ENDPOINT_POLICY");
    const { KeyId, Plaintext, CiphertextBlob } = output as Omit<KmsReply, "endpoint">;
    return { endpoint, KeyId, Plaintext, CiphertextBlob };
  } catch (thrown) {
    if (refused) fail("ENDPOINT_POLICY");
    // Nothing was asked: no credentials, say. There is no URL to report.
    if (endpoint === undefined) fail(thrown instanceof StrongroomError ? thrown.code : "KMS_UNAVAILABLE");
    return { endpoint, error: nameOf(thrown) };
  } finally {
    // An Encrypt request's holds the DEK.
    bodies.forEach(wipe);
  }
}

/** The browser's handler would follow a redirect and send the request on; Node's never does. */
function refuseRedirects(handler: RequestHandler): void {
  if (refusing.has(handler)) return;
  refusing.add(handler);
  const earlier = handler.httpHandlerConfigs?.().requestInit;
  handler.updateHttpClientConfig?.("requestInit", (http: unknown) => ({ ...earlier?.(http), redirect: "error" }));
}

/** Handlers that are told already: a handler can belong to several clients. */
const refusing = new WeakSet<object>();

/** The part of the SDK's request handler that matters here. */
interface RequestHandler {
  handle(http: unknown, options: unknown): Promise<unknown>;
  httpHandlerConfigs?(): { readonly requestInit?: (http: unknown) => object };
  updateHttpClientConfig?(key: string, value: unknown): void;
}

/** The part of the SDK's HTTP request that says where it goes. */
interface HttpRequest {
  readonly protocol?: string;
  readonly hostname?: string;
  readonly port?: number;
  readonly path?: string;
  readonly query?: Readonly<Record<string, unknown>>;
  readonly username?: string;
  readonly password?: string;
  readonly fragment?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

/** Where a request really goes; `undefined` if it says more than a URL of a KMS may. */
function urlOf(http: HttpRequest): string | undefined {
  const { protocol, hostname, port, path, query, username, password, fragment, headers } = http;
  if (username || password || fragment || Object.keys(query ?? {}).length > 0) return undefined;
  const host = `${hostname}${port ? `:${port}` : ""}`;
  // TLS is checked against this header, so it must not name another host.
  for (const [name, value] of Object.entries(headers ?? {})) {
    if ((name.toLowerCase() === "host" || name === ":authority") && value !== host) return undefined;
  }
  return `${protocol}//${host}${path ?? ""}`;
}

function fipsEndpoint(region: string): string {
  if (!/^[a-z0-9-]{1,32}$/.test(region)) fail("ENDPOINT_POLICY");
  return `https://kms-fips.${region}.amazonaws.com`;
}

/** The four spellings of an https URL without a path. */
function isSpelling(url: string, wanted: string): boolean {
  return ["", "/", ":443", ":443/"].some((end) => url === wanted + end);
}

/** Whether a URL names a loopback address, in one spelling and by number: a name can point anywhere. */
function isLoopback(url: unknown): url is string {
  if (typeof url !== "string") return false;
  const host = /^https?:\/\/(127(?:\.(?:0|[1-9]\d{0,2})){3}|\[::1\])(?::[1-9]\d{0,4})?\/$/.exec(url)?.[1];
  return host !== undefined && host.split(".").every((part) => !/^\d+$/.test(part) || Number(part) <= 255);
}

function commandOf({ op, params }: KmsRequest, plaintext: Uint8Array | undefined) {
  switch (op) {
    case "GenerateDataKey":
      return new GenerateDataKeyCommand(params as never);
    case "Decrypt":
      return new DecryptCommand(params as never);
    case "Encrypt":
      return new EncryptCommand({ ...params, Plaintext: plaintext } as never);
    case "ScheduleKeyDeletion":
      return new ScheduleKeyDeletionCommand(params as never);
    default:
      return fail("BAD_INPUT");
  }
}

/** The SDK's name of an error; its messages are empty or differ between versions. */
function nameOf(thrown: unknown): string {
  const name = (thrown as { name?: unknown } | undefined)?.name;
  return typeof name === "string" && name !== "" ? name : "Error";
}
