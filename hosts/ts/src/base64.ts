// Only public bytes come through here (dek_refs, wrapped DEKs), so it need not be constant-time.

declare function atob(text: string): string;

/** Decodes base64, with `+/` or `-_`, with padding or without. */
export function fromBase64(text: string): Uint8Array {
  return Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (unit) => unit.charCodeAt(0));
}
