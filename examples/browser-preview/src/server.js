// What the product's server has for the page: nothing of it is in clear.

/** Lists an owner's records: {table, record, fields}. */
export function records(owner) {
  return json(`/records.json?${new URLSearchParams({ owner })}`);
}

/** The sealed fields of an owner, of all its records or of one: {org, table, record, field, envelope}. */
export async function sealedFields(owner, place = {}) {
  const lines = await text(`/sealed.jsonl?${new URLSearchParams({ owner, ...place })}`);
  return lines.split('\n').filter(Boolean).map((line) => JSON.parse(line));
}

export async function json(path) {
  return (await get(path)).json();
}

export async function text(path) {
  return (await get(path)).text();
}

/** Hands the server an object and gives its answer. */
export async function post(path, body) {
  const response = await fetch(path, { method: 'POST', body: JSON.stringify(body) });
  if (!response.ok) throw new Error(`${path}: HTTP status ${response.status}`);
  return response.json();
}

async function get(path) {
  const response = await fetch(path);
  if (!response.ok) throw new Error(`${path}: HTTP status ${response.status}`);
  return response;
}
