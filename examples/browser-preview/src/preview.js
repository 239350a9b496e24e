// The page that a person sees: records on the left, the fields of one on the right.
import { fromText } from '@strongroom/wasm';

import { records, sealedFields } from './server.js';

const element = (id) => document.getElementById(id);

/** Lists the org's records. Nothing is opened before somebody unfolds a field. */
export async function showPreview(session) {
  element('org').textContent = session.org;
  const all = await records(session.org);
  const list = () => {
    const wanted = element('filter').value.toLowerCase();
    const found = all.filter(({ table, record }) => `${table} ${record}`.toLowerCase().includes(wanted));
    element('records').replaceChildren(...found.slice(0, MAX_LISTED).map((record) => recordItem(session, record)));
    say(`${found.length} of ${all.length} records`);
  };
  element('filter').addEventListener('input', list);
  list();
}

function recordItem(session, { table, record, fields }) {
  const button = make('button', record);
  button.append(make('small', `${table}, ${many(fields, 'field')}`));
  button.addEventListener('click', () => {
    for (const other of element('records').querySelectorAll('[aria-current]')) other.removeAttribute('aria-current');
    button.setAttribute('aria-current', 'true');
    showRecord(session, table, record).catch((error) => say(error.message));
  });
  const item = make('li');
  item.append(button);
  return item;
}

async function showRecord(session, table, record) {
  const sealed = await sealedFields(session.org, { table, record });
  element('title').textContent = record;
  element('fields').replaceChildren(...sealed.map((line) => fieldItem(session, line)));
}

/** A field that is opened when it is unfolded and forgotten when it is folded. */
function fieldItem(session, { org, table, record, field, envelope }) {
  const sealed = fromText(envelope);
  const summary = make('summary', `${field} `);
  summary.append(make('small', `${sealed.length} bytes sealed`));
  const value = make('pre');
  const item = make('details');
  item.append(summary, value);
  item.addEventListener('toggle', async () => {
    value.textContent = '';
    value.className = '';
    if (!item.open) return;
    try {
      const plaintext = await session.vault.open(session.manifest.binding(org, table, record, field), sealed);
      if (item.open) value.textContent = readable(plaintext);
      plaintext.fill(0);
    } catch (error) {
      value.className = 'refused';
      value.textContent = error.code ?? error.message;
    }
    say(`${many(session.kms.calls, 'KMS call')}, ${many(session.vault.vault.status().length, 'DEK')} held`);
  });
  return item;
}

/** A value as a person would read it: text, JSON with line breaks, and bytes as hex. */
function readable(plaintext) {
  if (plaintext.length === 0) return '(empty)';
  let text;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(plaintext);
  } catch {
    const start = Array.from(plaintext.subarray(0, MAX_HEX), (byte) => byte.toString(16).padStart(2, '0')).join(' ');
    return `${plaintext.length} bytes: ${start}${plaintext.length > MAX_HEX ? ' …' : ''}`;
  }
  try {
    return JSON.stringify(JSON.parse(text), undefined, 2);
  } catch {
    return text;
  }
}

function many(number, thing) {
  return `${number} ${thing}${number === 1 ? '' : 's'}`;
}

function say(text) {
  element('status').textContent = text;
}

function make(name, text = '') {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
}

const MAX_LISTED = 200;
const MAX_HEX = 256;
